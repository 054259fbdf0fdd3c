"""Adapters: small, verified, applied to the base that they were made for and to no other."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stemtune.errors import WeightsError
from stemtune.evaluation.model_systems import ModelSystem
from stemtune.hub import (
    ModelCard,
    export_model,
    find_card,
    import_checkpoint,
    load,
    save_adapter,
    save_model,
    user_models,
)
from stemtune.models.base import Separator
from stemtune.nn.lora import is_factor, merge
from stemtune.transfer.trainable import Adapters, Trainable, attach_adapters

RANK = 2


def learnt(base: Separator) -> Separator:
    """A network that moved along a few directions, and whose head moved freely."""
    network = base.config.build()
    network.load_state_dict(base.state_dict())
    trainable = Trainable(patterns=("head.*",), adapters=Adapters(rank=RANK))
    attach_adapters(network, trainable, seed=0)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if is_factor(name) or name.startswith("head."):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    adapted = base.config.build()
    adapted.load_state_dict(merge(network.state_dict()))
    return adapted.eval()


def answer(separator: Separator) -> torch.Tensor:
    mixture = torch.randn(1, 2, 3000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return separator(mixture).sources


@pytest.fixture
def base(separator: Separator, card: ModelCard) -> Path:
    """A base that has a name."""
    save_model(separator, user_models() / "kazoo", card)
    return user_models() / "kazoo"


@pytest.fixture
def adapter(separator: Separator, card: ModelCard, base: Path, tmp_path: Path) -> Path:
    named = card.model_copy(update={"name": "comb"})
    save_adapter(learnt(separator), tmp_path / "comb", named, base="kazoo", rank=RANK)
    return tmp_path / "comb"


def test_an_adapter_and_its_base_are_the_adapted_model(separator: Separator, adapter: Path) -> None:
    loaded = load(adapter)
    torch.testing.assert_close(answer(loaded), answer(learnt(separator)), rtol=1e-4, atol=1e-6)
    assert torch.equal(answer(load(adapter / "adapter.safetensors")), answer(loaded))
    assert not torch.allclose(answer(loaded), answer(separator))


def test_an_adapter_holds_only_what_was_learnt(separator: Separator, adapter: Path) -> None:
    from safetensors.torch import load_file

    kept = load_file(adapter / "adapter.safetensors")
    assert any(name.endswith(".left") for name in kept)
    whole = {name for name in kept if not name.endswith((".left", ".right"))}
    assert whole == {name for name in separator.state_dict() if name.startswith("head.")}


def test_a_base_that_is_kept_in_16_bits(separator: Separator, card: ModelCard, tmp_path: Path) -> None:
    save_model(separator.half(), user_models() / "halved", card)
    adapted = learnt(load("halved"))
    save_adapter(adapted, tmp_path / "adapted", card, base="halved", rank=RANK)
    torch.testing.assert_close(answer(load(tmp_path / "adapted")), answer(adapted))
    same = save_adapter(load("halved"), tmp_path / "same", card, base="halved", rank=RANK)
    assert load_file(tmp_path / "same" / "adapter.safetensors") == {}
    assert same.num_parameters > 0


def test_the_card_names_the_base(adapter: Path, base: Path) -> None:
    card = find_card(adapter)
    assert (card.base, card.base_sha256) == ("kazoo", find_card(base).weights_sha256)
    assert card.weights_bytes == (adapter / "adapter.safetensors").stat().st_size


def test_the_base_is_known_by_its_weights_not_by_its_name(adapter: Path, base: Path) -> None:
    before = answer(load(adapter))
    base.rename(base.with_name("other"))
    assert torch.equal(answer(load(adapter)), before)


def test_another_base_under_the_same_name_is_refused(
    separator: Separator, card: ModelCard, adapter: Path, base: Path
) -> None:
    with torch.no_grad():
        next(separator.parameters()).add_(1.0)
    save_model(separator, base, card)
    needed, found = find_card(adapter).base_sha256[:12], find_card(base).weights_sha256[:12]
    with pytest.raises(WeightsError, match=rf"for 'kazoo' with the weights {needed}.*the 'kazoo' here has {found}"):
        load(adapter)


def test_without_its_base_it_says_what_to_do(adapter: Path, base: Path) -> None:
    shutil.rmtree(base)
    with pytest.raises(WeightsError, match=r"which no model here has: import that model first"):
        load(adapter)


def test_a_base_in_a_folder_is_found_there(separator: Separator, card: ModelCard, folder: Path, tmp_path: Path) -> None:
    save_adapter(learnt(separator), tmp_path / "comb", card, base=folder, rank=RANK)
    assert load(tmp_path / "comb").stems == separator.stems


def test_damage_is_noticed(adapter: Path) -> None:
    data = bytearray((adapter / "adapter.safetensors").read_bytes())
    data[-1] ^= 1
    (adapter / "adapter.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="is not the file that its card describes"):
        load(adapter)


def test_factors_that_do_not_fit_are_refused(adapter: Path) -> None:
    from safetensors.torch import load_file, save_file

    from tests.hub.test_folder import restate_hash

    kept = load_file(adapter / "adapter.safetensors")
    name = next(name for name in kept if name.endswith(".left"))
    kept[name] = torch.cat([kept[name], kept[name]])
    save_file(kept, adapter / "adapter.safetensors")
    shutil.copyfile(adapter / "adapter.safetensors", adapter / "model.safetensors")
    restate_hash(adapter)
    (adapter / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"the factors of .* do not fit its base"):
        load(adapter)


def test_an_adapter_of_an_adapter_is_refused(separator: Separator, card: ModelCard, adapter: Path) -> None:
    with pytest.raises(WeightsError, match=r"is an adapter itself; keep the whole model, or adapt its base 'kazoo'"):
        save_adapter(separator, adapter.with_name("second"), card, base=adapter)


def test_export_as_it_is_or_whole_and_import_again(adapter: Path, base: Path, tmp_path: Path) -> None:
    small = export_model(adapter, tmp_path / "small.zip")
    whole = export_model(adapter, tmp_path / "whole", whole=True)
    assert small.stat().st_size < (base / "model.safetensors").stat().st_size
    before = answer(load(adapter))
    assert torch.equal(answer(load(whole)), before)
    import_checkpoint("stemtune", small, name="again")
    shutil.rmtree(base)
    for address in ("again", whole):
        assert torch.equal(answer(load(address)), before)


def test_scores_of_an_adapter_are_kept_for_its_own_weights(adapter: Path, base: Path) -> None:
    from stemtune.data.tracks import Track
    from stemtune.types import StemSet

    track = Track("t", StemSet({"kazoo": ()}), None, 8000, 1, 2)
    assert ModelSystem(adapter, "a").state(track) != ModelSystem(base, "b").state(track)
    assert ModelSystem(adapter, "a").stems(track) == ("kazoo", "rest")


def test_the_folder_of_a_run_is_its_model(adapter: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "report.html").write_text("")
    shutil.copytree(adapter, run / "model")
    assert torch.equal(answer(load(run)), answer(load(adapter)))
    (run / "model" / "config.json").unlink()
    with pytest.raises(WeightsError, match="is not a model's folder"):
        load(run)


def test_saving_a_model_over_an_adapter_replaces_it(separator: Separator, card: ModelCard, adapter: Path) -> None:
    save_model(separator, adapter, card)
    assert sorted(path.name for path in adapter.iterdir()) == ["card.json", "config.json", "model.safetensors"]
    assert json.loads((adapter / "card.json").read_text())["base_sha256"] == ""
