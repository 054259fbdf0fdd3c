"""How each family learns: its own objective, rate and batches, from the paper or the recipe that made its models.

    family(model) = the row of `FAMILIES` with the model's ``kind``

A model family that is not here cannot be adapted, and one that has a reason against it says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from stemtune.errors import UsageError
from stemtune.models.base import SeparatorConfig
from stemtune.models.chimeranet import ChimeraNetConfig
from stemtune.models.xumx import XUMXConfig
from stemtune.nn.precision import granted_precision
from stemtune.objectives.choice import ObjectiveConfig, WeightedObjective, WeightedSumConfig
from stemtune.objectives.clustering import ClusteringConfig
from stemtune.objectives.quantisation import AutoEncodingConfig
from stemtune.objectives.spectral import MagnitudeL1Config, MagnitudeMSEConfig
from stemtune.objectives.waveform import NegativeSNRConfig, WaveformL1Config

__all__ = ["FAMILIES", "Family", "find_family", "kind_of", "quick_precision"]


@dataclass(frozen=True)
class Family:
    """What all adaptations of a family share.

    Attributes:
        objective: what pulls a model of this configuration.
        learning_rate: of Adam.
        batch_size: in examples.
        segment_seconds: of an example.
        half_precision: whether bfloat16 is quicker where the processor has it.
        refusal: why it is not adapted by `stemtune adapt`; empty if it is.
        fresh_stems: whether stems that it has never heard can be added.
    """

    objective: Callable[[Any], ObjectiveConfig]
    learning_rate: float
    batch_size: int = 4
    segment_seconds: float = 3.0
    half_precision: bool = False
    refusal: str = ""
    fresh_stems: bool = True


def _chimera(config: ChimeraNetConfig) -> ObjectiveConfig:
    sizes = {"n_fft": config.n_fft, "hop_length": config.hop_length}
    return WeightedSumConfig(
        parts=(
            WeightedObjective(weight=0.01, objective=ClusteringConfig.model_validate(sizes)),
            WeightedObjective(weight=0.99, objective=MagnitudeL1Config.model_validate(sizes)),
        )
    )


def _xumx(config: XUMXConfig) -> ObjectiveConfig:
    return MagnitudeMSEConfig(n_fft=config.n_fft, hop_length=config.hop_length)


FAMILIES: dict[str, Family] = {
    "bandnet": Family(lambda _: NegativeSNRConfig(threshold_db=-18.0), learning_rate=2e-3, half_precision=True),
    "chimeranet": Family(_chimera, learning_rate=1e-3),
    "xumx": Family(_xumx, learning_rate=1e-3),
    "demucs": Family(lambda _: WaveformL1Config(), learning_rate=3e-4),
    "unmix": Family(lambda _: WaveformL1Config(), learning_rate=3e-4, fresh_stems=False),
    "vqvae": Family(
        lambda _: AutoEncodingConfig(),
        learning_rate=3e-4,
        refusal="it is the auto-encoder of a single stem, which it hears alone, and separates nothing",
    ),
}


def kind_of(config: SeparatorConfig) -> str:
    """The name by which a family is saved."""
    return str(config.model_dump(mode="json")["kind"])


def find_family(config: SeparatorConfig) -> Family:
    """How a model's family learns.

    Raises:
        UsageError: if it cannot be adapted.
    """
    kind = kind_of(config)
    if kind not in FAMILIES:
        raise UsageError(f"models of the family {kind} cannot be adapted; those that can are {', '.join(FAMILIES)}")
    family = FAMILIES[kind]
    if family.refusal:
        raise UsageError(f"models of the family {kind} cannot be adapted: {family.refusal}; choose another with --from")
    return family


def quick_precision(family: Family) -> Literal["float32", "bfloat16"]:
    """bfloat16 where the family gains from it and this processor computes with it."""
    return granted_precision("cpu", "bfloat16" if family.half_precision else "float32")
