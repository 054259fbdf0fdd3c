"""Training a detector of silent stems on prepared songs, and choosing its thresholds on others.

    for each step:  5 s excerpts  ->  detector  ->  BCE summed over stems  ->  Adam

Examples are a function of (seed, step), and so are the draws of dropout, so a run that was killed goes on as if it had
not been. Thresholds are chosen on whole songs that were kept out, listened to as in mining.

References: Defossez, Usunier, Bottou and Bach, 2019, sections 4.2 and 5.2: 40 epochs of all 5 s extracts at a stride of
0.5 s, batches of 64, Adam at 5e-4.
Deviations: extracts begin at any output rather than each half second; steps are counted, not epochs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Frozen, fingerprint
from stemtune.errors import ConfigError, InputError
from stemtune.mining.features import DetectorExample, read_example
from stemtune.mining.listen import probabilities
from stemtune.mining.thresholds import Threshold, ThresholdConfig, choose_threshold
from stemtune.models.silence_detector import FRAMES_PER_OUTPUT, SilenceDetector, SilenceDetectorConfig
from stemtune.objectives.silence import silence_loss
from stemtune.training import checkpoint
from stemtune.training.checkpoint import Checkpoint, TrainingState, cpu_state

__all__ = ["DetectorTraining", "HeardSong", "choose_thresholds", "hear", "train_detector"]


class DetectorTraining(Frozen):
    """How a detector is trained; the defaults are the paper's, but for the number of steps."""

    detector: SilenceDetectorConfig = SilenceDetectorConfig()
    seed: int = 0
    steps: int = Field(default=2000, ge=1)
    batch_size: int = Field(default=64, ge=1)
    excerpt_outputs: int = Field(default=79, ge=1, description="of 64 ms; 79 are 5 s")
    learning_rate: float = Field(default=5e-4, gt=0)
    threshold_db: float = Field(default=-13.0, description="relative volume up to which a stem counts as silent")


@dataclass(frozen=True)
class HeardSong:
    """What a detector says of a prepared song, beside the truth; a window each 64 ms."""

    probabilities: Float[np.ndarray, "stem output"]
    volumes_db: Float[np.ndarray, "stem output"]
    audible: Bool[np.ndarray, "output"]
    known: Bool[np.ndarray, "stem"]


def train_detector(
    training: DetectorTraining,
    examples: Sequence[Path],
    folder: Path,
    *,
    checkpoint_every_steps: int = 200,
    on_step: Callable[[int, float], None] | None = None,
) -> SilenceDetector:
    """Train, or go on training, on prepared examples.

    Args:
        training: how.
        examples: from `prepare`; the longer one is, the more often it is drawn.
        folder: of the checkpoints.
        checkpoint_every_steps: how often one is written.
        on_step: is told each step's number and loss.

    Returns:
        the detector, in evaluation mode.

    Raises:
        InputError: if there are no examples, or all of them are silent.
        ConfigError: if the folder holds another run's checkpoints.
    """
    if not examples:
        raise InputError("there are no labelled songs to train a detector on")
    loaded = [read_example(path) for path in examples]
    if not any(bool(example.audible.any()) for example in loaded):
        raise InputError("the labelled songs are silent throughout, so nothing can be learnt; check their stems")
    torch.manual_seed(training.seed)
    network = training.detector.build().train()
    optimiser = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    name = fingerprint(training.override({"steps": 1}))  # more steps are the same training, gone on with
    step: int = 0
    if (latest := checkpoint.latest(folder)) is not None:
        saved = checkpoint.read(latest)
        if saved.state.fingerprint != name:
            raise ConfigError(f"{folder}: holds checkpoints of another training; choose another folder")
        network.load_state_dict(saved.network)
        checkpoint.restore_optimiser(optimiser, saved.optimiser)
        step = saved.state.step
    lengths = np.array([example.audible.shape[0] for example in loaded], dtype=float)
    while step < training.steps:
        generator: np.random.Generator = np.random.default_rng((training.seed, step))
        torch.manual_seed(int(generator.random() * 2**31))
        batch = [_draw(loaded, lengths / lengths.sum(), generator, training) for _ in range(training.batch_size)]
        features, volumes, audible, known = (torch.stack([item[i] for item in batch]) for i in range(4))
        optimiser.zero_grad()
        loss = silence_loss(
            logits=network(features),
            volumes_db=volumes,
            audible=audible,
            known=known,
            threshold_db=training.threshold_db,
        )
        loss.backward()
        optimiser.step()
        step += 1
        if on_step:
            on_step(step, loss.item())
        if step % checkpoint_every_steps == 0 or step == training.steps:
            state = TrainingState(fingerprint=name, step=step, finished=step == training.steps)
            content = Checkpoint(state, cpu_state(network), None, checkpoint.optimiser_tensors(optimiser))
            checkpoint.write(folder, content, keep=1)
    return network.eval()


def choose_thresholds(
    network: SilenceDetector, examples: Sequence[Path], config: ThresholdConfig
) -> dict[str, Threshold | None]:
    """Each stem's threshold on whole prepared songs that the detector was not trained on.

    Raises:
        InputError: if there are no songs, or all of them are silent.
    """
    heard = [hear(network, path) for path in examples]
    if not heard:
        raise InputError("there are no labelled songs to choose the thresholds on")
    if not any(song.audible.any() for song in heard):
        raise InputError("the held-out songs are silent throughout, so no threshold can be chosen; check their stems")
    counts = [int(song.audible.sum()) for song in heard]
    score = np.concatenate([song.probabilities[:, song.audible] for song in heard], axis=-1)
    volume = np.concatenate([song.volumes_db[:, song.audible] for song in heard], axis=-1)
    known = np.stack([song.known for song in heard], axis=-1).repeat(counts, axis=-1)
    song = np.arange(len(heard)).repeat(counts)
    return {
        stem: choose_threshold(
            probabilities=score[i][known[i]], volumes_db=volume[i][known[i]], songs=song[known[i]], config=config
        )
        for i, stem in enumerate(network.config.stems)
    }


def hear(network: SilenceDetector, path: Path) -> HeardSong:
    """Listen to a whole prepared song, as mining does.

    Raises:
        InputError: if the file is damaged.
    """
    example = read_example(path)
    blocks = (example.frames(first, first + 512) for first in range(0, example.features.shape[-1], 512))
    found = torch.cat(list(probabilities(blocks, network)), dim=-1).numpy()
    num_outputs = found.shape[1]
    return HeardSong(
        probabilities=found,
        volumes_db=example.volumes_db.numpy()[:, :num_outputs],
        audible=example.audible.numpy()[:num_outputs],
        known=example.known.numpy(),
    )


def _draw(
    examples: Sequence[DetectorExample], weights: np.ndarray, generator: np.random.Generator, training: DetectorTraining
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """An excerpt of one example, padded with silence if the example is short."""
    example = examples[int(generator.choice(len(examples), p=weights))]
    outputs = training.excerpt_outputs
    first = int(generator.integers(max(1, example.audible.shape[0] - outputs + 1)))
    last = min(first + outputs, example.audible.shape[0])
    missing = outputs - (last - first)
    frames = example.frames(FRAMES_PER_OUTPUT * first, FRAMES_PER_OUTPUT * last)
    pad = torch.nn.functional.pad
    return (
        pad(frames, (0, FRAMES_PER_OUTPUT * outputs - frames.shape[-1])),
        pad(example.volumes_db[:, first:last], (0, missing)),
        pad(example.audible[first:last], (0, missing)),
        example.known,
    )
