"""The study of Défossez, Usunier, Bottou and Bach: does a waveform model profit from songs that nobody labelled?

Paper: "Demucs: deep extractor for music sources with extra unlabeled data remixed", September 2019, Tables 1 and 2. The
    detector, the mining and the remixing were never published; this is their first open implementation.
Expected: in the paper remixing 2,000 unlabelled songs raises the mean SDR from 4.81 to 5.09 dB (Table 2), and without
    GLU, BLSTM or rescaling it falls to 4.68, 4.83 and 4.68. At the scale "laptop" it is
    +0.16 dB (simple SDR, three seeds), of networks that are hardly trained; see ``docs/defossez2019.md``.
Cost: at the scale "laptop" some hours of two cores (see ``--plan``); at the scale "paper" 400 epochs on 16 GPUs.
Run: ``stemtune reproduce defossez2019 --scale laptop``, and ``... --report`` at any time.
Deviations: those of `experiments` and `examination`; at the scale "laptop" everything is smaller, and the songs are
    those of `corpora`: the library's have their labels hidden, so that the mining can be compared with the truth.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stemtune.errors import UsageError
from stemtune.recipes.defossez2019.corpora import Songs, laptop_songs, paper_songs
from stemtune.recipes.defossez2019.examination import SongExaminationConfig
from stemtune.recipes.defossez2019.experiments import ABLATIONS, LAPTOP, PAPER, Sizes, demucs_experiment
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Cell, Study
from stemtune.training.phase import Experiment

__all__ = ["SCALES", "prepare", "report", "smoke", "study"]

SCALES = ("paper", "laptop")


def study(scale: str, *, roots: StudyRoots, places: Places) -> Study:
    """The table of cells at a scale; touches no audio.

    Raises:
        UsageError: for another scale.
    """
    if scale not in SCALES:
        raise UsageError(f"unknown scale {scale!r}; the scales are {', '.join(SCALES)}")
    cells = tuple(_cells(_sizes(scale), _songs(scale, roots), places))
    return Study(name="defossez2019", scale=scale, cells=cells)


def prepare(
    scale: str, cells: Sequence[Cell], *, roots: StudyRoots, places: Places, say: Callable[[str], None]
) -> None:
    """Train the detector and mine the unlabelled songs, if a cell remixes them; once."""
    if all(cell.experiment.phases[0].remixing is None for cell in cells):
        return
    from stemtune.recipes.defossez2019.mining import prepare_index

    prepare_index(_sizes(scale), _songs(scale, roots), places, say=say)


def report(study: Study, *, places: Places) -> Path:
    """Both tables, the gain from remixing and the truth about mining, of whatever is done."""
    from stemtune.recipes.defossez2019.reporting import write_report

    return write_report(study, places)


def smoke(experiment: Experiment) -> Experiment:
    """Two steps of a tiny twin."""
    changes: dict[str, object] = {
        "model.width": 2,
        "model.depth": 3,
        "phases.0.steps": 2,
        "phases.0.batch_size": 4,
        "phases.0.data.segment_seconds": 1.0,
    }
    return experiment.override(changes)


def _cells(sizes: Sizes, songs: Songs, places: Places) -> Iterator[Cell]:
    """The comparison of all seeds first, then the other ablations with the first seed."""
    from stemtune.recipes.defossez2019.mining import index_folder

    seconds, floor_db = (600.0, None) if sizes.name == "paper" else (60.0, -60.0)
    examination = SongExaminationConfig(
        corpora=songs.test, learnt=songs.labelled, max_seconds=seconds, floor_db=floor_db
    )

    def cell(name: str, seed: int) -> Cell:
        full = f"{name}/seed-{seed}"
        experiment = demucs_experiment(sizes, songs.labelled, index=index_folder(places), name=full, seed=seed)
        return Cell(
            name=full,
            experiment=experiment.override(ABLATIONS[name]) if name in ABLATIONS else experiment,
            examination=examination.build,
            glance_every_steps=max(1, sizes.steps // 8),
            minutes=sizes.steps * sizes.step_seconds / 60 * (1.0 if name == "no-remixed" else 1.25),
        )

    for seed in sizes.seeds:
        yield cell("reference", seed)
        yield cell("no-remixed", seed)
    for name in ABLATIONS:
        if name != "no-remixed":
            yield cell(name, sizes.seeds[0])


def _sizes(scale: str) -> Sizes:
    return PAPER if scale == "paper" else LAPTOP


def _songs(scale: str, roots: StudyRoots) -> Songs:
    return paper_songs(roots) if scale == "paper" else laptop_songs(roots)
