"""Studies: many experiments that answer one question together, run cell by cell and never twice.

Reading order: `study` (what a study is), `results` (what is left of a cell), `running` (how it is run).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from stemtune.errors import UsageError
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Cell, Study

__all__ = ["STUDIES", "StudyModule", "StudyRoots", "find_study"]


@dataclass(frozen=True)
class StudyRoots:
    """Where the audio is.

    Attributes:
        data: the folder of the public data sets.
        corpora: the folder of the corpora that stemtune rendered.
    """

    data: Path
    corpora: Path


@runtime_checkable
class StudyModule(Protocol):
    """What the package of a study offers; its docstring is its description."""

    SCALES: tuple[str, ...]

    def study(self, scale: str, *, roots: StudyRoots, places: Places) -> Study:
        """The table of cells; touches no audio."""
        ...

    def prepare(
        self, scale: str, cells: Sequence[Cell], *, roots: StudyRoots, places: Places, say: Callable[[str], None]
    ) -> None:
        """Make what some cells share, before the first one is run."""
        ...

    def report(self, study: Study, *, places: Places) -> Path:
        """Tables and figures of whatever cells are done; returns the page."""
        ...


STUDIES: Mapping[str, str] = {
    "bugler2020": "stemtune.recipes.bugler2020",
    "defossez2019": "stemtune.recipes.defossez2019",
    "hung2022": "stemtune.recipes.hung2022",
    "zai2022": "stemtune.recipes.zai2022",
}


def find_study(name: str) -> StudyModule:
    """The study of that name.

    Raises:
        UsageError: if there is none; the message lists those that exist.
    """
    if name not in STUDIES:
        raise UsageError(f"unknown study {name!r}; the studies are {', '.join(STUDIES)}")
    return cast("StudyModule", import_module(STUDIES[name]))
