"""Which strategy works on which model: a table that the code makes of itself.

    cell(strategy, family) = "yes", if the experiment can be built;  else why not

Run: ``python -m stemtune.recipes.adapt.table > docs/strategies.md``
Deviations: none known. The tests compare the document with this, and run every cell for two steps.
"""

import sys
from pathlib import Path

from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.errors import UsageError
from stemtune.models import SeparatorConfig, parse_separator_config
from stemtune.recipes.adapt.families import FAMILIES, kind_of
from stemtune.recipes.adapt.rules import RULES
from stemtune.recipes.adapt.strategies import STRATEGIES, Task, build_experiment
from stemtune.training.phase import Experiment

__all__ = ["cell", "main", "render", "task_for"]


def task_for(model: SeparatorConfig, data: str, *, base: str, index: str, listener: str) -> Task:
    """Two steps of anything with this model."""
    return Task(
        model=model,
        base=base,
        origins=None,
        data=MixingConfig(
            corpora=(Corpus(path=data),),
            stems=model.stems,
            sample_rate=model.sample_rate,
            channels=model.channels,
            segment_seconds=1.0,
            coherent_probability=0.0,
        ),
        rule=RULES[0].model_copy(update={"rank": 2}),
        steps=2,
        index=Path(index),
        listener=listener,
        batch_size=2,
    )


def cell(strategy: str, task: Task) -> Experiment | str:
    """The experiment, or why there is none."""
    try:
        return build_experiment(strategy, task, name="cell", seed=0)
    except UsageError as error:  # of which ConfigError is one
        return str(error).removeprefix("1 validation error for Experiment").strip()


def render() -> str:
    """The document."""
    configs = [parse_separator_config({"kind": kind}) for kind in FAMILIES]
    kinds = [kind_of(config) for config in configs]
    reasons: list[str] = []
    rows: list[str] = []
    for name in STRATEGIES:
        cells: list[str] = []
        for config in configs:
            made = cell(name, task_for(config, "data", base="base", index="index", listener="listener"))
            if isinstance(made, str):
                if made not in reasons:
                    reasons.append(made)
                cells.append(f"no ({reasons.index(made) + 1})")
            else:
                cells.append("yes")
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    lines = [
        "# Every strategy on every model",
        "",
        "Made by `python -m stemtune.recipes.adapt.table`; the tests compare it with the code, and run every *yes*",
        "for two steps. `stemtune adapt --strategy NAME` takes any of them; without one it chooses by the minutes.",
        "",
        f"| | {' | '.join(kinds)} |",
        f"|---|{'---|' * len(kinds)}",
        *rows,
        "",
        *(f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)),
        "",
        "## The strategies",
        "",
        *(
            f"- `{name}`: {strategy.summary}{f' ({strategy.source})' if strategy.source else ''}."
            for name, strategy in STRATEGIES.items()
        ),
        "",
        "## What `stemtune adapt` refuses",
        "",
        *(f"- {kind}: {family.refusal}." for kind, family in FAMILIES.items() if family.refusal),
        *(
            f"- {kind}: stems that it has never heard, for which it would need auto-encoders first."
            for kind, family in FAMILIES.items()
            if not family.fresh_stems
        ),
        "",
        "## What is chosen, by the minutes in which the rarest stem sounds",
        "",
        "| minutes | moves | rank | rate, of the family's | weight decay | averaging | steps at most |",
        "|---|---|---:|---:|---:|---:|---:|",
        *(
            f"| {f'up to {rule.up_to_minutes:g}' if rule.up_to_minutes else 'more'} | {rule.strategy} "
            f"| {rule.rank if rule.strategy == 'adapters' else '–'} | {rule.rate_factor:g} | {rule.weight_decay:g} "
            f"| {rule.ema_decay:g} | {rule.most_steps} |"
            for rule in RULES
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the document."""
    sys.stdout.write(render())


if __name__ == "__main__":
    main()
