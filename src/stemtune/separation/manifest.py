"""The memory of a batch: what was separated, with what, into which files; so that a second run does only the rest.

An input is done if nothing that its stems depend on has changed since, and they are still there:

    done = same input and same options and same model and all outputs exist.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field

from stemtune.config import Frozen, fingerprint, parse
from stemtune.data.files import write_json_atomically
from stemtune.errors import ConfigError, InputError, UsageError
from stemtune.models.base import Separator

__all__ = ["MANIFEST_FILE", "Manifest", "ManifestEntry", "load_manifest", "model_fingerprint", "save_manifest"]

MANIFEST_FILE = "stemtune-manifest.json"


class ManifestEntry(Frozen):
    """What became of one input."""

    status: Literal["done", "failed"]
    reason: str | None = Field(default=None, description="why it failed")
    track: str = Field(description="the name that its outputs have in common")
    outputs: dict[str, str] = Field(description="of the last success, by stem; paths relative to the manifest")
    input_bytes: int
    input_mtime_ns: int
    options: str = Field(description="the fingerprint of all that was asked for")
    model: str = Field(description="the fingerprint of the weights and their configuration")
    duration_seconds: float | None = Field(default=None, description="of the track")
    gain: float | None = Field(default=None, description="applied to all stems against clipping")
    seconds: float = Field(description="how long it took")

    def is_current(self, folder: Path, *, source: Path, options: str, model: str) -> bool:
        """Whether the outputs are there, and are what a new run would make."""
        try:
            state = source.stat()
        except OSError:
            return False
        return (
            self.status == "done"
            and (self.options, self.model) == (options, model)
            and (self.input_bytes, self.input_mtime_ns) == (state.st_size, state.st_mtime_ns)
            and all((folder / output).is_file() for output in self.outputs.values())
        )


class Manifest(Frozen):
    """All inputs that were ever separated into a folder, by their absolute paths."""

    version: Literal[1] = 1
    inputs: Mapping[str, ManifestEntry] = Field(default_factory=dict[str, ManifestEntry])

    def with_entry(self, source: Path, entry: ManifestEntry) -> "Manifest":
        """The same with an input's entry added or replaced."""
        return Manifest(inputs={**self.inputs, str(source): entry})


def load_manifest(folder: Path) -> Manifest:
    """The manifest of an output folder; an empty one if there is none.

    Raises:
        UsageError: if the file there is not a manifest.
    """
    path = folder / MANIFEST_FILE
    try:
        return parse(Manifest, json.loads(path.read_text(encoding="utf-8")), origin=str(path))
    except (FileNotFoundError, NotADirectoryError):
        return Manifest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    except (ConfigError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is not a manifest of stemtune ({error}); move it away or choose another output folder"
        ) from None


def save_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest, whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    write_json_atomically(folder / MANIFEST_FILE, manifest.model_dump(mode="json"))


def model_fingerprint(separator: Separator) -> str:
    """Sixteen hexadecimal digits that change with any weight and any setting of the model."""
    digest = hashlib.sha256(fingerprint(separator.config).encode())
    for name, tensor in sorted(separator.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
