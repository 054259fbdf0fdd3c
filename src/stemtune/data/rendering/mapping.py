"""Which parts of a song form which stem: a small validated file, so that new groups need no code.

A part is known by its name (``soprano``, ``kick``), or by what a MIDI file says of it: drums or not, the program that
it is played with, the name of its track, its register. Every part goes to exactly one stem, or to none:

    stem(part) = the one stem whose rule it matches, else the stem with ``rest``, else nothing.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from pydantic import Field, ValidationError, model_validator

from stemtune.config import Frozen
from stemtune.errors import ConfigError, InputError, UsageError

__all__ = ["CLASSES", "MAPPINGS", "StemMapping", "StemRule", "grouped", "load_mapping", "require"]

Stereo = Float32[np.ndarray, "2 time"]

CLASSES = (
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe",
    "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects",
)  # fmt: skip
"""The sixteen families of General MIDI, eight programs each, in order."""

_FOLDER = Path(__file__).with_name("mappings")
MAPPINGS = tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))
"""The mappings that come with the package."""

_NUM_PROGRAMS = 128


class StemRule(Frozen):
    """What belongs to a stem."""

    parts: tuple[str, ...] = Field(default=(), description="parts by name")
    drums: bool = Field(default=False, description="whether parts on the drum channel belong to it")
    classes: tuple[str, ...] = Field(default=(), description="families of General MIDI, see `CLASSES`")
    programs: tuple[int, ...] = Field(default=(), description="single programs, from 0; they go before families")
    names: str = Field(default="", description="a regular expression that the name of a low part's track may match")
    below_pitch: int = Field(default=0, description="lone lines whose median pitch is below it belong here, too")
    rest: bool = Field(default=False, description="whether it takes what belongs nowhere else")

    @model_validator(mode="after")
    def _check(self) -> "StemRule":
        unknown = [name for name in self.classes if name not in CLASSES]
        if unknown:
            raise ValueError(f"unknown instrument family {unknown[0]!r}; expected some of: {', '.join(CLASSES)}")
        if any(not 0 <= program < _NUM_PROGRAMS for program in self.programs):
            raise ValueError(f"programs go from 0 to {_NUM_PROGRAMS - 1}; got {self.programs}")
        try:
            re.compile(self.names)
        except re.error as error:
            raise ValueError(f"names: not a regular expression ({error})") from None
        return self


class StemMapping(Frozen):
    """The stems of a corpus, and what belongs to each."""

    stems: dict[str, StemRule] = Field(default=..., min_length=1)
    required: tuple[str, ...] = Field(default=(), description="songs without one of these are left out")
    silent_programs: tuple[int, ...] = Field(default=(), description="programs that are not rendered at all")

    @model_validator(mode="after")
    def _check(self) -> "StemMapping":
        for kind, things in (
            ("part", [(part, stem) for stem, rule in self.stems.items() for part in rule.parts]),
            ("family", [(name, stem) for stem, rule in self.stems.items() for name in rule.classes]),
            ("program", [(program, stem) for stem, rule in self.stems.items() for program in rule.programs]),
            ("the drums", [(True, stem) for stem, rule in self.stems.items() if rule.drums]),
            ("the rest", [(True, stem) for stem, rule in self.stems.items() if rule.rest]),
        ):
            owners: dict[object, str] = {}
            for thing, stem in things:
                if thing in owners:
                    what = kind if thing is True else f"{kind} {thing!r}"
                    raise ValueError(f"{what} goes to two stems, {owners[thing]!r} and {stem!r}; give it to one")
                owners[thing] = stem
        unknown = [stem for stem in self.required if stem not in self.stems]
        if unknown:
            raise ValueError(f"required stem {unknown[0]!r} is none of the stems {', '.join(self.stems)}")
        for stem in self.stems:
            if not stem or not re.fullmatch(r"[\w .+&()-]+", stem) or stem.startswith(".") or stem == "mixture":
                raise ValueError(f"{stem!r} cannot be the name of a stem; use letters, digits, spaces and hyphens")
        return self

    def check_parts(self, parts: Sequence[str]) -> None:
        """Refuse to group parts that a kind of corpus does not have, or to leave all of its parts out.

        Raises:
            ConfigError: naming the part and those that there are.
        """
        named = [part for rule in self.stems.values() for part in rule.parts]
        unknown = [part for part in named if part not in parts]
        if unknown:
            raise ConfigError(f"the mapping names a part {unknown[0]!r}; the parts here are: {', '.join(parts)}")
        if not any(self.stem_of_part(part) for part in parts):
            raise ConfigError(
                f"the mapping gives none of the parts {', '.join(parts)} to a stem; name them under parts"
            )

    def stem_of_part(self, part: str) -> str | None:
        """The stem of a part that is known by its name."""
        for stem, rule in self.stems.items():
            if part in rule.parts:
                return stem
        return self._rest

    def stem_of_program(
        self, program: int, *, is_drums: bool, track_name: str = "", pitch: float = 60.0, is_line: bool = False
    ) -> str | None:
        """The stem of a part of a MIDI file.

        Args:
            program: from 0 to 127; of no meaning for drums.
            is_drums: whether it stands on the drum channel.
            track_name: what its track is called.
            pitch: the median of its notes.
            is_line: whether it plays one note at a time.
        """
        if is_drums:
            return next((stem for stem, rule in self.stems.items() if rule.drums), self._rest)
        if program in self.silent_programs:
            return None
        for stem, rule in self.stems.items():
            low = pitch < rule.below_pitch and is_line
            named = bool(rule.names) and pitch < rule.below_pitch + 12 and re.search(rule.names, track_name, re.I)
            if program in rule.programs or low or named:
                return stem
        family = CLASSES[program // 8]
        return next((stem for stem, rule in self.stems.items() if family in rule.classes), self._rest)

    @property
    def _rest(self) -> str | None:
        return next((stem for stem, rule in self.stems.items() if rule.rest), None)


def require(song: str, stems: Mapping[str, Stereo], mapping: StemMapping | None) -> None:
    """Refuse a song that lacks what its mapping requires.

    Raises:
        InputError: naming the stem that is missing or silent.
    """
    required = mapping.required if mapping else ()
    for stem in required:
        if stem not in stems or not stems[stem].any():
            raise InputError(f"{song}: expected the stems {', '.join(required)}; it has nothing for {stem}")


def grouped(parts: Mapping[str, Stereo], mapping: StemMapping | None) -> dict[str, Stereo]:
    """The stems of a mapping as sums of named parts; stems of parts that are not there are silent.

    Without a mapping, every part is a stem.
    """
    if mapping is None:
        return dict(parts)
    num_samples = next(iter(parts.values())).shape[1]
    stems = {stem: np.zeros((2, num_samples), dtype=np.float32) for stem in mapping.stems}
    for part, sound in parts.items():
        stem = mapping.stem_of_part(part)
        if stem is not None:
            stems[stem] += sound
    return stems


def load_mapping(name: str) -> StemMapping:
    """A mapping of the package by its name, or a user's own by the path of its file.

    Raises:
        UsageError: if there is neither.
        ConfigError: if the file is not a mapping, saying why.
    """
    path = _FOLDER / f"{name}.json" if name in MAPPINGS else Path(name)
    if not path.is_file():
        raise UsageError(f"no mapping {name!r}; expected a file, or one of: {', '.join(MAPPINGS)}")
    try:
        return StemMapping.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: not a mapping of stems: {where + ': ' if where else ''}{first['msg']}") from None
