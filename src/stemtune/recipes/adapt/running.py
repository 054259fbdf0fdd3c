"""Carrying out a plan: a training for each fold, their scores, less material, and the final model.

    OUT/plan.json, audit.md          what was found and decided
        work/                        pieces and trainings; removed at the end
        scores/                      every score of every piece
        comparison/index.html        to listen to and to compare
        report.html, report.md       what came of it
        model/                       the model, or the adapter

Everything is kept as soon as it is there: after Ctrl-C, a kill or a full disk the same command goes on where it was.
"""

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from stemtune.data.datasets import open_dataset
from stemtune.data.files import write_json_atomically
from stemtune.data.tracks import Track
from stemtune.evaluation.model_systems import LoadedSystem
from stemtune.hub.adapters import apply_adapter, difference
from stemtune.hub.folder import load
from stemtune.hub.weights import write_tensors
from stemtune.models import Separator
from stemtune.nn.lora import merge
from stemtune.recipes.adapt.pace import Pace
from stemtune.recipes.adapt.plan import Plan, experiment_of, write_plan
from stemtune.recipes.adapt.scores import Curve, FoldedSystem, choose_steps
from stemtune.separation.options import SeparationOptions
from stemtune.training.checkpoint import cpu_state
from stemtune.training.loop import Observer
from stemtune.training.phase import Execution
from stemtune.training.run import train
from stemtune.training.validate import validate

__all__ = ["Interruption", "Progress", "Trainings"]

_PATIENCE = 2  # looks without a new best
_LOOK_SECONDS = 60.0  # of all held-out pieces together
_LOOKS_FILE = "looks.json"
_MOST_REPLANS = 2


class Interruption(Exception):  # noqa: N818  (not an error: everything is kept)
    """Somebody asked to stop."""


@dataclass(frozen=True)
class Progress:
    """How far an adaptation is.

    Attributes:
        activity: what is going on.
        done: steps of all trainings.
        total: that are planned at most.
        seconds_left: about; None if nobody knows.
        message: something to be said once, if not empty.
    """

    activity: str
    done: int
    total: int
    seconds_left: float | None = None
    message: str = ""


Tell = Callable[[Progress], None]


