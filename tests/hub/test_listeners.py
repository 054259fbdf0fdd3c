"""Listeners in folders: saved, found by name, verified."""

from pathlib import Path

import pytest
import torch

from stemtune.errors import ConfigError, UsageError, WeightsError
from stemtune.hub import list_models
from stemtune.hub.listeners import find_listener_card, is_listener, list_listeners, load_listener, save_listener
from tests.hub.listeners import save_tiny_listener, tiny_listener_config


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEMTUNE_HOME", str(tmp_path))
    return tmp_path / "models"


def test_a_listener_comes_back_bit_for_bit_by_name_and_by_path(home: Path) -> None:
    folder = save_tiny_listener(home / "ear")
    waveform = 0.1 * torch.randn(2, 1, 32000, generator=torch.Generator().manual_seed(0))
    state = torch.get_rng_state()
    one, two = load_listener("ear"), load_listener(folder)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one(waveform), two(waveform))
    assert one(waveform).shape == (2, 6, 2)
    assert not one.training
    assert not any(parameter.requires_grad for parameter in one.parameters())
    assert "ear" in list_listeners()
    assert is_listener("ear")
    card = find_listener_card("ear")
    assert card.config == tiny_listener_config()
    assert card.num_parameters == sum(parameter.numel() for parameter in one.parameters())
    assert card.weights_bytes == (folder / "listener.safetensors").stat().st_size


def test_listeners_are_no_models(home: Path) -> None:
    save_tiny_listener(home / "ear")
    assert "ear" not in [card.name for card in list_models()]


def test_what_is_wrong_is_said(home: Path) -> None:
    folder = save_tiny_listener(home / "ear")
    with pytest.raises(UsageError, match=r"no listener at 'nose': expected the name of one \(.*ear"):
        load_listener("nose")
    assert not is_listener("nose")
    weights = folder / "listener.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(WeightsError, match="not the file that its card describes"):
        load_listener("ear")
    (folder / "listener.json").write_text('{"config": {"kind": "nose"}}')
    with pytest.raises(ConfigError, match="unknown kind of listener 'nose'; expected one of vggish"):
        load_listener("ear")
    (home / "file").write_text("x")
    with pytest.raises(Exception, match="cannot be created"):
        save_listener(
            tiny_listener_config().build(), home / "file" / "x", find_listener_card(save_tiny_listener(home / "b"))
        )
