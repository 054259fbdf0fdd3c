"""Listeners in folders: a card with configuration and hash, and the weights that it describes.

    listener.json (card, configuration, SHA-256 of the weights)   +   listener.safetensors

Names lead to the listeners that came with stemtune, then to the user's own, then to a path. Nothing in a folder can be
executed, and weights that are not those of the card are refused.
"""

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field, SerializeAsAny

from stemtune.config import Frozen, parse
from stemtune.data.files import write_text_atomically
from stemtune.errors import OutputError, UsageError
from stemtune.hub.cards import TrainingData
from stemtune.hub.registry import SHIPPED_MODELS, read_json, user_models
from stemtune.hub.weights import fit_weights, read_weights, write_weights
from stemtune.models.base import Listener, ListenerConfig
from stemtune.models.listeners import parse_listener_config

__all__ = [
    "DEFAULT_LISTENER",
    "ListenerCard",
    "Recognition",
    "find_listener_card",
    "is_listener",
    "list_listeners",
    "load_listener",
    "save_listener",
]

DEFAULT_LISTENER = "listener-instruments"
CARD, WEIGHTS = "listener.json", "listener.safetensors"


class Recognition(Frozen):
    """How well what a listener says can be told from one another, on sounds that it did not learn from."""

    task: str = Field(description="what was to be recognised")
    measure: str = Field(description="such as accuracy, or area under the curve")
    value: float
    chance: float = Field(description="what guessing gets")
    data: str
    num_items: int = Field(ge=1)


class ListenerCard(Frozen):
    """What ``listener.json`` holds."""

    version: Literal[1] = 1
    name: str
    licence: str = Field(description="of the weights")
    description: str
    labels: tuple[str, ...] = Field(default=(), description="what it was trained to recognise")
    training_data: tuple[TrainingData, ...] = ()
    recipe: str = ""
    commit: str = ""
    created: str = ""
    recognition: tuple[Recognition, ...] = ()
    limits: tuple[str, ...] = ()
    config: Annotated[SerializeAsAny[ListenerConfig], BeforeValidator(parse_listener_config)]
    num_parameters: int = 0
    weights_sha256: str = ""
    weights_bytes: int = 0


def save_listener(listener: Listener, folder: Path, card: ListenerCard) -> ListenerCard:
    """Write a listener; the card goes last, so a listener is complete or not there.

    Returns:
        the card with what the listener knows about itself.

    Raises:
        OutputError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from None
    sha256, num_bytes = write_weights(listener, folder / WEIGHTS)
    complete = card.model_copy(
        update={
            "config": listener.config,
            "num_parameters": sum(parameter.numel() for parameter in listener.parameters()),
            "weights_sha256": sha256,
            "weights_bytes": num_bytes,
        }
    )
    write_text_atomically(folder / CARD, complete.model_dump_json(indent=2) + "\n")
    return complete


def load_listener(name_or_path: str | Path) -> Listener:
    """A listener in evaluation mode, on the CPU, without gradients; torch's random state is as before.

    Raises:
        UsageError: if there is no such listener.
        ConfigError: if its card is not valid.
        WeightsError: if its files are damaged or do not belong together.
    """
    folder = _find_folder(name_or_path)
    card = find_listener_card(folder)
    with torch.random.fork_rng(devices=[]):
        listener = card.config.build()
    weights = folder / WEIGHTS
    fit_weights(listener, read_weights(weights, expected_sha256=card.weights_sha256), origin=str(weights))
    return listener.requires_grad_(False).eval()


def find_listener_card(name_or_path: str | Path) -> ListenerCard:
    """What a listener says of itself; its weights are not read.

    Raises:
        UsageError: if there is no such listener.
        ConfigError: if its card is not valid.
        WeightsError: if its card cannot be read.
    """
    path = _find_folder(name_or_path) / CARD
    return parse(ListenerCard, read_json(path), origin=str(path))


def is_listener(name_or_path: str | Path) -> bool:
    """Whether there is such a listener."""
    try:
        _find_folder(name_or_path)
    except UsageError:
        return False
    return True


def list_listeners() -> tuple[str, ...]:
    """The names of all listeners, shipped ones first."""
    places = (place for place in (SHIPPED_MODELS, user_models()) if place.is_dir())
    return tuple(dict.fromkeys(path.parent.name for place in places for path in sorted(place.glob(f"*/{CARD}"))))


def _find_folder(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, str) and text == Path(text).name:
        for place in (SHIPPED_MODELS, user_models()):
            if (place / text / CARD).is_file():
                return place / text
    path = Path(text).expanduser()
    if (path / CARD).is_file():
        return path
    raise UsageError(
        f"no listener at {text!r}: expected the name of one ({', '.join(list_listeners()) or 'there are none'}) or a "
        f"folder with {CARD}"
    )
