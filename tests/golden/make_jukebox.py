"""Make the golden file of the auto-encoder with the implementation in transformers.

    python tests/parity/install_references.py && python -m tests.golden.make_jukebox

A tiny network with random weights by two sets of names, what it was given and what it answered. The test in
``tests/parity/test_jukebox.py`` checks that the file is what this makes.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.parity.references import jukebox

FILE = Path(__file__).parent / "jukebox.safetensors"
SIZES = {"embed_dim": 5, "num_discrete_codes": 7, "res_conv_width": 3, "res_conv_depth": 1}
NUM_SAMPLES = 320


def waveform(num_samples: int = NUM_SAMPLES) -> Tensor:
    return 0.3 * torch.randn(2, num_samples, 1, generator=torch.Generator().manual_seed(5))


def reference(*, levels: int = 1, **sizes: int) -> torch.nn.Module:
    """transformers' JukeboxVQVAE with random weights."""
    package = jukebox()
    config = package.Config(
        levels=levels,
        multipliers=(2,) * levels,
        res_downs_t=(3, 2, 2)[:levels],
        res_strides_t=(2,) * levels,
        sample_length=NUM_SAMPLES * 64,
        **sizes,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = package.VQVAE(config).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
                module.reset_parameters()
        for level in range(levels):
            model.bottleneck.level_blocks[level].codebook.normal_(std=0.1)
    return model


@torch.no_grad()
def make() -> dict[str, Tensor]:
    model = reference(**SIZES)
    latents = model.encoders[0](waveform().permute(0, 2, 1))[-1]
    codes = model.encode(waveform())[0]
    answers = {
        "waveform": waveform(),
        "latents": latents,
        "codes": codes,
        "decoded": model.decode([codes], start_level=0),
    }
    states = {f"state/{name}": value for name, value in model.state_dict().items()}
    return {name: value.contiguous().clone() for name, value in (answers | states).items()}


if __name__ == "__main__":
    save_file(make(), FILE)
