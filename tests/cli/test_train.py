"""``stemtune train`` from recipe to model, its errors, and that it goes on where it stopped."""

import json
from pathlib import Path

import pytest

from stemtune.cli.main import run

TINY = [
    *("--set", "phases.0.steps=2", "--set", "phases.0.batch_size=2", "--set", "phases.0.data.segment_seconds=0.5"),
    *("--set", "model.bands=[[8,8],[4,32]]", "--set", "model.n_fft=512", "--set", "model.hop_length=128"),
    *("--set", "model.width=8", "--set", "model.dilations=[1,2]", "--set", "model.mixing_groups=2"),
    *("--device", "cpu", "--threads", "1", "--num-workers", "0"),
]


def test_a_recipe_becomes_a_model_that_can_be_loaded(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from stemtune.hub import load

    arguments = ["train", "bandnet", "--data", str(songs), "--out", str(tmp_path / "run"), *TINY]
    assert run(arguments) == 0
    assert "the model is in" in capsys.readouterr().out
    assert set(load(tmp_path / "run" / "model").stems) == {"vocals", "drums"}


def test_a_time_limit_stops_and_the_same_command_continues(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "bandnet", "--data", str(songs), "--out", str(tmp_path), *TINY]
    assert run([*arguments, "--max-minutes", "0.0000001"]) == 0
    assert "stopped at step 1" in capsys.readouterr().out
    assert run(arguments) == 0
    assert "finished after 2 steps" in capsys.readouterr().out


def test_show_prints_an_experiment_that_can_be_run(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "bandnet", "--data", str(songs), "--show", *TINY]) == 0
    text = capsys.readouterr().out
    assert json.loads(text)["phases"][0]["steps"] == 2
    (tmp_path / "experiment.json").write_text(text)
    assert run(["train", str(tmp_path / "experiment.json"), "--out", str(tmp_path / "run"), "--device", "cpu"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to train"),
        (["bandnets", "--out", "x"], "unknown recipe 'bandnets'; the recipes are"),
        (["bandnet", "--out", "x"], "needs data to learn from"),
        (["bandnet", "--data", "SONGS"], "add --out"),
        (["bandnet", "--data", "SONGS", "--set", "steps"], "--set expects PATH=VALUE"),
        (["bandnet", "--data", "SONGS", "--set", "phases.0.step=3"], "no setting 'phases.0.step'"),
        (["bandnet", "--data", "SONGS", "--set", "phases.0.steps=many"], "phases.0.steps"),
        (["bandnet", "--data", "SONGS", "--set", "phases.0.data.sample_rate=16000"], "the model expects"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    songs: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(["train", *(str(songs) if part == "SONGS" else part for part in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_missing_data_are_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "bandnet", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")]) == 1
    assert "no such file or folder" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--list-recipes"]) == 0
    listed = capsys.readouterr().out
    assert "bandnet: Train BandNet" in listed
    assert "drums-model: The drums model, adapted from the default one: kick, snare, cymbals, toms." in listed


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["train", "bandnet", "--out", "x"]) == 2
    assert 'pip install "stemtune[train]"' in capsys.readouterr().err
