"""Configurations: declared once, validated, overridden, fingerprinted, built.

A hyper-parameter lives in one frozen `Config` and nowhere else. The type parameter says what `build` returns:

    class XUMXConfig(Config[XUMX]):
        hidden_size: int = Field(512, gt=0, description="width of ...")
        def build(self) -> XUMX: return XUMX(self)

Override with `config.override({"hidden_size": 256})` or by dotted path, `{"model.hidden_size": 256}`.
"""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from stemtune.errors import ConfigError

__all__ = ["Config", "Frozen", "fingerprint", "parse"]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Frozen(BaseModel):
    """An immutable record that refuses unknown keys; every file that we read is parsed into one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def override(self: M, changes: Mapping[str, Any]) -> M:
        """A validated copy with some values replaced; keys may be dotted paths, with numbers for the items of lists.

        Raises:
            ConfigError: for a key that does not exist or a value that is not allowed.
        """
        tree: Any = self.model_dump(mode="json")
        for path, value in changes.items():
            *parents, leaf = path.split(".")
            node: Any = tree
            for parent in parents:
                node = node[_key(node, parent, path)]
            node[_key(node, leaf, path)] = value
        return parse(type(self), tree)


class Config(Frozen, Generic[T]):
    """A frozen, validated description from which a ``T`` can be built."""

    @abstractmethod
    def build(self) -> T:
        """Make the thing that this configuration describes."""
        raise NotImplementedError


def parse(schema: type[M], data: object, *, origin: str = "") -> M:
    """Validate ``data`` against ``schema``; ``origin`` (a file name) is named in the error.

    Raises:
        ConfigError: naming each wrong key, what was expected and what came.
    """
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'value'}: {item['msg']} (got {item['input']!r:.80})"
            for item in error.errors()
        )
        where = f"{origin}: " if origin else ""
        raise ConfigError(f"{where}not a valid {schema.__name__}: {problems}") from None


def fingerprint(config: BaseModel) -> str:
    """Sixteen hexadecimal digits that two configurations share exactly if all their values are equal."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _key(node: object, key: str, path: str) -> str | int:
    """The key with which ``node`` is indexed, if it has it."""
    if isinstance(node, dict) and key in node:
        return key
    if isinstance(node, list) and key.isdigit() and int(key) < len(cast("list[object]", node)):
        return int(key)
    there = ", ".join(cast("dict[str, object]", node)) if isinstance(node, dict) else "no settings of its own"
    raise ConfigError(f"no setting {path!r}: looking for {key!r}, found {there}")
