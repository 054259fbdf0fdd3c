"""What may move, and for how long: chosen from how many minutes the rarest stem sounds. One table, and nothing else.

    rule(minutes) = the first row of `RULES` whose ``up_to_minutes`` is not exceeded.

The first two rows are what ``benchmarks/adapt_strategies.py`` found on four tasks, with 1 and with 5 minutes
(``benchmarks/adapt_2cores_202611``): everything moves and the rate is high, but with a minute or so low-rank adapters
are safer, and the head alone is worst of all that starts from a model. The boundary between them lies somewhere from 1
to 5 minutes; the row for hours is usual practice and not measured here.
"""

import math

from pydantic import Field

from stemtune.config import Frozen
from stemtune.data.augment import AugmentationConfig
from stemtune.errors import InputError

__all__ = ["LEAST_SECONDS", "RULES", "Rule", "find_rule"]

LEAST_SECONDS = 15.0
"""A stem that sounds for less is not learnt: half of it would have to be held out."""

_CAUTIOUS = AugmentationConfig(
    gain_db=(-6.0, 6.0), swap_probability=0.5, polarity_probability=0.5, pan_probability=0.2, equaliser_db=2.0
)
_STRONG = _CAUTIOUS.model_copy(update={"speed_semitones": (-2.0, 2.0), "equaliser_db": 3.0})


class Rule(Frozen):
    """How a network is adapted."""

    up_to_minutes: float | None = Field(description="in which the rarest stem sounds; None: any number")
    strategy: str = Field(description="see `stemtune.recipes.adapt.strategies`")
    rank: int = Field(ge=1, description="of adapters, if the strategy has some")
    rate_factor: float = Field(gt=0, description="of the family's learning rate")
    weight_decay: float = Field(ge=0)
    ema_decay: float = Field(gt=0, lt=1, description="of the averaged weights, which are what is kept")
    most_steps: int = Field(ge=1, description="of one training, however large the budget")
    augmentation: AugmentationConfig


RULES = (
    Rule(up_to_minutes=2.0, strategy="adapters", rank=4, rate_factor=3.0, weight_decay=1e-4, ema_decay=0.98,
         most_steps=800, augmentation=_STRONG),
    Rule(up_to_minutes=20.0, strategy="all", rank=16, rate_factor=1.0, weight_decay=1e-4, ema_decay=0.98,
         most_steps=2000, augmentation=_STRONG),
    Rule(up_to_minutes=None, strategy="all", rank=16, rate_factor=0.5, weight_decay=0.0, ema_decay=0.998,
         most_steps=10000, augmentation=_CAUTIOUS),
)  # fmt: skip


def find_rule(active_minutes: float) -> Rule:
    """The row of the table.

    Raises:
        InputError: for less than `LEAST_SECONDS`.
    """
    if active_minutes * 60 < LEAST_SECONDS:
        raise InputError(
            f"the rarest stem sounds for {active_minutes * 60:.0f} seconds; at least {LEAST_SECONDS:.0f} are needed, "
            "and some minutes recommended: add recordings"
        )
    return next(rule for rule in RULES if active_minutes <= (rule.up_to_minutes or math.inf))
