"""Schedules, clipping and checkpoints by themselves."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stemtune.errors import WeightsError
from stemtune.training import checkpoint
from stemtune.training.checkpoint import Checkpoint, TrainingState
from stemtune.training.clipping import AutoClip
from stemtune.training.loop import mix_seed
from stemtune.training.schedule import Plateau, Schedule, factor


def test_schedules() -> None:
    step = Schedule(kind="step", every_steps=10, decay=0.5)
    assert [factor(step, step=s, steps=100) for s in (0, 9, 10, 25)] == [1.0, 1.0, 0.5, 0.25]
    cosine = Schedule(kind="cosine", decay=0.1)
    assert factor(cosine, step=0, steps=100) == 1.0
    assert factor(cosine, step=100, steps=100) == pytest.approx(0.1)
    assert factor(cosine, step=50, steps=100) == pytest.approx(0.55)
    warm = Schedule(warmup_steps=4)
    assert [factor(warm, step=s, steps=9) for s in (0, 3, 8)] == [0.25, 1.0, 1.0]


def test_plateau_agrees_with_torch() -> None:
    schedule = Schedule(kind="plateau", patience=2, decay=0.5)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=2, threshold=0.0)
    plateau = Plateau()
    for loss in np.random.default_rng(0).random(60):
        reference.step(float(loss))
        plateau = plateau.observe(float(loss), schedule)
        assert plateau.factor == optimiser.param_groups[0]["lr"]
    assert plateau.factor < 0.1


def test_autoclip_clips_to_the_percentile_of_all_norms_so_far() -> None:
    parameter = nn.Parameter(torch.zeros(4))
    clip = AutoClip(10.0)
    norms = []
    for scale in (3.0, 1.0, 10.0, 2.0):
        parameter.grad = torch.full((4,), scale / 2)
        norms.append(scale)
        assert clip([parameter]) == pytest.approx(scale)
        limit = float(np.percentile(norms, 10))
        assert float(parameter.grad.norm()) == pytest.approx(min(scale, limit), rel=1e-4)


def test_autoclip_does_not_remember_what_is_not_finite() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([math.nan, 1.0])
    clip = AutoClip(10.0, history=[1.0])
    assert not math.isfinite(clip([parameter]))
    assert clip.history == [1.0]


def state(step: int) -> Checkpoint:
    return Checkpoint(
        state=TrainingState(fingerprint="f", step=step, gradient_norms=(0.1, 1 / 3)),
        network={"weight": torch.full((3,), float(step))},
    )


def test_checkpoints_round_trip_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.write(tmp_path, state(step), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
    last = checkpoint.latest(tmp_path)
    assert last is not None
    content = checkpoint.read(last)
    assert content.state == state(3).state
    assert torch.equal(content.network["weight"], torch.full((3,), 3.0))


def test_what_was_left_half_written_is_not_a_checkpoint(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, state(1), keep=2)
    (tmp_path / ".step-00000002.partial").mkdir()
    (tmp_path / "step-00000009").mkdir()
    assert checkpoint.latest(tmp_path) == tmp_path / "step-00000001"


def test_a_damaged_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    path = checkpoint.write(tmp_path, state(1), keep=2)
    (path / "network.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError, match="cannot be read"):
        checkpoint.read(path)


def test_seeds_of_neighbours_differ() -> None:
    seeds = {mix_seed(seed, phase, step) for seed in range(4) for phase in range(3) for step in range(100)}
    assert len(seeds) == 4 * 3 * 100
