"""What is wrong with the files of one track, by themselves and beside each other.

Every judgement is a threshold at the head of this file; what it means and what to do is told by `kinds`:

    findings = failures + disagreements (rate, channels, length) + sound (silence, clipping, offset, channels, treble).
"""

from collections.abc import Iterator
from pathlib import Path

from stemtune.data.audio import AudioInfo
from stemtune.data.audit.examined import Examined
from stemtune.data.audit.meter import FileFacts
from stemtune.data.audit.report import Finding, Severity
from stemtune.data.audit.sources import Item

__all__ = ["judge_files", "make_finding"]

_LENGTH_ERROR_SECONDS = 0.05
_FULL_SCALE = 0.99
_CLIPPED_SHARE, _FLAT_SHARE, _LOWEST_FLAT_PEAK = 1e-4, 1e-3, 0.05
_OVERSHOOT_PEAK = 1.0005
_OFFSET = 0.01
_SHORT_SECONDS = 1.0
_AUDIBLE_HZ, _DULL_HZ, _DULL_SHARE = 17_000, 14_400, 0.72


def make_finding(
    item: Item, severity: Severity, kind: str, message: str, *, stem: str = "", path: Path | None = None
) -> Finding:
    """A finding about a track, or about one of its stems or files."""
    return Finding(
        severity=severity,
        kind=kind,
        dataset=item.source.name,
        track=item.track.name,
        stem=stem or (item.stem_of(path) if path else ""),
        file=item.label(path) if path else "",
        message=message,
    )


def judge_files(examined: Examined) -> Iterator[Finding]:
    """All findings about single files, and about files that do not fit the others of the track."""
    item = examined.item
    for path, message in examined.failures.items():
        yield make_finding(item, Severity.ERROR, "unreadable", _without_path(message, path), path=path)
    yield from _judge_agreement(item, examined.infos)
    if examined.facts is None:
        return
    for path, heard in examined.facts.files.items():
        for severity, kind, message in _judge_sound(heard, is_mixture=path == item.track.mixture):
            yield make_finding(item, severity, kind, message, path=path)


def _without_path(message: str, path: Path) -> str:
    return message.removeprefix(f"{path}: ").removeprefix(f"{path}, ")


def _judge_agreement(item: Item, infos: dict[Path, AudioInfo]) -> Iterator[Finding]:
    """Rates, channels and lengths of the files of one track."""
    if not infos:
        return
    reference = infos.get(item.track.mixture) if item.track.mixture else None
    reference = reference or max(infos.values(), key=lambda info: (info.duration_seconds, info.num_channels))
    model = item.label(reference.path)
    for path, info in infos.items():
        if info.sample_rate != reference.sample_rate:
            message = f"{info.sample_rate} Hz, where {model} has {reference.sample_rate} Hz"
            yield make_finding(item, Severity.ERROR, "sample_rate", message, path=path)
        if info.num_channels != reference.num_channels:
            harmless = 1 in (info.num_channels, reference.num_channels)
            message = f"{_channels(info)}, where {model} is {_channels(reference)}"
            yield make_finding(item, Severity.NOTE if harmless else Severity.WARNING, "channels", message, path=path)
        apart = info.duration_seconds - reference.duration_seconds
        is_known = info.exact_length and reference.exact_length and not item.is_ragged
        if is_known and abs(apart) > 0.5 / info.sample_rate:
            severity = Severity.ERROR if abs(apart) > _LENGTH_ERROR_SECONDS else Severity.WARNING
            amount = f"{abs(apart):.3f} s" if abs(apart) >= 0.01 else f"{round(abs(apart) * info.sample_rate)} samples"
            message = f"{info.duration_seconds:.3f} s: {amount} {'longer' if apart > 0 else 'shorter'} than {model}"
            yield make_finding(item, severity, "length", message, path=path)
    if reference.duration_seconds < _SHORT_SECONDS and (reference.exact_length or reference.num_samples):
        message = f"lasts only {reference.duration_seconds:.2f} s"
        yield make_finding(item, Severity.NOTE, "short", message, path=reference.path)


def _channels(info: AudioInfo) -> str:
    return {1: "mono", 2: "stereo"}.get(info.num_channels, f"{info.num_channels} channels")


def _judge_sound(heard: FileFacts, *, is_mixture: bool) -> Iterator[tuple[Severity, str, str]]:
    """Silence, clipping, overshoot, offset, channels and treble of one file."""
    if not heard.sounds:
        exact = "every sample is zero" if heard.peak == 0 else f"nothing above -60 dB, peak {heard.peak:.1g}"
        yield Severity.ERROR if is_mixture else Severity.WARNING, "silent", exact
        return
    yield from _judge_peaks(heard)
    if abs(heard.offset) > _OFFSET:
        yield Severity.NOTE, "offset", f"a mean of {heard.offset:+.3f}, where 0 was expected"
    sides = {
        "same": (Severity.NOTE, "same_channels", "left and right are equal"),
        "inverted": (Severity.WARNING, "inverted_channels", "left and right are equal with opposite signs"),
        "one-sided": (Severity.WARNING, "one_sided", "one of the two channels is silent"),
    }
    if heard.image in sides:
        yield sides[heard.image]
    if heard.cutoff_hz is not None and heard.cutoff_hz < _AUDIBLE_HZ:
        half = heard.sample_rate / 2
        is_dull = heard.cutoff_hz < min(_DULL_HZ, _DULL_SHARE * half)
        message = (
            f"nothing above {heard.cutoff_hz / 1000:.1f} kHz, where {heard.sample_rate} Hz can hold {half / 1000:g}"
        )
        yield Severity.WARNING if is_dull else Severity.NOTE, "band_limited", message


def _judge_peaks(heard: FileFacts) -> Iterator[tuple[Severity, str, str]]:
    share = heard.clipped_samples / max(heard.info.num_samples * heard.info.num_channels, 1)
    if heard.peak >= _FULL_SCALE and share > _CLIPPED_SHARE:
        yield Severity.WARNING, "clipping", f"{100 * share:.2f} % of the samples stand in flat tops at full scale"
    elif _LOWEST_FLAT_PEAK < heard.peak < _FULL_SCALE and share > _FLAT_SHARE:
        message = (
            f"{100 * share:.2f} % of the samples stand in flat tops at {heard.peak:.2f}: turned down after clipping"
        )
        yield Severity.NOTE, "clipping", message
    if heard.peak > _OVERSHOOT_PEAK:
        yield Severity.NOTE, "overshoot", f"peaks at {heard.peak:.2f}, where 1 is full scale"
