"""What a mapping file says about a data set: which files are which stems of which track, and what else is to know.

    file name --pattern--> labels --stems--> stem of a track.

Every mapping is a small file that is checked against `Description`, never code; `docs/datasets.md` explains how to
write one, and ``known/`` holds those that come with stemtune.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field, field_validator, model_validator

from stemtune.config import Frozen
from stemtune.data.datasets.patterns import Pattern, fields_of
from stemtune.data.tracks import MIXTURE
from stemtune.errors import ConfigError

__all__ = ["Description", "FilePattern", "JoinedDescription", "Part", "TrackRule"]


def _listed(value: object) -> object:
    """One name may stand alone."""
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class FilePattern(Frozen):
    """Which files to take: see `patterns`; ``{stem}`` is the label of a file unless ``stem`` gives it."""

    pattern: str
    stem: str | None = Field(default=None, description="label of all files that fit")

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, text: str) -> str:
        try:
            Pattern(text)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return text


class TrackRule(Frozen):
    """What is different for some tracks."""

    tracks: Names = Field(min_length=1, description="names or shell patterns")
    reason: str
    stems: dict[str, Names] | None = Field(default=None, description="instead of the general ones")
    licence: str | None = None
    may_release: bool | None = None
    group: str | None = None
    partial: Names = Field(default=(), description="stems that also hold what belongs to others")


class Description(Frozen):
    """A data set, as its mapping file describes it."""

    name: str
    source: str = Field(default="", description="where to get it")
    licence: str | None = Field(default=None, description="of the audio, an SPDX identifier where there is one")
    may_release: bool | None = Field(default=None, description="whether weights trained on it may be published")
    sample_rate: int | None = Field(default=None, ge=8000, description="of the files as published, in Hz")
    folder: str = Field(default="", description="drawing of the folder")
    defects: Names = ()
    references: Names = ()
    recognise: Names = Field(default=(), description="patterns; a folder with a file for any of them is this data set")

    format: Literal["files", "slakh", "moisesdb"] = "files"
    role: Literal["songs", "recordings", "unlabelled"] = Field(
        default="songs",
        description="songs: the files of a track belong together; recordings: each file is a track with one stem; "
        "unlabelled: each file is a mixture",
    )
    files: tuple[FilePattern, ...] = ()
    streams: Names = Field(default=(), description="labels of the audio streams of every file")
    track: str = Field(default="{track}", description="name of the track, made of the names in the pattern")
    group: str | None = Field(default=None, description="likewise: what must not be divided between splits")

    stems: dict[str, Names] = Field(default_factory=dict, description="stem to labels; empty: labels are stems")
    rest: str | None = Field(default=None, description="the stem of files whose label no other stem takes")
    mixture: Names = Field(default=(MIXTURE, "mix"), description="labels of the mixture")
    ignore: Names = Field(default=(), description="labels to leave out")
    partial: dict[str, str] = Field(default_factory=dict, description="stems that also hold others' sound, and why")
    absent: Literal["unknown", "silent"] = Field(
        default="unknown", description="what it means that a stem is not there"
    )
    lengths: Literal["equal", "any"] = Field(default="equal", description="of the files of a track")
    requires: Names = Field(default=(), description="stems that every track must have")
    only_complete: Names = Field(default=(), description="labels; tracks that lack one of them are passed over")

    splits: dict[str, Names] = Field(default_factory=dict, description="split to names or shell patterns")
    split_by: str = Field(default="track", description="what these names are: tracks, or another name in the pattern")
    split_names: dict[str, str] = Field(default_factory=dict, description="what folders called {split} mean")
    exclude: dict[str, str] = Field(default_factory=dict, description="tracks to leave out, and why")
    exceptions: tuple[TrackRule, ...] = ()

    @field_validator("files", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        items: list[object] = [value] if isinstance(value, str) else list(cast("tuple[object, ...]", value))
        return [{"pattern": item} if isinstance(item, str) else item for item in items]

    @model_validator(mode="after")
    def _is_coherent(self) -> "Description":
        if self.format == "files" and not self.files:
            raise ValueError("expected `files`, patterns such as {track}/{stem}.wav; got none")
        self._check_templates()
        rules = (self.stems, *(rule.stems for rule in self.exceptions if rule.stems is not None))
        for stems in rules:
            _check_stems(stems)
        known = {*self.stems, *(name for stems in rules for name in stems), *([self.rest] if self.rest else [])}
        for what, names in (("requires", self.requires), ("partial", tuple(self.partial))):
            if known and (unknown := [name for name in names if name not in known]):
                raise ValueError(f"{what} names {', '.join(unknown)}; the stems are {', '.join(sorted(known))}")
        if self.absent == "silent" and not self.stems:
            raise ValueError("absent: silent needs `stems`, or nobody knows which ones are absent")
        return self

    def _check_templates(self) -> None:
        for item in self.files:
            there = set(fields_of(item.pattern)) | ({"stem"} if item.stem is not None else set[str]())
            wanted = {*fields_of(self.track), *fields_of(self.group or "")}
            if self.role != "unlabelled" and not self.streams:
                wanted.add("stem")
            if self.splits and self.split_by != "track":
                wanted.add(self.split_by)
            if missing := wanted - there:
                raise ValueError(
                    f"the pattern {item.pattern} has no {', '.join(f'{{{name}}}' for name in sorted(missing))}, which "
                    "the mapping needs; it has " + (", ".join(f"{{{name}}}" for name in sorted(there)) or "no names")
                )
            if self.streams and item.stem is not None:
                raise ValueError("streams are labelled by `streams`; a pattern with `stem` cannot have them")

    @property
    def all_stems(self) -> Names:
        """The stems that the mapping names, in its order."""
        return (*self.stems, *((self.rest,) if self.rest and self.rest not in self.stems else ()))


class Part(Frozen):
    """One data set of a join: where it is, and which of its stems become which of the common ones."""

    path: str = Field(description="a folder, relative to the file that joins; a shell pattern with one match")
    stems: dict[str, Names] = Field(min_length=1, description="common stem to stems of this data set")
    mapping: str | None = Field(default=None, description="a known data set or a file, if it is not recognised")
    layout: Literal["songs", "stems", "csv", "unlabelled"] | None = None
    prefix: str | None = Field(default=None, description="goes before the names of its tracks; default its folder's")


class JoinedDescription(Frozen):
    """Several data sets as one, on common stems."""

    name: str
    join: tuple[Part, ...] = Field(min_length=1)
    folder: str = ""
    licence: str | None = Field(default=None, description="for the table; every track keeps its own")
    source: str = ""
    defects: Names = ()
    references: Names = ()
    recognise: Names = ()


def _check_stems(stems: Mapping[str, Names]) -> None:
    """Names that can be names of files and options, and labels that belong to one stem each."""
    owner: dict[str, str] = {}
    for stem, labels in stems.items():
        if stem != stem.strip().lower() or not stem or "/" in stem or stem in (MIXTURE, "mix"):
            raise ValueError(f"{stem!r} cannot be the name of a stem; expected lower-case words such as piano_guitar")
        if not labels:
            raise ValueError(f"the stem {stem} has no labels; expected at least one, or remove it")
        for label in labels:
            if (other := owner.setdefault(label.lower(), stem)) != stem:
                raise ValueError(f"{label!r} goes to two stems, {other} and {stem}; expected one")
