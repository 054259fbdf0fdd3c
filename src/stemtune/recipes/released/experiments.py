"""The small models: the default model, taught the voices of a choir, the pieces of a drum kit, the parts of a chorale.

Paper: none; whole-model fine-tuning as in Bugler et al., 2021, with the objective of the default model.
Expected: on rendered songs with other voices, kits and soundfonts every stem above mixture and silence; the figures are
    in the models' cards and in ``benchmarks/``. The saxophone of ``chorale`` just so.
Cost: twenty minutes of one core with bfloat16 for each (``chorale`` half an hour; without bfloat16 four times as long),
    and some minutes to render what it hears.
Run: for ``choir`` (and so for ``drums`` and ``chorale``; their options for rendering are in `SPECIALITIES`)
    ``stemtune data render choir --data ../shared/data -o corpora/choir-2h --hours 2 --stems male-female``, then
    ``stemtune train choir-model --out runs/choir``, then
    ``python -m stemtune.recipes.released.release choir --report benchmarks/choir_model_HARDWARE_YYYYMM``.
    ``chorale`` hears the default model's corpus too, and ``corpora/chorales-many``: rendered like the other one, with
    ``--soundfont FluidR3_GM --soundfont MuseScore_General_Full`` (Debian's musescore-general-soundfont-lossless).
Deviations: none known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stemtune.data.augment import AugmentationConfig
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.models.bandnet import BandNetConfig
from stemtune.objectives.waveform import NegativeSNRConfig
from stemtune.training.phase import Clipping, Experiment, Optimiser, Phase, Validation
from stemtune.training.schedule import Schedule
from stemtune.transfer.initialise import Initialise

__all__ = ["SPECIALITIES", "Speciality", "recipe_of", "small_model"]


@dataclass(frozen=True)
class Speciality:
    """What one of the models is for.

    Attributes:
        origins: for each of its stems the default model's stem from which its head starts.
        kind: of the rendered corpus that it hears.
        options: of the command that renders it.
        real: further test songs, a folder of the shared data, which no released weights may hear.
        real_stems: how their stems are called here.
        description: for the card.
        limits: for the card.
        steps: of the training, with six examples each.
        looks: at the validation songs during these.
        coherent_probability: of an example whose stems are of one song.
        phrases: for a second phase, in which timbres are varied: the files of recorded notes in the default model's
            corpus that some stems hear as well. No second phase if there are none.
    """

    origins: Mapping[str, str]
    kind: str
    options: str
    description: str
    limits: tuple[str, ...]
    real: str | None = None
    real_stems: Mapping[str, str | None] | None = None
    steps: int = 900
    looks: int = 3
    coherent_probability: float = 0.5
    phrases: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def corpus(self) -> str:
        """The folder of its corpus, among others."""
        return f"{self.kind}-2h"

    @property
    def corpora(self) -> tuple[str, ...]:
        """The folders of all rendered corpora that it hears."""
        return (self.corpus, f"{self.kind}-many") if self.phrases else (self.corpus,)


SPECIALITIES: dict[str, Speciality] = {
    "choir": Speciality(
        origins={"female": "vocals", "male": "vocals"},
        kind="choir",
        options="--hours 2 --stems male-female",
        description="High and low voices of a choir (female and male) apart, by a compact network.",
        limits=(
            "No human choir was heard, for learning or for the scores: voices are sampled vowels or synthetic.",
            "It tells sopranos and altos from tenors and basses, not one voice from the next.",
        ),
        real="choralsynth",
        real_stems={"soprano": "female", "alto": "female", "tenor": "male", "bass": "male"},
    ),
    "drums": Speciality(
        origins=dict.fromkeys(("kick", "snare", "cymbals", "toms"), "drums"),
        kind="drums",
        options="--hours 2",
        description="A drum kit's kick, snare, cymbals and toms apart, by a compact network; for drums alone.",
        limits=(
            "It expects drums and nothing else: separate the drums of a song first, with the default model.",
            "All performances are human, all sounds are sampled one by one: no bleed, no room of a real recording.",
        ),
    ),
    "chorale": Speciality(
        origins=dict.fromkeys(("violin", "clarinet", "saxophone", "bassoon"), "other"),
        kind="chorales",
        options="--hours 2",
        description="Four-part chorales for violin, clarinet, saxophone and bassoon apart, by a compact network.",
        limits=(
            "No human player was heard, neither for learning nor for the scores: instruments are sampled.",
            "With sounds that it did not hear it is far worse than with its own, and the saxophone hardly better than "
            "silence; the second phase was added when the scores of the first were known.",
        ),
        steps=1100,
        looks=4,
        coherent_probability=0.8,  # what tells the four apart is their order in pitch as well
        phrases={"saxophone": "alto_saxophone*"},
    ),
}


def small_model(name: str, corpora: str | Path = "corpora", *, start: str | None = "default") -> Experiment:
    """The experiment that makes one of them.

    Args:
        name: of `SPECIALITIES`.
        corpora: the folder that holds its corpus.
        start: name or folder of the default model; None to learn from scratch, for comparison.
    """
    speciality = SPECIALITIES[name]
    path, stems = str(Path(corpora) / speciality.corpus), tuple(speciality.origins)
    initialise = Initialise(source="model", model=start, stems=dict(speciality.origins)) if start else Initialise()
    learn = Phase(
        name="learn",
        initialise=initialise,
        objective=NegativeSNRConfig(threshold_db=-18.0),
        data=MixingConfig(
            corpora=(Corpus(path=path, split="train"),),
            stems=stems,
            segment_seconds=4.0,
            coherent_probability=speciality.coherent_probability,
            absent_probability=0.05,
            mono_probability=0.3,
            min_level_db=-45.0,
            augmentation=AugmentationConfig(
                gain_db=(-6.0, 4.0),
                swap_probability=0.5,
                polarity_probability=0.5,
                speed_semitones=(-2.0, 2.0),
                width=(0.0, 1.3),
                pan_probability=0.3,
                equaliser_db=4.0,
            ),
        ),
        steps=speciality.steps,
        batch_size=6,
        echo=2,
        optimiser=Optimiser(learning_rate=2e-3),
        schedule=Schedule(kind="cosine", warmup_steps=100, decay=0.01),
        clipping=Clipping(percentile=20.0),
        ema_decay=0.998,
        precision="bfloat16",
        validation=Validation(
            path=path, split="valid", every_steps=speciality.steps // speciality.looks, max_seconds=45.0
        ),
    )
    phases = (learn, _varied(learn, speciality, Path(corpora))) if speciality.phrases else (learn,)
    return Experiment(name=f"{name}-model", seed=1, model=BandNetConfig(stems=stems, dropout=0.0), phases=phases)


def _varied(learn: Phase, speciality: Speciality, corpora: Path) -> Phase:
    """The phase after ``learn``: more soundfonts, notes of real instruments, and equalisers that reach further."""
    pools = str(corpora / "default" / "train" / "pools")
    heard = [
        Corpus(path=str(corpora / speciality.corpora[-1]), split="train", weight=4.0),
        *(
            Corpus(path=pools, layout="stems", pattern=f"other/{pattern}", mapping={"other": stem})
            for stem, pattern in speciality.phrases.items()
        ),
    ]
    return learn.override(
        {
            "name": "vary",
            "initialise": {"source": "previous"},
            "data.corpora": [corpus.model_dump(mode="json") for corpus in heard],
            "data.coherent_probability": 0.6,
            "data.augmentation.equaliser_db": 9.0,
            "data.augmentation.speed_semitones": [-4.0, 4.0],
            "steps": 400,
            "optimiser.learning_rate": 1e-3,
            "schedule.warmup_steps": 30,
            "ema_decay": 0.99,
            "validation.every_steps": 200,
        }
    )


def recipe_of(name: str) -> Callable[[Path | None, Path | None], Experiment]:
    """`small_model` as the command line calls it: ``--data`` is the folder of the corpora."""

    def recipe(data: Path | None, validation: Path | None) -> Experiment:
        del validation  # a part of its corpus
        return small_model(name, data or "corpora")

    recipe.__doc__ = f"The {name} model, adapted from the default one: {', '.join(SPECIALITIES[name].origins)}."
    return recipe
