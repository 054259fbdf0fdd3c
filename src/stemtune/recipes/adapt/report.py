"""The report of an adaptation, for a musician: what it gained, whether to trust it, and whether more takes would help.

    report.html     one page without any other file, but for a link to the sounds
    report.md       the same in words and tables

What is said is worked out here once, and both are filled in with it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from stemtune.data.files import write_text_atomically
from stemtune.errors import UsageError
from stemtune.evaluation.report_charts import Curve, draw_curves
from stemtune.recipes.adapt.plan import Plan
from stemtune.recipes.adapt.results import FRESH, METRIC, Gain, Outcome, StemOutcome, verdict

__all__ = ["growth_text", "longer_text", "write_reports"]

_FEW_UNITS = 8
_NEGLIGIBLE_DB = 0.1  # what twice the recordings gain, if all of its interval is smaller
_Cell = str | tuple[str, str]


def write_reports(plan: Plan, outcome: Outcome, folder: Path, *, name: str, command: str) -> Path:
    """Write both; returns the page.

    Raises:
        UsageError: if jinja2 is not installed.
        OutputError: if one of them cannot be written.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise UsageError("a report needs jinja2: pip install 'stemtune[report]'") from None
    content = _content(plan, outcome, folder, name=name, command=command)
    template = (files("stemtune.recipes.adapt") / "report.html").read_text(encoding="utf-8")
    css = (files("stemtune.evaluation") / "templates" / "report.css").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    write_text_atomically(folder / "report.md", _markdown(content))
    return write_text_atomically(folder / "report.html", environment.from_string(template).render(**content, css=css))


def growth_text(outcome: Outcome) -> str:
    """Whether more recordings would help, in words."""
    if outcome.growth is None:
        return f"That cannot be told from these recordings: {outcome.growth_unknown}."
    gain, most = outcome.growth, outcome.growth_minutes[0]
    sizes = " and ".join(f"{minutes:.1f}" for minutes in outcome.growth_minutes)
    tried = f"Models that learnt from {sizes} minutes were compared on the same pieces: a doubling was worth {gain}."
    if gain.low is not None and gain.high is not None and max(-gain.low, gain.high) < _NEGLIGIBLE_DB:
        return f"{tried} That is next to nothing, for models that learn for as long as these did."
    if gain.low is not None and gain.low > 0:
        return f"{tried} If that goes on, {2 * most:.0f} minutes instead of {most:.0f} would gain about as much again."
    if gain.high is not None and gain.high < 0:
        return f"{tried} More of the same does not help; recordings of another kind may."
    return f"{tried} So it cannot be told whether more would help: the interval holds zero."


def longer_text(outcome: Outcome, plan: Plan) -> str:
    """What would let it learn for longer, if it was still getting better at the end; else nothing."""
    if outcome.steps < plan.steps:
        return ""
    request = plan.request
    if request.steps is not None:
        return f"It was still getting better at its last step: try more than --steps {request.steps}."
    if plan.steps < plan.rule.most_steps:
        budget = request.budget_minutes
        return (
            f"It was still getting better when its {budget:g} minutes were planned to be over: --budget {2 * budget:g} "
            "lets it learn for longer."
        )
    return (
        f"It was still getting better after {plan.steps} steps, which are the most that so few recordings are usually "
        f"worth: --steps {2 * plan.steps} lets it learn for longer."
    )


def _content(plan: Plan, outcome: Outcome, folder: Path, *, name: str, command: str) -> dict[str, Any]:
    base = plan.base_name if any(stem.base is not None for stem in outcome.stems) else ""
    curves = [
        Curve(f"fold {number}", tuple(sorted((float(step), score) for step, score in curve.items())), number - 1)
        for number, curve in enumerate(outcome.curves, start=1)
    ]
    points = sorted(zip(outcome.growth_minutes, outcome.growth_means, strict=True))
    return {
        "title": f"{name}: {', '.join(plan.model.stems)}",
        "verdict": verdict(outcome, base=plan.base_name),
        "facts": [
            (f"{plan.minutes:.1f}", "minutes of recordings"),
            (str(len(plan.model.stems)), "stems"),
            (str(plan.num_units), "pieces scored"),
            (f"{outcome.minutes_taken:.0f}", "minutes of computing"),
        ],
        "warnings": [*_warnings(plan), *filter(None, [longer_text(outcome, plan)])],
        "base": base,
        "scores_text": (
            f"Every piece was separated by a model that had not learnt from it, in {len(plan.folds)} folds. {METRIC} "
            "is the energy of the true stem over that of the error, in dB: silence scores 0, the truth has no limit."
        ),
        "table_caption": f"{METRIC} in dB, means over pieces; intervals are 95 % bootstrap intervals over pieces.",
        "head": ["stem", "score", "mixture", "gain over the mixture", *([base, f"gain over {base}"] if base else []),
                 "oracle mask", "below the oracle", "si_sdr"],
        "rows": [_row(stem, has_base=bool(base)) for stem in outcome.stems],
        "steps_text": (
            f"At most {plan.steps} steps; by what the folds held out, {outcome.steps} "
            f"{'was' if outcome.steps == 1 else 'were'} best, and the final model learnt from everything for as many. "
            "Each fold's own scores were taken where the other folds said to stop."
        ),
        "curves": draw_curves(curves, title="Score on what was held out, over training", unit=f"{METRIC}, dB"),
        "curves_caption": "Mean score over the beginning of each held-out piece, one line for each fold.",
        "growth_text": growth_text(outcome),
        "growth": draw_curves(
            [Curve("model", tuple(points), 0)], title="Score by minutes learnt from", unit=f"{METRIC}, dB",
            across_unit="minutes that were learnt from",
        ) if len(points) > 1 else "",
        "growth_caption": "The same pieces, scored by models that learnt from less of the rest.",
        "done": _done(plan),
        "commands": [f"stemtune separate -n {folder.name} song.wav", f"stemtune models info {folder.name}",
                     *([command] if command else [])],
        "footer": f"stemtune {version('stemtune')}, {datetime.now(tz=UTC).date().isoformat()}.",
    }  # fmt: skip


