"""Adapt: from minutes of stems to a separator that can be trusted.

    stemtune adapt my_stems/ -o my-model

Reading order: `rules` (what may move, for how long), `material` (what there is to learn from), `folding` and
`preparing` (what is held out), `families` and `strategies` (how a model learns), `planning` (all of it decided, and
written down), `running` (the trainings), `scores` (without flattery), `results`, `report` and `card` (what is said),
`adapting` (from beginning to end).

Deviations from the rule that only the lower layers touch files: a recipe that keeps a plan has to write it.
"""

from stemtune.recipes.adapt.adapting import Adapted, adapt, describe
from stemtune.recipes.adapt.plan import AdaptRequest
from stemtune.recipes.adapt.running import Interruption, Progress
from stemtune.recipes.adapt.strategies import STRATEGIES

__all__ = ["STRATEGIES", "AdaptRequest", "Adapted", "Interruption", "Progress", "adapt", "describe"]
