"""Foreign checkpoints become stemtune models, once, without running anything that they might carry.

    checkpoint (a pickle of tensors) -> state dictionary -> `stemtune.hub.convert` -> model folder with a card.

A pickle is a program; torch's weights-only reader knows nothing but tensors and plain containers, and refuses the
rest. After the import the pickle is not needed any more.
"""

import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor

from stemtune.config import parse
from stemtune.errors import ConfigError, InputError, UsageError, WeightsError
from stemtune.hub.cards import ModelCard
from stemtune.hub.convert import (
    from_asteroid_xumx,
    from_demucs_v2,
    from_jukebox,
    from_nussl_chimera,
    from_open_unmix,
    from_unmix,
)
from stemtune.hub.convert.nussl_chimera import INERT_OBJECTS
from stemtune.hub.folder import load, save_model
from stemtune.hub.registry import ADAPTER_FILE, ALIASES, MODEL_FILES, SHIPPED_MODELS, find_card, user_models
from stemtune.models.base import Separator

__all__ = ["Checkpoint", "SourceFormat", "find_targets", "import_checkpoint", "read_checkpoint"]

SourceFormat = Literal[
    "open-unmix", "asteroid-xumx", "nussl-chimera", "demucs-v1", "demucs-v2", "jukebox", "unmix", "stemtune"
]
CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".th", ".chkpnt")


def import_checkpoint(
    source: SourceFormat,
    paths: Path | Mapping[str, Path],
    *,
    name: str,
    licence: str = "unknown",
    description: str = "",
    sample_rate: int | None = None,
    hop_length: int | None = None,
    stems: Sequence[str] = (),
    replace: bool = False,
) -> ModelCard:
    """Convert a checkpoint and keep it among the user's models.

    Args:
        source: which tool wrote it; ``stemtune`` is a folder or zip that `export_model` wrote.
        paths: a file; for ``open-unmix`` one file per target, or a folder that holds them; for ``unmix``
            two per stem, ``STEM.codec`` and ``STEM.mixture``.
        name: under which it can be loaded afterwards.
        licence: of the weights, which foreign checkpoints do not state.
        description: one sentence for the card.
        sample_rate: in Hz, where the checkpoint does not state it; None for 44.1 kHz, or nussl's 16 kHz.
        hop_length: in samples, where the checkpoint does not state it; None for a quarter of the window.
        stems: names of the stems, in order, where the checkpoint has none: nussl, and Demucs with other stems.
        replace: allow an earlier model of the user's under that name to be replaced.

    Returns:
        the card, as it was written.

    Raises:
        UsageError: if the name cannot be used, or the paths do not fit the format.
        WeightsError: if a file is damaged, holds anything but tensors, or does not fit the architecture.
    """
    destination = _destination(name, replace=replace)
    if source == "stemtune":
        separator, card = _read_exported(_one_path(source, paths))
        return save_model(separator, destination, card.model_copy(update={"name": name}))
    card = ModelCard(
        name=name,
        licence=licence or "unknown",
        description=description or f"Imported from a checkpoint of {source}.",
        intended_use="As its authors state; nothing more is known here.",
        limits=("Imported: its training data, its scores and its licence are not verified by stemtune.",),
    )
    return save_model(_convert(_Request(source, paths, sample_rate, hop_length, stems)), destination, card)


def find_targets(folder: Path) -> dict[str, Path]:
    """The checkpoint of each target in a folder, by file name: ``vocals.pth`` or ``vocals-b62c91ce.pth``.

    Raises:
        UsageError: if there are none, or two for one target.
    """
    targets: dict[str, Path] = {}
    for path in sorted(item for item in folder.iterdir() if item.suffix == ".pth"):
        target = re.sub(r"-[0-9a-f]{8}$", "", path.stem)
        if target in targets:
            raise UsageError(f"two checkpoints for {target!r} in {folder}: choose with --target {target}=FILE")
        targets[target] = path
    if not targets:
        raise UsageError(f"no .pth files in {folder}; expected one per target, such as vocals.pth")
    return targets


@dataclass(frozen=True)
class Checkpoint:
    """What a torch checkpoint holds.

    Attributes:
        tensors: its state dictionary.
        settings: the whole numbers among the arguments that the network was built with, where they are kept.
        config: the text under ``config``, where one is kept.
    """

    tensors: Mapping[str, Tensor]
    settings: Mapping[str, int]
    config: str = ""


