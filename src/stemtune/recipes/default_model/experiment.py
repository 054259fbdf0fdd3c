"""The default model: four stems, trained on licence-clean music only, in minutes of a GPU or hours of a core.

Paper: none; a compact network of ours (`stemtune.models.bandnet`), trained with the mixing and the augmentation that
    the field agrees on.
Expected: on songs that it never saw, ``sdr_global`` of every stem above that of the mixture and above 0 dB; the
    figures are in the model's card and in ``benchmarks/``.
Cost: 5 minutes of one H100 (37 hours of audio heard, each example twice); by the pace of an earlier, shorter run, some
    two hours of one core with bfloat16. Before that the corpora: some 15 minutes of two cores for each of the three.
Run: ``python -m stemtune.recipes.default_model.corpus --data ../shared/data --out corpora/default``, then
    ``stemtune data render pop --data ../shared/data -o corpora/pop --hours 1``, the same with ``bands``, and
    ``stemtune train default-model --out runs/default-model``.
Deviations: none known.

What it hears: 5 songs less the held-out one in real recordings, and some hours of rendered and synthesised music.
Real recordings are drawn far more often than their length would have it, for they are what the model is for.
"""

from pathlib import Path

from stemtune.data.augment import AugmentationConfig
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.models.bandnet import BandNetConfig
from stemtune.objectives.waveform import NegativeSNRConfig
from stemtune.training.phase import Clipping, Experiment, Optimiser, Phase, Validation
from stemtune.training.schedule import Schedule

__all__ = ["RENDERED", "default_model", "recipe", "smoke"]

RENDERED = ("pop", "bands")  # an hour each, as `stemtune data render` makes them
VALIDATION_PATTERN = "[BPS]*"  # Beatles, Punk, Shadows, SpeedMetal; the other three songs are for testing only


def default_model(
    corpus: str | Path = "corpora/default",
    validation: str | Path | None = "../shared/data/musicdelta",
    *,
    rendered: str | Path | None = "corpora",
) -> Experiment:
    """The experiment that made the shipped default model.

    Args:
        corpus: what `stemtune.recipes.default_model.corpus` made.
        validation: the folder of MusicDelta; None for no validation.
        rendered: the folder of the rendered corpora ``pop`` and ``bands``; None for doing without.
    """
    songs, pools = str(Path(corpus) / "train" / "songs"), str(Path(corpus) / "train" / "pools")
    corpora = (
        Corpus(path=songs, layout="songs", pattern="eir-*", weight=2.5),
        Corpus(path=pools, layout="stems", pattern="*/eir-*", weight=2.5),
        Corpus(path=songs, layout="songs", pattern="[fms]*", weight=2.5),
        Corpus(path=pools, layout="stems", pattern="drums/[!e]*", weight=2.5),
        Corpus(path=pools, layout="stems", pattern="bass/*", weight=2.5),
        Corpus(path=pools, layout="stems", pattern="other/*", weight=2.5),
        Corpus(path=pools, layout="stems", pattern="vocals/worded-*", weight=3.0),
        Corpus(path=pools, layout="stems", pattern="vocals/sung-*", weight=1.5),
        Corpus(path=pools, layout="stems", pattern="vocals/choir_*", weight=0.5),
    )
    if rendered:
        corpora += (
            Corpus(path=str(Path(rendered) / RENDERED[0]), split="train", weight=4.0),
            Corpus(path=str(Path(rendered) / RENDERED[1]), split="train", weight=2.0),
        )
    return Experiment(
        name="default-model",
        seed=1,
        model=BandNetConfig(dropout=0.0),
        phases=(
            Phase(
                name="learn",
                objective=NegativeSNRConfig(threshold_db=-18.0),
                data=MixingConfig(
                    corpora=corpora,
                    stems=("vocals", "drums", "bass", "other"),
                    segment_seconds=4.0,
                    coherent_probability=0.15,
                    absent_probability=0.05,
                    mono_probability=0.35,
                    min_level_db=-45.0,
                    levels_db=(-36.0, -18.0),
                    augmentation=AugmentationConfig(
                        gain_db=(-8.0, 4.0),
                        swap_probability=0.5,
                        polarity_probability=0.5,
                        speed_semitones=(-4.0, 4.0),
                        width=(0.0, 1.3),
                        pan_probability=0.3,
                        equaliser_db=5.0,
                    ),
                ),
                steps=2800,
                batch_size=12,
                echo=2,
                optimiser=Optimiser(learning_rate=2e-3),
                schedule=Schedule(kind="cosine", warmup_steps=200, decay=0.01),
                clipping=Clipping(percentile=20.0),
                ema_decay=0.999,
                precision="bfloat16",
                validation=Validation(path=str(validation), pattern=VALIDATION_PATTERN, every_steps=560)
                if validation
                else None,
            ),
        ),
    )


def recipe(data: Path | None, validation: Path | None) -> Experiment:
    """`default_model` as the command line calls it, with its own defaults for what is not given."""
    return default_model(data or "corpora/default", validation or "../shared/data/musicdelta")


def smoke(corpus: str | Path) -> Experiment:
    """Two steps of a tiny twin, on any corpus of the same layout."""
    full = default_model(corpus, validation=None, rendered=None)
    tiny: dict[str, object] = {
        "n_fft": 512,
        "hop_length": 128,
        "bands": [[8, 8], [4, 32]],
        "width": 8,
        "dilations": [1, 2],
        "mixing_groups": 2,
    }
    (phase,) = full.phases
    return full.override(
        {
            "name": "default-model-smoke",
            "model": full.model.override(tiny).model_dump(mode="json"),
            "phases": [
                phase.override(
                    {
                        "steps": 2,
                        "batch_size": 2,
                        "data.segment_seconds": 1.0,
                    }
                ).model_dump(mode="json")
            ],
        }
    )
