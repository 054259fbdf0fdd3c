"""``stemtune data list`` and ``data describe`` as a user meets them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stemtune.data.datasets import known_mappings
from tests.data.datasets import miniatures

Run = Callable[..., Any]


def test_all_known_data_sets_are_listed(stemtune: Run) -> None:
    outcome = stemtune("data", "list")
    assert outcome.code == 0
    assert all(name in outcome.out for name in known_mappings())
    assert set(json.loads(stemtune("data", "list", "--json").out)) == set(known_mappings())


def test_a_known_name_is_described_without_having_the_data(stemtune: Run) -> None:
    outcome = stemtune("data", "describe", "musdb18")
    assert outcome.code == 0
    assert "https://doi.org/10.5281/zenodo.1117372" in outcome.out
    assert "ROOT/train/Actions - One Minute Smile.stem.mp4" in outcome.out
    assert json.loads(stemtune("data", "describe", "musdb18", "--json").out)["sample_rate"] == 44100


def test_a_folder_is_described_by_splits_stems_and_what_is_not_used(stemtune: Run, tmp_path: Path) -> None:
    miniatures.eir_stems(tmp_path)
    miniatures.sound(tmp_path / "scratch.wav", seed=0)
    outcome = stemtune("data", "describe", tmp_path)
    assert outcome.code == 0, outcome.err
    for text in ("EIR stems", "beware: Hydrogen and Caesium", "bass+other", "CC0-1.0: 4 tracks"):
        assert text in outcome.out
    assert f"1 audio files belong to no track, such as {tmp_path}/scratch.wav" in outcome.out
    summary = json.loads(stemtune("data", "describe", tmp_path, "--split", "test", "--json").out)
    assert [(split["name"], split["num_tracks"]) for split in summary["splits"]] == [("test", 1)]
    assert summary["num_releasable"] == 1


def test_what_is_wrong_is_told_with_exit_code_1(stemtune: Run, tmp_path: Path) -> None:
    miniatures.eir_stems(tmp_path)
    (tmp_path / "2.Lithium" / "bass.ogg").write_bytes(b"nothing")
    outcome = stemtune("data", "describe", tmp_path)
    assert outcome.code == 1
    assert f"error: {tmp_path}/2.Lithium/bass.ogg: is text, not audio" in outcome.out
    assert json.loads(stemtune("data", "describe", tmp_path, "--json").out)["problems"][0]["track"] == "2.Lithium"


def test_nothing_to_describe(stemtune: Run, tmp_path: Path) -> None:
    outcome = stemtune("data", "describe", tmp_path / "nowhere")
    assert outcome.code == 1
    assert "no such file or folder" in outcome.err
    assert outcome.err.count("\n") == 1
