"""The study of Hung and Lerch: does what a listener hears help a separator's latent space, and its stems?

Paper: "Feature-informed latent space regularization for music source separation", 2022, Figures 4 to 6. No code was
    published; this is its first open implementation.
Expected: in the paper all three methods raise SAR on all stems, and SIR on vocals, drums and bass (not on other), while
    SDR hardly moves but for drums; latents cluster better by stem. Dis-Reg does better than Con-Reg, and Concat best.
    Our figures: ``docs/hung2022.md``.
Cost: at the scale "laptop" an hour and a half of two cores in two processes (see ``--plan``); at the scale
    "paper" up to 1,000 epochs of 393 steps of 14 excerpts of 6 s for each of four models: at .35 s a step, which is a
    guess, 38 hours of one large GPU for each, less what early stopping saves.
Run: ``stemtune reproduce hung2022 --scale laptop``, and ``... --report`` at any time.
Deviations: those of `experiments` and `examination`; at the scale "laptop" everything is smaller (`scales`), and the
    listener is our own.

Reading order: `scales`, `corpora`, `experiments`, `examination`, `latents`, `reporting`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from stemtune.errors import UsageError
from stemtune.recipes.bugler2020.preparing import prepare as prepare_sets
from stemtune.recipes.hung2022.corpora import LAPTOP_SETS, Songs, laptop_songs, paper_songs
from stemtune.recipes.hung2022.examination import SongExaminationConfig
from stemtune.recipes.hung2022.experiments import METHODS, experiment
from stemtune.recipes.hung2022.scales import LAPTOP, PAPER, STEMS, Scale
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Cell, Study

__all__ = ["SCALES", "make_study", "prepare", "report", "study"]

SCALES = ("paper", "laptop")


def study(scale: str, *, roots: StudyRoots, places: Places) -> Study:
    """The table of cells at a scale; touches no audio.

    Raises:
        UsageError: for another scale.
    """
    if scale == "paper":
        return make_study(PAPER, paper_songs(roots.data))
    if scale == "laptop":
        return make_study(LAPTOP, laptop_songs(_prepared(places)))
    raise UsageError(f"unknown scale {scale!r}; the scales are {', '.join(SCALES)}")


def make_study(scale: Scale, songs: Songs) -> Study:
    """All methods with the first seed, then with the next: a study that is stopped has compared what it has."""
    return Study(
        name="hung2022",
        scale=scale.name,
        cells=tuple(_cell(method, scale, songs, seed) for seed in scale.seeds for method in METHODS),
    )


def prepare(
    scale: str, cells: Sequence[Cell], *, roots: StudyRoots, places: Places, say: Callable[[str], None]
) -> None:
    """Bring the laptop's songs to the network's rate, once; MUSDB18 is read as it is."""
    del cells
    if scale == "laptop":
        prepare_sets(
            LAPTOP_SETS,
            {"data": roots.data, "corpora": roots.corpora},
            _prepared(places),
            say=say,
            sets=LAPTOP_SETS,
            sample_rate=LAPTOP.model.sample_rate,
        )


def report(study: Study, *, places: Places) -> Path:
    """Figures 4 to 6 and the differences from the baseline, of whatever cells are done."""
    from stemtune.recipes.hung2022.reporting import write_report

    return write_report(study, places)


def _cell(method: str, scale: Scale, songs: Songs, seed: int) -> Cell:
    name = f"{method}/seed-{seed}"
    validation = songs.validation(every_steps=scale.epoch_steps, max_seconds=scale.validation_seconds)
    test = SongExaminationConfig(
        path=songs.test.path,
        split=songs.test.split,
        stems=STEMS,
        listener=scale.listener,
        max_seconds=scale.test_seconds,
        floor_db=scale.floor_db,
        frame_step=scale.frame_step,
        keep_listener=method == "x-umx" and seed == scale.seeds[0],
    )
    return Cell(
        name=name,
        experiment=experiment(method, scale, songs.train, validation, name=f"hung2022-{method}", seed=seed),
        examination=test.build,
        glance_every_steps=max(1, scale.steps // 5),
        minutes=scale.steps * scale.step_seconds / 60 + scale.examination_minutes,
    )


def _prepared(places: Places) -> Path:
    return places.work / "data"
