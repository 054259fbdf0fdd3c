"""File names as patterns with named parts: ``{split}/{track}/{stem}.wav``.

    match(format(pattern, parts)) = parts.

``{name}`` stands for one or more characters without a slash and has the same value wherever it is repeated;
``{name:[SATB]*}`` must look like the shell pattern behind the colon. Outside braces ``*`` and ``?`` are wildcards
within a name, and ``**/`` stands for any number of folders. A pattern without an ending means audio files of any kind.
Upper and lower case are the same, and so are the two ways in which file systems write accents.
"""

import fnmatch
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path

from stemtune.data.audio import AUDIO_EXTENSIONS
from stemtune.errors import ConfigError, InputError

__all__ = ["Pattern", "fields_of", "fill_in", "find_audio", "matches_any", "unmatched"]

_PART = re.compile(r"\{(?P<name>[a-z_]+)(?::(?P<shape>[^{}/]+))?\}|(?P<deep>\*\*/)|(?P<star>\*)|(?P<one>\?)")
_SHAPE = re.compile(r"(?P<kind>\[[^\]/]+\])|(?P<star>\*)|(?P<one>\?)")
_ENDING = re.compile(r".*\.(\w{1,5}|\*)")


class Pattern:
    """One pattern.

    Raises:
        ConfigError: (constructor) if it is empty, leaves its folder, or has braces that are not understood.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if not text or text.startswith(("/", "~")) or "\\" in text or ".." in text.split("/"):
            raise ConfigError(
                f"{text!r} is not a pattern for files inside the data set; expected a path relative to its folder, "
                'with slashes and without "..", such as {track}/{stem}.wav'
            )
        rest = _PART.sub("", text)
        if "{" in rest or "}" in rest:
            raise ConfigError(
                f"{text!r}: expected names in braces to be lower-case letters, optionally with a shape, such as "
                "{track} or {stem:[SATB]*}; write the pattern so"
            )
        try:
            self._regex = self._compile()
        except re.error as error:
            raise ConfigError(f"{text!r} is not a pattern ({error}); expected shell characters, [abc] * ?") from None

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names in braces, each once."""
        return fields_of(self.text)

    @cached_property
    def depth(self) -> int | None:
        """How many folders deep the files lie; None if that varies."""
        return None if "**/" in self.text else self.text.count("/")

    def _compile(self) -> re.Pattern[str]:
        text = _composed(self.text)
        seen: set[str] = set()
        pieces: list[str] = []
        position = 0
        for part in _PART.finditer(text):
            pieces += [re.escape(text[position : part.start()]), _piece(part, seen)]
            position = part.end()
        pieces.append(re.escape(text[position:]))
        if not _ENDING.fullmatch(self.text):
            pieces.append(r"\.[A-Za-z0-9]+")
        return re.compile("".join(pieces), re.IGNORECASE)

    def match(self, relative: str) -> dict[str, str] | None:
        """The values of the names in braces, if a path (with slashes, relative to the data set) fits."""
        found = self._regex.fullmatch(_composed(relative))
        return None if found is None else found.groupdict()


def _piece(part: re.Match[str], seen: set[str]) -> str:
    """The regular expression of one special part of a pattern."""
    if name := part["name"]:
        if name in seen:
            return rf"(?P={name})"
        seen.add(name)
        shape = part["shape"]
        return rf"(?P<{name}>{_within_name(shape)})" if shape else rf"(?P<{name}>[^/]+?)"
    if part["deep"]:
        return "(?:.+/)?"
    return "[^/]*" if part["star"] else "[^/]"


def _within_name(shape: str) -> str:
    """A shell pattern as a regular expression that does not cross slashes."""
    pieces: list[str] = []
    position = 0
    for part in _SHAPE.finditer(shape):
        pieces.append(re.escape(shape[position : part.start()]))
        pieces.append((part["kind"] or "").replace("[!", "[^") or ("[^/]*" if part["star"] else "[^/]"))
        position = part.end()
    return "".join([*pieces, re.escape(shape[position:])])


def fields_of(template: str) -> tuple[str, ...]:
    """The names in braces, each once, in order."""
    return tuple(dict.fromkeys(part["name"] for part in _PART.finditer(template) if part["name"]))


def fill_in(template: str, values: Mapping[str, str]) -> str:
    """Put values in the place of the names in braces; what has no value stays."""
    return _PART.sub(lambda part: values.get(part["name"] or "", part[0]), template)


def find_audio(root: Path, *, depth: int | None) -> Iterator[tuple[str, Path]]:
    """All audio files below a folder, by name, in one order on every machine; hidden files and folders are passed over.

    Args:
        root: where to look.
        depth: how many folders deep to look; None for all of them.

    Yields:
        the path with slashes relative to ``root``, and the path.

    Raises:
        InputError: for a folder that cannot be read.
    """
    base = len(root.parts)
    seen: set[tuple[int, int]] = set()
    for folder, children, names in os.walk(root, followlinks=True, onerror=_refuse):
        here = Path(folder)
        identity = (here.stat().st_dev, here.stat().st_ino)
        is_deep_enough = depth is not None and len(here.parts) - base >= depth
        if identity in seen:
            children.clear()
            continue
        seen.add(identity)
        children[:] = [] if is_deep_enough else sorted(name for name in children if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_EXTENSIONS:  # noqa: PTH122
                path = here / name
                yield "/".join(path.parts[base:]), path


def _refuse(error: OSError) -> None:
    raise InputError(
        f"{error.filename}: cannot be read ({error.strerror}); check the permissions of the folder"
    ) from None


def matches_any(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name is one of some names or shell patterns; upper and lower case are the same."""
    names, shapes = _prepared(patterns)
    folded = _composed(name).lower()
    return folded in names or any(fnmatch.fnmatchcase(folded, shape) for shape in shapes)


def unmatched(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """The names or shell patterns that none of some names fits, sorted."""
    folded = {_composed(name).lower() for name in names}
    return sorted(
        pattern
        for pattern in set(patterns)
        if _composed(pattern).lower() not in folded
        and not (_is_shape(pattern) and any(matches_any(name, (pattern,)) for name in folded))
    )


@lru_cache(maxsize=1024)
def _prepared(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Names for quick comparison, and those among them that are shell patterns."""
    folded = [_composed(pattern).lower() for pattern in patterns]
    return frozenset(folded), tuple(pattern for pattern in folded if _is_shape(pattern))


def _composed(text: str) -> str:
    """Accents as one character, for macOS writes them as two."""
    return unicodedata.normalize("NFC", text)


def _is_shape(pattern: str) -> bool:
    return any(character in "*?[" for character in pattern)
