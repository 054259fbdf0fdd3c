"""Every transfer strategy as answers to the four questions of a phase, for any model; what cannot work is refused.

    strategy(task) = phases,     Experiment(model, phases) = checked: a missing field of `Estimate` is named.

A strategy is one entry of `STRATEGIES`. It sees a `Task` (the model, where it starts, what it hears) and knows nothing
of single families, but for what they say themselves: which parameters are the head, and what they offer.

References: see the strategies' own summaries.
Deviations: none known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from stemtune.data.mixing import MixingConfig
from stemtune.errors import ConfigError, UsageError
from stemtune.models.base import SeparatorConfig
from stemtune.objectives.choice import WeightedObjective, WeightedSumConfig
from stemtune.objectives.clustering import ClusteringConfig
from stemtune.objectives.latent import DIS_REG_WEIGHT, DisRegConfig
from stemtune.recipes.adapt.families import FAMILIES, kind_of
from stemtune.recipes.adapt.rules import Rule
from stemtune.training.phase import Clipping, Experiment, Optimiser, Phase
from stemtune.training.remixing import Remixing
from stemtune.training.schedule import Schedule
from stemtune.transfer.initialise import Initialise
from stemtune.transfer.trainable import Adapters, Trainable

__all__ = ["STRATEGIES", "Strategy", "Task", "build_experiment", "find_strategy"]

_PRETRAINING_SHARE = 0.5


@dataclass(frozen=True)
class Task:
    """What is to be adapted, to what.

    Attributes:
        model: the target, with its stems.
        base: name or folder of the model to start from; None for none.
        origins: for each stem the base's stem that it starts from, or None; None if the stems are the same.
        data: what is heard.
        rule: rates, ranks and regularisation.
        steps: of all phases together.
        index: of mined excerpts of unlabelled recordings, if there is one.
        listener: name or folder of a listener, if there is one.
        precision: of the arithmetic.
        batch_size: in examples; None for the family's.
    """

    model: SeparatorConfig
    base: str | None
    origins: Mapping[str, str | None] | None
    data: MixingConfig
    rule: Rule
    steps: int
    index: Path | None = None
    listener: str | None = None
    precision: str = "float32"
    batch_size: int | None = None


@dataclass(frozen=True)
class Strategy:
    """A way in which knowledge moves.

    Attributes:
        summary: what it does, in a sentence.
        source: where it comes from.
        build: its phases.
    """

    summary: str
    source: str
    build: Callable[[Task], tuple[Phase, ...]]


def build_experiment(strategy: str, task: Task, *, name: str, seed: int) -> Experiment:
    """The experiment of a strategy.

    Raises:
        UsageError: for an unknown strategy.
        ConfigError: if it cannot work with this model; the message says what is missing.
    """
    phases = find_strategy(strategy).build(task)
    return Experiment(name=name, seed=seed, model=task.model, phases=phases)


def find_strategy(name: str) -> Strategy:
    """A strategy by its name.

    Raises:
        UsageError: for an unknown one.
    """
    if name not in STRATEGIES:
        raise UsageError(f"unknown strategy {name!r}; the strategies are {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def _phase(task: Task, **changes: object) -> Phase:
    family = FAMILIES[kind_of(task.model)]
    settings: dict[str, object] = {
        "name": "learn",
        "initialise": changes.get("initialise") or _start(task),
        "objective": family.objective(task.model),
        "data": task.data,
        "steps": task.steps,
        "batch_size": task.batch_size or family.batch_size,
        "optimiser": Optimiser(
            learning_rate=family.learning_rate * task.rule.rate_factor, weight_decay=task.rule.weight_decay
        ),
        "schedule": Schedule(kind="constant", warmup_steps=min(10, task.steps)),
        "clipping": Clipping(percentile=20.0),
        "ema_decay": task.rule.ema_decay,
        "precision": task.precision,
    }
    return Phase.model_validate(settings | changes)


def _start(task: Task) -> Initialise:
    if task.base is None:
        raise ConfigError("this strategy starts from a model, and there is none; name one, or train from scratch")
    return Initialise(source="model", model=task.base, stems=task.origins)


def _head_of(task: Task) -> tuple[str, ...]:
    with torch.device("meta"):  # names are wanted, not weights
        patterns = task.model.build().head_patterns
    if not patterns:
        raise ConfigError(f"a model of the family {kind_of(task.model)} does not say what its head is")
    return patterns


def _scratch(task: Task) -> tuple[Phase, ...]:
    return (_phase(task, initialise=Initialise()),)


def _all(task: Task) -> tuple[Phase, ...]:
    return (_phase(task),)


def _head(task: Task) -> tuple[Phase, ...]:
    return (_phase(task, trainable=Trainable(patterns=_head_of(task))),)


def _adapters(task: Task) -> tuple[Phase, ...]:
    return (_phase(task, trainable=Trainable(patterns=_head_of(task), adapters=Adapters(rank=task.rule.rank))),)


def _clustering(task: Task) -> tuple[Phase, ...]:
    steps = max(1, round(_PRETRAINING_SHARE * task.steps))
    settings = task.model.model_dump()
    sizes = {name: settings[name] for name in ("n_fft", "hop_length") if name in settings}
    objective = ClusteringConfig.model_validate(sizes)
    first = _phase(task, name="cluster", objective=objective, steps=steps)
    rest = _phase(task, initialise=Initialise(source="previous"), steps=max(1, task.steps - steps))
    return first, rest


def _remixing(task: Task) -> tuple[Phase, ...]:
    if task.index is None:
        raise ConfigError("remixing needs excerpts mined from unlabelled recordings: name an index (stemtune mine)")
    return (_phase(task, remixing=Remixing(index=str(task.index))),)


def _listening(task: Task) -> tuple[Phase, ...]:
    if task.listener is None:
        raise ConfigError("this strategy needs a listener: name one (stemtune models import --from torchvggish)")
    if len(task.model.stems) < 2:
        raise ConfigError(f"dis-reg compares latents of stems, and this {kind_of(task.model)} has a single one")
    own = FAMILIES[kind_of(task.model)].objective(task.model)
    parts = own.parts if isinstance(own, WeightedSumConfig) else (WeightedObjective(weight=1.0, objective=own),)
    extra = WeightedObjective(weight=DIS_REG_WEIGHT, objective=DisRegConfig(listener=task.listener))
    return (_phase(task, objective=WeightedSumConfig(parts=(*parts, extra))),)


STRATEGIES: dict[str, Strategy] = {
    "scratch": Strategy("everything is learnt anew; the baseline", "", _scratch),
    "all": Strategy(
        "the whole network moves, from the starting model", "Bugler et al., 2021: whole-model fine-tuning", _all
    ),
    "head": Strategy("only the head moves", "Bugler et al., 2021: mask-model fine-tuning", _head),
    "adapters": Strategy(
        "the head moves, all other weights along a few directions (low-rank adapters)", "Hu et al., 2022", _adapters
    ),
    "clustering": Strategy(
        "half of the steps by deep clustering, which asks only what belongs together, then everything",
        "Luo et al., 2017; Bugler et al., 2021",
        _clustering,
    ),
    "remixing": Strategy(
        "the whole network moves; every fourth step on average is weakly supervised by excerpts of unlabelled "
        "recordings in which a stem is silent",
        "Defossez et al., 2019",
        _remixing,
    ),
    "dis-reg": Strategy(
        "the whole network moves; its latents of two stems shall be no more alike than a listener finds the stems",
        "Hung and Lerch, 2022",
        _listening,
    ),
}
