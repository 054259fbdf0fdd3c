"""Make the golden files of X-UMX and Open-Unmix with the reference implementations.

    python tests/parity/install_references.py && python -m tests.golden.make_xumx

Tiny networks with random weights, what they were given and what they answered, so that the comparison can be made
where the references are not installed. ``tests/parity/test_xumx.py`` checks that the files are what this makes.
"""

import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.parity.references import asteroid_xumx, open_unmix, randomise

FOLDER = Path(__file__).parent
N_FFT, HOP_LENGTH, NUM_BINS, HIDDEN_SIZE = 64, 16, 21, 8
NUM_SAMPLES = 303
STEMS = ("drums", "vocals")  # in the order of their names, which is that of tensors in a safetensors file
WINDOW_FRAMES = 12


def mixture(num_channels: int = 2) -> Tensor:
    """Two examples of noise that is partly common to the channels, the second one loud."""
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(2, num_channels, NUM_SAMPLES, generator=generator)
    common = torch.randn(2, 1, NUM_SAMPLES, generator=generator)
    return (0.3 * noise + common) * torch.tensor([0.1, 4.0]).view(2, 1, 1)


@torch.no_grad()
def make_asteroid() -> dict[str, Tensor]:
    model = asteroid_xumx()(
        list(STEMS), window_length=N_FFT, in_chan=N_FFT, n_hop=HOP_LENGTH, hidden_size=HIDDEN_SIZE, nb_layers=2,
        max_bin=NUM_BINS,
    )  # fmt: skip
    randomise(model, seed=11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.stft's complex output as pairs of numbers is deprecated
        magnitudes, _ = model.eval()(mixture())
    answers = {"mixture": mixture(), "magnitudes": magnitudes.permute(2, 0, 3, 4, 1)}
    return _contiguous(answers | {f"state/{name}": value for name, value in model.state_dict().items()})


@torch.no_grad()
def make_open_unmix() -> dict[str, Tensor]:
    reference = open_unmix()
    bins = N_FFT // 2 + 1
    targets = {
        stem: reference.OpenUnmix(nb_bins=bins, hidden_size=HIDDEN_SIZE, nb_layers=2, max_bin=NUM_BINS)
        for stem in STEMS
    }
    answers = {"mixture": mixture()}
    for index, (stem, model) in enumerate(targets.items()):
        randomise(model, seed=20 + index)
        answers |= {f"state/{stem}/{name}": value.clone() for name, value in model.state_dict().items()}
    window = torch.hann_window(N_FFT)
    spectra = [torch.stft(x, N_FFT, HOP_LENGTH, window=window, return_complex=True).abs() for x in mixture()]
    answers["magnitudes"] = torch.stack([model.eval()(torch.stack(spectra)) for model in targets.values()], dim=1)
    for iterations in (0, 1, 2):
        separator = reference.Separator(
            targets, niter=iterations, n_fft=N_FFT, n_hop=HOP_LENGTH, wiener_win_len=WINDOW_FRAMES
        ).eval()
        answers[f"sources/{iterations}"] = separator(mixture())
    return _contiguous(answers)


FILES = {"asteroid_xumx.safetensors": make_asteroid, "open_unmix.safetensors": make_open_unmix}


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().contiguous().clone() for name, value in tensors.items()}


if __name__ == "__main__":
    for name, make in FILES.items():
        save_file(make(), FOLDER / name)
