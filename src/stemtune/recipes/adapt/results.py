"""What came of an adaptation, as numbers: everything that the report, the card and the command line say.

gain(stem) = mean over pieces of ( score of the model - score of the starting model, or of the mixture )
"""

from collections.abc import Sequence

from pydantic import Field

from stemtune.config import Frozen
from stemtune.evaluation.statistics import Interval
from stemtune.evaluation.table import ALL_STEMS, Evaluation
from stemtune.recipes.adapt.plan import Plan
from stemtune.recipes.adapt.scores import Curve, Growth, differences, interval_of

__all__ = ["FRESH", "METRIC", "Gain", "Outcome", "StemOutcome", "outcome_of", "verdict"]

METRIC = "sdr_global"
FRESH = "fresh"
"""What a stem starts from that starts from no other."""


class Gain(Frozen):
    """A mean difference in dB, with its interval if there are enough pieces."""

    value: float
    low: float | None = None
    high: float | None = None

    @staticmethod
    def of(values: Sequence[float]) -> "Gain | None":
        """Of differences, piece by piece; None if there are none."""
        if not values:
            return None
        interval = interval_of(values)
        if interval is None:
            return Gain(value=sum(values) / len(values))
        return Gain.of_interval(interval)

    @staticmethod
    def of_interval(interval: Interval) -> "Gain":
        """The same numbers."""
        return Gain(value=interval.value, low=interval.low, high=interval.high)

    def __str__(self) -> str:
        """Such as ``+2.1 dB (95 %: +1.2 to +3.0)``."""
        bounds = "" if self.low is None or self.high is None else f" (95 %: {self.low:+.1f} to {self.high:+.1f})"
        return f"{self.value:+.1f} dB{bounds}"


class StemOutcome(Frozen):
    """Of one stem, or of the mean over stems."""

    stem: str
    score: float
    score_si_sdr: float
    mixture: float
    oracle: float
    base: float | None
    started_from: str
    over_mixture: Gain
    over_base: Gain | None
    below_oracle: Gain | None


class Outcome(Frozen):
    """Everything that was found, in numbers."""

    stems: tuple[StemOutcome, ...]
    steps: int = Field(description="of the final model")
    curves: tuple[dict[int, float], ...]
    growth_minutes: tuple[float, ...]
    growth_means: tuple[float, ...]
    growth: Gain | None
    growth_unknown: str
    minutes_taken: float = Field(description="by this run; less if it went on from an earlier one")


def outcome_of(
    plan: Plan,
    *,
    adapted: Evaluation,
    mixture: Evaluation,
    oracle: Evaluation,
    base: Evaluation | None,
    curves: Sequence[Curve],
    steps: int,
    growth: Growth,
    minutes_taken: float,
) -> Outcome:
    """Put the evaluations side by side."""
    origins = plan.origins or ({stem: stem for stem in plan.model.stems} if plan.base_folder else {})
    stems = [*adapted.stems, *([ALL_STEMS] if len(adapted.stems) > 1 else [])]
    return Outcome(
        stems=tuple(_stem(stem, adapted, mixture, oracle, base, origins.get(stem)) for stem in stems),
        steps=steps,
        curves=tuple(dict(curve) for curve in curves),
        growth_minutes=growth.minutes,
        growth_means=growth.means,
        growth=Gain.of_interval(growth.per_doubling) if growth.per_doubling else None,
        growth_unknown=growth.why_not,
        minutes_taken=minutes_taken,
    )


def verdict(outcome: Outcome, *, base: str) -> str:
    """One sentence for whoever reads nothing else."""
    total = outcome.stems[-1]
    if total.over_base is not None and total.over_base.high is not None and total.over_base.high < 0:
        return f"Adapting made it worse: {total.over_base} against {base}. Keep that one, or add recordings."
    if total.over_mixture.value <= 0:
        return f"It does not separate yet: {total.over_mixture} against the unprocessed mixture. Add recordings."
    against = f", {total.over_base} against {base}" if total.over_base else ""
    unsure = total.over_base is not None and total.over_base.low is not None and total.over_base.low < 0
    return f"On what it had not heard it gains {total.over_mixture} over the mixture{against}." + (
        " That may be chance." if unsure else ""
    )


def _stem(
    stem: str, adapted: Evaluation, mixture: Evaluation, oracle: Evaluation, base: Evaluation | None, origin: str | None
) -> StemOutcome:
    is_all = stem == ALL_STEMS
    name = None if is_all else stem
    comparable = base is not None and (set(adapted.stems) <= set(base.stems) if is_all else stem in base.stems)
    over_mixture = Gain.of(differences(adapted, mixture, metric=METRIC, stem=name))
    return StemOutcome(
        stem="all" if is_all else stem,
        score=_mean(adapted, stem, METRIC),
        score_si_sdr=_mean(adapted, stem, "si_sdr"),
        mixture=_mean(mixture, stem, METRIC),
        oracle=_mean(oracle, stem, METRIC),
        base=_mean(base, stem, METRIC) if base is not None and comparable else None,
        started_from="" if is_all or origin == stem else origin or FRESH,
        over_mixture=over_mixture or Gain(value=0.0),
        over_base=Gain.of(differences(adapted, base, metric=METRIC, stem=name)) if base and comparable else None,
        below_oracle=Gain.of(differences(adapted, oracle, metric=METRIC, stem=name)),
    )


def _mean(evaluation: Evaluation, stem: str, metric: str) -> float:
    return next(mean.value for mean in evaluation.means() if mean.stem == stem and mean.metric == metric)
