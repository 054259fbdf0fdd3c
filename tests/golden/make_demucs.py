"""Make the golden file of Demucs with the reference implementation.

    python tests/parity/install_references.py && python -m tests.golden.make_demucs

Tiny networks with random weights, what they were given and what they answered, once at the mixture's rate and once at
twice that. ``tests/parity/test_demucs.py`` checks that the file is what this makes.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.parity.references import demucs

FOLDER = Path(__file__).parent
STEMS = ("drums", "bass", "vocals")
SIZES = {"channels": 6, "depth": 3, "lstm_layers": 1}


def mixture(num_samples: int) -> Tensor:
    """Two examples of noise with an offset, the second one loud."""
    generator = torch.Generator().manual_seed(7)
    return (torch.randn(2, 2, num_samples, generator=generator) + 0.1) * torch.tensor([0.1, 3.0]).view(2, 1, 1)


def trimmed(model: Any, given: Tensor) -> Tensor:
    """What the reference's programs do around the network: pad to a valid length, and cut the middle out."""
    missing = model.valid_length(given.shape[-1]) - given.shape[-1]
    answer = model(torch.nn.functional.pad(given, (missing // 2, missing - missing // 2)))
    first = (answer.shape[-1] - given.shape[-1]) // 2
    return answer[..., first : first + given.shape[-1]]


@torch.no_grad()
def make() -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for resample in (False, True):
        torch.manual_seed(3)
        model = demucs()(list(STEMS), resample=resample, **SIZES).eval()
        prefix = f"resample={resample}"
        tensors |= {f"{prefix}/mixture": mixture(700), f"{prefix}/sources": trimmed(model, mixture(700))}
        tensors |= {f"{prefix}/state/{name}": value for name, value in model.state_dict().items()}
    return {name: value.detach().contiguous().clone() for name, value in tensors.items()}


if __name__ == "__main__":
    save_file(make(), FOLDER / "demucs_v2.safetensors")
