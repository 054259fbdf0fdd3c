"""What may move: the parameters that a phase trains, and everything that must stay as it is.

Frozen means frozen: parameters that may not move get no gradient, and a module without any movable parameter stays
in evaluation mode, so that its batch-norm statistics and its dropout do not change either.

References:
    Bugler, Pardo and Seetharaman, 2021 (section 3.4): whole-model and mask-model fine-tuning.

Deviations:
    Frozen batch norms keep their statistics, which the reference framework lets drift; ``freeze_statistics=False``
    gives its behaviour.
"""

import fnmatch

from pydantic import Field
from torch import nn

from stemtune.config import Frozen
from stemtune.errors import ConfigError

__all__ = ["Trainable", "freeze", "set_training"]


class Trainable(Frozen):
    """Shell patterns over parameter names, such as ``head.*``; what matches one of them may move."""

    patterns: tuple[str, ...] = Field(default=("*",), min_length=1)
    freeze_statistics: bool = Field(
        default=True, description="keep batch norms and dropout of frozen modules in evaluation"
    )


def freeze(model: nn.Module, trainable: Trainable) -> list[nn.Parameter]:
    """Stop the gradient of every parameter that may not move; returns those that may.

    Raises:
        ConfigError: if a pattern matches no parameter.
    """
    named = dict(model.named_parameters())
    for pattern in trainable.patterns:
        if not fnmatch.filter(named, pattern):
            roots = sorted({name.split(".")[0] for name in named})
            raise ConfigError(f"no parameter matches {pattern!r}; they begin with {', '.join(roots)}")
    moving: list[nn.Parameter] = []
    for name, parameter in named.items():
        parameter.requires_grad_(any(fnmatch.fnmatchcase(name, pattern) for pattern in trainable.patterns))
        if parameter.requires_grad:
            moving.append(parameter)
    return moving


def set_training(model: nn.Module, trainable: Trainable) -> None:
    """Training mode, except for modules in which nothing may move, and dropout among them."""
    model.train()
    if trainable.freeze_statistics:
        _rest(model)


def _rest(module: nn.Module) -> None:
    """Put what is frozen below a module into evaluation mode; dropout follows the module that it stands in."""
    all_moves = all(parameter.requires_grad for parameter in module.parameters())
    for child in module.children():
        own = list(child.parameters())
        if any(parameter.requires_grad for parameter in own):
            _rest(child)
        elif own or not all_moves:
            child.train(False)