def _row(stem: StemOutcome, *, has_base: bool) -> list[_Cell]:
    new = " (new)" if stem.started_from == FRESH else ""
    origin = f" (from {stem.started_from})" if stem.started_from and not new else new
    against_base: list[_Cell] = []
    if has_base:
        against_base = ["–" if stem.base is None else f"{stem.base:.1f}", _gain_cell(stem.over_base)]
    return [
        f"{stem.stem}{origin}",
        f"{stem.score:.1f}",
        f"{stem.mixture:.1f}",
        _gain_cell(stem.over_mixture),
        *against_base,
        f"{stem.oracle:.1f}",
        _gain_cell(stem.below_oracle),
        f"{stem.score_si_sdr:.1f}",
    ]


def _gain_cell(gain: Gain | None) -> _Cell:
    if gain is None:
        return "–"
    if gain.low is None or gain.high is None:
        return f"{gain.value:+.1f}"
    return f"{gain.value:+.1f}", f"{gain.low:+.1f} to {gain.high:+.1f}"


def _warnings(plan: Plan) -> list[str]:
    found: list[str] = []
    if plan.is_cut:
        found.append(
            "All pieces are parts of one song (or share sound): other songs will score less than this promises."
        )
    if plan.is_made:
        found.append(
            "There was no song to score: single recordings were mixed with each other, which is easier than music."
        )
    if plan.num_units < _FEW_UNITS:
        found.append(f"{plan.num_units} pieces are few: the intervals are wider in truth than they look.")
    return found


def _done(plan: Plan) -> list[str]:
    rule = plan.rule
    minutes = ", ".join(f"{stem} {value:.1f}" for stem, value in plan.active_minutes.items())
    rarest = min(plan.active_minutes.values())
    lines = [
        f"Minutes in which each stem sounds: {minutes}.",
        *(f"{remark[0].upper()}{remark[1:]}." for remark in plan.remarks),
    ]
    limit = f"up to {rule.up_to_minutes:g}" if rule.up_to_minutes else "any number of"
    moved = {"head": "the head alone moved", "adapters": f"the head and adapters of rank {rule.rank} moved",
             "all": "everything moved", "scratch": "everything was learnt from scratch"}  # fmt: skip
    lines.append(
        f"The rarest stem sounds for {rarest:.1f} minutes, so the rule for {limit} minutes was taken: "
        f"{moved.get(rule.strategy, 'the strategy was ' + repr(rule.strategy))}, weight decay {rule.weight_decay:g}, "
        f"weights averaged with {rule.ema_decay:g}."
        if plan.request.strategy is None
        else f"As asked: {moved.get(rule.strategy, 'the strategy was ' + repr(rule.strategy))}."
    )
    if plan.origins:
        where = (f"{stem} {'is new' if old is None else 'from ' + old}" for stem, old in plan.origins.items())
        lines.append(f"Heads started from those of {plan.base_name} that took the stem for theirs: {', '.join(where)}.")
    lines.append("The audit of all recordings is in audit.md, every score in comparison/.")
    return lines


def _markdown(content: Mapping[str, Any]) -> str:
    def cell(value: _Cell) -> str:
        return value if isinstance(value, str) else f"{value[0]} ({value[1]})"

    head: Sequence[str] = content["head"]
    rows: Sequence[Sequence[_Cell]] = content["rows"]
    table = [
        "| " + " | ".join(head) + " |",
        "|---|" + "---:|" * (len(head) - 1),
        *("| " + " | ".join(cell(value) for value in row) + " |" for row in rows),
    ]
    return "\n".join(
        [
            f"# {content['title']}", "", content["verdict"], "",
            *(f"- {warning}" for warning in content["warnings"]), "",
            "## How well it separates", "", content["scores_text"], "", *table, "", content["table_caption"], "",
            "## How long it learnt", "", content["steps_text"], "", "## Would more recordings help?", "",
            content["growth_text"], "", "## What was found, and what was done", "",
            *(f"- {line}" for line in content["done"]), "", "## Use it", "",
            *(f"    {line}" for line in content["commands"]), "", content["footer"],
        ]
    ) + "\n"  # fmt: skip
