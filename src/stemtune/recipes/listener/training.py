"""Training our listener: a second of one to three sounds, and the question which labels they have.

    L = mean over labels of BCE( head(listener(sum of sounds)), is it there ),

where a sound counts as there if it lies no more than 25 dB below the mixture. Examples are a function of
(seed, step, position), so a run that was killed goes on as if it had not been. The head is needed here and to measure
how well the listener tells sounds apart; what ships is the listener. Behind the last step its features are rotated to
their principal axes and scaled to about unit variance,

    axes = (Lambda + epsilon max Lambda)^(-1/2) V',

in which epsilon keeps axes that hardly vary from being blown up to noise.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from stemtune.config import Frozen, fingerprint
from stemtune.data.augment import AugmentationConfig
from stemtune.data.collate import Examples, loader
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.errors import ConfigError
from stemtune.models.vggish import VGGish, VGGishConfig
from stemtune.nn.precision import autocast
from stemtune.recipes.listener.corpus import HEARD, HEARD_RATE, LABELS
from stemtune.training import checkpoint
from stemtune.training.checkpoint import Checkpoint, TrainingState, cpu_state
from stemtune.training.schedule import Schedule, factor

__all__ = ["ListenerTraining", "Recogniser", "train_listener", "whitened"]

_LOGGER = logging.getLogger(__name__)
_PATCH_SECONDS = 15600 / HEARD_RATE  # what one patch of the front end needs
_FAINTEST_DB = -25.0  # relative to the mixture, of a sound that is to be recognised
_NUM_WHITENING_BATCHES = 40
_EPSILON = 0.01


class ListenerTraining(Frozen):
    """How the listener that ships was trained."""

    listener: VGGishConfig = VGGishConfig(
        channels=(16, 32, 64, 64, 96, 96), hidden_size=256, features=128, whiten=True, quantise="steps"
    )
    corpus: str = Field(default="corpora/listener", description="what `corpus` made")
    labels: tuple[str, ...] = LABELS
    seed: int = 0
    steps: int = Field(default=1600, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Schedule = Schedule(kind="cosine", warmup_steps=100, decay=0.02)
    dropout_probability: float = Field(default=0.2, ge=0, lt=1, description="of features, before the head")

    @property
    def data(self) -> MixingConfig:
        """Seconds of one to three sounds, at any level, pitch and colour, dry or in a room."""
        return MixingConfig(
            corpora=(Corpus(path=f"{self.corpus}/{HEARD}", layout="stems"),),
            stems=self.labels,
            num_stems=(1, 3),
            sample_rate=HEARD_RATE,
            channels=1,
            segment_seconds=_PATCH_SECONDS,
            coherent_probability=0.0,
            min_level_db=-45.0,
            levels_db=(-38.0, -14.0),
            augmentation=AugmentationConfig(
                speed_semitones=(-2.0, 2.0),
                speed_probability=0.5,
                equaliser_db=4.0,
                equaliser_probability=0.7,
                reverb_probability=0.2,
            ),
        )


class Recogniser(nn.Module):
    """A listener and a linear head that says which labels it hears."""

    def __init__(self, listener: VGGish, *, num_labels: int, dropout_probability: float = 0.0) -> None:
        super().__init__()
        self.listener = listener
        self.head = nn.Linear(listener.width, num_labels)
        self.dropout = nn.Dropout(dropout_probability)
        for module in listener.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):  # deep and without normalisation: Kaiming's start
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(cast("Tensor", module.bias))

    def forward(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch label frame"]:
        """A logit for each label and patch."""
        patches = self.listener.patches(waveform)
        features = self.listener.describe(patches.flatten(0, 1).unsqueeze(1))
        return self.head(self.dropout(features)).unflatten(0, patches.shape[:2]).transpose(1, 2)


def train_listener(
    training: ListenerTraining, folder: Path, *, checkpoint_every_steps: int = 100, stopped: Callable[[], bool]
) -> Recogniser | None:
    """Train, or go on training.

    Args:
        training: how.
        folder: of the checkpoints.
        checkpoint_every_steps: how often one is written.
        stopped: asked after each step whether to stop, to be continued.

    Returns:
        the network in evaluation mode, or None if it was stopped before its last step.

    Raises:
        InputError: if there is no corpus.
        ConfigError: if the folder holds another run's checkpoints.
    """
    run = _resume(training, folder)
    network, optimiser = run.network, run.optimiser
    mixer = training.data.build()
    examples = Examples(mixer, seed=training.seed, per_step=training.batch_size, steps=training.steps)
    first = run.step * training.batch_size
    batches = iter(loader(examples, batch_size=training.batch_size, first_index=first, num_workers=0))
    started, mean = time.monotonic(), 0.0
    for step in range(run.step, training.steps):
        sources = next(batches)
        torch.manual_seed(training.seed * 1_000_003 + step)
        rate = training.learning_rate * factor(training.schedule, step=step, steps=training.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        with autocast("cpu", "bfloat16"):
            logits = network(sources.sum(dim=1))[..., 0]
        loss = functional.binary_cross_entropy_with_logits(logits.float(), _audible(sources).float())
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        mean = loss.item() if step == run.step else 0.98 * mean + 0.02 * loss.item()
        is_last, is_stopped = step + 1 == training.steps, stopped()
        if (step + 1) % checkpoint_every_steps == 0 or is_last or is_stopped:
            state = TrainingState(fingerprint=fingerprint(training), step=step + 1, finished=is_last)
            content = Checkpoint(state, cpu_state(network), None, checkpoint.optimiser_tensors(optimiser))
            checkpoint.write(folder, content, keep=1)
            _LOGGER.info("%d steps, loss %.4f, %.0f s", step + 1, mean, time.monotonic() - started)
        if is_stopped and not is_last:
            return None
    return network.eval()


@dataclass(frozen=True)
class _Run:
    network: Recogniser
    optimiser: torch.optim.Optimizer
    step: int


def _resume(training: ListenerTraining, folder: Path) -> _Run:
    """The run as its last checkpoint has it, or at its beginning."""
    torch.manual_seed(training.seed)
    network = Recogniser(
        training.listener.build(), num_labels=len(training.labels), dropout_probability=training.dropout_probability
    )
    for parameter in network.parameters():
        if parameter.ndim == 4:  # convolutions are half as long again on processors otherwise
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    latest = checkpoint.latest(folder)
    if latest is None:
        return _Run(network, optimiser, step=0)
    saved = checkpoint.read(latest)
    if saved.state.fingerprint != fingerprint(training):
        raise ConfigError(f"{folder}: holds checkpoints of another training; choose another folder")
    network.load_state_dict(saved.network)
    checkpoint.restore_optimiser(optimiser, saved.optimiser)
    return _Run(network, optimiser, saved.state.step)


@torch.no_grad()
def whitened(training: ListenerTraining, network: Recogniser, *, num_batches: int = _NUM_WHITENING_BATCHES) -> VGGish:
    """The listener with principal axes of examples that it has not learnt from (later steps of the same stream)."""
    mixer = training.data.build()
    features: list[Tensor] = []
    for step in range(training.steps, training.steps + num_batches):
        batch = [
            mixer.example(seed=training.seed, step=step, position=place).sum(dim=0)
            for place in range(training.batch_size)
        ]
        patches = network.listener.patches(torch.stack(batch))
        features.append(network.listener.describe(patches.flatten(0, 1).unsqueeze(1)).double())
    values = torch.cat(features)
    centre = values.mean(dim=0)
    eigenvalues, vectors = cast("tuple[Tensor, Tensor]", torch.linalg.eigh(torch.cov((values - centre).T)))
    largest_first = torch.argsort(eigenvalues, descending=True)
    spread = (eigenvalues.clamp_min(0) + _EPSILON * eigenvalues.max()).rsqrt()
    axes = (spread.unsqueeze(1) * vectors.T)[largest_first]
    axes = (
        axes * axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()
    )  # eigenvectors have no sign of their own
    listener = training.listener.build()
    state = network.listener.state_dict() | {"axes": axes.float(), "centre": centre.float()}
    listener.load_state_dict(state)
    return listener.eval()


def _audible(sources: Float[Tensor, "batch label channel time"]) -> Bool[Tensor, "batch label"]:
    """Which sounds are there, and not drowned by the others."""
    power = sources.square().mean(dim=(2, 3))
    mixture = sources.sum(dim=1).square().mean(dim=(1, 2)).unsqueeze(1)
    return power > mixture.clamp_min(1e-9) * 10 ** (_FAINTEST_DB / 10)
