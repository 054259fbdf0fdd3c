"""Names to folders: where models live, and what to say about a name that leads nowhere.

A model is a folder that holds ``model.safetensors``, ``config.json`` and ``card.json``; an adapted one may hold
``adapter.safetensors`` instead (`stemtune.hub.adapters`). Three kinds of names lead to one, tried in this order:

    name -> shipped inside the package | in the user's own folder | a path.

Models that came with stemtune cannot be shadowed, so that a command means the same on every machine. A path may also be
the folder of a training run or of `stemtune adapt`, which keeps its model in ``model/``.
"""

import difflib
import json
import os
import sys
from pathlib import Path

from stemtune.config import parse
from stemtune.errors import ConfigError, UsageError, WeightsError
from stemtune.hub.cards import ModelCard
from stemtune.hub.weights import refuse_pickle

__all__ = [
    "ADAPTER_FILE",
    "CARD_FILE",
    "CONFIG_FILE",
    "DEFAULT_MODEL",
    "MODEL_FILES",
    "MODEL_OF_RUN",
    "WEIGHTS_FILE",
    "files_of",
    "find_card",
    "find_folder",
    "list_models",
    "model_folders",
    "model_inside",
    "read_json",
    "user_models",
]

WEIGHTS_FILE = "model.safetensors"
ADAPTER_FILE = "adapter.safetensors"
CONFIG_FILE = "config.json"
CARD_FILE = "card.json"
MODEL_FILES = (WEIGHTS_FILE, CONFIG_FILE, CARD_FILE)

DEFAULT_MODEL = "default"
ALIASES = {DEFAULT_MODEL: "bandnet-4stem"}
MODEL_OF_RUN = "model"
"""The folder of the model inside that of a training or an adaptation."""
SHIPPED_MODELS = Path(__file__).parent / "shipped"


def user_models() -> Path:
    """The folder of the user's own models: ``$STEMTUNE_HOME/models``, or the platform's place for user data."""
    home = os.environ.get("STEMTUNE_HOME")
    if home:
        return Path(home).expanduser() / "models"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "stemtune" / "models"


def model_folders() -> dict[str, Path]:
    """Every model that has a name, shipped ones first; whether it is intact is not looked at."""
    folders: dict[str, Path] = {}
    for place in (SHIPPED_MODELS, user_models()):
        if place.is_dir():
            for folder in sorted(place.iterdir()):
                if (folder / CARD_FILE).is_file() and not folder.name.startswith("."):
                    folders.setdefault(folder.name, folder)
    return folders


def find_folder(name_or_path: str | Path) -> Path:
    """The folder of the model that is meant.

    Args:
        name_or_path: a model's name, its folder, or the ``model.safetensors`` in it.

    Raises:
        UsageError: for an unknown name; the message lists the known ones and suggests the closest.
        WeightsError: for a path to something that is not a model.
    """
    text = str(name_or_path)
    name = ALIASES.get(text, text)
    folders = model_folders()
    if isinstance(name_or_path, str) and name in folders:
        return folders[name]
    path = Path(text).expanduser()
    if text and path.exists():
        return _folder_at(path)
    if isinstance(name_or_path, str) and text in ALIASES:
        raise WeightsError(
            f"the {text} model {name!r} is missing from this installation of stemtune "
            f"({SHIPPED_MODELS / name} does not exist): install stemtune again, or choose another: {_known(folders)}"
        )
    if isinstance(name_or_path, Path) or text != path.name or path.suffix:
        raise UsageError(f"no model at {text!r}: expected a model's folder or name; known models: {_known(folders)}")
    close = difflib.get_close_matches(text, [*ALIASES, *folders], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UsageError(f"unknown model {text!r}; {hint}known models: {_known(folders)}")


def model_inside(folder: Path) -> Path | None:
    """The model that a folder is, or that of the training or adaptation in it; not whether it is intact."""
    return next((place for place in (folder, folder / MODEL_OF_RUN) if (place / CARD_FILE).is_file()), None)


def files_of(folder: Path) -> tuple[str, str, str]:
    """The names of a model's three files: its weights or those of an adapter, its configuration, its card."""
    adapts = (folder / ADAPTER_FILE).is_file() and not (folder / WEIGHTS_FILE).is_file()
    return (ADAPTER_FILE if adapts else WEIGHTS_FILE, CONFIG_FILE, CARD_FILE)


def find_card(name_or_path: str | Path) -> ModelCard:
    """The card of a model; its weights are not read.

    Raises:
        UsageError: if there is no such model.
        WeightsError: if the card cannot be read.
    """
    path = find_folder(name_or_path) / CARD_FILE
    try:
        return parse(ModelCard, read_json(path), origin=str(path))
    except ConfigError as error:
        raise WeightsError(f"{error}; export or import the model again") from None


def list_models() -> tuple[ModelCard, ...]:
    """The cards of all models that have a name, shipped ones first.

    Raises:
        WeightsError: if one of the cards cannot be read.
    """
    return tuple(find_card(folder) for folder in model_folders().values())


def read_json(path: Path) -> object:
    """What a JSON file of a model holds.

    Raises:
        WeightsError: if it cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not valid JSON ({error}); export or import the model again") from None


def _folder_at(path: Path) -> Path:
    if path.is_dir():
        missing = [name for name in files_of(path) if not (path / name).is_file()]
        inside = path / MODEL_OF_RUN
        if missing and inside.is_dir() and all((inside / name).is_file() for name in files_of(inside)):
            return inside
        if missing:
            raise WeightsError(f"{path} is not a model's folder: it lacks {', '.join(missing)}")
        return path
    if path.name in (WEIGHTS_FILE, ADAPTER_FILE):
        return _folder_at(path.parent)
    refuse_pickle(path)
    raise WeightsError(f"{path} is not a model: expected a folder with {', '.join(MODEL_FILES)}, or its {WEIGHTS_FILE}")


def _known(folders: dict[str, Path]) -> str:
    return ", ".join(folders) or "none"
