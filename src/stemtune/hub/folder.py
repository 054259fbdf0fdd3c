"""Models to folders and back: load one that can be trusted, save one that can be trusted.

    load(save_model(separator, folder, card)) = separator, bit for bit.

Bit for bit means that the file which its author hashed is the file that runs, and nothing in between could carry code.
A model that was adapted from another one may be kept as an adapter, which is applied to its base when it is loaded.
"""

import json
import os
from pathlib import Path

import torch

from stemtune.errors import ConfigError, WeightsError
from stemtune.hub.adapters import apply_adapter, base_weights, difference
from stemtune.hub.atomic import write_model_folder
from stemtune.hub.cards import ModelCard
from stemtune.hub.registry import (
    ADAPTER_FILE,
    CARD_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    files_of,
    find_card,
    find_folder,
    read_json,
)
from stemtune.hub.weights import fit_weights, read_weights, write_tensors, write_weights
from stemtune.models import parse_separator_config
from stemtune.models.base import Separator, SeparatorConfig

__all__ = ["complete_card", "load", "save_adapter", "save_model"]


def load(name_or_path: str | Path) -> Separator:
    """Build a model and give it its verified weights; it comes back in evaluation mode, on the CPU.

    Args:
        name_or_path: a model's name (see `list_models`), its folder, or the ``model.safetensors`` or
            ``adapter.safetensors`` in it.

    Returns:
        the separator. The global random state of torch is as before.

    Raises:
        UsageError: if there is no such model.
        WeightsError: if its files are damaged, do not belong together, or could carry code; for an adapter also if
            no model here has the weights that it was made for.
    """
    folder = find_folder(name_or_path)
    card = find_card(folder)
    weights = files_of(folder)[0]
    tensors = read_weights(folder / weights, expected_sha256=card.weights_sha256)
    config = _read_config(folder / CONFIG_FILE)
    try:
        with torch.random.fork_rng(devices=[]):
            separator = config.build()
    except (ValueError, RuntimeError, MemoryError) as error:
        raise WeightsError(f"{folder / CONFIG_FILE} describes a network that cannot be built: {error}") from None
    if weights == ADAPTER_FILE:
        base = base_weights(card, origin=folder)
        names = tuple(separator.state_dict())
        tensors = apply_adapter(base, tensors, names=names, origin=str(folder / weights))
    fit_weights(separator, tensors, origin=str(folder / weights))
    return separator.eval()


def save_model(separator: Separator, folder: str | Path, card: ModelCard) -> ModelCard:
    """Write a model's folder, all or nothing.

    Args:
        separator: whose weights and configuration are written.
        folder: created with its parents; may be an earlier model's folder, which is then replaced.
        card: what the author says; what the separator knows about itself is filled in.

    Returns:
        the completed card, as it was written.

    Raises:
        OutputError: if the folder holds anything that is not a model, or cannot be written.
    """
    with write_model_folder(Path(folder)) as temporary:
        digest, num_bytes = write_weights(separator, temporary / WEIGHTS_FILE)
        card = complete_card(card, separator).model_copy(update={"weights_sha256": digest, "weights_bytes": num_bytes})
        _write_json(temporary / CONFIG_FILE, separator.config.model_dump(mode="json"))
        _write_json(temporary / CARD_FILE, card.model_dump(mode="json"))
    return card


def save_adapter(
    separator: Separator, folder: str | Path, card: ModelCard, *, base: str | Path, rank: int | None = None
) -> ModelCard:
    """Write what a model learnt on top of another one, all or nothing; `load` puts both together again.

    Args:
        separator: that started from the base; its stems may be others.
        folder: as for `save_model`.
        card: as for `save_model`; the base is filled in.
        base: name or folder of the model that it started from.
        rank: of its low-rank adapters, if it has any; see `stemtune.hub.adapters.difference`.

    Returns:
        the completed card, as it was written.

    Raises:
        UsageError: if there is no such base.
        WeightsError: if the base is damaged, or is an adapter itself.
        OutputError: if the folder holds anything that is not a model, or cannot be written.
    """
    below = find_folder(base)
    base_card = find_card(below)
    if files_of(below)[0] == ADAPTER_FILE:
        raise WeightsError(f"{base} is an adapter itself; keep the whole model, or adapt its base {base_card.base!r}")
    weights = read_weights(below / WEIGHTS_FILE, expected_sha256=base_card.weights_sha256)
    kept = difference(weights, separator.state_dict(), rank=rank)
    with write_model_folder(Path(folder)) as temporary:
        digest, num_bytes = write_tensors(kept, temporary / ADAPTER_FILE)
        facts = {"weights_sha256": digest, "weights_bytes": num_bytes, "base_sha256": base_card.weights_sha256}
        names = {"base": base_card.name if Path(str(base)).name == str(base) else str(Path(base).absolute())}
        card = complete_card(card, separator).model_copy(update={**facts, **names})
        _write_json(temporary / CONFIG_FILE, separator.config.model_dump(mode="json"))
        _write_json(temporary / CARD_FILE, card.model_dump(mode="json"))
    return card


def complete_card(card: ModelCard, separator: Separator) -> ModelCard:
    """The card with everything that the separator itself knows."""
    return card.model_copy(
        update={
            "family": str(separator.config.model_dump(mode="json")["kind"]),
            "stems": separator.stems,
            "sample_rate": separator.sample_rate,
            "channels": separator.channels,
            "num_parameters": sum(parameter.numel() for parameter in separator.parameters()),
        }
    )


def _read_config(path: Path) -> SeparatorConfig:
    try:
        return parse_separator_config(read_json(path), origin=str(path))
    except ConfigError as error:
        raise WeightsError(f"{error}; it may come from another version of stemtune") from None


def _write_json(path: Path, tree: object) -> None:
    with path.open("w", encoding="utf-8") as stream:
        json.dump(tree, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
