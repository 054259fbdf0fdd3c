"""An experiment is a tuple of phases, and a phase answers four questions.

*Where do the weights start* (`initialise`), *what may move* (`trainable`), *what pulls it* (`objective`), *what does
it hear* (`data`). The rest of a phase says for how long and how fast. Everything is a value: an experiment can be
written to a file, compared, overridden and fingerprinted, and it determines the result.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from stemtune.config import Frozen
from stemtune.data.mixing import MixingConfig
from stemtune.errors import ConfigError
from stemtune.models import SEPARATORS, SeparatorConfig, parse_separator_config
from stemtune.objectives.choice import ObjectiveConfig
from stemtune.training.remixing import Remixing
from stemtune.training.schedule import Schedule
from stemtune.transfer.initialise import Initialise
from stemtune.transfer.trainable import Trainable

__all__ = ["Clipping", "Execution", "Experiment", "Optimiser", "Phase", "Validation", "check"]


_WITHOUT_STEMS = frozenset({"embedding"})  # what an estimate says of no stem in particular: data may have any stems


class Optimiser(Frozen):
    """Adam."""

    learning_rate: float = Field(default=1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)


class Clipping(Frozen):
    """AutoClip with a percentile; 100 never clips."""

    percentile: float = Field(default=10.0, ge=0, le=100)


class Validation(Frozen):
    """Whole held-out tracks, separated by the code that separates everything else."""

    path: str
    split: str | None = None
    pattern: str = "*"
    every_steps: int = Field(default=500, ge=1)
    max_seconds: float | None = Field(default=None, gt=0, description="of each track, from its start")


class Phase(Frozen):
    """See the module's description."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    initialise: Initialise = Initialise()
    trainable: Trainable = Trainable()
    objective: ObjectiveConfig
    data: MixingConfig
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    accumulate_steps: int = Field(default=1, ge=1, description="batches whose gradients are averaged for one step")
    echo: int = Field(
        default=1, ge=1, description="steps that learn from a loaded batch, its examples exchanging sources (`echo`)"
    )
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    clipping: Clipping | None = Clipping()
    ema_decay: float | None = Field(
        default=None, gt=0, lt=1, description="of the averaged weights that are kept, if any"
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    validation: Validation | None = None
    patience: int | None = Field(default=None, ge=1, description="validations without improvement after which to stop")
    remixing: Remixing | None = Field(default=None, description="mined excerpts as a second stream of data, if any")


class Experiment(Frozen):
    """A model and the phases that it goes through, in order."""

    name: str
    seed: int = 0
    model: Annotated[SerializeAsAny[SeparatorConfig], BeforeValidator(parse_separator_config)]
    phases: tuple[Phase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _phases_fit(self) -> "Experiment":
        check(self)
        return self


class Execution(Frozen):
    """How to run, which must not change the result: not part of an experiment's fingerprint."""

    device: str = "auto"
    num_workers: int = Field(default=1, ge=0)
    threads: int | None = Field(default=None, ge=1)
    checkpoint_every_steps: int = Field(default=100, ge=1)
    keep_checkpoints: int = Field(default=2, ge=1)
    max_minutes: float | None = Field(default=None, gt=0, description="stop (resumably) after so long")
    check_data: bool = Field(default=True, description="whether to decode all data once before the first step")
    cache: Path | None = Field(default=None, description="folder for decoded copies of compressed audio files")
    features: Path | None = Field(
        default=None, description="folder for what listeners hear in recordings; None for one of the phase"
    )


def check(experiment: Experiment) -> None:
    """Refuse pairings that cannot work, before anything is loaded.

    Raises:
        ConfigError: naming the phase and what does not fit.
    """
    model = experiment.model
    family = next(family for family in SEPARATORS if isinstance(model, family.config_type))
    if len({phase.name for phase in experiment.phases}) < len(experiment.phases):
        raise ConfigError("two phases have the same name; expected different ones")
    for number, phase in enumerate(experiment.phases):
        where = f"phase {phase.name!r}"
        data = phase.data
        needs = phase.objective.build().needs
        same_stems = set(model.stems) <= set(data.stem_names) or needs <= _WITHOUT_STEMS
        if not same_stems or (data.sample_rate, data.channels) != (model.sample_rate, model.channels):
            raise ConfigError(
                f"{where}: its data are {data.stems} at {data.sample_rate} Hz with {data.channels} channels, "
                f"the model expects {model.stems} at {model.sample_rate} Hz with {model.channels}"
            )
        if missing := needs - family.offers:
            raise ConfigError(
                f"{where}: the objective {phase.objective.kind!r} needs Estimate.{', '.join(sorted(missing))}, "
                f"which {family.__name__} does not offer; it offers {', '.join(sorted(family.offers))}"
            )
        if phase.initialise.source == "previous" and number == 0:
            raise ConfigError(f"{where}: there is no previous phase to start from; use scratch or a model")
        if phase.patience is not None and phase.validation is None:
            raise ConfigError(f"{where}: early stopping (patience) needs a validation set")
        if phase.schedule.kind == "plateau" and phase.schedule.watch == "validation" and phase.validation is None:
            raise ConfigError(f"{where}: a plateau schedule on validation needs a validation set")
