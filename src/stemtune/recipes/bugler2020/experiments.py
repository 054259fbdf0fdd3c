"""The four experiments of the study, each as overrides of one phase.

    pre-train      from scratch       all but the mask head     deep clustering
    whole          pre-trained        all                       .01 deep clustering + .99 mask inference
    mask           pre-trained        the mask head             mask inference
    scratch        from scratch       all                       as "whole", for the steps of both phases

A fine-tuned network gets a fresh mask head for the stems of its task, a fresh optimiser and a fresh history of
clipping. In mask models everything before the mask head rests: its weights, its batch norm's statistics, its dropout.

References:
    Bugler, Pardo and Seetharaman, sections 2 and 3.2.

Deviations:
    The plateau is one of the training loss (means of 100 steps, halved after 5 without a new best), since the paper
    does not say what its validation data were; bfloat16 where the scale says so. None else known.
"""

from pathlib import Path

from stemtune.data.mixing import MixingConfig
from stemtune.objectives.choice import WeightedObjective, WeightedSumConfig
from stemtune.objectives.clustering import ClusteringConfig
from stemtune.objectives.spectral import MagnitudeL1Config
from stemtune.recipes.bugler2020.scales import Scale
from stemtune.training.phase import Clipping, Experiment, Optimiser, Phase
from stemtune.training.schedule import Schedule
from stemtune.transfer.initialise import Initialise
from stemtune.transfer.trainable import Trainable

__all__ = ["finetune", "pretrain", "scratch"]

ALPHA = 0.01
_CLUSTERING = ClusteringConfig(normalise=False)  # the network's embeddings have length one
_BOTH = WeightedSumConfig(
    parts=(
        WeightedObjective(weight=ALPHA, objective=_CLUSTERING),
        WeightedObjective(weight=1 - ALPHA, objective=MagnitudeL1Config()),
    )
)
_ALL_BUT_MASKS = ("norm.*", "recurrent.*", "embedding_head.*")
_MASKS = ("mask_head.*",)


def pretrain(scale: Scale, data: MixingConfig, *, name: str, seed: int) -> Experiment:
    """Deep clustering only; the mask head stays as it was drawn."""
    phase = _phase(scale, data, scale.pretrain_steps).model_copy(
        update={
            "name": "pretrain",
            "objective": _CLUSTERING,
            "trainable": Trainable(patterns=_ALL_BUT_MASKS),
        }
    )
    return Experiment(name=name, seed=seed, model=scale.network(data.stem_names), phases=(phase,))


def finetune(scale: Scale, data: MixingConfig, *, name: str, seed: int, model: Path, mask_only: bool) -> Experiment:
    """From a pre-trained model, with a fresh mask head: the whole network, or the mask head alone."""
    phase = _phase(scale, data, scale.finetune_steps).model_copy(
        update={
            "name": "finetune",
            "initialise": Initialise(source="model", model=model.as_posix(), fresh=_MASKS),
            "objective": MagnitudeL1Config() if mask_only else _BOTH,
            "trainable": Trainable(patterns=_MASKS) if mask_only else Trainable(),
        }
    )
    return Experiment(name=name, seed=seed, model=scale.network(data.stem_names), phases=(phase,))


def scratch(scale: Scale, data: MixingConfig, *, name: str, seed: int) -> Experiment:
    """The baseline, with as many steps as pre-training and fine-tuning have together."""
    phase = _phase(scale, data, scale.scratch_steps)
    return Experiment(name=name, seed=seed, model=scale.network(data.stem_names), phases=(phase,))


def _phase(scale: Scale, data: MixingConfig, steps: int) -> Phase:
    return Phase(
        name="learn",
        objective=_BOTH,
        data=data.model_copy(update={"segment_seconds": scale.segment_seconds}),
        steps=steps,
        batch_size=scale.batch_size,
        optimiser=Optimiser(learning_rate=1e-3),
        schedule=Schedule(kind="plateau", watch="training_loss", every_steps=100, decay=0.5, patience=5),
        clipping=Clipping(percentile=10.0),
        precision=scale.precision,
    )
