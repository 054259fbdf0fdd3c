"""Demucs with and without remixed unlabelled songs, and its ablations: one experiment and overrides of it.

    L1 of 5 s extracts, shuffled, shifted, swapped, turned; Adam at 5e-4, a fifth after every 160 of 400 epochs.

References:
    Defossez, Usunier, Bottou and Bach, "Demucs: deep extractor for music sources with extra unlabeled data remixed",
    2019, section 5.2 and Table 2; order and groups of the augmentation as in the authors' first public code.
Deviations:
    Polarity is per stem, as in that code, not per channel. The network normalises each segment by its own mean and
    deviation, not the song's. An epoch is 46,000 extracts, about what 100 songs of four minutes hold at a stride of
    0.5 s; starts are drawn anywhere.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from stemtune.config import Frozen
from stemtune.data.augment import AugmentationConfig
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.models.demucs import DemucsConfig
from stemtune.objectives.waveform import WaveformL1Config
from stemtune.training.phase import Experiment, Optimiser, Phase
from stemtune.training.remixing import Remixing
from stemtune.training.schedule import Schedule

__all__ = ["ABLATIONS", "LAPTOP", "PAPER", "STEMS", "Sizes", "demucs_experiment"]

STEMS = ("drums", "bass", "other", "vocals")


class Sizes(Frozen):
    """How large everything is."""

    name: str
    width: int = Field(description="channels of Demucs's first layer")
    sample_rate: int
    segment_seconds: float
    batch_size: int
    steps: int
    decay_every_steps: int = Field(description="between divisions of the learning rate by 5")
    precision: str = "float32"
    step_seconds: float = Field(description="that a step was measured, or is thought, to take; for the plan")
    detector_size: str = "small"
    detector_steps: int = 1000
    detector_batch_size: int = 16
    detector_mixtures: int = Field(default=300, description="made-up mixtures of 20 s, besides the songs")
    seeds: tuple[int, ...] = (0, 1, 2)


PAPER = Sizes(
    name="paper",
    width=48,
    sample_rate=44100,
    segment_seconds=5.0,
    batch_size=128,
    steps=144_000,
    decay_every_steps=57_600,
    step_seconds=1.5,
    detector_size="paper",
    detector_steps=28_800,
    detector_batch_size=64,
    detector_mixtures=0,
    seeds=(0,),
)
"""400 epochs of 46,000 extracts; the seconds are a guess for sixteen large GPUs."""

LAPTOP = Sizes(
    name="laptop",
    width=16,
    sample_rate=22050,
    segment_seconds=4.0,
    batch_size=4,
    steps=2400,
    decay_every_steps=1920,  # by the paper's share, 960, it hardly learns after 900 steps (docs/notebook.md)
    precision="bfloat16",
    step_seconds=0.75,
)
"""The ablations' rate (22 kHz), a third of the width; the seconds are of one core of two that were both busy."""

ABLATIONS: Mapping[str, Mapping[str, object]] = {
    "no-remixed": {"phases.0.remixing": None},
    "no-glu": {"model.glu": False},
    "no-lstm": {"model.lstm_layers": 0},
    "mse": {"phases.0.objective": {"kind": "waveform_mse"}},
    "no-rescaling": {"model.rescaling": "none"},
}
"""Table 2's rows as overrides of the reference, which is trained with remixed songs."""


def demucs_experiment(
    sizes: Sizes, corpora: Sequence[Corpus], *, index: Path, name: str = "defossez2019", seed: int = 0
) -> Experiment:
    """Demucs with remixed unlabelled songs: the reference of Table 2.

    Args:
        sizes: how large.
        corpora: labelled songs.
        index: the folder of a mined index.
        name: of the experiment.
        seed: of weights and draws.
    """
    data = MixingConfig(
        corpora=tuple(corpora),
        stems=STEMS,
        sample_rate=sizes.sample_rate,
        channels=2,
        segment_seconds=sizes.segment_seconds,
        coherent_probability=1.0,
        remix_group=4,
        augmentation=AugmentationConfig(shift_seconds=0.5, swap_probability=0.5, polarity_probability=0.5),
    )
    phase = Phase(
        name="learn",
        objective=WaveformL1Config(),
        data=data,
        steps=sizes.steps,
        batch_size=sizes.batch_size,
        optimiser=Optimiser(learning_rate=5e-4),
        schedule=Schedule(kind="step", every_steps=sizes.decay_every_steps, decay=0.2),
        clipping=None,
        precision="bfloat16" if sizes.precision == "bfloat16" else "float32",
        remixing=Remixing(index=str(index)),
    )
    model = DemucsConfig(stems=STEMS, sample_rate=sizes.sample_rate, width=sizes.width)
    return Experiment(name=name, seed=seed, model=model, phases=(phase,))
