"""From drafts to tracks: the headers of all files, read side by side, and whether the files of a track fit together.

Nothing is decoded, except files whose container does not state their length, and nothing is remembered: a data set
that changed is read as it is now. The files of a track must agree,

    rate(file) = rate(track),   |length(file) - length(track)| < 50 ms,

or what is called coherent would not be. Differences below that come from coding; the audit reports them.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.audio import AudioInfo, open_audio, probe
from stemtune.data.audio_streams import split_stream
from stemtune.data.datasets.drafts import Draft, Problem
from stemtune.data.tracks import Track
from stemtune.errors import InputError
from stemtune.types import StemSet

__all__ = ["LENGTH_TOLERANCE_SECONDS", "Opened", "read_headers"]

LENGTH_TOLERANCE_SECONDS = 0.05
_NUM_THREADS = 8  # reading headers is waiting for disks, not computing


@dataclass(frozen=True)
class Opened:
    """A track, unless none of its files can be read, and what is wrong with it."""

    track: Track | None
    problems: tuple[Problem, ...]


def read_headers(drafts: Sequence[Draft]) -> tuple[Opened, ...]:
    """Open every draft, in order."""
    if not drafts:
        return ()
    with ThreadPoolExecutor(min(_NUM_THREADS, len(drafts))) as pool:
        return tuple(pool.map(_open, drafts))


def _open(draft: Draft) -> Opened:
    stem_of = {path: stem for stem, paths in draft.stems.items() for path in paths}
    infos: dict[Path, AudioInfo] = {}
    problems: list[Problem] = []
    whole: dict[Path, AudioInfo] = {}
    for path in draft.files:
        try:
            infos[path] = _probe(path, whole)
        except InputError as error:
            problems.append(Problem("unreadable", draft.name, stem_of.get(path, "mixture"), str(error)))
    if not infos:
        return Opened(None, tuple(problems))
    first = infos[draft.mixture] if draft.mixture in infos else _most_alike(list(infos.values()))
    try:
        lengths = {path: _num_samples(info) for path, info in infos.items() if draft.is_ragged or info is first}
    except InputError as error:
        problems.append(Problem("unreadable", draft.name, stem_of.get(first.path, "mixture"), str(error)))
        return Opened(None, tuple(problems))
    problems += _disagreements(draft, first, infos, stem_of)
    track = Track(
        name=draft.name,
        stems=StemSet(draft.stems),
        mixture=draft.mixture,
        sample_rate=first.sample_rate,
        num_samples=max(count * first.sample_rate // infos[path].sample_rate for path, count in lengths.items()),
        num_channels=first.num_channels if draft.mixture else max(info.num_channels for info in infos.values()),
        silent=draft.silent,
        partial=draft.partial,
        origin=draft.origin,
    )
    return Opened(track, tuple(problems))


def _probe(path: Path, whole: dict[Path, AudioInfo]) -> AudioInfo:
    """The header of a file; of a container with several streams only one is opened, and the others are like it."""
    container, stream = split_stream(path)
    if stream is None:
        return probe(path)
    info = whole.get(container) or whole.setdefault(container, probe(path))
    if stream >= info.num_streams:
        raise InputError(
            f"{container}: expected an audio stream {stream}, counted from 0; the file has {info.num_streams}: "
            "get it again, or correct `streams` in the mapping"
        )
    return info


def _num_samples(info: AudioInfo) -> int:
    """The length of a file, by decoding it where its container does not state it."""
    if info.exact_length:
        return info.num_samples
    with open_audio(info.path) as reader:
        return sum(block.shape[1] for block in reader.blocks(1 << 16))


def _most_alike(infos: Sequence[AudioInfo]) -> AudioInfo:
    """The first of those files with which most others agree; so the odd one is blamed, not the many."""
    return max(infos, key=lambda info: sum(not _differ(info, other) for other in infos))


def _differ(info: AudioInfo, other: AudioInfo) -> bool:
    apart = abs(info.duration_seconds - other.duration_seconds)
    return info.sample_rate != other.sample_rate or apart > LENGTH_TOLERANCE_SECONDS


def _disagreements(
    draft: Draft, first: AudioInfo, infos: dict[Path, AudioInfo], stem_of: dict[Path, str]
) -> Iterator[Problem]:
    """Files of another rate or length than the first, to which all are compared."""
    for path, info in infos.items():
        stem = stem_of.get(path, "mixture")
        if info.sample_rate != first.sample_rate:
            yield Problem(
                "sample_rate", draft.name, stem,
                f"{path}: expected {first.sample_rate} Hz, as {first.path.name} of the same track has; got "
                f"{info.sample_rate} Hz: resample all files of the track to one rate",
            )  # fmt: skip
        apart = info.duration_seconds - first.duration_seconds
        is_known = info.exact_length and first.exact_length and not draft.is_ragged
        if is_known and abs(apart) > LENGTH_TOLERANCE_SECONDS:
            yield Problem(
                "length", draft.name, stem,
                f"{path}: expected {first.duration_seconds:.3f} s, as {first.path.name} of the same track has; got "
                f"{info.duration_seconds:.3f} s: export all stems from the same start to the same end",
            )  # fmt: skip
