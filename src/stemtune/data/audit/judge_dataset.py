"""What is wrong with a data set as a whole: stems that some songs lack, several rates, stems that hardly sound.

little sound = less than a minute, over all tracks, in which the stem is above -60 dB.
"""

from collections.abc import Iterator, Sequence

from stemtune.data.audit.judge_files import make_finding
from stemtune.data.audit.report import Finding, Severity, TrackReport
from stemtune.data.audit.sources import Item

__all__ = ["active_minutes", "judge_dataset"]

_FEW_MINUTES = 1.0
_UNLABELLED = "mixture"


def judge_dataset(items: Sequence[Item], reports: Sequence[TrackReport]) -> Iterator[Finding]:
    """All findings about one data set.

    Args:
        items: its tracks.
        reports: what was found out about them, in the same order.
    """
    yield from _missing_stems(items)
    name = items[0].source.name if items else ""
    for stem, minutes in active_minutes(reports).items():
        if minutes < _FEW_MINUTES and stem != _UNLABELLED:
            message = f"{stem} sounds for {minutes:.2f} minutes in all, where at least {_FEW_MINUTES:.0f} was expected"
            yield Finding(severity=Severity.WARNING, kind="little_sound", dataset=name, stem=stem, message=message)
    rates = sorted({stem.sample_rate for report in reports for stem in report.stems.values()})
    if len(rates) > 1:
        message = f"tracks of {', '.join(str(rate) for rate in rates)} Hz"
        yield Finding(severity=Severity.NOTE, kind="sample_rates", dataset=name, message=message)


def active_minutes(reports: Sequence[TrackReport]) -> dict[str, float]:
    """By stem, the minutes in which it really sounds; empty if nobody has listened."""
    minutes: dict[str, float] = {}
    for report in reports:
        for name, stem in report.stems.items():
            if stem.heard is not None:
                minutes[name] = minutes.get(name, 0.0) + stem.heard.active_seconds / 60
    return minutes


def _missing_stems(items: Sequence[Item]) -> Iterator[Finding]:
    """Songs that lack a stem of which nothing says that it is silent or part of another."""
    songs = [item for item in items if not _is_single_recording(item)] if _has_songs(items) else []
    for stem in dict.fromkeys(stem for song in songs for stem in song.track.stems):
        holders = sum(stem in song.track.stems for song in songs)
        for song in songs:
            track = song.track
            parts = {part for name in track.stems for part in name.split("+")}
            if stem not in track.stems and stem not in track.silent and not parts & set(stem.split("+")):
                message = f"no {stem}, which {holders} of {len(songs)} songs have"
                yield make_finding(song, Severity.WARNING, "missing_stem", message, stem=stem)


def _has_songs(items: Sequence[Item]) -> bool:
    return any(len(item.track.stems) > 1 for item in items)


def _is_single_recording(item: Item) -> bool:
    """Whether the track belongs to no song: a file of a stem folder, ``STEM/FILE``, or what is known to be one."""
    stems = item.track.stems.names
    folder = item.track.name.split("/")[-2:-1]
    return item.is_recording or (len(stems) == 1 and [name.lower() for name in folder] == list(stems))
