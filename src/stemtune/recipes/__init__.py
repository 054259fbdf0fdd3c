"""Recipes: functions that return complete experiments, found by name.

A recipe takes where the data are, and returns an `Experiment`; an ablation is an override of it. Its docstring says
Paper, Expected, Cost, Run and Deviations.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from stemtune.errors import UsageError
from stemtune.recipes import bandnet
from stemtune.recipes.default_model import experiment as default_model
from stemtune.recipes.default_model import research
from stemtune.recipes.released.experiments import SPECIALITIES, recipe_of
from stemtune.training.phase import Experiment

__all__ = ["RECIPES", "Recipe", "find_recipe"]

Recipe = Callable[[Path | None, Path | None], Experiment]

RECIPES: Mapping[str, Recipe] = {
    "bandnet": bandnet.bandnet,
    "default-model": default_model.recipe,
    "research-model": research.recipe,
    **{f"{name}-model": recipe_of(name) for name in SPECIALITIES},
}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UsageError: if there is none; the message lists those that exist.
    """
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}; the recipes are {', '.join(RECIPES)} (or give an experiment.json)")
    return RECIPES[name]