def read_checkpoint(path: Path) -> Checkpoint:
    """The state dictionary in a torch checkpoint, bare or under ``state_dict`` or ``model``; nothing is executed.

    Raises:
        InputError: if there is no such file.
        WeightsError: if it is damaged, or holds anything that is not a tensor or a plain container.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint at {path}: expected a file ending in {', '.join(CHECKPOINT_SUFFIXES)}")
    try:
        with torch.serialization.safe_globals(list(INERT_OBJECTS)):
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"{path} is damaged, or holds more than tensors, so it is refused and nothing in it was executed "
            f"({reason:.160})"
        ) from None
    outer = _mapping(content)
    state = next((_mapping(outer[key]) for key in ("state_dict", "model") if _mapping(outer.get(key))), outer)
    if not state:
        raise WeightsError(
            f"{path} holds no state dictionary: expected names and tensors, found {type(content).__name__}"
        )
    strangers = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if strangers:
        raise WeightsError(f"{path} holds no state dictionary: {', '.join(strangers[:3])} are not tensors")
    return Checkpoint(
        tensors={str(name): value for name, value in state.items() if isinstance(value, Tensor)},
        settings={str(name): value for name, value in _mapping(outer.get("model_args")).items() if type(value) is int},
        config=config if isinstance(config := outer.get("config"), str) else "",
    )


def _mapping(content: object) -> Mapping[object, object]:
    return cast("Mapping[object, object]", content) if isinstance(content, Mapping) else {}


@dataclass(frozen=True)
class _Request:
    """What a converter may be told beside the checkpoint; None and nothing where it must know itself."""

    source: SourceFormat
    paths: Path | Mapping[str, Path]
    sample_rate: int | None
    hop_length: int | None
    stems: Sequence[str]

    def read_one(self) -> Checkpoint:
        """The only file of a format that has one."""
        return read_checkpoint(_one_path(self.source, self.paths))


def _convert(request: _Request) -> Separator:
    if request.stems and request.source not in _NAMELESS:
        raise UsageError(
            f"checkpoints of {request.source} name their stems themselves; --stem is for {', '.join(_NAMELESS)}"
        )
    return _CONVERTERS[request.source](request)


def _convert_demucs(request: _Request) -> Separator:
    return from_demucs_v2(
        request.read_one().tensors,
        resample=request.source == "demucs-v2",
        stems=request.stems or None,
        sample_rate=request.sample_rate or 44100,
    )


def _convert_nussl_chimera(request: _Request) -> Separator:
    checkpoint = request.read_one()
    return from_nussl_chimera(
        checkpoint.tensors,
        stems=request.stems,
        config=checkpoint.config,
        sample_rate=request.sample_rate or 16000,
        hop_length=request.hop_length,
    )


def _convert_asteroid_xumx(request: _Request) -> Separator:
    checkpoint = request.read_one()
    return from_asteroid_xumx(
        checkpoint.tensors,
        sample_rate=request.sample_rate or checkpoint.settings.get("sample_rate", 44100),
        hop_length=request.hop_length or checkpoint.settings.get("n_hop"),
    )


def _convert_open_unmix(request: _Request) -> Separator:
    paths = request.paths
    if isinstance(paths, Path):
        if not paths.is_dir():
            raise UsageError(f"open-unmix keeps one file per target: give their folder, or --target vocals={paths}")
        paths = find_targets(paths)
    return from_open_unmix(
        {target: read_checkpoint(path).tensors for target, path in paths.items()},
        sample_rate=request.sample_rate,
        hop_length=request.hop_length,
    )


def _convert_jukebox(request: _Request) -> Separator:
    if len(request.stems) > 1:
        raise UsageError(f"an auto-encoder listens to one stem; got {', '.join(request.stems)}")
    stem = request.stems[0] if request.stems else "music"
    return from_jukebox(request.read_one().tensors, stem=stem, sample_rate=request.sample_rate or 44100)


def _convert_unmix(request: _Request) -> Separator:
    """Two checkpoints for each stem: ``drums.codec`` and ``drums.mixture``."""
    paths = request.paths
    stems = dict.fromkeys(name.rpartition(".")[0] for name in paths) if isinstance(paths, Mapping) else {}
    wanted = {f"{stem}.{part}" for stem in stems for part in ("codec", "mixture")}
    if isinstance(paths, Path) or not stems or set(paths) != wanted:
        raise UsageError(
            "Unmix keeps two files per stem: give --target STEM.codec=FILE, the auto-encoder of the first phase, and "
            "--target STEM.mixture=FILE, the encoder of the second, for each stem"
        )
    return from_unmix(
        {
            stem: (read_checkpoint(paths[f"{stem}.codec"]).tensors, read_checkpoint(paths[f"{stem}.mixture"]).tensors)
            for stem in stems
        },
        sample_rate=request.sample_rate or 44100,
    )


_CONVERTERS: Mapping[str, Callable[[_Request], Separator]] = {
    "asteroid-xumx": _convert_asteroid_xumx,
    "demucs-v1": _convert_demucs,
    "demucs-v2": _convert_demucs,
    "jukebox": _convert_jukebox,
    "nussl-chimera": _convert_nussl_chimera,
    "open-unmix": _convert_open_unmix,
    "unmix": _convert_unmix,
}
_NAMELESS = ("nussl-chimera", "demucs-v1", "demucs-v2", "jukebox")  # whose checkpoints have no names of stems


def _read_exported(path: Path) -> tuple[Separator, ModelCard]:
    if path.is_dir():
        return load(path), find_card(path)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            with zipfile.ZipFile(path) as archive:
                whole = ADAPTER_FILE not in archive.namelist()
                for name in MODEL_FILES if whole else (ADAPTER_FILE, *MODEL_FILES[1:]):
                    (folder / name).write_bytes(archive.read(name))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise WeightsError(
                f"{path} is not an exported model: expected a zip of {', '.join(MODEL_FILES)} ({error})"
            ) from None
        return load(folder), find_card(folder)


def _one_path(source: SourceFormat, paths: Path | Mapping[str, Path]) -> Path:
    if isinstance(paths, Mapping):
        raise UsageError(f"a model of {source} is one file without targets; got {', '.join(paths)}")
    return paths


def _destination(name: str, *, replace: bool) -> Path:
    try:
        parse(ModelCard, {"name": name, "licence": "unknown", "description": "unknown"})
    except ConfigError:
        raise UsageError(f"{name!r} cannot name a model: use letters, digits, '.', '_' and '-' only") from None
    if name in ALIASES or (SHIPPED_MODELS / name).exists():
        raise UsageError(f"{name!r} is a model that comes with stemtune; choose another name")
    destination = user_models() / name
    if destination.exists() and not replace:
        raise UsageError(f"there is a model {name!r} already, in {destination}: choose another name, or --replace it")
    return destination
