"""What training examples are drawn from: recordings of each stem, and songs with several of them.

Named stems: a stem is drawn from every corpus that has it, whatever else they have. Anonymous stems: the corpora's
stem sets differ and mean different things (``accompaniment`` here, ``drums`` and ``bass`` there), so an example takes
all its stems from one corpus:

    p(corpus) = weight(corpus) / sum of weights.

What could not work is refused here, before the first example is drawn.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stemtune.data.excerpts import ExcerptReader
from stemtune.data.segments import Corpus, Pool
from stemtune.data.tracks import MIXTURE, Track
from stemtune.errors import ConfigError, InputError

__all__ = ["Opened", "Stock", "anonymous_stock", "check_lengths", "check_sounds", "named_stock"]

Opened = Sequence[tuple[Corpus, Sequence[Track]]]
"""Corpora with their tracks, see `segments.open_corpora`."""

_SCAN_SECONDS = 10.0
_FIRST_LOOK = 8  # tracks of which the middle is heard before any is heard as a whole


@dataclass(frozen=True)
class Stock:
    """What to draw from.

    Attributes:
        programmes: pools by stem; one programme for named stems, one for each corpus for anonymous ones.
        weights: of the programmes.
        songs: tracks with at least two of the stems, if there are any.
    """

    programmes: tuple[Mapping[str, Pool], ...]
    weights: tuple[float, ...]
    songs: Pool | None

    def programme(self, generator: np.random.Generator) -> Mapping[str, Pool]:
        """One of the programmes; takes one random value."""
        place = float(generator.random()) * sum(self.weights)
        index = int(np.searchsorted(np.cumsum(self.weights), place, side="right"))
        return self.programmes[min(index, len(self.programmes) - 1)]


def named_stock(opened: Opened, stems: Sequence[str]) -> Stock:
    """Pools for the given stems.

    Raises:
        InputError: if some stem is in none of the corpora.
    """
    pools: dict[str, Pool] = {}
    for stem in stems:
        having = _having(opened, lambda track, stem=stem: stem in track.stems)
        if not having:
            found = sorted({name for _, tracks in opened for track in tracks for name in track.stems})
            raise InputError(f"no corpus has a stem {stem!r}; the stems found are: {', '.join(found)}")
        pools[stem] = Pool.of(having)
    songs = _having(opened, lambda track: len(set(track.stems) & set(stems)) > 1)
    return Stock((pools,), (1.0,), Pool.of(songs) if songs else None)


def anonymous_stock(opened: Opened) -> Stock:
    """Pools for whatever stems each corpus has; corpora of unlabelled mixtures are refused.

    Raises:
        InputError: if a corpus has fewer than two stems.
    """
    programmes: list[Mapping[str, Pool]] = []
    for corpus, tracks in opened:
        names = _separate(sorted({stem for track in tracks for stem in track.stems} - {MIXTURE}))
        if len(names) < 2:
            raise InputError(
                f"{corpus.path}: anonymous mixing needs at least two stems in each corpus; this one has "
                f"{', '.join(names) or 'mixtures only'}"
            )
        programmes.append({
            name: Pool.of([(corpus, [track for track in tracks if name in track.stems])]) for name in names
        })  # fmt: skip
    songs = _having(opened, lambda track: len(track.stems) > 1)
    return Stock(tuple(programmes), tuple(corpus.weight for corpus, _ in opened), Pool.of(songs) if songs else None)


def check_lengths(stock: Stock, *, segment_seconds: float, coherent: bool, incoherent: bool) -> None:
    """Refuse segments that are longer than any recording.

    Raises:
        ConfigError: naming the stem and the longest that there is.
    """
    pools = [(f"recording of {stem!r}", pool) for programme in stock.programmes for stem, pool in programme.items()]
    wanted = (pools if incoherent else []) + ([("song", stock.songs)] if coherent and stock.songs else [])
    for what, pool in wanted:
        if pool.longest_seconds < segment_seconds:
            raise ConfigError(
                f"segment_seconds is {segment_seconds:g}, but the longest {what} lasts {pool.longest_seconds:.2f} s; "
                "choose shorter segments or add longer recordings"
            )


def check_sounds(stock: Stock, reader: ExcerptReader) -> None:
    """Refuse stems that are silent in all their recordings; quick unless there is such a stem.

    Raises:
        InputError: naming the stem and one of its files.
    """
    for programme in stock.programmes:
        for stem, pool in programme.items():
            if not _is_heard(pool, stem, reader):
                example = pool.tracks[0].stems[stem][0]
                raise InputError(
                    f"the stem {stem!r} is silent from beginning to end in all its {len(pool.tracks)} recordings "
                    f"(such as {example}); nothing can be learnt from it: correct the files or leave out the stem"
                )


def _is_heard(pool: Pool, stem: str, reader: ExcerptReader) -> bool:
    """Whether any of the recordings has a sample that is not zero."""
    num_samples = round(_SCAN_SECONDS * reader.sample_rate)

    def sounds(track: Track, start_seconds: float) -> bool:
        return bool(reader.read(track.stems[stem], start_seconds=start_seconds, num_samples=num_samples).any())

    middles = ((track, max(0.0, (track.duration_seconds - _SCAN_SECONDS) / 2)) for track in pool.tracks[:_FIRST_LOOK])
    if any(sounds(track, start) for track, start in middles):
        return True
    return any(
        sounds(track, _SCAN_SECONDS * number)
        for track in pool.tracks
        for number in range(math.ceil(track.duration_seconds / _SCAN_SECONDS))
    )


def _separate(names: Sequence[str]) -> list[str]:
    """Without ``bass+other`` where ``bass`` or ``other`` exist: of one mixture, they would be the same twice."""
    return [name for name in names if "+" not in name or not set(name.split("+")) & set(names)]


def _having(opened: Opened, is_wanted: Callable[[Track], bool]) -> list[tuple[Corpus, list[Track]]]:
    having = [(corpus, [track for track in tracks if is_wanted(track)]) for corpus, tracks in opened]
    return [(corpus, tracks) for corpus, tracks in having if tracks]
