"""Where names lead, and what is said when they lead nowhere."""

from pathlib import Path

import pytest

from stemtune.errors import UsageError, WeightsError
from stemtune.hub import ModelCard, find_card, list_models, load, model_folders, registry, save_model
from stemtune.models.base import Separator


@pytest.fixture
def kazoo(home: Path, separator: Separator, card: ModelCard) -> Path:
    save_model(separator, home / "models" / "kazoo", card)
    return home / "models" / "kazoo"


def test_a_user_s_model_is_found_by_name(kazoo: Path):
    assert load("kazoo").stems == ("kazoo", "rest")
    assert find_card("kazoo").name == "kazoo"
    assert model_folders()["kazoo"] == kazoo
    assert "kazoo" in [card.name for card in list_models()]


def test_without_any_models_the_list_holds_only_shipped_ones(home: Path):
    shipped = {path.parent.name for path in registry.SHIPPED_MODELS.glob("*/card.json")}
    assert "bandnet-4stem" in shipped
    assert set(model_folders()) == shipped  # a listener, which separates nothing, has no card of a model


def test_an_unknown_name_lists_the_known_ones_and_suggests_the_closest(kazoo: Path):
    with pytest.raises(UsageError, match=r"unknown model 'kazo'; did you mean 'kazoo'\? known models: .*kazoo"):
        load("kazo")
    with pytest.raises(UsageError, match=r"unknown model 'xylophone'; known models"):
        load("xylophone")


def test_a_path_to_nothing_is_not_taken_for_a_name(tmp_path: Path):
    for address in (tmp_path / "nothing", str(tmp_path / "nothing"), "nothing.safetensors"):
        with pytest.raises(UsageError, match=r"no model at .*nothing.*expected a model's folder or name"):
            load(address)


def test_a_folder_or_file_that_is_no_model_is_named(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"lacks model\.safetensors, config\.json, card\.json"):
        load(tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("la la la")
    with pytest.raises(WeightsError, match="is not a model: expected a folder with"):
        load(tmp_path / "notes.txt")


def test_a_shipped_model_wins_over_a_user_s_of_the_same_name(
    kazoo: Path, separator: Separator, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(registry, "SHIPPED_MODELS", tmp_path / "shipped")
    save_model(separator, tmp_path / "shipped" / "kazoo", card.model_copy(update={"version": "2.0.0"}))
    assert find_card("kazoo").version == "2.0.0"
    assert len(list_models()) == 1


def test_default_is_the_shipped_default(
    separator: Separator, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(registry, "SHIPPED_MODELS", tmp_path / "shipped")
    with pytest.raises(WeightsError, match="the default model 'bandnet-4stem' is missing from this installation"):
        load("default")
    save_model(separator, tmp_path / "shipped" / "bandnet-4stem", card)
    assert load("default").stems == ("kazoo", "rest")


def test_a_broken_card_does_not_hide_its_folder(kazoo: Path):
    (kazoo / "card.json").write_text("nonsense")
    assert model_folders()["kazoo"] == kazoo
    with pytest.raises(WeightsError, match=r"kazoo/card\.json is not valid JSON"):
        list_models()


def test_the_user_s_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("STEMTUNE_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert registry.user_models() == tmp_path / "stemtune" / "models"
    monkeypatch.setattr("sys.platform", "darwin")
    assert registry.user_models() == Path.home() / "Library" / "Application Support" / "stemtune" / "models"
