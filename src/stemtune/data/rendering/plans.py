"""What shall be rendered: one frozen configuration, and one plan per song, from which its audio follows.

    audio(song) = render(configuration, plan),   plan = (name, split, where its score is, how long it is).

Nothing else enters, so that songs may be rendered in any order, by any number of workers, today or after a crash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from stemtune.config import Frozen
from stemtune.data.rendering.ingredients import Ingredient
from stemtune.data.rendering.mapping import StemMapping

__all__ = [
    "KINDS",
    "SINGERS",
    "SPLITS",
    "Candidate",
    "Kind",
    "Kit",
    "Producer",
    "RenderConfig",
    "Rendering",
    "ScoreSource",
    "Singer",
    "SongPlan",
    "Soundfont",
    "Split",
    "Style",
    "TimbreSet",
]

Kind = Literal["chorales", "choir", "drums", "bands", "pop"]
KINDS: tuple[Kind, ...] = ("chorales", "choir", "drums", "bands", "pop")
Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
Singer = Literal["vowels", "words", "choir"]
SINGERS: tuple[Singer, ...] = ("vowels", "words", "choir")
Style = Literal["any", "band", "electronic"]


class Located(Frozen):
    """Something on this machine; what it holds counts for the identity of a corpus, where it lies does not."""

    path: Path = Field(default=..., exclude=True)
    digest: str = Field(default=..., description="of its contents")
    ingredient: Ingredient = Field(default=...)


class ScoreSource(Located):
    """A folder of MIDI files, or a file of chorales; ``archive`` is what the folder is unpacked from."""

    archive: Path | None = Field(default=None, exclude=True)


class Soundfont(Located):
    """A soundfont."""


class Kit(Located):
    """A folder of drum one-shots."""


class TimbreSet(Frozen):
    """The sounds that one side of the split may use."""

    soundfonts: tuple[Soundfont, ...] = Field(default=(), description="one is drawn per song")
    kits: tuple[Kit, ...] = Field(default=(), description="folders of one-shots for drums")
    drum_soundfonts: tuple[Soundfont, ...] = Field(default=(), description="soundfonts for drums only")
    voices: tuple[Located, ...] = Field(default=(), description="folders of sampled voices")
    speakers: tuple[str, ...] = Field(default=(), description="Flite's voices that may sing words")
    synthetic: bool = Field(default=True, description="whether drums, basses and voices made by rule may play")


class RenderConfig(Frozen):
    """Everything that a corpus depends on."""

    kind: Kind = Field(default=...)
    seed: int = Field(default=0, ge=0)
    sources: tuple[ScoreSource, ...] = Field(default=..., min_length=1)
    drum_scores: ScoreSource | None = Field(default=None, description="performances that accompany pop songs")
    learn: TimbreSet = Field(default=..., description="timbres of train and valid")
    judge: TimbreSet = Field(default=..., description="timbres of test")
    shares: tuple[float, float, float] = Field(default=(0.8, 0.05, 0.15), description="of train, valid and test")
    mapping: StemMapping | None = Field(default=None, description="which parts form which stem; None: each its own")
    instruments: tuple[str, ...] = Field(default=("violin", "clarinet", "saxophone", "bassoon"))
    singers: tuple[Singer, ...] = Field(default=("vowels",), description="of pop songs; one is drawn per song")
    style: Style = Field(default="any")
    max_seconds: float = Field(default=240.0, ge=5, description="songs are cut to excerpts of this length")
    num_channels: int = Field(default=2, ge=1, le=2)
    bits: Literal[16, 24] = Field(default=16)
    mixture: bool = Field(default=False, description="whether a mixture is written beside the stems")

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    def timbres(self, split: Split) -> TimbreSet:
        """The sounds that a split may use."""
        return self.judge if split == "test" else self.learn


@dataclass(frozen=True)
class Candidate:
    """A song that could be rendered.

    Attributes:
        name: of its folder; unique in the corpus.
        source: the number of its source among those of the configuration.
        locator: where in that source it is.
        split: the side to which its collection assigns it; None if the collection does not say.
    """

    name: str
    source: int
    locator: str
    split: Split | None = None


class SongPlan(Frozen):
    """A song that shall be rendered."""

    name: str
    split: Split
    source: int = Field(default=0, ge=0)
    locator: str
    seconds: float = Field(gt=0)


@dataclass(frozen=True)
class Rendering:
    """What a song sounds like, and what was drawn for it.

    Attributes:
        stems: equally long stereo signals; their sum is the mixture.
        ingredients: everything whose licence counts.
        details: what was drawn, for the record.
    """

    stems: Mapping[str, Float32[np.ndarray, "2 time"]]
    ingredients: tuple[Ingredient, ...]
    details: Mapping[str, str | float | int] = field(default_factory=dict[str, Any])


@runtime_checkable
class Producer(Protocol):
    """A kind of corpus: which songs there could be, how long they are, what they sound like."""

    def candidates(self) -> Sequence[Candidate]:
        """Every song that the sources hold, in a fixed order.

        Raises:
            InputError: if there is none.
        """
        ...

    def plan(self, candidate: Candidate, split: Split) -> SongPlan:
        """Read the score as far as its length needs.

        Raises:
            InputError: if it cannot be read, or has not what this kind of song needs.
        """
        ...

    def render(self, plan: SongPlan) -> Rendering:
        """The audio; a pure function of the configuration and the plan."""
        ...
