"""The loop: one for every model, strategy and corpus.

    for each step:  loss = objective(network(mixture), batch);  clip;  Adam;  sometimes: average, validate, save

Step k of a phase depends on the weights, the optimiser and (seed, phase, k) alone: examples are drawn from these
numbers, and torch is seeded with them before each forward pass (for dropout). So a run that is killed and started again
continues from its last checkpoint as if nothing had happened, bit for bit on one CPU device.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stemtune.config import fingerprint
from stemtune.data.collate import loader
from stemtune.data.tracks import Track
from stemtune.errors import ConfigError, StemtuneError
from stemtune.hub import load
from stemtune.models import Separator
from stemtune.nn.lora import merge
from stemtune.nn.precision import autocast
from stemtune.objectives.base import Objective, fitted, learned, taught
from stemtune.training import checkpoint
from stemtune.training.checkpoint import Checkpoint, TrainingState, cpu_state
from stemtune.training.clipping import AutoClip
from stemtune.training.echo import echoed
from stemtune.training.hearing import Item, batch_of, examples_of
from stemtune.training.log import RunLog
from stemtune.training.phase import Execution, Experiment, Phase
from stemtune.training.remixing import MinedExcerpts, RemixStep, split_by_prefix, with_prefix
from stemtune.training.schedule import Schedule, factor
from stemtune.training.statistics import take_statistics
from stemtune.training.teachers import find_teacher, give_listener
from stemtune.training.validate import open_validation, validate
from stemtune.transfer.heads import move_stems
from stemtune.transfer.initialise import Initialise, renamed, take_over
from stemtune.transfer.trainable import attach_adapters, freeze, set_training
from stemtune.types import Estimate

__all__ = ["Interrupted", "Observer", "PhaseRun"]

_MOST_BAD_STEPS = 20
_OBJECTIVE = 0x0B1EC7  # keeps the draws of an objective's own parameters apart
_ECHO = 0xEC40  # and those of exchanged sources


class Interrupted(Exception):  # noqa: N818  (not an error: the state is saved, and the run can be continued)
    """Training was asked to stop, and its state is saved."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Observer:
    """Who looks at the network while it learns, without changing anything; a resumed run shows some steps again.

    Attributes:
        every_steps: how often; the last step of a phase is always shown.
        look: gets the phase's number, the steps done in it, and the network in evaluation mode.
        enough: asked after each look whether the phase may end early.
    """

    every_steps: int
    look: Callable[[int, int, Separator], None]
    enough: Callable[[], bool] = _never


