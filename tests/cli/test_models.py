"""``stemtune models``: list, info, import, export."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from stemtune.hub import find_card, load


def test_list_shows_each_model_with_licence_and_score(stemtune, kazoo: Path):
    outcome = stemtune("models", "list")
    assert outcome.code == 0
    line = next(line for line in outcome.out.splitlines() if "kazoo" in line)
    for fact in ("vocals, other", "-3.2", "CC0-1.0", "Random numbers."):
        assert fact in line


def test_list_as_json_is_the_cards(stemtune, kazoo: Path):
    cards = json.loads(stemtune("models", "list", "--json").out)
    assert find_card("kazoo").model_dump(mode="json") in cards


def test_a_damaged_model_does_not_hide_the_others(stemtune, kazoo: Path):
    broken = kazoo.parent / "broken"
    shutil.copytree(kazoo, broken)
    (broken / "card.json").write_text("{}")
    outcome = stemtune("models", "list")
    assert "kazoo" in outcome.out
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert "broken/card.json" in outcome.err


def test_info_prints_the_card(stemtune, kazoo: Path):
    text = stemtune("models", "info", "kazoo").out
    assert text.startswith("# kazoo 1.0.0")
    assert "| vocals | sdr_global | -3.25 | -1.00 | -2.25 | nothing (1 track) |" in text
    assert json.loads(stemtune("models", "info", kazoo, "--json").out)["name"] == "kazoo"


def test_an_unknown_model_is_named(stemtune, kazoo: Path):
    outcome = stemtune("models", "info", "kazo")
    assert outcome.code == 2
    assert "unknown model 'kazo'; did you mean 'kazoo'?" in outcome.err


def test_export_to_a_folder_and_back(stemtune, kazoo: Path, tmp_path: Path):
    assert stemtune("models", "export", "kazoo", tmp_path / "out").code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["card.json", "config.json", "model.safetensors"]
    assert load(tmp_path / "out").stems == ("vocals", "other")
    again = stemtune("models", "export", "kazoo", tmp_path / "out")
    assert again.code == 0


def test_export_to_a_zip_and_back_under_another_name(stemtune, kazoo: Path, tmp_path: Path):
    path = tmp_path / "kazoo.zip"
    assert stemtune("models", "export", "kazoo", path).code == 0
    assert sorted(zipfile.ZipFile(path).namelist()) == ["card.json", "config.json", "model.safetensors"]
    assert stemtune("models", "export", "kazoo", path).code == 1
    outcome = stemtune("models", "import", path, "--from", "stemtune", "--name", "mirliton")
    assert outcome.code == 0, outcome.err
    assert find_card("mirliton").scores == find_card("kazoo").scores
    own, other = load("kazoo").state_dict(), load("mirliton").state_dict()
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_a_damaged_model_is_not_exported(stemtune, kazoo: Path, tmp_path: Path):
    path = kazoo / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    outcome = stemtune("models", "export", "kazoo", tmp_path / "out")
    assert outcome.code == 1
    assert "expected SHA-256" in outcome.err
    assert not (tmp_path / "out").exists()


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def test_a_malicious_checkpoint_is_refused_and_not_executed(stemtune, home: Path, tmp_path: Path):
    path = tmp_path / "model.pth"
    torch.save({"state_dict": {"weight": torch.zeros(2), "bomb": Bomb(tmp_path / "boom")}}, path)
    outcome = stemtune("models", "import", path, "--from", "asteroid-xumx", "--name", "x")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "refused and nothing in it was executed" in outcome.err
    assert not (tmp_path / "boom").exists()
    assert not (home / "models" / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "open-unmix", "--name", "x"], "give either a PATH, or one --target"),
        (["p", "--from", "open-unmix", "--name", "x", "--target", "vocals=p"], "give either a PATH, or one --target"),
        (["--from", "open-unmix", "--name", "x", "--target", "vocals"], "expected STEM=PATH"),
        (["p", "--from", "stemtune", "--name", "default"], "comes with stemtune"),
        (["p", "--from", "stemtune", "--name", "../x"], "cannot name a model"),
    ],
)
def test_import_explains_what_it_needs(stemtune, arguments: list[str], message: str):
    outcome = stemtune("models", "import", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
