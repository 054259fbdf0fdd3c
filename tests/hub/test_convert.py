"""Foreign checkpoints: what is ignored, what is inferred, what is refused."""

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.hub.convert import from_asteroid_xumx, from_open_unmix
from tests.golden import make_xumx


def asteroid() -> dict[str, Tensor]:
    golden = load_file(make_xumx.FOLDER / "asteroid_xumx.safetensors")
    return {name.removeprefix("state/"): value for name, value in golden.items() if name.startswith("state/")}


def open_unmix() -> dict[str, dict[str, Tensor]]:
    golden = load_file(make_xumx.FOLDER / "open_unmix.safetensors")
    return {
        stem: {name.split("/")[-1]: value for name, value in golden.items() if name.startswith(f"state/{stem}/")}
        for stem in make_xumx.STEMS
    }


def test_sizes_are_inferred() -> None:
    for model in (from_asteroid_xumx(asteroid()), from_open_unmix(open_unmix())):
        config = model.config
        assert (config.n_fft, config.hop_length, config.num_bins, config.hidden_size) == (64, 16, 21, 8)
        assert (config.channels, config.num_layers, config.bidirectional) == (2, 2, True)
        assert config.stems == make_xumx.STEMS
        assert not model.training


def test_what_is_no_weight_is_ignored() -> None:
    targets = open_unmix()
    for state in targets.values():
        state["stft.window"] = torch.ones(64)
        state["transform.0.window"] = torch.ones(64)
        state["sample_rate"] = torch.tensor(44100.0)
        for counter in [name for name in state if name.endswith("num_batches_tracked")]:
            del state[counter]
    ours, expected = from_open_unmix(targets).state_dict(), from_open_unmix(open_unmix()).state_dict()
    assert all(torch.equal(ours[name], value) for name, value in expected.items() if "num_batches" not in name)


def test_stated_sample_rates_are_kept() -> None:
    targets = open_unmix()
    for state in targets.values():
        state["sample_rate"] = torch.tensor(16000.0)
    assert from_open_unmix(targets).sample_rate == 16000
    assert from_open_unmix(targets, sample_rate=48000, hop_length=32).config.hop_length == 32


def test_training_checkpoints_are_read() -> None:
    state = {f"model.{name}": value for name, value in asteroid().items()} | {"loss_func.scale": torch.ones(1)}
    ours, expected = from_asteroid_xumx(state).state_dict(), from_asteroid_xumx(asteroid()).state_dict()
    assert all(torch.equal(ours[name], value) for name, value in expected.items())


def test_conversion_copies_and_draws_nothing() -> None:
    state, random_state = asteroid(), torch.get_rng_state()
    model = from_asteroid_xumx(state)
    with torch.no_grad():
        for value in state.values():
            value.zero_()
    assert all(value.abs().sum() > 0 for value in model.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("name", ["fc1.weight", "fc3.weight", "input_mean", "bn3.running_var", "lstm.weight_hh_l1"])
def test_missing_and_misshapen_tensors_are_named(name: str) -> None:
    for damage in ("missing", "short", "flat"):
        targets = open_unmix()
        for state in targets.values():
            tensor = state.pop(name)
            if damage == "short":
                state[name] = tensor[:-1]
            elif damage == "flat":
                state[name] = tensor.flatten().unsqueeze(0).unsqueeze(0)
        with pytest.raises(WeightsError, match=r"tensor|shapes in this checkpoint"):
            from_open_unmix(targets)


def test_asteroid_without_a_stems_decoder_is_refused() -> None:
    state = {name: value for name, value in asteroid().items() if not name.startswith("layer_dec.vocals")}
    with pytest.raises(WeightsError, match=r"layer_dec\.vocals\.dec\.3\.weight"):
        from_asteroid_xumx(state)


@pytest.mark.parametrize("state", [{}, {"weight": torch.ones(3)}])
def test_strangers_are_refused(state: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError, match="is it really"):
        from_asteroid_xumx(state)
    with pytest.raises(WeightsError, match="is it really"):
        from_open_unmix({"vocals": state})
    with pytest.raises(WeightsError, match="at least one target"):
        from_open_unmix({})


def test_targets_of_different_sizes_are_refused() -> None:
    targets = open_unmix()
    targets["drums"] = {name: value for name, value in targets["drums"].items() if "_l1" not in name}
    with pytest.raises(WeightsError, match="different sizes"):
        from_open_unmix(targets)