class PhaseRun:
    """One phase in progress: built from its last checkpoint if there is one, then called once.

    Args:
        experiment: of which ``phase`` is the phase number ``number``.
        folder: of the phase.
        previous: the weights with which the previous phase ended.
    """

    def __init__(
        self,
        experiment: Experiment,
        number: int,
        folder: Path,
        *,
        execution: Execution,
        accelerator: Accelerator,
        previous: Mapping[str, Tensor] | None,
    ) -> None:
        self.phase: Phase = experiment.phases[number]
        self._number = number
        self.folder, self.execution, self.accelerator = folder, execution, accelerator
        self._seed = mix_seed(experiment.seed, number)
        saved = checkpoint.latest(folder / "checkpoints")
        restored = checkpoint.read(saved) if saved else None
        self.state = restored.state if restored else TrainingState(fingerprint=fingerprint(experiment), step=0)
        self.network = fresh_network(experiment, seed=self._seed)
        self._initialise(previous, restored)
        self._parameters = freeze(self.network, self.phase.trainable)
        self._objective, self._learned = self._fit_objective(restored)
        self._moving = [*self._parameters, *self._learned.parameters()]
        self._optimiser = torch.optim.Adam(
            self._moving,
            lr=self.phase.optimiser.learning_rate,
            betas=self.phase.optimiser.betas,
            weight_decay=self.phase.optimiser.weight_decay,
        )
        self._remix = self._open_remixing()
        self._averaged = copy.deepcopy(self.network) if self.phase.ema_decay else None
        if restored:
            main, remix = split_by_prefix(restored.optimiser)
            checkpoint.restore_optimiser(self._optimiser, main)
            if self._remix:
                checkpoint.restore_optimiser(self._remix.optimiser, remix)
            if self._averaged and restored.averaged:
                self._averaged.load_state_dict(restored.averaged)
        if self._averaged:
            self._averaged.to(accelerator.device)
        self._clip = (
            AutoClip(self.phase.clipping.percentile, self.state.gradient_norms) if self.phase.clipping else None
        )
        self._bad_steps = 0

    def __call__(self, *, stopped: Callable[[], bool], quiet: bool, observer: Observer | None = None) -> None:
        """Train to the end of the phase.

        Raises:
            Interrupted: when ``stopped()`` says so, after saving.
            StemtuneError: if the loss is not finite for many steps in a row.
        """
        if self.state.finished:
            return
        phase = self.phase
        held_out = open_validation(phase.validation, stems=self.network.stems) if phase.validation else ()
        forward = cast("nn.Module", self.accelerator.prepare(self.network))
        optimiser = cast("torch.optim.Optimizer", self.accelerator.prepare(self._optimiser))
        loaded = iter(cast("DataLoader[Item]", self.accelerator.prepare(self._loader(quiet=quiet))))
        batches = echoed(
            partial(next_batch, loaded),
            repeats=phase.echo,
            first=self.state.step * phase.accumulate_steps,
            seed=partial(mix_seed, self._seed, _ECHO),
        )
        with RunLog(self.folder, phase=phase.name, steps=phase.steps, first_step=self.state.step, quiet=quiet) as log:
            while self.state.step < phase.steps:
                self._step(forward, optimiser, batches, log)
                done = self.state.step
                if phase.validation and (done % phase.validation.every_steps == 0 or done == phase.steps):
                    self._validate(held_out, phase.validation.max_seconds, log)
                    if phase.patience is not None and self.state.bad_validations >= phase.patience:
                        log.message(f"{phase.name}: {phase.patience} validations without improvement, stopping early")
                        break
                if observer and (done % observer.every_steps == 0 or done == phase.steps):
                    observer.look(self._number, done, self._listener.eval())
                    if observer.enough():
                        break
                if stopped():
                    self._save()
                    raise Interrupted
                if done % self.execution.checkpoint_every_steps == 0:
                    self._save()
            self._update(finished=True)
            self._save()

    def best_weights(self) -> dict[str, Tensor]:
        """The best validated weights, or the latest if none was validated; adapters are merged into them."""
        saved = checkpoint.latest(self.folder / "best") or checkpoint.latest(self.folder / "checkpoints")
        if saved is None:
            return merge(cpu_state(self._listener))
        content = checkpoint.read(saved)
        return merge(content.averaged or content.network)

    def learned_beside(self) -> dict[str, Tensor]:
        """What the objective learnt by the step of `best_weights`; empty for most objectives."""
        saved = checkpoint.latest(self.folder / "best") or checkpoint.latest(self.folder / "checkpoints")
        return checkpoint.read(saved).objective if saved else cpu_state(self._learned)

    @property
    def _listener(self) -> Separator:
        """The network that is validated: the averaged one if there is one."""
        return self._averaged or self.network

    def _initialise(self, previous: Mapping[str, Tensor] | None, restored: Checkpoint | None) -> None:
        start = self.phase.initialise
        if not restored and start.source == "previous" and previous is not None:
            take_over(self.network, previous, fresh=start.fresh)
        elif not restored and start.source == "model":
            take_over(self.network, starting_weights(start, self.network), fresh=start.fresh)
        if not restored and start.listener is not None:
            give_listener(self.network, start.listener)
        if not restored and start.input_statistics:
            take_statistics(self.network, self.phase.data)
        attach_adapters(self.network, self.phase.trainable, seed=self._seed)
        if restored:
            self.network.load_state_dict(restored.network)

    def _fit_objective(self, restored: Checkpoint | None) -> tuple[Objective, nn.Module]:
        """The objective with its teachers, and what moves of it; new parameters are drawn from the phase's seed."""
        find = partial(find_teacher, device=self.accelerator.device, sample_rate=self.phase.data.sample_rate)
        objective = taught(self.phase.objective.build(), find)
        torch.manual_seed(mix_seed(self._seed, _OBJECTIVE))
        objective = fitted(objective, self.network.latent_grid, num_stems=len(self.network.stems))
        module = learned(objective)
        if restored:
            module.load_state_dict(restored.objective)
        if list(module.parameters()) and self.accelerator.num_processes > 1:
            raise ConfigError(
                f"phase {self.phase.name!r}: the objective {self.phase.objective.kind!r} has parameters of its own, "
                "which learn in one process only; start a single one"
            )
        return objective, module.to(self.accelerator.device)

    def _open_remixing(self) -> RemixStep | None:
        phase = self.phase
        if phase.remixing is None:
            return None
        cache = self.execution.cache
        excerpts = MinedExcerpts(phase.remixing, phase.data, batch_size=phase.batch_size, decoded=cache)
        return RemixStep(phase.remixing, excerpts, self._parameters, betas=phase.optimiser.betas, seed=self._seed)

    def _loader(self, *, quiet: bool) -> DataLoader[Item]:
        folder = self.execution.features or self.folder / "features"
        examples = examples_of(self.phase, seed=self._seed, decoded=self.execution.cache, folder=folder, quiet=quiet)
        return loader(
            examples,
            batch_size=self.phase.batch_size,
            first_index=self.state.step * self.phase.accumulate_steps // self.phase.echo * self.phase.batch_size,
            num_workers=self.execution.num_workers,
        )

    def _step(self, forward: nn.Module, optimiser: torch.optim.Optimizer, batches: Iterator[Item], log: RunLog) -> None:
        """One step of the optimiser, over ``accumulate_steps`` batches."""
        started = time.monotonic()
        phase = self.phase
        set_training(self.network, phase.trainable)
        rate = phase.optimiser.learning_rate * self.state.plateau.factor
        rate *= factor(phase.schedule, step=self.state.step, steps=phase.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        loss, parts = 0.0, dict[str, float]()
        for part in range(phase.accumulate_steps):
            batch = batch_of(next(batches), phase)
            torch.manual_seed(mix_seed(self._seed, self.state.step, part))  # after loading, which may draw as well
            answer = self._forward(forward, batch.mixture)
            pull = self._objective(answer, batch.only(self.network.stems))
            self.accelerator.backward(pull.total / phase.accumulate_steps)
            loss += pull.total.item() / phase.accumulate_steps
            for name, value in pull.parts.items():
                parts[name] = parts.get(name, 0.0) + value / phase.accumulate_steps
        norm = self._clip(self._moving) if self._clip else gradient_norm(self._moving)
        self._move(optimiser, finite=math.isfinite(loss) and math.isfinite(norm))
        if self._remix:
            parts |= self._remix(
                step=self.state.step,
                rate=rate,
                forward=partial(self._forward, forward),
                backward=cast("Callable[[Tensor], None]", self.accelerator.backward),
                device=self.accelerator.device,
            )
        self._observe_loss(loss)
        log.step(
            self.state.step,
            loss=loss,
            parts=parts,
            learning_rate=rate,
            gradient_norm=norm,
            examples_per_second=phase.batch_size * phase.accumulate_steps / (time.monotonic() - started),
        )

    def _forward(self, forward: nn.Module, mixture: Tensor) -> Estimate:
        """The network's answer, in the phase's precision."""
        with autocast(self.accelerator.device.type, self.phase.precision):
            return forward(mixture)

    def _move(self, optimiser: torch.optim.Optimizer, *, finite: bool) -> None:
        """Apply the gradients, unless they are not finite, and follow with the averaged network."""
        if not finite:
            self._bad_steps += 1
            if self._bad_steps > _MOST_BAD_STEPS:
                raise StemtuneError(
                    f"phase {self.phase.name!r}: the loss or its gradient was not finite for {_MOST_BAD_STEPS} steps "
                    "in a row; lower the learning rate or run `stemtune data check` on the data"
                )
            return
        self._bad_steps = 0
        optimiser.step()
        if self._averaged and self.phase.ema_decay:
            follow(self._averaged, self.network, decay=self.phase.ema_decay, step=self.state.step)

    def _observe_loss(self, loss: float) -> None:
        """Count the step; let a plateau schedule that watches the training loss see its mean."""
        schedule, step = self.phase.schedule, self.state.step + 1
        recent = (*self.state.recent_losses, loss) if math.isfinite(loss) else self.state.recent_losses
        if step % schedule.every_steps:
            self._update(step=step, recent_losses=recent)
            return
        plateau = self.state.plateau
        if watches(schedule, "training_loss") and recent:
            plateau = plateau.observe(sum(recent) / len(recent), schedule)
        self._update(step=step, recent_losses=(), plateau=plateau)

    def _validate(self, tracks: Sequence[Track], max_seconds: float | None, log: RunLog) -> None:
        """Score the held-out tracks; keep the weights if they are the best so far."""
        score = validate(self._listener, tracks, max_seconds=max_seconds, precision=self.phase.precision)
        log.validation(self.state.step, scores=score.stems, mean=score.mean)
        if watches(self.phase.schedule, "validation"):
            self._update(plateau=self.state.plateau.observe(-score.mean, self.phase.schedule))
        if self.state.best_score is None or score.mean > self.state.best_score:
            self._update(best_score=score.mean, best_step=self.state.step, bad_validations=0)
            if self.accelerator.is_main_process:
                best = Checkpoint(
                    state=self.state, network=cpu_state(self._listener), objective=cpu_state(self._learned)
                )
                checkpoint.write(self.folder / "best", best, keep=1)
        else:
            self._update(bad_validations=self.state.bad_validations + 1)

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        self._update(gradient_norms=tuple(self._clip.history) if self._clip else ())
        content = Checkpoint(
            state=self.state,
            network=cpu_state(self.network),
            averaged=cpu_state(self._averaged) if self._averaged else None,
            optimiser=checkpoint.optimiser_tensors(self._optimiser)
            | (with_prefix(checkpoint.optimiser_tensors(self._remix.optimiser)) if self._remix else {}),
            objective=cpu_state(self._learned),
        )
        checkpoint.write(self.folder / "checkpoints", content, keep=self.execution.keep_checkpoints)

    def _update(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)


def next_batch(batches: Iterator[Item]) -> Item:
    """The next batch; an error of ours in a worker process comes out as itself, without the worker's traceback."""
    try:
        return next(batches)
    except StemtuneError as error:
        kind = type(error)
        raise kind(str(error).strip().splitlines()[-1].removeprefix(f"{kind.__module__}.{kind.__name__}: ")) from None


def starting_weights(start: Initialise, network: Separator) -> dict[str, Tensor]:
    """The tensors of a saved model, possibly with other stems, or of parts of several."""
    if start.model is not None:
        model = load(start.model)
        return model.state_dict() if start.stems is None else move_stems(model, network, start.stems)
    state: dict[str, Tensor] = {}
    for part in start.parts:
        state |= renamed(load(part.model).state_dict(), part.rename)
    return state


def fresh_network(experiment: Experiment, *, seed: int) -> Separator:
    """The experiment's network, initialised from a seed."""
    torch.manual_seed(seed)
    return experiment.model.build()


def mix_seed(*numbers: int) -> int:
    """One seed out of several numbers, such that neighbours have nothing in common."""
    seed = 0x9E3779B97F4A7C15
    for number in numbers:
        seed = ((seed ^ number) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
    return seed


def gradient_norm(parameters: Sequence[nn.Parameter]) -> float:
    """The total L2 norm of all gradients."""
    return float(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))


def watches(schedule: Schedule, what: str) -> bool:
    """Whether the schedule is a plateau that observes ``what``."""
    return schedule.kind == "plateau" and schedule.watch == what


@torch.no_grad()
def follow(averaged: nn.Module, network: nn.Module, *, decay: float, step: int) -> None:
    """Move averaged weights towards the network's; young averages follow faster, buffers are copied."""
    decay = min(decay, (1 + step) / (10 + step))
    for slow, fast in zip(averaged.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast.to(slow.dtype), 1 - decay)
    for slow, fast in zip(averaged.buffers(), network.buffers(), strict=True):
        slow.copy_(fast)
