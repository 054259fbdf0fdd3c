"""The study of Bugler, Pardo and Seetharaman: does pre-training help to separate what there is little data for?

Paper: "A study of transfer learning in music source separation", Figures 1 to 3 and Table 2. Never released; this is
    its first open implementation.
Expected: H1, models pre-trained by deep clustering beat models trained from scratch with as many steps in all, on every
    task but one; H2, augmentation changes little; R1, the pre-training corpus nearest to the task is best; R2, training
    the mask head alone loses 1 to 5 dB. Our figures: ``docs/bugler2020.md``.
Cost: at the scale "laptop" some three hours of one core (see ``--plan``). At the scale "paper" 468,000 steps of 24
    excerpts of 10 s with 26.7 million parameters: at 51 s of one core each (``benchmarks/chimera_step.py``) nine
    months, which is not meant; some days of one large GPU (estimated, not measured), and 100 GB of audio.
Run: ``stemtune reproduce bugler2020 --scale laptop``, and ``... --report`` at any time.
Deviations: those of `experiments`, `corpora` and `examination`; at the scale "laptop" everything is smaller (`scales`).

Reading order: `scales`, `corpora`, `experiments`, `grid`, `examination`, `reporting`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from stemtune.errors import UsageError
from stemtune.recipes.bugler2020 import preparing
from stemtune.recipes.bugler2020.corpora import laptop_corpora, paper_corpora
from stemtune.recipes.bugler2020.grid import bugler2020
from stemtune.recipes.bugler2020.scales import LAPTOP, PAPER
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Cell, Study

__all__ = ["SCALES", "prepare", "report", "study"]

SCALES = ("paper", "laptop")


def study(scale: str, *, roots: StudyRoots, places: Places) -> Study:
    """The table of cells at a scale; touches no audio.

    Raises:
        UsageError: for another scale.
    """
    if scale == "paper":
        return bugler2020(PAPER, paper_corpora(roots.data), places)
    if scale == "laptop":
        return bugler2020(LAPTOP, laptop_corpora(places.work / "data"), places)
    raise UsageError(f"unknown scale {scale!r}; the scales are {', '.join(SCALES)}")


def prepare(
    scale: str, cells: Sequence[Cell], *, roots: StudyRoots, places: Places, say: Callable[[str], None]
) -> None:
    """Bring the corpora that some cells hear to the network's rate, once; published data sets are read as they are."""
    if scale != "laptop":
        return
    folder = places.work / "data"
    heard = {corpus.path for cell in cells for phase in cell.experiment.phases for corpus in phase.data.corpora}
    learnt = [name for name in preparing.LAPTOP_SETS if (folder / name).as_posix() in heard]
    tests = [name.replace("/train", "/test") for name in learnt if name.endswith("/train")]
    roots_by_name = {"data": roots.data, "corpora": roots.corpora}
    preparing.prepare([*learnt, *tests], roots_by_name, folder, say=say)


def report(study: Study, *, places: Places) -> Path:
    """Figures 1 to 3 and Table 2 of whatever cells are done."""
    from stemtune.recipes.bugler2020.reporting import write_report

    return write_report(study, places)
