"""A study is a table of cells; a cell is an experiment, and the examination that its model sits.

    study = (cell_1, ..., cell_n),    cell = (experiment, needs, examination).

A cell may start from the model of another one (a pre-trained network that many cells fine-tune), which it ``needs``.
Cells stand in the order in which they are to be run, the most telling ones first: a study that is stopped half-way has
then said what matters.
"""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from stemtune.errors import UsageError
from stemtune.models import Separator
from stemtune.training.phase import Experiment
from stemtune.training.run import TrainingResult

__all__ = ["Cell", "Examination", "Keeping", "Scores", "Study", "choose_cells"]


@dataclass(frozen=True)
class Scores:
    """What an examination found.

    Attributes:
        columns: names of the values of each row, such as stems.
        rows: an item (an excerpt, a track) and its values, None where one is not defined.
        headline: the columns whose mean stands for all in a line; None for all of them.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    headline: tuple[str, ...] | None = None

    @property
    def mean(self) -> float | None:
        """Of all defined values in the headline's columns; None if there are none."""
        wanted = [place for place, name in enumerate(self.columns) if self.headline is None or name in self.headline]
        values = [value for _, row in self.rows for place in wanted if (value := row[place]) is not None]
        return sum(values) / len(values) if values else None


@runtime_checkable
class Examination(Protocol):
    """Scores a model on something that it has not learnt from."""

    def __call__(self, separator: Separator) -> Scores:
        """The whole examination; the separator is in evaluation mode."""
        ...

    def glance(self, separator: Separator) -> float:
        """A cheap part of it, as one number for a curve."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """An examination that leaves more than scores."""

    def keep(self, result: TrainingResult, experiment: Experiment, folder: Path) -> None:
        """Write further small files into the folder of a cell's results, before its record."""
        ...


@dataclass(frozen=True)
class Cell:
    """One experiment of a study.

    Attributes:
        name: unique; may hold slashes, which become folders.
        experiment: what is trained.
        needs: the names of the cells from whose models it starts.
        examination: makes the examination of the model; None for models that are only started from.
        glance_every_steps: how often the curve gets a point, in steps of the last phase.
        steps_before: optimiser steps that the starting model had, so that curves count from the beginning.
        minutes: what it is expected to take, for the plan.
    """

    name: str
    experiment: Experiment
    needs: tuple[str, ...] = ()
    examination: Callable[[], Examination] | None = None
    glance_every_steps: int = 100
    steps_before: int = 0
    minutes: float = 0.0

    @property
    def steps(self) -> int:
        """Optimiser steps of all its phases."""
        return sum(phase.steps for phase in self.experiment.phases)


@dataclass(frozen=True)
class Study:
    """A named table of cells.

    Attributes:
        name: of the paper, such as ``bugler2020``.
        scale: how large, such as ``paper`` or ``laptop``.
        cells: in the order in which they are run.
        facts: what a reader of the results must know, such as the sizes of the corpora.
    """

    name: str
    scale: str
    cells: tuple[Cell, ...]
    facts: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for cell in self.cells:
            if cell.name in seen:
                raise ValueError(f"two cells are called {cell.name!r}")
            if missing := set(cell.needs) - seen:
                raise ValueError(f"{cell.name!r} needs {', '.join(sorted(missing))}, which must stand before it")
            seen.add(cell.name)

    def __getitem__(self, name: str) -> Cell:
        return next(cell for cell in self.cells if cell.name == name)


def choose_cells(study: Study, patterns: Sequence[str]) -> tuple[Cell, ...]:
    """The cells whose names match one of the shell patterns, all if there are none, and the cells that they need.

    Raises:
        UsageError: if a pattern matches nothing.
    """
    names = [cell.name for cell in study.cells]
    wanted: set[str] = set() if patterns else set(names)
    for pattern in patterns:
        matched = fnmatch.filter(names, pattern)
        if not matched:
            raise UsageError(
                f"no cell of {study.name} matches {pattern!r}; they are named like {names[0]!r}; see --plan"
            )
        wanted.update(matched)
    for cell in reversed(study.cells):
        if cell.name in wanted:
            wanted.update(cell.needs)
    return tuple(cell for cell in study.cells if cell.name in wanted)
