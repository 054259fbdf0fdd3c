"""Adapting from beginning to end: plan, folds, scores, less material, the final model, card and report.

adapt(request, folder) = Outcome;   the same call goes on where an earlier one was stopped.
"""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stemtune.config import parse
from stemtune.data.files import write_json_atomically
from stemtune.errors import InputError
from stemtune.evaluation.contenders import Contender
from stemtune.evaluation.model_systems import ModelSystem
from stemtune.evaluation.oracle import OracleSystem
from stemtune.evaluation.protocol import TrackEvent, evaluate
from stemtune.evaluation.records import EvaluationRequest
from stemtune.evaluation.report_build import BuildOptions, build_report
from stemtune.evaluation.report_store import file_name
from stemtune.evaluation.systems import MIXTURE_SYSTEM, MixtureSystem, System
from stemtune.evaluation.table import Evaluation
from stemtune.hub import find_card, load, save_adapter, save_model
from stemtune.recipes.adapt.card import adapted_card, model_name
from stemtune.recipes.adapt.plan import AdaptRequest, Plan
from stemtune.recipes.adapt.planning import make_plan
from stemtune.recipes.adapt.report import write_reports
from stemtune.recipes.adapt.results import METRIC, Outcome, outcome_of
from stemtune.recipes.adapt.running import Progress, Tell, Trainings
from stemtune.recipes.adapt.scores import FoldedSystem, Growth, RenamedSystem, choose_steps, growth_of
from stemtune.training.phase import Execution

__all__ = ["Adapted", "adapt"]

_OUTCOME_FILE = "outcome.json"
_REQUEST = EvaluationRequest(metrics=(METRIC, "si_sdr"), baseline=False)


@dataclass(frozen=True)
class Adapted:
    """Where everything is."""

    plan: Plan
    outcome: Outcome
    model: Path
    report: Path


def adapt(request: AdaptRequest, folder: Path, *, execution: Execution, tell: Tell, command: str = "") -> Adapted:
    """Adapt a model to recordings, or go on with it.

    Args:
        request: what is wanted.
        folder: for everything that comes of it; see `stemtune.recipes.adapt.running`.
        execution: on which device, with how many threads.
        tell: hears how far it is, and what was found.
        command: that was given, for card and report.

    Raises:
        Interruption: if it was asked to stop; everything is kept.
        StemtuneError: if the recordings, the model or the strategy do not do.
    """
    started = time.monotonic()
    plan = make_plan(request, folder, execution=execution, say=lambda text: tell(Progress(text, 0, 1)))
    done = _read_outcome(folder)
    if done is not None:
        return Adapted(plan, done, folder / "model", folder / "report.html")
    trainings = Trainings(plan, folder, execution=execution, tell=tell)
    trainings.say(describe(plan))
    curves = trainings.learn_folds()
    plan = trainings.plan
    steps = choose_steps(curves)
    name = model_name(folder)
    name = f"{name} (adapted)" if name in (plan.base_name, MIXTURE_SYSTEM, "oracle-irm") else name
    adapted = trainings.folded(curves, name=name)
    evaluations = _score(plan, trainings, adapted, folder, tell, command)
    growth = _grow(plan, trainings, evaluations[name], folder, steps)
    trainings.say(f"the final model learns from everything, for {steps} steps")
    separator = trainings.learn_everything(steps)
    outcome = outcome_of(
        plan,
        adapted=evaluations[name],
        mixture=evaluations[MIXTURE_SYSTEM],
        oracle=evaluations["oracle-irm"],
        base=evaluations.get(plan.base_name),
        curves=curves,
        steps=steps,
        growth=growth,
        minutes_taken=(time.monotonic() - started) / 60,
    )
    card = adapted_card(plan, outcome, folder=folder, command=command)
    if request.save == "adapter" and plan.base_folder is not None:
        base = plan.base_name if plan.base_name and _is_known(plan) else plan.base_folder
        save_adapter(separator, folder / "model", card, base=base, rank=plan.rule.rank)
    else:
        save_model(separator, folder / "model", card)
    load(folder / "model")  # what was written can be used
    report = write_reports(plan, outcome, folder, name=name, command=command)
    write_json_atomically(folder / _OUTCOME_FILE, outcome.model_dump(mode="json"))
    shutil.rmtree(folder / "work", ignore_errors=True)
    return Adapted(plan, outcome, folder / "model", report)


