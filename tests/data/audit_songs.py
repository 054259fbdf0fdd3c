"""Songs in miniature for the tests of the audit, each to be spoilt in one way."""

from pathlib import Path

import soundfile
import torch

from stemtune.data.audit import AuditReport

RATE = 8000
STEMS = ("vocals", "drums")


def rhythm(seconds: float = 6.0, *, seed: int = 0, channels: int = 2, rate: int = RATE) -> torch.Tensor:
    """Noise whose level changes every tenth of a second, each channel another."""
    generator = torch.Generator().manual_seed(seed)
    num_samples = round(seconds * rate)
    levels = torch.rand(round(seconds * 10) + 1, generator=generator).repeat_interleave(rate // 10)[:num_samples]
    return 0.05 * torch.randn(channels, num_samples, generator=generator) * (0.05 + levels)


def write(path: Path, samples: torch.Tensor, *, rate: int = RATE, subtype: str = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.T.numpy(), rate, subtype=subtype)


def write_song(folder: Path, stems: dict[str, torch.Tensor], *, mixture: torch.Tensor | None = None) -> None:
    for name, samples in stems.items():
        write(folder / f"{name}.wav", samples)
    if mixture is not None:
        write(folder / "mixture.wav", mixture)


def song(seed: int = 0) -> dict[str, torch.Tensor]:
    return {stem: rhythm(seed=10 * seed + index) for index, stem in enumerate(STEMS)}


def total(stems: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(tuple(stems.values())).sum(dim=0)


def kinds(report: AuditReport, *, besides: tuple[str, ...] = ("little_sound",)) -> set[tuple[str, str, str, str]]:
    """The findings as (severity, kind, track, stem); tiny data sets always have too little sound."""
    return {(f.severity.value, f.kind, f.track, f.stem) for f in report.findings if f.kind not in besides}


def messages(report: AuditReport, kind: str) -> list[str]:
    return [finding.message for finding in report.findings if finding.kind == kind]
