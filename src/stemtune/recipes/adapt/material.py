"""What there is to learn from: the audit's verdict, the stems, and what must not be divided.

    material = songs (two stems or more, or stems and a mixture)  +  single recordings of one stem each

A mixture that its stems account for is used as it is, or ignored if it was mastered; where it holds much more than the
stems, what is left becomes a stem of its own, `REST`: so one stem and its mixtures are enough. Material that cannot
teach anything is refused, and all that was noticed is said.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audit import AuditReport, Finding, Severity, audit
from stemtune.data.datasets import Layout, open_dataset
from stemtune.data.tracks import Track
from stemtune.errors import InputError
from stemtune.evaluation.streams import mixture_blocks, stem_blocks
from stemtune.types import StemSet

__all__ = ["REST", "Material", "examine", "find_tracks"]

REST = "rest"
"""The stem that is made of what the others leave of a mixture."""

_COMPLETE_DB, _MASTERED_DB = -30.0, -15.0
_MASTERED_LIKENESS = 0.95  # correlation, whatever the level: limiters change that, too
_LEVEL_TOLERANCE = 0.15
_MOST_REMARKS_PER_KIND = 3
_NOT_IN_THE_WAY = frozenset({"null_depth", "leakage", "duplicate"})  # judged here, or harmless within one folder
_WORTH_SAYING = frozenset({"bleed", "clipping", "missing_stem", "band_limited", "duplicate", "silent", "gain"})


@dataclass(frozen=True)
class Material:
    """What can be learnt from.

    Attributes:
        songs: with at least two stems each, `REST` among them where it is to be made.
        recordings: single ones, of one stem each.
        stems: of the model, in the order in which they were found; `REST` last.
        rest_of: the songs whose `REST` is to be made, by name.
        active_minutes: of each stem, where it was heard.
        groups: names of tracks that share sound or a singer, and must not be divided.
        remarks: what was found, and what will be done about it.
        report: the audit.
    """

    songs: tuple[Track, ...]
    recordings: tuple[Track, ...]
    stems: tuple[str, ...]
    rest_of: frozenset[str]
    active_minutes: dict[str, float]
    groups: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...]
    report: AuditReport

    @property
    def rarest_minutes(self) -> float:
        """Of the stem that sounds least; of the rest nothing is known before it is made."""
        return min(minutes for stem, minutes in self.active_minutes.items() if stem != REST)

    @property
    def minutes(self) -> float:
        """Of all songs and recordings."""
        return sum(track.duration_seconds for track in (*self.songs, *self.recordings)) / 60


def examine(path: Path, *, split: str | None = None, layout: Layout | None = None) -> Material:
    """Listen to everything, and sort it.

    Args:
        path: a folder of songs or stems, or a table; see `stemtune.data.datasets.open_dataset`.
        split: which of its splits; if None, ``train`` where there is one, else everything.
        layout: what the folder holds, where its names do not say.

    Raises:
        InputError: if nothing can be learnt from it; the message says why, and what to do.
        UsageError: for a split that does not exist, or a layout that cannot be recognised.
    """
    tracks, chosen = find_tracks(path, split=split, layout=layout)
    remarks: list[str] = []
    if chosen != split:
        split = chosen
        remarks.append("learns from the split train only; the others stay apart")
    report = audit([path], split=split, layout=layout)
    _refuse_errors(report, path)
    tracks = tuple(track for track in tracks if track.is_labelled)
    if not tracks:
        raise InputError(f"{path}: there are only mixtures; adapting needs recordings of single stems")
    tracks, left_out = _without_compounds(tracks)
    remarks += left_out
    songs: list[Track] = []
    recordings: list[Track] = []
    rest_of: set[str] = set()
    for track in tracks:
        judged, has_rest, words = _judge_mixture(track)
        remarks += words
        if has_rest:
            rest_of.add(judged.name)
        (songs if len(judged.stems) > 1 or has_rest else recordings).append(judged)
    stems = tuple(dict.fromkeys(stem for track in tracks for stem in track.stems)) + ((REST,) if rest_of else ())
    if REST in stems[:-1] and rest_of:
        raise InputError(f"{path}: a stem is called {REST!r}, and some mixtures hold more than their stems; rename it")
    if len(stems) < 2:
        only = ", ".join(stems)
        raise InputError(
            f"{path}: {only} is the only stem, and there is nothing to tell it from; add a file 'mixture' to "
            "each song, or recordings of everything else as a second stem"
        )
    minutes = _active_minutes(report, stems)
    remarks += _remarks(report)
    return Material(
        songs=tuple(songs),
        recordings=tuple(recordings),
        stems=stems,
        rest_of=frozenset(rest_of),
        active_minutes=minutes,
        groups=_groups(report, tracks),
        remarks=tuple(dict.fromkeys(remarks)),
        report=report,
    )


def find_tracks(path: Path, *, split: str | None, layout: Layout | None) -> tuple[tuple[Track, ...], str | None]:
    """The tracks that are meant, without listening to them; and their split, if there are splits."""
    tracks = open_dataset(path, split=split, layout=layout)
    if split is not None or not any(track.origin.split == "train" for track in tracks):
        return tracks, split
    return open_dataset(path, split="train", layout=layout), "train"


def _refuse_errors(report: AuditReport, path: Path) -> None:
    errors = [f for f in report.findings if f.severity is Severity.ERROR and f.kind not in _NOT_IN_THE_WAY]
    if errors:
        first, others = errors[0], len(errors) - 1
        more = f" (and {others} more; `stemtune data check {path}` lists them)" if others else ""
        advice = report.explanations[first.kind].advice
        raise InputError(f"{path}: {first.place}: {first.message}{more}. {advice}")


def _without_compounds(tracks: Sequence[Track]) -> tuple[tuple[Track, ...], list[str]]:
    """Songs with a file that nobody took apart, ``bass+other``, would teach that its parts are silent."""
    kept = tuple(track for track in tracks if not any("+" in stem for stem in track.stems))
    if not kept:
        raise InputError("in every song some stems are still mixed together; adapting needs them apart")
    lost = [track.name for track in tracks if track not in kept]
    return kept, [f"{name}: left out, for some of its stems are still mixed together" for name in lost]


def _judge_mixture(track: Track) -> tuple[Track, bool, list[str]]:
    """The track with the mixture that is to be used, whether it needs a `REST`, and what there is to say."""
    if track.mixture is None:
        return track, False, []
    depth_db, level, likeness = _compare_with_stems(track)
    if depth_db <= _COMPLETE_DB:
        return track, False, []
    without = replace(track, mixture=None)
    if (depth_db <= _MASTERED_DB or likeness >= _MASTERED_LIKENESS) and len(track.stems) > 1:
        words = (
            f"{track.name}: the mixture was changed after the stems were exported ({depth_db:.0f} dB are left of it); "
            "the sum of the stems is used instead"
        )
        return without, False, [words]
    if abs(level - 1) > _LEVEL_TOLERANCE:
        raise InputError(
            f"{track.name}: the mixture holds {level:.2f} times its stems, where exactly once was expected: they do "
            "not belong together, or their levels differ; export them from one session, or remove the mixture file"
        )
    stems = StemSet({**dict(track.stems), REST: ()})
    words = f"{track.name}: the mixture holds more than its stems ({depth_db:.0f} dB); what they leave becomes {REST!r}"
    return replace(track, stems=stems), True, [words]


def _compare_with_stems(track: Track) -> tuple[float, float, float]:
    """How much of the mixture the stems leave, in dB; how often it contains their sum; and how much it is like it."""
    mixed = left = of_stems = product = 0.0
    streams = [stem_blocks(track, stem) for stem in track.stems]
    for heard, *parts in zip(mixture_blocks(track), *streams, strict=False):
        total: Float[Tensor, "channel time"] = torch.stack(parts).sum(dim=0)
        mixed += float(heard.square().sum())
        left += float((heard - total).square().sum())
        of_stems += float(total.square().sum())
        product += float((heard * total).sum())
    depth_db = 10 * math.log10((left + 1e-12) / (mixed + 1e-12)) if mixed else 0.0
    level = product / of_stems if of_stems else 0.0
    return depth_db, level, level * math.sqrt(of_stems / mixed) if mixed else 0.0


def _active_minutes(report: AuditReport, stems: Sequence[str]) -> dict[str, float]:
    minutes = dict.fromkeys(stems, 0.0)
    for of_split in report.active_minutes.values():
        for stem, value in of_split.items():
            if stem in minutes:
                minutes[stem] += value
    silent = [stem for stem, value in minutes.items() if not value and stem != REST]
    if silent:
        raise InputError(f"the stem {silent[0]!r} is silent everywhere; check its export, or remove its files")
    return {stem: value for stem, value in minutes.items() if stem != REST}


def _remarks(report: AuditReport) -> list[str]:
    """The audit's findings that concern learning, a few of each kind."""
    by_kind: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.kind in _WORTH_SAYING and finding.severity is not Severity.NOTE:
            by_kind.setdefault(finding.kind, []).append(finding)
    lines: list[str] = []
    for kind, findings in by_kind.items():
        title = report.explanations[kind].title.lower()
        lines += [f"{finding.place}: {finding.message}" for finding in findings[:_MOST_REMARKS_PER_KIND]]
        if len(findings) > _MOST_REMARKS_PER_KIND:
            lines.append(f"{title}: {len(findings) - _MOST_REMARKS_PER_KIND} more, see the audit")
    return lines


def _groups(report: AuditReport, tracks: Sequence[Track]) -> tuple[tuple[str, ...], ...]:
    """What shares sound according to the audit, and what shares a singer or a score according to the data set."""
    named: dict[str, list[str]] = {}
    for track in tracks:
        if track.origin.group:
            named.setdefault(track.origin.group, []).append(track.name)
    return (*report.groups, *(tuple(names) for names in named.values() if len(names) > 1))
