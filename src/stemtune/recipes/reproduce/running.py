"""Running a study: cell by cell, resumable between cells and within them, by one process or several.

    WORK/cells/NAME/run/     the training run, removed when the cell is done
                    model/   kept where another cell starts from it
    RESULTS/cells/NAME/      the small files that stay (`results`)

A cell whose results are there is not run again, unless its model is missing and a cell that is not done starts from it.
Processes that share WORK share the cells: each one is locked while it is run, and the lock goes with its process.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from stemtune.data.claims import claimed
from stemtune.errors import ConfigError
from stemtune.hub import ModelCard, save_model
from stemtune.models import Separator
from stemtune.nn.precision import granted_precision
from stemtune.recipes.reproduce.results import (
    CellRecord,
    CurveWriter,
    read_cell_experiment,
    read_record,
    write_result,
)
from stemtune.recipes.reproduce.study import Cell, Examination, Keeping, Scores, Study
from stemtune.training.loop import Observer
from stemtune.training.phase import Execution
from stemtune.training.preflight import check_data
from stemtune.training.run import train

__all__ = ["Places", "State", "run_cells", "state_of"]

State = Literal["done", "begun", "to do"]


@dataclass(frozen=True)
class Places:
    """Where a study works, and where its small results go."""

    work: Path
    results: Path

    def run(self, cell: str) -> Path:
        """Of a cell's training."""
        return self.work / "cells" / cell / "run"

    def model(self, cell: str) -> Path:
        """Of the model that other cells start from."""
        return self.work / "cells" / cell / "model"

    def result(self, cell: str) -> Path:
        """Of what stays."""
        return self.results / "cells" / cell


def state_of(cell: Cell, places: Places) -> State:
    """How far a cell has come.

    Raises:
        ConfigError: if its results are of another experiment.
    """
    folder = places.result(cell.name)
    if read_record(folder) is None:
        return "begun" if places.run(cell.name).exists() else "to do"
    if read_cell_experiment(folder) != cell.experiment:
        raise ConfigError(
            f"{folder}: holds the results of another experiment than {cell.name!r} is now; choose another results "
            "folder, or remove this cell's to run it again"
        )
    return "done"


def run_cells(
    study: Study,
    cells: Sequence[Cell],
    places: Places,
    *,
    execution: Execution,
    say: Callable[[str], None],
    quiet: bool = True,
) -> bool:
    """Run what is not done yet of some cells, in order.

    Args:
        study: the whole of it.
        cells: of the study; with each must come those that it needs.
        places: see `Places`.
        execution: ``max_minutes`` is for all cells together.
        say: told what begins and what is done.
        quiet: whether training itself says nothing.

    Returns:
        whether all cells are done; if not, start again to go on.
    """
    deadline = time.monotonic() + execution.max_minutes * 60 if execution.max_minutes else None
    skipped: set[str] = set()  # under way elsewhere
    while True:
        pending = [cell for cell in cells if _is_wanted(cell, cells, places) and cell.name not in skipped]
        ready = [cell for cell in pending if all(places.model(name).exists() for name in cell.needs)]
        if not ready:
            break
        left = (deadline - time.monotonic()) / 60 if deadline is not None else None
        if left is not None and left <= 0:
            break
        cell = ready[0]
        with claimed(places.run(cell.name).with_name("lock")) as mine:
            if not mine:
                skipped.add(cell.name)
                continue
            if not _is_wanted(cell, cells, places):  # another process was quicker
                continue
            say(f"{cell.name}: {cell.steps} steps")
            limited = execution.model_copy(update={"max_minutes": left})
            if not _run_cell(study, cell, places, execution=limited, say=say, quiet=quiet):
                break
    return not any(_is_wanted(cell, cells, places) for cell in cells)


def _is_wanted(cell: Cell, cells: Sequence[Cell], places: Places) -> bool:
    """Whether a cell must be run: it has no results, or no model though a cell without results starts from it."""
    if state_of(cell, places) != "done":
        return True
    starters = [other for other in cells if cell.name in other.needs]
    return not places.model(cell.name).exists() and any(_is_wanted(other, cells, places) for other in starters)


