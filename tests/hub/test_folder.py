"""Saving and loading: identical, all or nothing, and never a byte that the card does not vouch for."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stemtune.errors import OutputError, WeightsError
from stemtune.hub import ModelCard, find_card, load, save_model
from stemtune.models.base import Separator


def restate_hash(folder: Path) -> None:
    """Make the card vouch for whatever the weights file now holds."""
    import hashlib

    card = json.loads((folder / "card.json").read_text())
    card["weights_sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


def test_loading_what_was_saved_gives_the_same_network(separator: Separator, folder: Path):
    loaded = load(folder)
    assert loaded.config == separator.config
    assert not loaded.training
    own = separator.state_dict()
    assert own.keys() == loaded.state_dict().keys()
    assert all(torch.equal(own[name], tensor) for name, tensor in loaded.state_dict().items())
    mixture = torch.randn(1, 2, 3000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(separator(mixture).sources, loaded(mixture).sources)


def test_the_saved_card_is_completed_by_the_separator(separator: Separator, card: ModelCard, tmp_path: Path):
    written = save_model(separator, tmp_path / "m", card)
    assert written == find_card(tmp_path / "m")
    assert written.stems == ("kazoo", "rest")
    assert (written.family, written.sample_rate, written.channels) == ("bandnet", 8000, 2)
    assert written.num_parameters == sum(p.numel() for p in separator.parameters())
    assert written.weights_bytes == (tmp_path / "m" / "model.safetensors").stat().st_size
    assert written.scores == card.scores


def test_loading_by_weights_file_or_by_string_is_the_same(folder: Path):
    for address in (str(folder), folder / "model.safetensors", str(folder / "model.safetensors")):
        assert load(address).stems == ("kazoo", "rest")


def test_loading_leaves_the_random_state_alone(folder: Path):
    before = torch.random.get_rng_state()
    load(folder)
    assert torch.equal(before, torch.random.get_rng_state())


def test_saving_again_replaces_a_model_and_leaves_nothing_else(separator: Separator, card: ModelCard, folder: Path):
    with torch.no_grad():
        next(separator.parameters()).add_(1)
    save_model(separator, folder, card)
    assert torch.equal(next(load(folder).parameters()), next(separator.parameters()))
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "config.json", "model.safetensors"]
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_a_folder_with_anything_else_in_it_is_not_replaced(separator: Separator, card: ModelCard, folder: Path):
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"thesis\.tex.*choose an empty or new folder"):
        save_model(separator, folder, card)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_a_failed_save_leaves_the_earlier_model(
    separator: Separator, card: ModelCard, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def no_space(*args: object) -> None:
        raise OSError(28, "No space left on device")

    before = (folder / "model.safetensors").read_bytes()
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OutputError, match="No space left on device"):
        save_model(separator, folder, card)
    assert (folder / "model.safetensors").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_one_changed_byte_is_noticed(folder: Path):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    expected = find_card(folder).weights_sha256
    with pytest.raises(WeightsError, match=rf"expected SHA-256 {expected}, found [0-9a-f]{{64}}; .*again"):
        load(folder)


def test_a_truncated_file_is_noticed_even_if_the_card_vouches_for_it(folder: Path):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(WeightsError, match="expected SHA-256"):
        load(folder)
    restate_hash(folder)
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load(folder)


def test_a_card_without_hash_vouches_for_nothing(folder: Path):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"weights_sha256": ""}))
    with pytest.raises(WeightsError, match="cannot be verified"):
        load(folder)


def test_what_a_killed_process_left_behind_is_no_obstacle(separator: Separator, card: ModelCard, folder: Path):
    for leftover in ("part", "old"):
        stale = folder.with_name(f".kazoo.{os.getpid()}.{leftover}")
        stale.mkdir()
        (stale / "model.safetensors").write_text("half")
    save_model(separator, folder, card)
    load(folder)
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_in_place_of_the_weights_is_refused_unopened(folder: Path, tmp_path: Path, protocol: int):
    path = folder / "model.safetensors"
    path.write_bytes(pickle.dumps({"weights": Bomb(tmp_path / "boom")}, protocol=protocol))
    restate_hash(folder)
    with pytest.raises(WeightsError, match="models import --from" if protocol else "not a safetensors file"):
        load(folder)
    assert not (tmp_path / "boom").exists()


def test_a_torch_checkpoint_given_as_model_says_how_to_import_it(tmp_path: Path):
    path = tmp_path / "vocals.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="stemtune models import --from open-unmix"):
        load(path)


def test_tensors_that_do_not_fit_are_named(folder: Path):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    names = sorted(tensors)
    changed = {name: tensors[name] for name in names[5:]} | {"extra": torch.zeros(1)}
    changed[names[-1]] = torch.zeros(3, 3, 3)
    save_file(changed, path)
    restate_hash(folder)
    with pytest.raises(WeightsError) as caught:
        load(folder)
    message = str(caught.value)
    assert f"5 missing: {names[0]}, {names[1]}, {names[2]} and 2 more" in message
    assert "1 unexpected: extra" in message
    assert f"1 of another shape: {names[-1]}" in message
    assert "found [3, 3, 3]" in message


def test_weights_that_are_not_finite_are_refused(folder: Path):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name] = torch.full_like(tensors[name], torch.nan)
    save_file(tensors, path)
    restate_hash(folder)
    with pytest.raises(WeightsError, match=f"1 with values that are not finite: {name}"):
        load(folder)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"kind": "crystal-ball"}', "unknown kind of separator 'crystal-ball'.*bandnet"),
        ('{"kind": "bandnet", "width": -1}', "width"),
        ("[]", "unknown kind of separator None"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_broken_configuration_is_named(folder: Path, content: str, expected: str):
    (folder / "config.json").write_text(content)
    with pytest.raises(WeightsError, match=expected) as caught:
        load(folder)
    assert "config.json" in str(caught.value)


def test_a_broken_card_is_named(folder: Path):
    (folder / "card.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"card\.json: not a valid ModelCard: name"):
        load(folder)


def test_shared_and_transposed_tensors_are_saved(card: ModelCard, separator: Separator, tmp_path: Path):
    parameter = next(p for p in separator.parameters() if p.ndim > 1)
    parameter.data = parameter.data.transpose(0, 1).contiguous().transpose(0, 1)
    save_model(separator, tmp_path / "m", card)
    load(tmp_path / "m")
