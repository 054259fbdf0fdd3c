"""What it means that two tracks share sound: leakage across splits, a duplicate, a passage or a note in common.

    less than 5 s and than half of a file    notes: of a sampler, or a loop; a warning across splits, else a note
    different splits                         leakage: an error
    same split, all stems whole              duplicate: a warning
    same split, less than that               shared: a note; a warning where one is in no split yet

Two tracks make one finding, however many of their stems are concerned.
"""

from collections.abc import Iterator, Sequence

from stemtune.data.audit.report import Finding, Severity
from stemtune.data.audit.sharing import Sharing

__all__ = ["judge_sharing"]

_WHOLE_SHARE, _SAME_LENGTH = 0.9, 0.9


def judge_sharing(sharings: Sequence[Sharing]) -> Iterator[Finding]:
    """One finding for every two tracks that share sound."""
    pairs: dict[tuple[str, ...], list[Sharing]] = {}
    for sharing in sharings:
        first, second = sharing.first, sharing.second
        key = (first.source.name, first.track.name, second.source.name, second.track.name)
        pairs.setdefault(key, []).append(sharing)
    for shared in pairs.values():
        longest = max(shared, key=lambda sharing: sharing.audio.seconds)
        first, second, audio = longest.first, longest.second, longest.audio
        severity, kind = _judge(shared, longest)
        yield Finding(
            severity=severity,
            kind=kind,
            dataset=second.source.name,
            track=second.track.name,
            stem=audio.second_stem,
            message=_describe(shared, longest),
        )


def _judge(shared: Sequence[Sharing], longest: Sharing) -> tuple[Severity, str]:
    first, second, audio = longest.first, longest.second, longest.audio
    is_across = bool(first.split and second.split and first.split != second.split)
    if audio.is_fleeting:
        return Severity.WARNING if is_across else Severity.NOTE, "shared_notes"
    if is_across:
        return Severity.ERROR, "leakage"
    lengths = sorted((first.track.duration_seconds, second.track.duration_seconds))
    whole = [one.audio for one in shared if one.audio.is_exact or one.audio.share >= _WHOLE_SHARE]
    firsts, seconds = {audio.first_stem for audio in whole}, {audio.second_stem for audio in whole}
    is_all = firsts >= set(first.track.stems) and seconds >= set(second.track.stems)
    if is_all and lengths[0] >= _SAME_LENGTH * lengths[1]:
        return Severity.WARNING, "duplicate"
    return Severity.NOTE if first.split and second.split else Severity.WARNING, "shared_audio"


def _describe(shared: Sequence[Sharing], longest: Sharing) -> str:
    """Such as: 12.0 s (from 0:03.0) are also in song2 (vocals, from 1:05.0) of test; likewise drums."""
    audio, first, second = longest.audio, longest.first, longest.second
    name = first.track.name if first.source == second.source else f"{first.source.path.name}/{first.track.name}"
    if audio.is_exact:
        what = f"{second.split or 'this'} has the same samples as {name} ({audio.first_stem})"
    else:
        here, there = _clock(audio.second_start_seconds), _clock(audio.first_start_seconds)
        whose = f"of {second.split} " if first.split != second.split and second.split else ""
        what = f"{audio.seconds:.1f} s {whose}(from {here}) are also in {name} ({audio.first_stem}, from {there})"
    if first.split != second.split:
        what += f" of {first.split or 'no split'}"
    others = sorted({sharing.audio.second_stem for sharing in shared} - {audio.second_stem})
    return f"{what}; likewise {', '.join(others)}" if others else what


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