def _run_cell(
    study: Study,
    cell: Cell,
    places: Places,
    *,
    execution: Execution,
    say: Callable[[str], None],
    quiet: bool,
) -> bool:
    """Train, examine, keep; whether it came to the end."""
    started = time.monotonic()
    folder, result_folder = places.run(cell.name), places.result(cell.name)
    examination = cell.examination() if cell.examination else None
    observer = _observer(cell, examination, result_folder) if examination else None
    _listen_once(cell, places, execution, quiet=quiet)
    features = execution.features or places.work / "features"
    unheard = execution.model_copy(update={"check_data": False, "features": features})
    result = train(cell.experiment, folder, execution=unheard, quiet=quiet, observer=observer)
    spent = _add_minutes(folder, (time.monotonic() - started) / 60)
    if not result.finished:
        say(f"{cell.name}: stopped at step {result.steps}; start again to go on")
        return False
    started = time.monotonic()
    separator = result.separator
    scores = examination(separator) if examination else None
    if isinstance(examination, Keeping):
        examination.keep(result, cell.experiment, result_folder)
    if any(cell.name in other.needs for other in study.cells):
        save_model(separator, places.model(cell.name), _card(study, cell))
    minutes = spent + (time.monotonic() - started) / 60
    record = _record(study, cell, separator, scores, minutes=minutes, execution=execution)
    write_result(result_folder, record, cell.experiment, scores)
    shutil.rmtree(folder, ignore_errors=True)
    score = "" if record.mean_score is None else f", mean {record.mean_score:.2f} dB"
    say(f"{cell.name}: done in {record.minutes:.1f} minutes{score}")
    return True


def _listen_once(cell: Cell, places: Places, execution: Execution, *, quiet: bool) -> None:
    """Check the data of a cell, which it shares with others, once for all of them."""
    heard = sorted({repr(corpus) for phase in cell.experiment.phases for corpus in phase.data.corpora})
    name = hashlib.sha256("".join(heard).encode()).hexdigest()[:16]
    if execution.check_data:
        check_data(cell.experiment, places.work / "checked" / name, quiet=quiet)


def _observer(cell: Cell, examination: Examination, folder: Path) -> Observer:
    """Adds a point to the cell's curve now and then."""
    curve = CurveWriter(folder)
    before = [cell.steps_before + sum(p.steps for p in cell.experiment.phases[:n]) for n in range(cell.steps)]

    def look(number: int, step: int, separator: Separator) -> None:
        curve.add(before[number] + step, examination.glance(separator))

    return Observer(every_steps=cell.glance_every_steps, look=look)


def _record(
    study: Study, cell: Cell, separator: Separator, scores: Scores | None, *, minutes: float, execution: Execution
) -> CellRecord:
    phase = cell.experiment.phases[-1]
    mean = scores.mean if scores else None
    return CellRecord(
        study=study.name,
        scale=study.scale,
        cell=cell.name,
        seed=cell.experiment.seed,
        steps=cell.steps,
        steps_before=cell.steps_before,
        num_parameters=sum(parameter.numel() for parameter in separator.parameters()),
        batch_size=phase.batch_size,
        segment_seconds=phase.data.segment_seconds,
        precision=granted_precision("cuda" if _has_card(execution) else "cpu", phase.precision),
        minutes=round(minutes, 2),
        machine=_machine(execution),
        threads=torch.get_num_threads(),
        commit=_commit(),
        mean_score=None if mean is None else round(mean, 4),
    )


def _card(study: Study, cell: Cell) -> ModelCard:
    return ModelCard(
        name=f"{study.name}-{cell.name.replace('/', '-')}",
        licence="research only; not for publication",
        description=f"Cell {cell.name} of {study.name} at scale {study.scale}.",
        recipe=f"stemtune reproduce {study.name} --scale {study.scale} --only {cell.name}",
    )


def _add_minutes(folder: Path, minutes: float) -> float:
    """What a cell has taken so far, over all resumptions."""
    path = folder / "minutes.txt"
    total = minutes + (float(path.read_text(encoding="utf-8")) if path.exists() else 0.0)
    path.write_text(f"{total:.3f}", encoding="utf-8")
    return total


def _machine(execution: Execution) -> str:
    return torch.cuda.get_device_name() if _has_card(execution) else f"{platform.machine()} CPU"


def _has_card(execution: Execution) -> bool:
    return execution.device != "cpu" and torch.cuda.is_available()


def _commit() -> str:
    """Of the checkout that the package runs from; of a copy without history, what STEMTUNE_COMMIT says."""
    if told := os.environ.get("STEMTUNE_COMMIT"):
        return told
    try:
        answer = subprocess.run(  # noqa: S603
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
