"""The study of Zai El Amri, Tautz, Ritter and Melnik: does an auto-encoder of all music help to take a song apart?

Paper: "Transfer learning with Jukebox for music source separation", 2022, Tables 1 and 2 and Figure 2. Experiments (i)
    a stem's auto-encoder starts from one that knows much music, (ii) starts from scratch, (iii) is the one that knows
    much music, as it is. In each a mixture encoder then learns to find its latents. (The text swaps (i) and (ii).)
Expected: in the paper (i) 4.19, (ii) -0.03, (iii) 0.28 dB, mean over four stems of ``sdr_global`` of mono mixtures. Its
    (ii) is probably an artefact of a codebook that never left zero; with a codebook that follows, (ii) should learn,
    too. Our figures: ``docs/zai2022.md``.
Cost: at the scale "laptop" some three hours of two cores (see ``--plan``; run two processes with the same --out). At
    the scale "paper" 80,000 steps of 36 s of audio for each of eight auto-encoders and fifteen mixture encoders: by
    the arithmetic of the network 3e18 operations, three or four days of a GPU that does 1e13 in a second (estimated,
    nobody has run it here), MUSDB18-HQ in ``DATA/musdb18hq``, and the public weights as a model in ``DATA/jukebox``
    (``stemtune models import --from jukebox``, then ``models export``). The paper names 32 hours of two GPUs of 16 GB.
Run: ``stemtune reproduce zai2022 --scale laptop``, and ``... --report`` at any time.
Deviations: those of `experiments`, `corpora` and `examination`; at the scale "laptop" everything is smaller (`scales`),
    the pre-training is our own, on two hours of music, and one pre-trained network serves all seeds, as Jukebox's does.

Reading order: `scales`, `corpora`, `experiments`, `examination`, `reporting`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from stemtune.errors import UsageError
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Cell, Study
from stemtune.recipes.zai2022.corpora import laptop_corpora, paper_corpora
from stemtune.recipes.zai2022.grid import zai2022
from stemtune.recipes.zai2022.scales import LAPTOP, PAPER

__all__ = ["SCALES", "prepare", "report", "study"]

SCALES = ("paper", "laptop")


def study(scale: str, *, roots: StudyRoots, places: Places) -> Study:
    """The table of cells at a scale; touches no audio.

    Raises:
        UsageError: for another scale.
    """
    if scale == "paper":
        return zai2022(PAPER, paper_corpora(roots.data), places, pretrained=roots.data / "jukebox")
    if scale == "laptop":
        return zai2022(LAPTOP, laptop_corpora(places.work / "data"), places)
    raise UsageError(f"unknown scale {scale!r}; the scales are {', '.join(SCALES)}")


def prepare(
    scale: str, cells: Sequence[Cell], *, roots: StudyRoots, places: Places, say: Callable[[str], None]
) -> None:
    """Bring the laptop's corpora to the network's rate, and score what needs no training; once."""
    from stemtune.recipes.zai2022 import baselines, preparing

    del cells
    if scale == "laptop":
        preparing.prepare(roots.data, places.work / "data", say=say)
    sizes, corpora = (PAPER, paper_corpora(roots.data)) if scale == "paper" else (
        LAPTOP, laptop_corpora(places.work / "data")
    )  # fmt: skip
    baselines.prepare(sizes, corpora, places.results, say=say)


def report(study: Study, *, places: Places) -> Path:
    """Tables 1 and 2, Figure 2, codebooks and refinement, of whatever cells are done."""
    from stemtune.recipes.zai2022.reporting import write_report

    return write_report(study, places)
