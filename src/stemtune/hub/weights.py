"""Weights on disk: safetensors only, verified before a single tensor is used.

A safetensors file is a table of names and shapes followed by plain numbers; unlike a pickle it cannot carry code.
Two checks stand between a file and a network. The file is the one that its card describes:

    sha256(bytes) = card.weights_sha256,

and its tensors are exactly those that the network has: the same names, the same shapes, finite values.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as format_safetensors
from torch import Tensor, nn

from stemtune.errors import OutputError, WeightsError

__all__ = ["fit_weights", "read_weights", "refuse_pickle", "write_tensors", "write_weights"]

ZIP_MAGIC = b"PK\x03\x04"
PICKLE_MAGIC = b"\x80"
NUM_NAMED_KEYS = 3  # an error names so many wrong keys of each sort


def write_weights(network: nn.Module, path: Path) -> tuple[str, int]:
    """Write the network's tensors atomically; returns the file's SHA-256 and its size in bytes.

    Raises:
        OutputError: if the file cannot be written; nothing is left behind.
    """
    return write_tensors(network.state_dict(), path)


def write_tensors(state: Mapping[str, Tensor], path: Path) -> tuple[str, int]:
    """Write tensors as `write_weights` does.

    Raises:
        OutputError: if the file cannot be written; nothing is left behind.
    """
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    data = format_safetensors(tensors, metadata={"format": "pt"})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write weights to {path}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return hashlib.sha256(data).hexdigest(), len(data)


def read_weights(path: Path, *, expected_sha256: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file whose SHA-256 is ``expected_sha256``.

    The bytes that are verified are the bytes that are used: the file is read once.

    Raises:
        WeightsError: if the file is absent, is a pickle, has another hash, or is not a safetensors file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror or error}") from None
    _refuse_pickled_bytes(path, data[:9])
    found = hashlib.sha256(data).hexdigest()
    if not expected_sha256:
        raise WeightsError(f"the card beside {path} states no weights_sha256, so the weights cannot be verified")
    if found != expected_sha256:
        raise WeightsError(
            f"{path} is not the file that its card describes: expected SHA-256 {expected_sha256}, found {found}; "
            "it is damaged, incomplete or exchanged: fetch or export the model again"
        )
    try:
        return parse_safetensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} is not a safetensors file: {error}") from None


def fit_weights(network: nn.Module, tensors: Mapping[str, Tensor], *, origin: str) -> None:
    """Copy ``tensors`` into ``network``, after it is certain that each of them fits.

    Args:
        network: whose parameters and buffers are overwritten.
        tensors: exactly one for each of them; other floating-point types are converted.
        origin: where the tensors come from, for the message.

    Raises:
        WeightsError: naming the first few missing, unexpected, misshapen or non-finite tensors.
    """
    own = network.state_dict()
    problems = [
        *_named("missing", sorted(own.keys() - tensors.keys())),
        *_named("unexpected", sorted(tensors.keys() - own.keys())),
        *_named(
            "of another shape",
            [
                f"{name} (expected {list(own[name].shape)}, found {list(tensors[name].shape)})"
                for name in own
                if name in tensors and tensors[name].shape != own[name].shape
            ],
        ),
        *_named(
            "with values that are not finite",
            [name for name in own if name in tensors and not bool(torch.isfinite(tensors[name]).all())],
        ),
    ]
    if problems:
        raise WeightsError(f"{origin} does not fit its configuration: {'; '.join(problems)}")
    network.load_state_dict(dict(tensors))


def refuse_pickle(path: Path) -> None:
    """Raise if the file at ``path`` is a pickle or a zip, which is how torch saves a model.

    Raises:
        WeightsError: that says how such a file is imported.
    """
    with path.open("rb") as stream:
        _refuse_pickled_bytes(path, stream.read(9))


def _refuse_pickled_bytes(path: Path, head: bytes) -> None:
    looks_like_safetensors = head[8:9] == b"{"  # its length may by chance begin like a pickle; its table cannot
    if head.startswith((ZIP_MAGIC, PICKLE_MAGIC)) and not looks_like_safetensors:
        raise WeightsError(
            f"{path} is a pickled (or zipped) file, which may carry code, so it is not opened as a model; "
            "convert it once with: stemtune models import --from open-unmix|asteroid-xumx|stemtune --name NAME FILE"
        )


def _named(sort: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - NUM_NAMED_KEYS} more" if len(names) > NUM_NAMED_KEYS else ""
    return [f"{len(names)} {sort}: {', '.join(names[:NUM_NAMED_KEYS])}{more}"]
