"""Make the golden file of ChimeraNet with nussl's blocks and losses.

    python tests/parity/install_references.py && python -m tests.golden.make_chimera

A tiny network with random weights, what it was given and what it answered, and what nussl's losses say of it, so that
the comparison can be made where nussl is not installed. ``tests/parity/test_chimera.py`` checks that the file is what
this makes.
"""

import json
from pathlib import Path

import numpy as np
import scipy.signal
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.parity import nussl

FILE = Path(__file__).parent / "nussl_chimera.safetensors"
N_FFT, HOP_LENGTH, HIDDEN_SIZE, NUM_LAYERS, EMBEDDING_SIZE, NUM_SOURCES = 64, 16, 6, 2, 3, 2
NUM_SAMPLES = 1003


def sources() -> Tensor:
    """Two examples of two sources, ``batch stem 1 time``."""
    generator = torch.Generator().manual_seed(7)
    return 0.1 * torch.randn(2, NUM_SOURCES, 1, NUM_SAMPLES, generator=generator)


def magnitudes(waveform: Tensor) -> Tensor:
    """As nussl computes them: ``... time`` to ``... frame frequency`` by scipy with the root of a Hann window."""
    window = np.sqrt(scipy.signal.get_window("hann", N_FFT))
    overlap = N_FFT - HOP_LENGTH
    _, _, spectrogram = scipy.signal.stft(waveform.double().numpy(), window=window, nperseg=N_FFT, noverlap=overlap)
    return torch.from_numpy(np.abs(spectrogram)).float().transpose(-1, -2)


@torch.no_grad()
def make() -> tuple[dict[str, Tensor], str]:
    """The tensors of the golden file, and nussl's configuration as JSON."""
    config = nussl.chimera_config(
        num_features=N_FFT // 2 + 1,
        hidden_size=HIDDEN_SIZE,
        num_layers=NUM_LAYERS,
        embedding_size=EMBEDDING_SIZE,
        num_sources=NUM_SOURCES,
    )
    model = nussl.Chimera(config).eval()
    nussl.randomise(model, seed=11)
    mixture = sources().sum(dim=1)
    mix = magnitudes(mixture[:, 0]).unsqueeze(-1)
    truth = magnitudes(sources()[:, :, 0]).movedim(1, -1).unsqueeze(-2)  # batch frame frequency channel source
    assignment = (truth == truth.amax(dim=-1, keepdim=True)).float()
    weights = (mix / (mix.sum(dim=(1, 2, 3), keepdim=True) + 1e-6) * mix[0].numel()).sqrt()
    answer = model(mix)
    losses = nussl.losses()
    told = {"embedding": answer["embedding"], "assignments": assignment, "weights": weights}
    tensors = {
        "mixture": mixture,
        "sources": sources(),
        "embedding": answer["embedding"],
        "mask": answer["mask"],
        "estimates": answer["estimates"],
        "deep_clustering": losses.DeepClusteringLoss()(**told),
        "whitened_k_means": losses.WhitenedKMeansLoss()(**told),
        "magnitude_l1": losses.L1Loss()(answer["estimates"], truth),
    }
    tensors |= {f"state/{name}": value for name, value in model.state_dict().items()}
    return {name: value.detach().contiguous().clone() for name, value in tensors.items()}, json.dumps(config)


if __name__ == "__main__":
    tensors, config = make()
    save_file(tensors, FILE, metadata={"config": config})
