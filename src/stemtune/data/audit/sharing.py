"""The same sound under several names: equal samples first, then fingerprints, each confirmed by listening to both.

    shared = { pairs with equal digests } + { candidates of `matching` that `common` confirms }.

Pairs of stems of one track are no concern of this file (`listen` compares them, and they may bleed).
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from stemtune.data.audit.common import CommonAudio, Passage, listen_to_both
from stemtune.data.audit.examined import Examined
from stemtune.data.audit.matching import Candidate, find_candidates
from stemtune.data.audit.meter import FileFacts
from stemtune.data.audit.report import SharedAudio
from stemtune.data.audit.sources import Item
from stemtune.data.audit.workers import Crashed, run_all

__all__ = ["Sharing", "find_shared", "group_tracks"]

_BATCH = 96
_FRUITLESS = 4  # batches without any confirmation, after which weaker candidates are not listened to
_MOST_OF_A_FILE = 24  # candidates


@dataclass(frozen=True)
class Sharing:
    """Two tracks, and what they share."""

    first: Item
    second: Item
    audio: SharedAudio


@dataclass(frozen=True)
class _File:
    """A file that was heard, and where it stands."""

    item: Item
    track: int
    heard: FileFacts


def find_shared(
    examined: Sequence[Examined], *, jobs: int, on_done: Callable[[float], None] | None = None
) -> tuple[Sharing, ...]:
    """Everything that two different tracks share.

    Args:
        examined: the tracks, listened to.
        jobs: how many processes may listen.
        on_done: hears how far this is, 0 to 1.
    """
    files = [
        _File(one.item, number, heard)
        for number, one in enumerate(examined)
        if one.facts is not None
        for heard in one.facts.files.values()
        if heard.sounds
    ]
    exact, same = _equal_files(files)
    candidates = [
        candidate
        for candidate in find_candidates([file.heard.landmarks for file in files], [file.track for file in files])
        if same[candidate.first] != same[candidate.second]
    ]
    return (*exact, *_confirm(files, _at_most(candidates), jobs, on_done))


def _equal_files(files: Sequence[_File]) -> tuple[list[Sharing], list[int]]:
    """Pairs of files with equal samples, each with the first of its kind; and of each file, which that is."""
    first: dict[str, int] = {}
    same = [first.setdefault(file.heard.digest, number) for number, file in enumerate(files)]
    pairs = [(files[other], file) for other, file in zip(same, files, strict=True) if files[other].track != file.track]
    return [
        _sharing(one, other, CommonAudio(0.0, 0.0, round(other.heard.seconds, 2), 1.0), is_exact=True)
        for one, other in pairs
    ], same


def _at_most(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Without those that come after many better ones of both files."""
    counts: dict[int, int] = {}
    chosen: list[Candidate] = []
    for candidate in candidates:
        number = min(counts.get(candidate.first, 0), counts.get(candidate.second, 0))
        if number < _MOST_OF_A_FILE:
            chosen.append(candidate)
            for file in (candidate.first, candidate.second):
                counts[file] = counts.get(file, 0) + 1
    return chosen


def _confirm(
    files: Sequence[_File], candidates: Sequence[Candidate], jobs: int, on_done: Callable[[float], None] | None
) -> list[Sharing]:
    """Listen to candidates, the likeliest first, until that has been fruitless for long."""
    found: list[Sharing] = []
    fruitless = done = 0
    passages = (_passage(files, candidate) for candidate in candidates)
    with closing(run_all(_listen, [*passages], jobs=jobs if len(candidates) > _BATCH else 1)) as results:
        while fruitless < _FRUITLESS and (batch := list(islice(results, _BATCH))):
            before = len(found)
            for candidate, common in zip(candidates[done:], batch, strict=False):
                if common is not None and not isinstance(common, Crashed):
                    found.append(_sharing(files[candidate.first], files[candidate.second], common))
            done += len(batch)
            fruitless = 0 if len(found) > before else fruitless + 1
            if on_done:
                on_done(done / len(candidates))
    return found


def _passage(files: Sequence[_File], candidate: Candidate) -> Passage:
    first, second = files[candidate.first].heard, files[candidate.second].heard
    return Passage(
        first.path,
        second.path,
        first.landmarks,
        second.landmarks,
        candidate.lag_frames,
        first.seconds,
        second.seconds,
    )


def _listen(passage: Passage, *, on_seconds: Callable[[float], None]) -> CommonAudio | None:
    del on_seconds
    return listen_to_both(passage)


def _sharing(first: _File, second: _File, common: CommonAudio, *, is_exact: bool = False) -> Sharing:
    audio = SharedAudio(
        first_dataset=first.item.source.name,
        first_track=first.item.track.name,
        first_stem=first.item.stem_of(first.heard.path),
        first_start_seconds=common.first_start_seconds,
        second_dataset=second.item.source.name,
        second_track=second.item.track.name,
        second_stem=second.item.stem_of(second.heard.path),
        second_start_seconds=common.second_start_seconds,
        seconds=common.seconds,
        share=common.share,
        is_exact=is_exact,
    )
    return Sharing(first.item, second.item, audio)


def group_tracks(sharings: Iterable[Sharing]) -> tuple[tuple[Item, ...], ...]:
    """Tracks that share more than fleeting sound, directly or through others; in the order in which they were met."""
    group_of: dict[tuple[str, str], list[Item]] = {}
    for sharing in (sharing for sharing in sharings if not sharing.audio.is_fleeting):
        pair = [(item.source.name, item.track.name) for item in (sharing.first, sharing.second)]
        groups = [group_of.get(key, [item]) for key, item in zip(pair, (sharing.first, sharing.second), strict=True)]
        together = groups[0] if groups[0] is groups[1] else groups[0] + groups[1]
        for item in together:
            group_of[(item.source.name, item.track.name)] = together
    unique = {id(group): group for group in group_of.values()}
    return tuple(tuple(group) for group in unique.values())
