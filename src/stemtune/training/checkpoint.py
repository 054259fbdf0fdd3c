"""Checkpoints: complete or not there at all, and nothing in them that could be executed.

A checkpoint is a folder of safetensors files (network, averaged network, optimiser, what the objective
learns) and one JSON file with the rest.
It is written under a temporary name, flushed to the disk and then renamed, so a kill at any moment leaves either the
old or the new one. The optimiser's state is stored by parameter number and by name of its entries.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn

from stemtune.config import Frozen, parse
from stemtune.errors import OutputError, WeightsError
from stemtune.training.schedule import Plateau

__all__ = [
    "Checkpoint",
    "TrainingState",
    "cpu_state",
    "latest",
    "optimiser_tensors",
    "read",
    "restore_optimiser",
    "write",
]

_NAME = re.compile(r"^step-(\d{8})$")


class TrainingState(Frozen):
    """Everything besides tensors that the next step depends on."""

    fingerprint: str
    step: int = Field(ge=0, description="steps done")
    plateau: Plateau = Plateau()
    recent_losses: tuple[float, ...] = ()
    gradient_norms: tuple[float, ...] = ()
    best_score: float | None = None
    best_step: int = 0
    bad_validations: int = 0
    finished: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint folder holds."""

    state: TrainingState
    network: dict[str, Tensor]
    averaged: dict[str, Tensor] | None = None
    optimiser: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    objective: dict[str, Tensor] = field(default_factory=dict[str, Tensor])


def write(folder: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint below ``folder``, then remove all but the newest ``keep``.

    Raises:
        OutputError: if the disk is full or not writable; older checkpoints stay.
    """
    final = folder / f"step-{checkpoint.state.step:08d}"
    temporary = folder / f".{final.name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        tensors = {"network": checkpoint.network, "averaged": checkpoint.averaged, "optimiser": checkpoint.optimiser}
        tensors["objective"] = checkpoint.objective
        for name, content in tensors.items():
            if content:
                save_file(
                    {key: value.contiguous() for key, value in content.items()}, temporary / f"{name}.safetensors"
                )
        (temporary / "state.json").write_text(checkpoint.state.model_dump_json(), encoding="utf-8")
        for path in temporary.iterdir():
            _flush(path)
        _flush(temporary)
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
        _flush(folder)
        for _, old in _complete(folder)[:-keep]:
            shutil.rmtree(old)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise OutputError(
            f"{final}: the checkpoint cannot be written ({error}); free space or choose another folder"
        ) from None
    return final


def latest(folder: Path) -> Path | None:
    """The newest complete checkpoint below ``folder``, if any."""
    complete = _complete(folder)
    return complete[-1][1] if complete else None


def read(path: Path) -> Checkpoint:
    """Load a checkpoint folder.

    Raises:
        WeightsError: if a file is missing or damaged.
    """
    try:
        state = parse(TrainingState, json.loads((path / "state.json").read_text(encoding="utf-8")), origin=str(path))
        averaged, objective = path / "averaged.safetensors", path / "objective.safetensors"
        return Checkpoint(
            state=state,
            network=load_file(path / "network.safetensors"),
            averaged=load_file(averaged) if averaged.exists() else None,
            optimiser=load_file(path / "optimiser.safetensors") if (path / "optimiser.safetensors").exists() else {},
            objective=load_file(objective) if objective.exists() else {},
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise WeightsError(
            f"{path}: the checkpoint cannot be read ({error}); remove it to resume from an older one"
        ) from None


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's per-parameter state as ``NUMBER.ENTRY`` tensors."""
    state: Mapping[int, Mapping[str, Tensor]] = optimiser.state_dict()["state"]
    return {f"{number}.{entry}": value.cpu() for number, entries in state.items() for entry, value in entries.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimiser_tensors`, for an optimiser over the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, entry = name.split(".", 1)
        state.setdefault(int(number), {})[entry] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def cpu_state(network: nn.Module) -> dict[str, Tensor]:
    """A copy of a network's tensors on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def _complete(folder: Path) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    found = ((_NAME.match(path.name), path) for path in folder.iterdir())
    return sorted((int(match.group(1)), path) for match, path in found if match and (path / "state.json").exists())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
