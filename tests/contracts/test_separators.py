"""The examination that every registered separator must pass before its first training run.

A new family enters `SMALL` with configurations that run in milliseconds, and `NUM_PARAMETERS` with what its
architecture implies.
"""

import copy
import fnmatch

import pytest
import torch
from torch import Tensor

from stemtune.config import fingerprint, parse
from stemtune.models import SEPARATORS, Separator, SeparatorConfig, parse_separator_config
from stemtune.models.bandnet import BandNetConfig
from stemtune.models.chimeranet import ChimeraNetConfig
from stemtune.models.demucs import DemucsConfig
from stemtune.models.vggish import VGGishConfig
from stemtune.models.vqvae import UnmixConfig, VQVAEConfig
from stemtune.models.xumx import XUMXConfig
from stemtune.nn.precision import autocast

XUMX_SIZES = {"n_fft": 256, "hop_length": 64, "num_bins": 50, "hidden_size": 16, "num_layers": 2}
LISTENER = VGGishConfig(channels=(2, 2, 2, 2, 2, 2), hidden_size=4, features=6)
SMALL: dict[str, SeparatorConfig] = {
    "xumx": XUMXConfig(**XUMX_SIZES),
    "xumx, mono": XUMXConfig(**XUMX_SIZES, channels=1, stems=("vocals", "accompaniment")),
    "xumx, un-bridged": XUMXConfig(**XUMX_SIZES, bridged=False),
    "xumx, Wiener, one direction": XUMXConfig(**XUMX_SIZES, wiener_iterations=1, bidirectional=False),
    "xumx, listening": XUMXConfig(**XUMX_SIZES, listener=LISTENER),
    "chimeranet": ChimeraNetConfig(n_fft=64, hop_length=16, hidden_size=8, num_layers=2, embedding_size=4),
    "bandnet": BandNetConfig(
        n_fft=256, hop_length=64, bands=((4, 8), (2, 32)), width=8, dilations=(1, 2), mixing_groups=2
    ),
    "bandnet, mono": BandNetConfig(
        n_fft=256, hop_length=64, bands=((4, 8), (2, 32)), width=8, dilations=(1, 2), mixing_groups=2, channels=1
    ),
}
CODEC = {"stages": 2, "width": 6, "blocks": 2, "quantiser": {"num_codes": 12, "features": 5}}
SMALL["vqvae"] = parse(VQVAEConfig, {"codec": CODEC})
SMALL["unmix"] = parse(UnmixConfig, {"codec": CODEC, "stems": ("vocals", "drums")})
SMALL["unmix, mask"] = parse(UnmixConfig, {"codec": CODEC, "stems": ("vocals", "drums"), "refine": "mask"})
SMALL["demucs"] = DemucsConfig(width=6, depth=3)
SMALL["demucs, as released, mono"] = DemucsConfig(
    width=6, depth=3, channels=1, skip="add", bottom_relu=False, rescaling="initial", resample=True
)
SMALL["demucs, ablated"] = DemucsConfig(width=6, depth=2, glu=False, lstm_layers=0, rescaling="none")
NUM_PARAMETERS = {
    "xumx": 42_024,
    "xumx, mono": 14_768,
    "xumx, un-bridged": 42_024,
    "xumx, Wiener, one direction": 46_120,
    "xumx, listening": 42_408,
    "chimeranet": 7_784,
    "bandnet": 11_552,
    "bandnet, mono": 5_792,
    "demucs": 38_306,
    "demucs, as released, mono": 37_264,
    "demucs, ablated": 2_798,
    "vqvae": 1_910,
    "unmix": 3_820,
    "unmix, mask": 3_820,
}
LENGTHS = (1, 2, 127, 128, 129, 1023, 1025, 44101)


@pytest.fixture(params=SMALL)
def separator(request: pytest.FixtureRequest) -> Separator:
    torch.manual_seed(0)
    return SMALL[request.param].build().eval()


