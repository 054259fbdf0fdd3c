"""A run that is killed and started again ends with the same weights, bit for bit, as one that never stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stemtune.errors import ConfigError
from stemtune.training.checkpoint import latest
from stemtune.training.phase import Execution, Experiment
from stemtune.training.run import train
from tests.training.miniature import tiny_experiment, tiny_validation

EXECUTION = Execution(device="cpu", num_workers=0, threads=1, checkpoint_every_steps=2)

SCRIPT = """
import sys
from pathlib import Path
from stemtune.training.phase import Execution
from stemtune.training.run import read_experiment, train
train(read_experiment(Path(sys.argv[1])), Path(sys.argv[2]),
      execution=Execution(device="cpu", num_workers=int(sys.argv[3]), threads=1, checkpoint_every_steps=1), quiet=True)
"""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    last = latest(folder / "1-learn" / "checkpoints")
    assert last is not None
    return {f"{file.stem}.{k}": v for file in last.glob("*.safetensors") for k, v in load_file(file).items()}


def assert_equal_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different


def experiment(songs: Path, steps: int = 6) -> Experiment:
    return tiny_experiment(songs, steps=steps, ema_decay=0.9, validation=tiny_validation(songs))


def test_killed_with_sigkill_and_rerun_equals_never_stopped(songs: Path, tmp_path: Path) -> None:
    description = experiment(songs, steps=12)
    train(description, tmp_path / "whole", execution=EXECUTION, quiet=True)
    (tmp_path / "experiment.json").write_text(description.model_dump_json())
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "experiment.json"), str(tmp_path / "killed"), "1"]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while latest(tmp_path / "killed" / "1-learn" / "checkpoints") is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    stopped_at = latest(tmp_path / "killed" / "1-learn" / "checkpoints")
    assert stopped_at is not None
    assert not json.loads((stopped_at / "state.json").read_text())["finished"]
    result = train(description, tmp_path / "killed", execution=EXECUTION, quiet=True)
    assert result.finished
    assert_equal_bits(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_the_log_holds_every_step_once_after_a_resume(songs: Path, tmp_path: Path) -> None:
    description = experiment(songs)
    first = train(description, tmp_path, execution=EXECUTION.override({"max_minutes": 1e-9}), quiet=True)
    assert not first.finished
    assert first.steps == 1
    train(description, tmp_path, execution=EXECUTION, quiet=True)
    lines = (tmp_path / "1-learn" / "log.csv").read_text().splitlines()[1:]
    steps = [int(line.split(",")[0]) for line in lines if line.split(",")[1]]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_does_nothing_when_started_again(songs: Path, tmp_path: Path) -> None:
    description = experiment(songs)
    first = train(description, tmp_path, execution=EXECUTION, quiet=True)
    before = weights(tmp_path)
    again = train(description, tmp_path, execution=EXECUTION, quiet=True)
    assert again.finished
    assert again.best_score == first.best_score
    assert_equal_bits(before, weights(tmp_path))


def test_a_folder_with_another_experiment_is_refused(songs: Path, tmp_path: Path) -> None:
    train(experiment(songs), tmp_path, execution=EXECUTION, quiet=True)
    with pytest.raises(ConfigError, match="holds another experiment"):
        train(experiment(songs, steps=7), tmp_path, execution=EXECUTION, quiet=True)
