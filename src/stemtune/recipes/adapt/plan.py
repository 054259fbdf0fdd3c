"""The plan of an adaptation: everything that was found and decided, before anything is learnt.

    plan = decide(request, what was heard, the starting model, how quick this machine is)

It is written to ``plan.json`` at once. Whoever starts the same command again goes on with this plan; another request,
other recordings or another starting model in the same folder are refused.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from stemtune.config import Frozen, parse
from stemtune.data.datasets import Layout
from stemtune.data.files import write_text_atomically
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.errors import ConfigError, InputError
from stemtune.models import SeparatorConfig, parse_separator_config
from stemtune.recipes.adapt.rules import Rule
from stemtune.recipes.adapt.strategies import Task, build_experiment
from stemtune.training.phase import Experiment

__all__ = ["PLAN_FILE", "AdaptRequest", "Plan", "experiment_of", "read_plan", "write_plan"]

PLAN_FILE = "plan.json"
SCRATCH = "scratch"


class AdaptRequest(Frozen):
    """What was asked for."""

    stems: str = Field(description="the folder of recordings")
    base: str = Field(default="default", description=f"the starting model's name or folder, or {SCRATCH!r}")
    split: str | None = None
    layout: Layout | None = None
    strategy: str | None = Field(default=None, description="None: what the table of rules says")
    budget_minutes: float = Field(default=10.0, gt=0)
    steps: int | None = Field(default=None, ge=2, description="of each training; None: what the budget allows")
    num_folds: int = Field(default=3, ge=2, le=10)
    seed: int = 0
    index: str | None = Field(default=None, description="of mined excerpts, for remixing")
    listener: str | None = Field(default=None, description="for dis-reg")
    save: Literal["model", "adapter"] = "model"
    licence: str = "not stated; ask who trained it"


class Plan(Frozen):
    """What will be done, and why."""

    request: AdaptRequest
    data_state: str = Field(description="changes when a recording does")
    base_name: str = Field(description="empty if there is none")
    base_folder: str | None
    base_sha256: str
    model: Annotated[SerializeAsAny[SeparatorConfig], BeforeValidator(parse_separator_config)]
    origins: dict[str, str | None] | None = Field(description="None if the stems are the base's")
    rule: Rule
    active_minutes: dict[str, float]
    minutes: float
    folds: tuple[str, ...]
    smaller: tuple[tuple[str, ...], ...]
    everything: str
    heard_minutes: tuple[float, ...] = Field(description="in a fold on average, then in the smaller ones")
    is_cut: bool
    is_made: bool
    num_units: int
    segment_seconds: float
    has_songs: bool
    precision: Literal["float32", "bfloat16"]
    steps: int = Field(ge=1, description="of one training, at most")
    look_every: int = Field(ge=1)
    step_seconds: float
    remarks: tuple[str, ...]

    @property
    def num_trainings(self) -> int:
        """All folds, the same with less material, and the final one."""
        return len(self.folds) * (1 + len(self.smaller)) + 1


def experiment_of(plan: Plan, table: str, *, name: str, steps: int | None = None) -> Experiment:
    """One training of the plan.

    Args:
        plan: see `Plan`.
        table: what is heard, its split ``train``.
        name: of the experiment.
        steps: of its last phase; as planned if None.

    Raises:
        ConfigError: if the strategy does not work with the model.
    """
    task = Task(
        model=plan.model,
        base=plan.base_folder,
        origins=plan.origins,
        data=MixingConfig(
            corpora=(Corpus(path=table, split="train"),),
            stems=plan.model.stems,
            sample_rate=plan.model.sample_rate,
            channels=plan.model.channels,
            segment_seconds=plan.segment_seconds,
            coherent_probability=0.5 if plan.has_songs else 0.0,
            min_level_db=-45.0,
            augmentation=plan.rule.augmentation,
        ),
        rule=plan.rule,
        steps=plan.steps,
        index=Path(plan.request.index) if plan.request.index else None,
        listener=plan.request.listener,
        precision=plan.precision,
    )
    experiment = build_experiment(plan.rule.strategy, task, name=name, seed=plan.request.seed)
    if steps is None:
        return experiment
    *before, last = experiment.phases
    return experiment.model_copy(update={"phases": (*before, last.model_copy(update={"steps": steps}))})


def write_plan(plan: Plan, folder: Path) -> None:
    """Keep the plan.

    Raises:
        OutputError: if that is not possible.
    """
    write_text_atomically(folder / PLAN_FILE, plan.model_dump_json(indent=2) + "\n")


def read_plan(folder: Path, request: AdaptRequest) -> Plan | None:
    """The plan that is in the folder already; None if there is none.

    Raises:
        ConfigError: if it is of another request.
        InputError: if it cannot be read.
    """
    path = folder / PLAN_FILE
    if not path.exists():
        return None
    try:
        plan = parse(Plan, json.loads(path.read_text(encoding="utf-8")), origin=str(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove the folder and start again") from None
    if plan.request != request:
        asked, there = (one.model_dump() for one in (request, plan.request))
        different = [f"{name} was {there[name]!r}, is {asked[name]!r}" for name in asked if asked[name] != there[name]]
        raise ConfigError(f"{folder}: holds another adaptation ({'; '.join(different)}); choose another --out")
    return plan
