"""``stemtune adapt`` at the command line: its output, its errors, its exit codes."""

import json
import shutil
from pathlib import Path

import pytest

from stemtune.cli.main import run
from stemtune.hub import load, user_models
from tests.recipes.adapt.conftest import base, sounds, write

__all__ = ["base", "write"]  # fixtures


def folder_of_songs(write_song: object) -> Path:
    assert callable(write_song)
    root = Path()
    for number in range(2):
        root = write_song(f"song {number}", sounds(number, seconds=20.0))
    return root


def test_strategies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["adapt", "--list-strategies"]) == 0
    assert "adapters: the head moves, all other weights along a few directions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "no recordings; name a folder of songs with stems"),
        (["nowhere"], 1, "nowhere"),
        (["nowhere", "--strategy", "magic"], 2, "unknown strategy 'magic'"),
        (["nowhere", "--steps", "0"], 2, "--steps"),
    ],
)
def test_wrong_requests_are_refused(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["adapt", *arguments, "--out", str(tmp_path / "out")] if arguments else ["adapt"]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert words in captured.err
    assert not (tmp_path / "out").exists()


def test_one_command_makes_a_model_and_keeps_only_what_was_learnt(
    write: object, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEMTUNE_HOME", str(tmp_path / "home"))
    shutil.copytree(base, user_models() / "tiny-base")
    root, out = folder_of_songs(write), tmp_path / "mine"
    command = ["adapt", str(root), "--from", "tiny-base", "-o", str(out), "--steps", "2", "--folds", "2"]
    command += ["--strategy", "adapters", "--save", "adapter"]
    assert run([*command, "--progress", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["activity"] == f"listening to {root}"
    assert any("minutes in which each stem sounds" in line.get("message", "") for line in lines)
    assert {stem["stem"] for stem in lines[-1]["stems"]} == {"sitar", "tabla", "all"}
    assert {path.name for path in (out / "model").iterdir()} == {"adapter.safetensors", "card.json", "config.json"}
    assert load(out).stems == ("sitar", "tabla")
    assert run([*command, "--progress", "none"]) == 0
    said = capsys.readouterr().out
    assert f"stemtune separate -n {out} song.mp3" in said
    assert run(["models", "info", str(out)]) == 0
    assert "adapted from | tiny-base" in capsys.readouterr().out
