"""A model leaves the house as what it is: three files in a folder, or in a zip of them.

safetensors and JSON are read by other tools without stemtune. The weights are verified on the way out, so that
what is passed on is what its card describes:

    sha256(copy) = sha256(original) = card.weights_sha256.

An adapter leaves as the small file that it is, or whole, together with its base.
"""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from stemtune.errors import OutputError
from stemtune.hub.atomic import write_model_folder
from stemtune.hub.folder import load, save_model
from stemtune.hub.registry import ADAPTER_FILE, files_of, find_card, find_folder
from stemtune.hub.weights import read_weights

__all__ = ["export_model"]


def export_model(name_or_path: str | Path, destination: Path, *, whole: bool = False) -> Path:
    """Copy a verified model out of the house.

    Args:
        name_or_path: a model's name, its folder, or the weights in it.
        destination: a new folder; or a new file, if the name ends in ``.zip``.
        whole: put an adapter and its base together, so that it needs nothing else.

    Returns:
        the destination.

    Raises:
        UsageError: if there is no such model.
        WeightsError: if it is damaged.
        OutputError: if the destination is taken or cannot be written.
    """
    folder = find_folder(name_or_path)
    if whole and files_of(folder)[0] == ADAPTER_FILE:
        with tempfile.TemporaryDirectory() as temporary:
            save_model(load(folder), Path(temporary) / "model", find_card(folder))
            return export_model(Path(temporary) / "model", destination)
    read_weights(folder / files_of(folder)[0], expected_sha256=find_card(folder).weights_sha256)
    if destination.suffix == ".zip":
        return _zip(folder, destination)
    with write_model_folder(destination) as temporary:
        for name in files_of(folder):
            shutil.copyfile(folder / name, temporary / name)
    return destination


def _zip(folder: Path, destination: Path) -> Path:
    if destination.exists():
        raise OutputError(f"{destination} exists; choose another name, or delete it first")
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.part")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in files_of(folder):
                archive.write(folder / name, name)
        temporary.replace(destination)
    except OSError as error:
        raise OutputError(f"cannot write {destination}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return destination
