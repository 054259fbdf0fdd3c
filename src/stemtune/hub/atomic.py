"""Folders that appear complete or not at all.

A model's folder is written under a hidden name beside its place and then renamed; an earlier model at that place is
set aside first and deleted last. Nothing but a model is ever replaced.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stemtune.errors import OutputError
from stemtune.hub.registry import ADAPTER_FILE, MODEL_FILES

__all__ = ["write_model_folder"]


@contextmanager
def write_model_folder(folder: Path) -> Generator[Path]:
    """Yield a temporary folder to fill; it becomes ``folder`` if the block ends without an exception.

    Args:
        folder: created with its parents; may exist if it is empty or an earlier model.

    Raises:
        OutputError: if the folder holds anything that is not a model, or cannot be written.
    """
    folder = folder.absolute()
    _refuse_to_replace(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)  # a killed process may have had the same number
        temporary.mkdir()
        yield temporary
        _put_in_place(temporary, folder)
    except OSError as error:
        raise OutputError(f"cannot write the model {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_to_replace(folder: Path) -> None:
    if folder.is_dir():
        strangers = sorted(item.name for item in folder.iterdir() if item.name not in (*MODEL_FILES, ADAPTER_FILE))
        if strangers:
            raise OutputError(f"{folder} holds other files ({', '.join(strangers[:3])}); choose an empty or new folder")
    elif folder.exists():
        raise OutputError(f"{folder} exists and is not a folder; choose another place for the model")


def _put_in_place(temporary: Path, folder: Path) -> None:
    if not folder.exists():
        temporary.rename(folder)
        return
    outdated = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    shutil.rmtree(outdated, ignore_errors=True)
    folder.rename(outdated)
    try:
        temporary.rename(folder)
    except OSError:
        outdated.rename(folder)
        raise
    shutil.rmtree(outdated, ignore_errors=True)
