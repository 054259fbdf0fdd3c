"""A model leaves the house as what it is: three files in a folder, or in a zip of them.

safetensors and JSON are read by other tools without stemtune. The weights are verified on the way out, so that
what is passed on is what its card describes:

    sha256(copy) = sha256(original) = card.weights_sha256.
"""

import os
import shutil
import zipfile
from pathlib import Path

from stemtune.errors import OutputError
from stemtune.hub.atomic import write_model_folder
from stemtune.hub.registry import MODEL_FILES, WEIGHTS_FILE, find_card, find_folder
from stemtune.hub.weights import read_weights

__all__ = ["export_model"]


def export_model(name_or_path: str | Path, destination: Path) -> Path:
    """Copy a verified model out of the house.

    Args:
        name_or_path: a model's name, its folder, or the weights in it.
        destination: a new folder; or a new file, if the name ends in ``.zip``.

    Returns:
        the destination.

    Raises:
        UsageError: if there is no such model.
        WeightsError: if it is damaged.
        OutputError: if the destination is taken or cannot be written.
    """
    folder = find_folder(name_or_path)
    read_weights(folder / WEIGHTS_FILE, expected_sha256=find_card(folder).weights_sha256)
    if destination.suffix == ".zip":
        return _zip(folder, destination)
    with write_model_folder(destination) as temporary:
        for name in MODEL_FILES:
            shutil.copyfile(folder / name, temporary / name)
    return destination


def _zip(folder: Path, destination: Path) -> Path:
    if destination.exists():
        raise OutputError(f"{destination} exists; choose another name, or delete it first")
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.part")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in MODEL_FILES:
                archive.write(folder / name, name)
        temporary.replace(destination)
    except OSError as error:
        raise OutputError(f"cannot write {destination}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return destination
