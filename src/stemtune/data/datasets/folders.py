"""Finding audio files in folders, in one order on every machine."""

from pathlib import Path

from stemtune.data.audio import AUDIO_EXTENSIONS

__all__ = ["audio_files", "subfolders"]


def audio_files(folder: Path) -> tuple[Path, ...]:
    """The audio files directly in a folder, by their extension, sorted by name; hidden ones are passed over."""
    return tuple(
        sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in AUDIO_EXTENSIONS and not path.name.startswith(".") and path.is_file()
        )
    )


def subfolders(folder: Path) -> tuple[Path, ...]:
    """The folders directly in a folder, sorted by name; hidden ones are passed over."""
    return tuple(sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))
