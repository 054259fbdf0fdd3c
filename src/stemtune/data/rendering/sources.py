"""Where scores come from: folders, archives and files, unpacked once and found in one order on every machine.

scores(source) = sorted(its MIDI files), wherever in it they lie.
"""

import os
import shutil
import tarfile
import zipfile
from pathlib import Path

from stemtune.data.files import output_error
from stemtune.errors import InputError

__all__ = ["SCORES_FOLDER", "midi_files", "unpack_target", "unpacked"]

SCORES_FOLDER = ".scores"
_ENDINGS = (".mid", ".midi", ".kar")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def midi_files(folder: Path) -> tuple[Path, ...]:
    """The MIDI files in a folder and its sub-folders, sorted; a file by itself is its own list.

    Raises:
        InputError: if there is none.
    """
    if folder.is_file():
        return (folder,)
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and not path.name.startswith(".")
    )
    if not found:
        raise InputError(f"{folder}: no MIDI file in it; expected files ending in {', '.join(_ENDINGS)}")
    return tuple(found)


def unpack_target(source: Path, scratch: Path) -> Path:
    """Where the scores of a source lie once it is unpacked; the source itself if it is no archive."""
    is_archive = source.is_file() and source.name.lower().endswith(_ARCHIVES)
    return scratch / source.name.split(".")[0] if is_archive else source


def unpacked(source: Path, scratch: Path) -> Path:
    """A folder as it is; an archive as the folder into which it is unpacked, under ``scratch``, once.

    Raises:
        InputError: if it is not there, or is a damaged archive.
        OutputError: if it cannot be unpacked for lack of space or permission.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; expected MIDI files, or an archive of them")
    folder = unpack_target(source, scratch)
    if folder.is_dir() or folder == source:
        return folder
    partial = scratch / f".{folder.name}-{os.getpid()}"
    try:
        partial.mkdir(parents=True, exist_ok=True)
        if source.name.lower().endswith(".zip"):
            with zipfile.ZipFile(source) as archive:
                archive.extractall(partial)  # noqa: S202  (zipfile keeps members inside the folder)
        else:
            with tarfile.open(source) as archive:
                archive.extractall(partial, filter="data")
        partial.rename(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise InputError(f"{source}: expected an archive of MIDI files; it cannot be unpacked ({error})") from None
    except OSError as error:
        raise output_error(folder, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