def noise(*shape: int) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_every_family_is_examined() -> None:
    assert {type(config) for config in SMALL.values()} == {family.config_type for family in SEPARATORS}
    assert {type(config.build()) for config in SMALL.values()} == set(SEPARATORS)


def test_parameters_are_as_many_as_the_architecture_implies() -> None:
    counts = {name: sum(value.numel() for value in config.build().parameters()) for name, config in SMALL.items()}
    assert counts == NUM_PARAMETERS


def test_every_parameter_gets_a_gradient(separator: Separator) -> None:
    separator.train()
    estimate = separator(noise(2, separator.channels, 3000))
    pull = estimate.sources.square().sum()
    if estimate.embedding is not None:  # a head of its own, which takes no part in the sources
        pull = pull + estimate.embedding[..., 0].sum()
    pull.backward()
    for name, parameter in separator.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part in the estimate"
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, f"{name} has no influence on the estimate"


@pytest.mark.parametrize("num_samples", LENGTHS)
def test_estimates_are_as_long_as_the_mixture(separator: Separator, num_samples: int) -> None:
    with torch.no_grad():
        estimate = separator(noise(1, separator.channels, num_samples))
    assert estimate.sources.shape == (1, len(separator.stems), separator.channels, num_samples)
    assert torch.isfinite(estimate.sources).all()


@pytest.mark.parametrize("num_samples", [1, 129, 3001])
def test_gradients_are_finite_at_any_length(separator: Separator, num_samples: int) -> None:
    separator(noise(2, separator.channels, num_samples)).sources.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in separator.parameters() if p.grad is not None)


def test_what_is_offered_is_what_comes(separator: Separator) -> None:
    with torch.no_grad():
        estimate = separator(noise(1, separator.channels, 1000))
    assert {name for name, value in vars(estimate).items() if value is not None} == separator.offers


@torch.no_grad()
def test_sources_alone_are_the_same(separator: Separator) -> None:
    x = noise(2, separator.channels, 3000)
    torch.testing.assert_close(separator.separate(x), separator(x).sources, rtol=1e-4, atol=1e-6)


def test_it_is_said_what_belongs_to_stems_and_to_the_head(separator: Separator) -> None:
    state, parameters = separator.state_dict(), dict(separator.named_parameters())
    patterns = [place.pattern.replace("{stem}", "*") for place in separator.stem_parameters]
    assert patterns
    assert all(fnmatch.filter(state, pattern) for pattern in patterns)
    assert separator.head_patterns
    assert all(fnmatch.filter(parameters, pattern) for pattern in separator.head_patterns)
    assert len({name for pattern in separator.head_patterns for name in fnmatch.filter(parameters, pattern)}) < len(
        parameters
    )


def test_evaluation_is_deterministic(separator: Separator) -> None:
    mixture = noise(2, separator.channels, 5000)
    with torch.no_grad():
        assert torch.equal(separator(mixture).sources, separator(mixture).sources)


def test_evaluation_leaves_no_trace(separator: Separator) -> None:
    mixture = noise(2, separator.channels, 5000)
    before, original = copy.deepcopy(separator.state_dict()), mixture.clone()
    random_state, num_threads = torch.get_rng_state(), torch.get_num_threads()
    with torch.no_grad():
        separator(mixture)
    assert torch.equal(mixture, original)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.get_num_threads() == num_threads
    assert all(torch.equal(value, before[name]) for name, value in separator.state_dict().items())


def test_gradients_do_not_change_the_estimate(separator: Separator) -> None:
    mixture = noise(2, separator.channels, 5000)
    with torch.no_grad():
        silent = separator(mixture).sources
    with torch.inference_mode():
        inferred = separator(mixture).sources
    close(separator(mixture).sources.detach(), silent)
    close(inferred, silent)


def test_examples_of_a_batch_are_independent(separator: Separator) -> None:
    mixture = noise(3, separator.channels, 5000)
    with torch.no_grad():
        together = separator(mixture).sources
        alone = torch.cat([separator(example.unsqueeze(0)).sources for example in mixture])
        changed = separator(torch.cat([mixture[:1], 10 * mixture[1:]])).sources
    close(alone, together)
    close(changed[:1], together[:1])


