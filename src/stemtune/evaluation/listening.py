"""Hears again what is worth listening to: chosen passages of every system, exactly as they were scored.

A model separates the track from its beginning, as it did for the score, and stops behind the last passage; so what is
heard is what was measured, to the bit, not what the model makes of ten seconds by themselves.

    ratio_db(passage, system) = 10 log10( |stem|^2 / |stem - estimate|^2 )    over the passage
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from stemtune.data.tracks import Track
from stemtune.evaluation.excerpts import Excerpt, ExcerptKeeper
from stemtune.evaluation.passages import Passage
from stemtune.evaluation.scoring import hear
from stemtune.evaluation.systems import System

__all__ = ["HeardPassage", "hear_passages", "ratio_db"]


@dataclass(frozen=True)
class HeardPassage:
    """A passage as everybody hears it.

    Attributes:
        passage: which.
        sample_rate: of everything, in Hz.
        mixture: the whole song there.
        reference: the true stem.
        estimates: of the stem, by system; the mixture needs none.
    """

    passage: Passage
    sample_rate: int
    mixture: Float[Tensor, "channel time"]
    reference: Float[Tensor, "channel time"]
    estimates: Mapping[str, Tensor]


def hear_passages(
    passages: Sequence[Passage],
    systems: Mapping[str, System],
    tracks: Sequence[Track],
    *,
    on_track: Callable[[str, Track], None] | None = None,
) -> tuple[HeardPassage, ...]:
    """Collect the sound of passages.

    Args:
        passages: of any of the tracks.
        systems: by the names under which they go; each must know the stems.
        tracks: that the passages are of.
        on_track: is told which system begins with which track.

    Raises:
        InputError: if a file cannot be read any more.
    """
    by_name = {track.name: track for track in tracks}
    found: dict[int, HeardPassage] = {}
    numbered = list(enumerate(passages))
    for name in dict.fromkeys(passage.track for passage in passages):
        track, here = by_name[name], [(number, one) for number, one in numbered if one.track == name]
        for label, system in systems.items():
            if on_track:
                on_track(label, track)
            for number, excerpt in _cut_out(system, track, here):
                found[number] = _with_estimate(found.get(number), passages[number], label, excerpt)
    return tuple(found[number] for number, _ in numbered if number in found)


def _cut_out(system: System, track: Track, passages: Sequence[tuple[int, Passage]]) -> Iterator[tuple[int, Excerpt]]:
    stems = tuple(dict.fromkeys(passage.stem for _, passage in passages))
    rate = track.sample_rate
    keepers = {
        number: ExcerptKeeper(track, start=passage.start_seconds * rate, stop=passage.stop_seconds * rate)
        for number, passage in passages
    }
    last = max(keeper.stop for keeper in keepers.values())
    with closing(hear(system, track, stems)) as blocks:
        for block in blocks:
            for keeper in keepers.values():
                keeper.update(block)
            if block.start + block.mixture.shape[1] >= last:
                break
    while keepers:
        number, keeper = keepers.popitem()
        excerpt = keeper.excerpt(stems)
        if excerpt is not None:
            yield number, excerpt


def _with_estimate(before: HeardPassage | None, passage: Passage, label: str, excerpt: Excerpt) -> HeardPassage:
    """With one more system's estimate; of an excerpt, which holds all stems, no more than the passage's is kept."""
    estimate = {label: excerpt.estimates[passage.stem].clone()}
    if before is not None:
        return replace(before, estimates={**before.estimates, **estimate})
    return HeardPassage(
        passage=passage,
        sample_rate=excerpt.sample_rate,
        mixture=excerpt.mixture,
        reference=excerpt.references[passage.stem].clone(),
        estimates=estimate,
    )


def ratio_db(estimate: Float[Tensor, "channel time"], *, reference: Float[Tensor, "channel time"]) -> float:
    """The energy of a reference over that of the error, in dB."""
    truth = reference.double()
    signal, error = float(truth.square().sum()), float((truth - estimate.double()).square().sum())
    if not error:
        return math.inf
    return 10 * math.log10(signal / error) if signal else -math.inf
