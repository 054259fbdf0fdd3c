"""Make the golden file of VGGish with torchvggish.

    python tests/parity/install_references.py && python -m tests.golden.make_vggish

Log-mel patches of a waveform, and what a tiny network of the same kind with random weights makes of them, by the
reference's names. ``tests/parity/test_vggish.py`` checks that the file is what this makes.
"""

from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.parity.references import torchvggish

FILE = Path(__file__).parent / "vggish.safetensors"
SIZES = (2, 3, 4, 4, 5, 6)
HIDDEN_SIZE, FEATURES = 7, 8
NUM_SAMPLES = 35_000  # two patches and a rest


def waveform(num_samples: int = NUM_SAMPLES) -> Tensor:
    """Two channels of noise with a tone."""
    noise = 0.1 * torch.randn(2, num_samples, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return noise + 0.3 * torch.sin(torch.arange(num_samples) * 0.2)


def reference(*, full_size: bool = False) -> nn.Module:
    """torchvggish's network with random weights; tiny unless its size is asked for."""
    package = torchvggish()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if full_size:
            return package.VGG(package.make_layers(), False).eval()
        model = package.VGG(nn.Sequential(), False)
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(zip((1, *SIZES), SIZES, strict=False)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
            layers += [nn.MaxPool2d(2, 2)] if number in {0, 1, 3, 5} else []
        model.features = nn.Sequential(*layers)
        widths = (SIZES[-1] * 24, HIDDEN_SIZE, HIDDEN_SIZE, FEATURES)
        parts = [[nn.Linear(a, b), nn.ReLU()] for a, b in pairwise(widths)]
        model.embeddings = nn.Sequential(*(layer for part in parts for layer in part))
        return model.eval()


@torch.no_grad()
def make() -> dict[str, Tensor]:
    patches = torchvggish().examples(waveform().T.numpy(), 16000).detach()
    model = reference()
    answers = {"patches": patches, "features": model(patches)}
    states = {f"state/{name}": value for name, value in model.state_dict().items()}
    return {name: value.contiguous().clone() for name, value in (answers | states).items()}


if __name__ == "__main__":
    save_file(make(), FILE)
