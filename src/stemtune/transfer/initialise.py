"""Where the weights start: from scratch, from a saved model, or where the previous phase ended.

From elsewhere, every tensor whose name and shape agree is taken over, except what a pattern leaves fresh (a new
head). Nothing is skipped silently: a tensor that does not fit and was not declared fresh is an error.
"""

import fnmatch
from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from stemtune.config import Frozen
from stemtune.errors import ConfigError

__all__ = ["Initialise", "Part", "renamed", "take_over"]


class Part(Frozen):
    """Some tensors of one of several models, under other names."""

    model: str = Field(description="its name or folder")
    rename: Mapping[str, str] = Field(
        min_length=1, description="how its names begin -> how they begin here; what begins otherwise stays behind"
    )


class Initialise(Frozen):
    """The first of a phase's four questions."""

    source: Literal["scratch", "model", "previous"] = "scratch"
    model: str | None = None
    parts: tuple[Part, ...] = Field(default=(), description="instead of one model, parts of several")
    fresh: tuple[str, ...] = ()
    stems: Mapping[str, str | None] | None = Field(
        default=None,
        description="of one model with other stems: for each stem here the model's stem whose parameters it starts "
        "from, or null to start it fresh; None if the stems are the same",
    )
    listener: str | None = Field(
        default=None, description="the name or folder of the listener that a separator which has one shall hear through"
    )

    input_statistics: bool = Field(
        default=False, description="shift and scale a network's input by mean and deviation of the phase's mixtures"
    )

    def model_post_init(self, context: object) -> None:
        """Check that models are named exactly if they are asked for."""
        del context
        if (self.source == "model") != (self.model is not None or bool(self.parts)):
            raise ValueError('name a model, or parts of models, exactly if source is "model"')
        if self.model is not None and self.parts:
            raise ValueError("name either one model or parts of several, not both")
        if self.stems is not None and self.model is None:
            raise ValueError("stems start from those of one model: name it")


def renamed(state: Mapping[str, Tensor], beginnings: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors whose names begin as one of the keys, beginning as its value instead."""
    return {
        ours + name.removeprefix(theirs): tensor
        for name, tensor in state.items()
        for theirs, ours in beginnings.items()
        if name.startswith(theirs)
    }


def take_over(network: nn.Module, state: Mapping[str, Tensor], *, fresh: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Copy ``state`` into ``network``, leaving what matches ``fresh`` as it was initialised.

    Returns:
        the names of the tensors that stayed fresh.

    Raises:
        ConfigError: if some other tensor is missing or has another shape.
    """
    own = network.state_dict()
    kept = tuple(name for name in own if any(fnmatch.fnmatchcase(name, pattern) for pattern in fresh))
    taken: dict[str, Tensor] = {}
    problems: list[str] = []
    for name, tensor in own.items():
        if name in kept:
            taken[name] = tensor
        elif name not in state:
            problems.append(f"{name} is missing")
        elif state[name].shape != tensor.shape:
            problems.append(f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}")
        else:
            taken[name] = state[name]
    if problems:
        shown = "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
        raise ConfigError(f"the starting weights do not fit the network: {shown}; declare such parts fresh")
    network.load_state_dict(taken)
    return kept