def describe(plan: Plan) -> str:
    """What was found, and what will be done."""
    minutes = ", ".join(f"{stem} {value:.1f}" for stem, value in plan.active_minutes.items())
    lines = [f"minutes in which each stem sounds: {minutes}", *plan.remarks]
    moves = {"head": "its head", "adapters": f"its head and adapters of rank {plan.rule.rank}", "all": "all of it"}
    what = moves.get(plan.rule.strategy, f"by the strategy {plan.rule.strategy!r}")
    start = f"starts from {plan.base_name}, of which {what} may move" if plan.base_folder else "starts from scratch"
    lines.append(
        f"{start}; {plan.num_trainings} trainings of at most {plan.steps} steps, {len(plan.folds)} of them with a part "
        "of the recordings held out"
    )
    if plan.origins:
        heads = (f"{stem} {'is new' if old is None else f'starts from {old}'}" for stem, old in plan.origins.items())
        lines.append(f"heads: {', '.join(heads)}")
    return "\n".join(lines)


def _read_outcome(folder: Path) -> Outcome | None:
    path = folder / _OUTCOME_FILE
    if not path.exists() or not (folder / "model").is_dir():
        return None
    return parse(Outcome, json.loads(path.read_text(encoding="utf-8")), origin=str(path))


def _is_known(plan: Plan) -> bool:
    """Whether the starting model goes by its name, not only by its folder."""
    from stemtune.hub.registry import model_folders

    return model_folders().get(plan.base_name) == Path(plan.base_folder or "")


def _base_system(plan: Plan) -> System | None:
    """The starting model, with its stems called as the new ones that start from them."""
    if plan.base_folder is None:
        return None
    system = ModelSystem(Path(plan.base_folder), plan.base_name)
    if plan.origins is None:
        return system
    origins = {stem: old for stem, old in plan.origins.items() if old is not None}
    return RenamedSystem(system, plan.base_name, origins) if origins else None


def _score(
    plan: Plan, trainings: Trainings, adapted: FoldedSystem, folder: Path, tell: Tell, command: str
) -> Mapping[str, Evaluation]:
    """The folds' models, the starting model, the mixture and the oracle on all held-out pieces; and a page of them."""
    tracks = trainings.held_out
    about = "the models of the folds; every piece is heard by the one that had not learnt from it"
    contenders = [Contender(adapted.name, about, adapted)]
    base = _base_system(plan)
    if base is not None and all(stem in base.stems(tracks[0]) for stem in plan.model.stems):
        words = f"the starting model {plan.base_name}, licence {find_card(Path(plan.base_folder or '')).licence}"
        contenders.append(Contender(plan.base_name, words, base))
        base = None
    mixture, oracle = MixtureSystem(), OracleSystem("oracle-irm")
    contenders += [
        Contender(MIXTURE_SYSTEM, "the unprocessed mixture, as the estimate of every stem: the lower bound", mixture),
        Contender(
            oracle.name, "an ideal ratio mask, which knows the true stems: an upper bound", oracle, is_oracle=True
        ),
    ]

    def heard(label: str, event: TrackEvent) -> None:
        tell(Progress(f"scoring {label}: {event.num_finished}/{event.num_tracks}", 0, 0))

    page = folder / "comparison"
    options = BuildOptions(metrics=_REQUEST.metrics, title=f"{adapted.name} beside where it started", command=command,
                           max_megabytes=8)  # fmt: skip
    if not (page / "index.html").exists():
        build_report(contenders, tracks, page, options, on_event=heard)
    evaluations = {
        one.label: evaluate(one.system, tracks, _REQUEST, folder=page / "results" / file_name(one.label))
        for one in contenders
        if one.system is not None
    }
    if base is not None:
        evaluations[plan.base_name] = evaluate(base, tracks, _REQUEST, folder=folder / "scores" / "base")
    return evaluations


def _grow(plan: Plan, trainings: Trainings, adapted: Evaluation, folder: Path, steps: int) -> Growth:
    """The same with less, as far as there is enough to leave something out."""
    sizes = [(plan.heard_minutes[0], adapted)]
    for level, minutes in enumerate(plan.heard_minutes[1:]):
        name = ("half", "quarter")[level]
        try:
            less = trainings.learn_from_less(level, steps, name=name)
        except InputError as error:  # a stem that is silent in what is left, for example
            trainings.say(f"what more recordings would bring is not measured: {error}")
            break
        sizes.append((minutes, evaluate(less, trainings.held_out, _REQUEST, folder=folder / "scores" / name)))
    return growth_of(sizes, metric=METRIC)