def test_the_number_of_cores_does_not_matter(separator: Separator) -> None:
    mixture = noise(2, separator.channels, 20000)
    with torch.no_grad():
        one = separator(mixture).sources
        torch.set_num_threads(3)
        try:
            three = separator(mixture).sources
        finally:
            torch.set_num_threads(1)
    close(three, one)


def test_silence_stays_silent(separator: Separator) -> None:
    for num_samples in (1, 5000):
        with torch.no_grad():
            sources = separator(torch.zeros(1, separator.channels, num_samples)).sources
        assert sources.abs().max() < 1e-4


def test_loud_and_faint_mixtures_stay_finite(separator: Separator) -> None:
    for gain in (1e-12, 1e-6, 1e3):
        with torch.no_grad():
            assert torch.isfinite(separator(gain * noise(1, separator.channels, 5000)).sources).all()


def test_weights_and_configuration_make_the_same_separator(separator: Separator) -> None:
    mixture = noise(1, separator.channels, 3000)
    config = parse_separator_config(separator.config.model_dump(mode="json"))
    again = config.build().eval()
    again.load_state_dict(separator.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(again(mixture).sources, separator(mixture).sources)


def test_configuration_survives_json(separator: Separator) -> None:
    config = separator.config
    again = parse(type(config), type(config).model_validate_json(config.model_dump_json()).model_dump(mode="json"))
    assert again == config
    assert fingerprint(again) == fingerprint(config)
    assert isinstance(separator, config.build().__class__)
    assert separator.stems == config.stems


def test_state_is_parameters_and_finite_buffers(separator: Separator) -> None:
    state = separator.state_dict()
    parameters = dict(separator.named_parameters())
    statistics = ("running_mean", "running_var", "num_batches_tracked", "codebook", "sums", "counts", "filled")
    assert parameters.keys() <= state.keys()
    frozen = ("ear.listener.",)  # what a separator hears through is no parameter
    assert all(name.endswith(statistics) or name.startswith(frozen) for name in state.keys() - parameters.keys())
    assert len({value.data_ptr() for value in state.values()}) == len(state), "tensors share memory"
    assert all(torch.isfinite(value).all() for value in state.values())


def test_double_precision(separator: Separator) -> None:
    mixture = noise(1, separator.channels, 3000)
    with torch.no_grad():
        single = separator(mixture).sources
        double = separator.double()(mixture.double()).sources
    assert double.dtype == torch.float64
    close(double.float(), single, tolerance=1e-4)


def test_bfloat16_under_autocast(separator: Separator) -> None:
    mixture = noise(1, separator.channels, 3000)
    with torch.no_grad():
        full = separator(mixture).sources
        with autocast("cpu", "bfloat16"):  # where the processor has none, LSTMs of oneDNN would raise
            half = separator(mixture).sources
    assert half.dtype == torch.float32
    close(half, full, tolerance=0.05)


def test_device_moves_carry_everything(separator: Separator) -> None:
    separator.to("meta")
    assert all(value.is_meta for value in (*separator.parameters(), *separator.buffers()))


def test_training_draws_and_evaluation_does_not(separator: Separator) -> None:
    mixture = noise(2, separator.channels, 5000)
    draws = [module for module in separator.modules() if isinstance(getattr(module, "dropout", None), float)]
    if not any(module.dropout for module in draws):
        pytest.skip("this separator has no dropout")
    separator.train()
    assert not torch.equal(separator(mixture).sources, separator(mixture).sources)
    separator.eval()
    assert torch.equal(separator(mixture).sources, separator(mixture).sources)


def test_chunks_hold_their_context(separator: Separator) -> None:
    assert separator.chunk_samples > 0
    assert separator.context_samples >= 0
    assert type(separator).config_type.model_fields["kind"].default == separator.config.kind


def close(estimate: Tensor, reference: Tensor, tolerance: float = 1e-5) -> None:
    assert (estimate - reference).norm() <= tolerance * reference.norm()
