"""What it means that two tracks share sound: leakage across splits, a duplicate, or a passage in common.

different splits             leakage: an error from 3 s or half of the shorter file on, else a warning
same split, all of both      duplicate: a warning
same split, a passage        shared: a note; a warning where no splits exist yet, for they would cut through it
"""

from collections.abc import Iterator, Sequence

from stemtune.data.audit.report import Finding, Severity, SharedAudio
from stemtune.data.audit.sharing import Sharing
from stemtune.data.audit.sources import Item

__all__ = ["judge_sharing"]

_LEAK_SECONDS, _LEAK_SHARE = 3.0, 0.5
_WHOLE_SHARE, _SAME_LENGTH = 0.8, 0.9


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
        severity, kind = _judge(first, second, audio)
        yield Finding(
            severity=severity,
            kind=kind,
            dataset=second.source.name,
            track=second.track.name,
            stem=audio.second_stem,
            message=_describe(shared, longest),
        )


def _judge(first: Item, second: Item, audio: SharedAudio) -> tuple[Severity, str]:
    if first.split != second.split:
        serious = audio.seconds >= _LEAK_SECONDS or audio.share >= _LEAK_SHARE
        return Severity.ERROR if serious else Severity.WARNING, "leakage"
    lengths = sorted((first.track.duration_seconds, second.track.duration_seconds))
    if audio.is_exact or (audio.share >= _WHOLE_SHARE and lengths[0] >= _SAME_LENGTH * lengths[1]):
        return Severity.WARNING, "duplicate"
    return Severity.NOTE if first.split else Severity.WARNING, "shared_audio"


def _describe(shared: Sequence[Sharing], longest: Sharing) -> str:
    """Such as: 12.0 s of vocals (from 0:03) are in song2, vocals (from 1:05); so are 2 more of its files."""
    audio, first, second = longest.audio, longest.first, longest.second
    place = f"{first.track.name} ({audio.first_stem})"
    if first.source != second.source:
        place = f"{first.source.name}: {place}"
    if first.split != second.split:
        place = f"{place} of {first.split or 'no split'}, while this is {second.split or 'no split'}"
    if audio.is_exact:
        what = f"the same samples as {place}"
    else:
        what = (
            f"{audio.seconds:.1f} s from {_clock(audio.second_start_seconds)} on are also in {place}, "
            f"from {_clock(audio.first_start_seconds)} on"
        )
    others = sorted({sharing.audio.second_stem for sharing in shared} - {audio.second_stem})
    return f"{what}; likewise {', '.join(others)}" if others else what


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
