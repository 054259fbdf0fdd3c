"""What may move: the parameters that a phase trains, and everything that must stay as it is.

Frozen means frozen: parameters that may not move get no gradient, and a module without any movable parameter stays
in evaluation mode, so that its batch-norm statistics and its dropout do not change either. Weights may also move a
little, by low-rank adapters (`stemtune.nn.lora`), while everything else rests:

    moving parameters = those that match a pattern + the factors of the adapters.

References:
    Bugler, Pardo and Seetharaman, 2021 (section 3.4): whole-model and mask-model fine-tuning.
    Hu et al., 2022: low-rank adapters.

Deviations:
    Frozen batch norms keep their statistics, which the reference framework lets drift; ``freeze_statistics=False``
    gives its behaviour.
"""

import fnmatch
from collections.abc import Sequence

import torch
from pydantic import Field, model_validator
from torch import nn

from stemtune.config import Frozen
from stemtune.errors import ConfigError
from stemtune.nn.lora import attach, is_factor, matrix_shape

__all__ = ["Adapters", "Trainable", "attach_adapters", "freeze", "set_training"]


class Adapters(Frozen):
    """Low-rank adapters of all weights that match a pattern, have more rows and columns than the rank, and rest."""

    rank: int = Field(default=8, ge=1)
    patterns: tuple[str, ...] = Field(default=("*",), min_length=1)


class Trainable(Frozen):
    """Shell patterns over parameter names, such as ``head.*``; what matches one of them may move."""

    patterns: tuple[str, ...] = ("*",)
    adapters: Adapters | None = Field(default=None, description="of weights that match none of the patterns")
    freeze_statistics: bool = Field(
        default=True, description="keep batch norms and dropout of frozen modules in evaluation"
    )

    @model_validator(mode="after")
    def _something_moves(self) -> "Trainable":
        if not self.patterns and self.adapters is None:
            raise ValueError("nothing may move: expected patterns, adapters or both")
        return self


def attach_adapters(model: nn.Module, trainable: Trainable, *, seed: int) -> None:
    """Give a model the adapters that are asked for, if any; it answers as before.

    Raises:
        ConfigError: if there is no weight that could be adapted.
    """
    if trainable.adapters is None:
        return
    adapters = trainable.adapters
    names = [
        name
        for name, parameter in model.named_parameters()
        if _matches(name, adapters.patterns)
        and not _matches(name, trainable.patterns)
        and min(matrix_shape(parameter.shape)) > adapters.rank
    ]
    if not names:
        raise ConfigError(
            f"no weight for adapters of rank {adapters.rank}: expected some that match {', '.join(adapters.patterns)}, "
            f"are larger than the rank, and do not move as a whole ({', '.join(trainable.patterns) or 'none'})"
        )
    attach(model, names, rank=adapters.rank, generator=torch.Generator().manual_seed(seed))


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
        parameter.requires_grad_(is_factor(name) or _matches(name, trainable.patterns))
        if parameter.requires_grad:
            moving.append(parameter)
    return moving


def set_training(model: nn.Module, trainable: Trainable) -> None:
    """Training mode, except for modules in which nothing may move, and dropout among them."""
    model.train()
    if trainable.freeze_statistics:
        _rest(model)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _rest(module: nn.Module) -> None:
    """Put what is frozen below a module into evaluation mode; dropout follows the module that it stands in."""
    all_moves = all(parameter.requires_grad for parameter in module.parameters())
    for child in module.children():
        own = list(child.parameters())
        if any(parameter.requires_grad for parameter in own):
            _rest(child)
        elif own or not all_moves:
            child.train(False)
