"""Make the golden file of the scattering transform with kymatio 0.3.0.

    python tests/parity/install_references.py && python -m tests.golden.make_scattering

The signal is a formula, and every so many frames are kept. kymatio's package imports a function that SciPy no longer
has, so only the module that is needed is imported.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.parity.references import kymatio_scattering

FOLDER = Path(__file__).parent
EVERY = 16


def waveform() -> Tensor:
    """Sweeping, trembling tones; 65536 samples, of which half of kymatio's padding is a multiple of the hop."""
    time = torch.arange(65536, dtype=torch.float64) / 16000
    sweep = torch.sin(2 * torch.pi * (100 * time + 700 * time**2)) * (1 + 0.8 * torch.sin(2 * torch.pi * 6 * time))
    return (sweep + torch.sin(2 * torch.pi * 440 * time) * (torch.sin(2 * torch.pi * 2 * time) > 0)).float()


def kymatio_frames(samples: Tensor) -> Tensor:
    """kymatio's coefficients, arranged by order and frequency."""
    transform = kymatio_scattering(samples.shape[0])
    coefficients, meta = transform(samples), transform.meta()
    second = sorted({int(n[1]) for n, order in zip(meta["n"], meta["order"], strict=True) if order == 2})
    frames = torch.zeros(1 + len(second), int((meta["order"] == 1).sum()), coefficients.shape[-1])
    for row, n, order in zip(coefficients, meta["n"], meta["order"], strict=True):
        if order:
            frames[0 if order == 1 else 1 + second.index(int(n[1])), int(n[0])] = row
    return frames


def make() -> dict[str, Tensor]:
    return {"frames": kymatio_frames(waveform())[..., ::EVERY].contiguous()}


if __name__ == "__main__":
    save_file(make(), FOLDER / "scattering.safetensors")
