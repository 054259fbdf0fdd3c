"""Adapters: what a model learnt on top of another one, in a file that holds nothing else.

    weight = weight of the base                        where nothing is said of it
           = weight of the base + left right           where it moved along a few directions (`stemtune.nn.lora`)
           = whole                                     where it is new, or moved freely: heads, statistics

An adapter's folder holds ``adapter.safetensors``, ``config.json`` and ``card.json``; the card names the base and the
SHA-256 of its weights. It is applied to exactly these weights, wherever they are among the models that are at hand:
nothing is fetched, and a base with other weights is refused.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.hub.cards import ModelCard
from stemtune.hub.registry import ADAPTER_FILE, WEIGHTS_FILE, find_card, find_folder, model_folders
from stemtune.hub.weights import read_weights
from stemtune.nn.lora import factors_of

__all__ = ["apply_adapter", "base_weights", "difference"]

_LEFT, _RIGHT = ".left", ".right"
_ROUNDING = 4.0  # units in the last place that merging may have cost


def difference(
    base: Mapping[str, Tensor], adapted: Mapping[str, Tensor], *, rank: int | None = None
) -> dict[str, Tensor]:
    """What must be kept of an adapted model.

    Args:
        base: state of the model that it was adapted from.
        adapted: its own state.
        rank: up to which a change of weights is kept as factors; None to keep whole what changed.
    """
    kept: dict[str, Tensor] = {}
    for name, tensor in adapted.items():
        before = base.get(name)
        if before is None or before.shape != tensor.shape:
            kept[name] = tensor
        elif not torch.equal(before, tensor):
            moved = tensor - before
            tolerance = _ROUNDING * float(torch.finfo(torch.float32).eps * tensor.abs().max().float())
            factors = factors_of(moved, rank=rank, tolerance=tolerance) if rank and moved.is_floating_point() else None
            if factors is None:
                kept[name] = tensor
            else:
                kept[name + _LEFT], kept[name + _RIGHT] = factors
    return kept


def apply_adapter(
    base: Mapping[str, Tensor], kept: Mapping[str, Tensor], *, names: tuple[str, ...], origin: str
) -> dict[str, Tensor]:
    """The state of the adapted model.

    Args:
        base: state of the model that it was adapted from.
        kept: what `difference` found.
        names: of all tensors of the adapted network.
        origin: where the adapter comes from, for the message.

    Raises:
        WeightsError: if a tensor is neither in the adapter nor in the base, or factors do not fit.
    """
    state: dict[str, Tensor] = {}
    for name in names:
        if name in kept:
            state[name] = kept[name]
        elif name not in base:
            raise WeightsError(f"{origin} lacks {name!r}, which its base does not have either; make the adapter again")
        elif name + _LEFT in kept and name + _RIGHT in kept:
            product = kept[name + _LEFT] @ kept[name + _RIGHT]
            if product.numel() != base[name].numel():
                raise WeightsError(f"{origin}: the factors of {name!r} do not fit its base; make the adapter again")
            state[name] = base[name] + product.view(base[name].shape)
        else:
            state[name] = base[name]
    return state


def base_weights(card: ModelCard, *, origin: Path) -> dict[str, Tensor]:
    """The weights that an adapter was made for, of whichever model here has them.

    Raises:
        WeightsError: if none has; the message says which are needed, and what goes under their name here.
    """
    folders = model_folders()
    hint = Path(card.base).expanduser()
    named = (
        [folders[card.base]] if card.base in folders else [find_folder(hint)] if (hint / WEIGHTS_FILE).exists() else []
    )
    others: list[str] = []
    for folder in [*named, *folders.values()]:
        if not (folder / WEIGHTS_FILE).is_file():
            continue  # an adapter itself
        found = find_card(folder).weights_sha256
        if found == card.base_sha256:
            return read_weights(folder / WEIGHTS_FILE, expected_sha256=found)
        if folder in named:
            others.append(f"the {card.base!r} here has {found[:12]}")
    here = f"; {others[0]}" if others else ""
    raise WeightsError(
        f"{origin / ADAPTER_FILE} is an adapter for {card.base!r} with the weights {card.base_sha256[:12]}, which no "
        f"model here has{here}: import that model first (stemtune models import), or ask its author for the whole model"
    )
