"""Reading mapping files: YAML, JSON or TOML, checked key by key; and the mappings that come with stemtune.

    mapping(file) = mapping(what it extends), with the file's own keys in the place of the others'.

A key that is written twice is an error, since the parsers of YAML and JSON would silently take the last one.
"""

import json
import tomllib
from collections.abc import Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from stemtune.config import parse
from stemtune.data.datasets.description import Description, JoinedDescription
from stemtune.errors import ConfigError, InputError, UsageError

__all__ = ["MAPPING_NAMES", "known_mappings", "read_mapping"]

MAPPING_NAMES = tuple(f"stemtune-dataset{ending}" for ending in (".yaml", ".yml", ".json", ".toml"))
"""A file so called beside the data describes them."""

_KNOWN = Path(__file__).parent / "known"

AnyDescription = Description | JoinedDescription


def read_mapping(where: str | Path) -> AnyDescription:
    """The mapping in a file, or the known one of that name.

    Raises:
        UsageError: if there is neither such a file nor such a known data set.
        InputError: if the file cannot be read.
        ConfigError: if it is not a valid mapping; the message names the file and the key.
    """
    known = known_mappings()
    if str(where) in known:
        return known[str(where)]
    path = Path(where)
    if not path.is_file():
        names = ", ".join(known)
        raise UsageError(f"{where}: no such mapping file, and no known data set of that name; those are: {names}")
    return _validated(_read_tree(path, known=()), path)


@cache
def known_mappings() -> dict[str, AnyDescription]:
    """The mappings that come with stemtune, by name."""
    return {path.stem: _validated(_read_tree(path, known=()), path) for path in sorted(_KNOWN.glob("*.yaml"))}


def _validated(tree: dict[str, Any], path: Path) -> AnyDescription:
    return parse(JoinedDescription if "join" in tree else Description, tree, origin=str(path))


def _read_tree(path: Path, *, known: tuple[Path, ...]) -> dict[str, Any]:
    """The keys of a file, and below them those of the one that it extends."""
    tree = _parse(path)
    base = tree.pop("extends", None)
    if base is None:
        return tree
    candidate = _KNOWN / f"{base}.yaml"
    below = candidate if candidate.is_file() else path.parent / str(base)
    if not below.is_file():
        names = ", ".join(sorted(file.stem for file in _KNOWN.glob("*.yaml")))
        raise ConfigError(f"{path}: extends {base!r}; expected a file beside it, or one of: {names}")
    if below in (*known, path):
        raise ConfigError(f"{path}: extends {base!r}, which extends it in turn; remove one of the two")
    return _read_tree(below, known=(*known, path)) | tree


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a mapping ({error}); expected UTF-8 text") from None
    try:
        match path.suffix.lower():
            case ".json":
                tree: object = json.loads(text, object_pairs_hook=_without_repetition)
            case ".toml":
                tree = tomllib.loads(text)
            case _:
                tree = yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: cannot be read as {path.suffix[1:].upper()} ({reason}); correct it there") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected keys and values, such as `files: ...`; got {type(tree).__name__}")
    return cast("dict[str, Any]", tree)


def _without_repetition(pairs: Iterable[tuple[Hashable, Any]]) -> dict[Hashable, Any]:
    result: dict[Hashable, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!r} is there twice; expected each once")
        result[key] = value
    return result


class _Loader(yaml.SafeLoader):
    """Plain YAML values only, and each key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The pairs of one mapping."""
        self.flatten_mapping(node)
        nodes = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
        keys = [cast(Hashable, self.construct_object(key, deep=True)) for key, _ in nodes]
        values = [cast(object, self.construct_object(value, deep=deep)) for _, value in nodes]
        return _without_repetition(zip(keys, values, strict=True))
