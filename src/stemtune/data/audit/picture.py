"""An audit as a picture: where each stem of each track sounds and how loudly, and what that adds up to.

    left    one band per track, one line per stem, time to the right, colour for the level of each second
    right   minutes in which each stem sounds, by split; levels of each stem, a dot per track

Tracks with errors or warnings carry a mark. matplotlib draws; it comes with the ``train`` extra and is imported only
when a picture is made.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stemtune.data.audit.report import AuditReport, Severity, TrackReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_report"]

_QUIETEST_DB, _LOUDEST_DB = -60, -10
_INK, _FAINT, _ABSENT = "#23262d", "#868c98", "#eceef2"
_MARKS = {Severity.ERROR: "#d1242f", Severity.WARNING: "#e0a000"}
_SPLITS = {"train": "#3b6fb6", "valid": "#56a0a0", "test": "#b65c8f", "": "#3b6fb6"}
_MAX_LINES = 420  # lines of the map; beyond that, evenly chosen tracks are shown
_NAMED_TRACKS = 60
_MAX_COLUMNS = 900


def draw_report(report: AuditReport) -> "Figure":
    """Draw an audit for which the files were listened to; after a quick one the map stays empty.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    stems = list(dict.fromkeys(name for track in report.tracks for name in track.stems))
    shown = _choose(report.tracks)
    lines = sum(len(track.stems) for track in shown)
    height = min(max(3.6, 1.2 + 0.16 * lines), 22)
    figure: Any = Figure(figsize=(13, height), dpi=110, facecolor="white", layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(3.4, 1))
    _draw_map(figure.add_subplot(grid[:, 0]), report, shown)
    _draw_minutes(figure.add_subplot(grid[0, 1]), report, stems)
    _draw_levels(figure.add_subplot(grid[1, 1]), report, stems)
    counts = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in report.counts.items())
    title = f"{', '.join(report.datasets)}: {len(report.tracks)} tracks, {report.minutes:.0f} minutes; {counts}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=_INK)
    return figure


def _choose(tracks: Sequence[TrackReport]) -> list[TrackReport]:
    """All tracks, or as many as there is room for, evenly."""
    lines = sum(len(track.stems) for track in tracks)
    step = -(-lines // _MAX_LINES) if lines else 1
    return list(tracks[::step])


def _draw_map(axes: Any, report: AuditReport, tracks: Sequence[TrackReport]) -> None:
    from matplotlib import colormaps

    seconds = max((track.seconds for track in tracks), default=1.0)
    names = [(track, name) for track in tracks for name in track.stems]
    columns = max(min(_MAX_COLUMNS, round(seconds)), 1)
    picture = np.full((max(len(names), 1), columns), np.nan)
    for row, (track, name) in enumerate(names):
        heard = track.stems[name].heard
        if heard is not None:
            _paint(picture[row], heard.levels_db, seconds)
    colours = colormaps["magma_r"].with_extremes(bad=_ABSENT, under="white")
    image = axes.imshow(
        picture, aspect="auto", interpolation="nearest", cmap=colours, vmin=_QUIETEST_DB, vmax=_LOUDEST_DB,
        extent=(0, seconds, picture.shape[0], 0),
    )  # fmt: skip
    axes.figure.colorbar(
        image, ax=axes, pad=0.01, fraction=0.03, aspect=40, extend="min", label="level of each second, dB"
    )
    axes.set_xlabel("seconds", color=_INK)
    axes.set_title("where each stem sounds (white: silence, grey: no sound file)", fontsize=9, loc="left", color=_INK)
    _name_tracks(axes, report, tracks, names, seconds)


def _name_tracks(
    axes: Any,
    report: AuditReport,
    tracks: Sequence[TrackReport],
    names: Sequence[tuple[TrackReport, str]],
    seconds: float,
) -> None:
    """Names of stems and tracks as far as there is room, a line between tracks, and marks for findings."""
    worst: dict[tuple[str, str], Severity] = {}
    for finding in reversed(report.findings):
        if finding.severity in _MARKS:
            worst[(finding.dataset, finding.track)] = finding.severity
    few_lines, few_tracks = len(names) <= _NAMED_TRACKS, len(tracks) <= _NAMED_TRACKS
    axes.set_yticks([row + 0.5 for row in range(len(names))] if few_lines else [])
    if few_lines:
        axes.set_yticklabels([name for _, name in names], fontsize=7, color=_INK)
    row = 0
    for track in tracks:
        middle = row + len(track.stems) / 2
        if few_tracks:
            label = track.name if len(track.name) <= 34 else track.name[:33] + "…"
            box = {"facecolor": "white", "alpha": 0.75, "pad": 1.0, "linewidth": 0}
            axes.text(seconds * 0.997, middle, label, ha="right", va="center", fontsize=7, color=_INK, bbox=box)
        if (severity := worst.get((track.dataset, track.name))) is not None:
            axes.plot(0, middle, marker=">", color=_MARKS[severity], markersize=5, clip_on=False, zorder=5)
        row += len(track.stems)
        if few_tracks:
            axes.axhline(row, color=_FAINT, linewidth=0.4)


def _paint(line: NDArray[np.float64], levels_db: Sequence[int], seconds: float) -> None:
    """Put the levels of a stem into a line of the map; the loudest second counts where several share a column."""
    columns = line.shape[0]
    for second, level in enumerate(levels_db):
        first = min(int(second / seconds * columns), columns - 1)
        last = max(min(int((second + 1) / seconds * columns), columns), first + 1)
        line[first:last] = np.fmax(line[first:last], level)


def _draw_minutes(axes: Any, report: AuditReport, stems: Sequence[str]) -> None:
    left = np.zeros(len(stems))
    splits = sorted(report.active_minutes, key=lambda split: [*_SPLITS].index(split) if split in _SPLITS else 9)
    for split in splits:
        minutes = np.array([report.active_minutes[split].get(stem, 0.0) for stem in stems])
        colour = _SPLITS.get(split, _FAINT)
        axes.barh(range(len(stems)), minutes, left=left, color=colour, label=split or "all", height=0.7)
        left = left + minutes
    if any(splits):
        axes.legend(fontsize=7, frameon=False)
    _name_stems(axes, stems)
    axes.set_title("minutes in which it sounds", fontsize=9, loc="left", color=_INK)


def _draw_levels(axes: Any, report: AuditReport, stems: Sequence[str]) -> None:
    for number, stem in enumerate(stems):
        heard = [track.stems[stem].heard for track in report.tracks if stem in track.stems]
        levels = [one.rms_db for one in heard if one is not None and one.rms_db > 2 * _QUIETEST_DB]
        spread = np.linspace(-0.25, 0.25, len(levels)) if len(levels) > 1 else np.zeros(len(levels))
        axes.plot(levels, number + spread, "o", markersize=2.5, alpha=0.6, color=_SPLITS[""])
    _name_stems(axes, stems)
    axes.set_title("level of each track, dB", fontsize=9, loc="left", color=_INK)


def _name_stems(axes: Any, stems: Sequence[str]) -> None:
    axes.set_yticks(range(len(stems)))
    axes.set_yticklabels(stems, fontsize=8 if len(stems) < 20 else 5, color=_INK)
    axes.set_ylim(max(len(stems), 1) - 0.5, -0.5)
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
