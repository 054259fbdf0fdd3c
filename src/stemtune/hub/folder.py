"""Models to folders and back: load one that can be trusted, save one that can be trusted.

    load(save_model(separator, folder, card)) = separator, bit for bit.

Bit for bit means that the file which its author hashed is the file that runs, and nothing in between could carry code.
"""

import json
import os
from pathlib import Path

import torch

from stemtune.errors import ConfigError, WeightsError
from stemtune.hub.atomic import write_model_folder
from stemtune.hub.cards import ModelCard
from stemtune.hub.registry import (
    CARD_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    find_card,
    find_folder,
    read_json,
)
from stemtune.hub.weights import fit_weights, read_weights, write_weights
from stemtune.models import parse_separator_config
from stemtune.models.base import Separator, SeparatorConfig

__all__ = ["complete_card", "load", "save_model"]


def load(name_or_path: str | Path) -> Separator:
    """Build a model and give it its verified weights; it comes back in evaluation mode, on the CPU.

    Args:
        name_or_path: a model's name (see `list_models`), its folder, or the ``model.safetensors`` in it.

    Returns:
        the separator. The global random state of torch is as before.

    Raises:
        UsageError: if there is no such model.
        WeightsError: if its files are damaged, do not belong together, or could carry code.
    """
    folder = find_folder(name_or_path)
    card = find_card(folder)
    tensors = read_weights(folder / WEIGHTS_FILE, expected_sha256=card.weights_sha256)
    config = _read_config(folder / CONFIG_FILE)
    try:
        with torch.random.fork_rng(devices=[]):
            separator = config.build()
    except (ValueError, RuntimeError, MemoryError) as error:
        raise WeightsError(f"{folder / CONFIG_FILE} describes a network that cannot be built: {error}") from None
    fit_weights(separator, tensors, origin=str(folder / WEIGHTS_FILE))
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