class Trainings:
    """All trainings of a plan, done or to be done.

    Args:
        plan: what is to be done; its steps may change while the first fold learns, see `pace`.
        folder: of the adaptation.
        execution: on which device, with how many threads.
        tell: hears how far it is.
    """

    def __init__(self, plan: Plan, folder: Path, *, execution: Execution, tell: Tell) -> None:
        self.plan, self._out, self._folder, self._tell = plan, folder, folder / "work", tell
        self._execution = execution.model_copy(update={"check_data": False})  # the audit has heard everything
        self._begun: tuple[float, int] | None = None
        self._replans = 0
        self._done, self._total = 0, plan.num_trainings * plan.steps
        self._base: dict[str, Tensor] = load(plan.base_folder).state_dict() if plan.base_folder else {}
        self._held_out = [open_dataset(table, split="valid") for table in plan.folds]

    @property
    def held_out(self) -> tuple[Track, ...]:
        """Every piece that is held out in some fold."""
        return tuple(track for tracks in self._held_out for track in tracks)

    def learn_folds(self) -> tuple[Curve, ...]:
        """Train a model for each fold, and follow its score on what it does not hear."""
        curves: list[Curve] = []
        for number, table in enumerate(self.plan.folds):
            before = self._done
            while (curve := self._follow(number, table)) is None:
                pass  # it begins again
            curves.append(curve)
            self._done = before + self.plan.steps
        return tuple(curves)

    def folded(self, curves: Sequence[Curve], *, name: str) -> FoldedSystem:
        """The models of the folds, each stopped where the others' curves say."""
        models: dict[str, LoadedSystem] = {}
        for number, tracks in enumerate(self._held_out):
            wanted = choose_steps(curves, without=number)
            steps = max((step for step in curves[number] if step <= wanted), default=min(curves[number]))
            system = LoadedSystem(self._looked_at(number, steps), name, SeparationOptions(device="cpu"))
            models |= {track.name: system for track in tracks}
        return FoldedSystem(name, models)

    def learn_from_less(self, level: int, steps: int, *, name: str) -> FoldedSystem:
        """The same with less material: half of it at level 0, then a quarter."""
        models: dict[str, LoadedSystem] = {}
        for number, (table, tracks) in enumerate(zip(self.plan.smaller[level], self._held_out, strict=True)):
            separator = self._learn(f"{('half', 'quarter')[level]}-{number + 1}", table, steps)
            system = LoadedSystem(separator, name, SeparationOptions(device="cpu"))
            models |= {track.name: system for track in tracks}
        return FoldedSystem(name, models)

    def learn_everything(self, steps: int) -> Separator:
        """The final model."""
        return self._learn("final", self.plan.everything, steps)

    def say(self, text: str) -> None:
        """Something that is to be read once."""
        self._tell(Progress("", self._done, self._total, self._seconds_left(), text))

    def _learn(self, name: str, table: str, steps: int) -> Separator:
        experiment = experiment_of(self.plan, table, name=name, steps=steps)
        before = self._done
        watch = Observer(1, lambda _, step, __: self._report(f"training: {name}", before + step))
        result = train(experiment, self._folder / name, execution=self._execution, quiet=True, observer=watch)
        if not result.finished:
            raise Interruption
        self._done = before + self.plan.steps
        return result.separator

    def _follow(self, number: int, table: str) -> Curve | None:
        """One fold: look at it every so many steps, stop when it gets no better.

        None if the first fold's pace asked for other steps: the plan has them now, and the fold begins again.
        """
        name = f"fold-{number + 1}"
        folder = self._folder / name
        experiment = experiment_of(self.plan, table, name=name)
        last, before = len(experiment.phases) - 1, self._done
        curve = _read_looks(folder)
        tracks = self._held_out[number]
        max_seconds = max(5.0, _LOOK_SECONDS / len(tracks))
        pace, better = Pace(), None

        def look(phase: int, step: int, network: Separator) -> None:
            nonlocal better
            self._report(f"training: {name}", before + step)
            if phase == last and number == 0 and step <= self.plan.look_every:
                pace.step()
                if step == self.plan.look_every and self._replans < _MOST_REPLANS:
                    better = pace.better_plan(self.plan)
            if better:
                return
            if phase != last or (step % self.plan.look_every and step != experiment.phases[last].steps):
                return
            for later in [one for one in curve if one > step]:  # of a training that was killed and goes on from before
                del curve[later]
            score = validate(network, tracks, max_seconds=max_seconds, precision=self.plan.precision)
            curve[step] = score.mean
            self._keep(network, folder / "looks" / f"{step}.safetensors")
            write_json_atomically(folder / _LOOKS_FILE, {str(key): value for key, value in sorted(curve.items())})
            self._report(f"{name}: {score.mean:.2f} dB after {step} steps", before + step)

        watch = Observer(1, look, enough=lambda: better is not None or _has_settled(curve))
        result = train(experiment, folder, execution=self._execution, quiet=True, observer=watch)
        if not result.finished:
            raise Interruption
        if better:
            self._begin_again(better, folder)
            return None
        if not curve:  # it was killed when it had stopped to begin again
            shutil.rmtree(folder)
            return None
        return {step: score for step, score in curve.items() if step <= result.steps}

    def _begin_again(self, better: Plan, folder: Path) -> None:
        """With other steps, as if nothing had been learnt."""
        self.say(
            f"a step takes {better.step_seconds:.1f} s, not {self.plan.step_seconds:.1f} s: "
            f"at most {better.steps} steps instead of {self.plan.steps}"
        )
        shutil.rmtree(folder)  # first: a new plan must never meet an old training
        write_plan(better, self._out)
        self.plan, self._replans = better, self._replans + 1
        self._begun, self._total = None, better.num_trainings * better.steps

    def _keep(self, network: Separator, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(difference(self._base, merge(cpu_state(network))), path)

    def _looked_at(self, number: int, steps: int) -> Separator:
        """A fold's model as it was after some steps."""
        from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

        path = self._folder / f"fold-{number + 1}" / "looks" / f"{steps}.safetensors"
        separator = self.plan.model.build()
        names = tuple(separator.state_dict())
        separator.load_state_dict(apply_adapter(self._base, load_file(path), names=names, origin=str(path)))
        return separator.eval()

    def _report(self, activity: str, done: int) -> None:
        self._tell(Progress(activity, done, self._total, self._seconds_left(done)))

    def _seconds_left(self, done: int | None = None) -> float | None:
        now, done = time.monotonic(), self._done if done is None else done
        if self._begun is None:
            self._begun = (now, done)
        started, first = self._begun
        return (now - started) / (done - first) * (self._total - done) if done > first else None


def _has_settled(curve: Curve) -> bool:
    """Whether the last looks brought no new best."""
    steps = sorted(curve)
    best = max(steps, key=lambda step: curve[step], default=0)
    return sum(step > best for step in steps) >= _PATIENCE


def _read_looks(folder: Path) -> dict[int, float]:
    """What an interrupted training has shown so far."""
    try:
        kept = json.loads((folder / _LOOKS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {int(step): float(score) for step, score in kept.items() if math.isfinite(float(score))}
