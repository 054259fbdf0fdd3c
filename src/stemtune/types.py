"""The nouns that every layer shares.

A `StemSet` names what belongs to each stem; a `Batch` is what a separator learns from; an `Estimate` is what it
answers; a `Loss` is how far the answer is from the truth. All are immutable, and all are checked where they are
made, so that code that receives one need not check it again:

    mixture = sum over stems of sources.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from jaxtyping import Bool, Complex, Float
from torch import Tensor

from stemtune.errors import UsageError

__all__ = ["Batch", "Estimate", "Heard", "LatentGrid", "Loss", "StemSet"]

T = TypeVar("T")
U = TypeVar("U")


class StemSet(Mapping[str, T], Generic[T]):
    """An immutable, ordered mapping from stem name to whatever belongs to that stem.

    Raises:
        UsageError: by ``stems[name]`` for an unknown stem; the message lists the stems that exist.
    """

    def __init__(self, stems: Mapping[str, T]) -> None:
        if not stems:
            raise ValueError("a stem set needs at least one stem; it was given none")
        self._stems = dict(stems)

    def __getitem__(self, name: str) -> T:
        try:
            return self._stems[name]
        except KeyError:
            raise UsageError(f"unknown stem {name!r}; the stems here are {', '.join(self._stems)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._stems

    def __iter__(self) -> Iterator[str]:
        return iter(self._stems)

    def __len__(self) -> int:
        return len(self._stems)

    def __repr__(self) -> str:
        return f"StemSet({self._stems!r})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the stems, in order."""
        return tuple(self._stems)

    def map(self, function: Callable[[T], U]) -> "StemSet[U]":
        """The same names with ``function`` applied to what each of them holds."""
        return StemSet({name: function(value) for name, value in self._stems.items()})


@dataclass(frozen=True)
class LatentGrid:
    """Which latents a separator offers.

    Attributes:
        width: features in each of them.
        hop_seconds: from one frame to the next; the first belongs to the beginning of the mixture.
        num_latents: in each frame: one for each stem, or a single one that all stems share.
    """

    width: int
    hop_seconds: float
    num_latents: int


@dataclass(frozen=True)
class Heard:
    """What a listener makes of true stems, frame by frame.

    Attributes:
        features: ``batch stem feature frame``.
        offset_seconds: ``batch stem``, how much of its first frame was over when an example began.
    """

    features: Float[Tensor, "batch stem feature frame"]
    offset_seconds: Float[Tensor, "batch stem"]


@dataclass(frozen=True)
class Batch:
    """Training examples: the sources, and their sum.

    Attributes:
        mixture: what is heard, ``batch channel time``, nominally within [-1, 1].
        sources: the true stems, ``batch stem channel time``.
        stems: the names along the stem axis.
        sample_rate: of both, in Hz.
        present: ``batch stem``, which sources an example has; None if all have all of them. What an example lacks is
            silence in ``sources`` (songs of different corpora have different stems), and adds nothing to the mixture.
        heard: what listeners made of the sources beforehand, by the listener's name; empty where nobody was asked.
    """

    mixture: Float[Tensor, "batch channel time"]
    sources: Float[Tensor, "batch stem channel time"]
    stems: tuple[str, ...]
    sample_rate: int
    present: Bool[Tensor, "batch stem"] | None = None
    heard: Mapping[str, Heard] = field(default_factory=dict[str, Heard])

    def __post_init__(self) -> None:
        if self.sources.shape[1] != len(self.stems):
            raise ValueError(f"{len(self.stems)} stem names for {self.sources.shape[1]} sources: {self.stems}")
        if (self.sources.shape[0], *self.sources.shape[2:]) != tuple(self.mixture.shape):
            raise ValueError(
                f"mixture {tuple(self.mixture.shape)} and sources {tuple(self.sources.shape)} must agree in "
                "batch, channel and time"
            )
        if self.present is not None and self.present.shape != self.sources.shape[:2]:
            raise ValueError(
                f"{tuple(self.present.shape)} flags of presence for sources {tuple(self.sources.shape)}: they must "
                "agree in batch and stem"
            )

    def only(self, stems: tuple[str, ...]) -> "Batch":
        """The same mixtures with the truth about some of the stems; with all of them, if these are not among them.

        The latter is for objectives that read no stem in particular.
        """
        if stems == self.stems or not set(stems) <= set(self.stems):
            return self
        places = [self.stems.index(stem) for stem in stems]
        present = None if self.present is None else self.present[:, places]
        heard = {
            listener: Heard(said.features[:, places], said.offset_seconds[:, places])
            for listener, said in self.heard.items()
        }
        return replace(self, sources=self.sources[:, places], stems=stems, present=present, heard=heard)


@dataclass(frozen=True)
class Estimate:
    """What a separator answers; only ``sources`` is always there.

    Attributes:
        sources: ``batch stem channel time``, as long as the mixture that was given.
        masks: ``batch stem channel frequency frame``, what the mixture's spectrogram was multiplied with.
        magnitudes: ``batch stem channel frequency frame``, the masked magnitudes.
        spectrograms: ``batch stem channel frequency frame``, complex.
        embedding: ``batch channel frequency frame embedding`` (deep clustering).
        latents: ``batch stem feature frame``, one per stem, before the stems are mixed again; or a single one,
            ``batch 1 feature frame``, that all stems share.
        codes: ``batch stem frame``, vector-quantisation indices.
        commitment: mean squared distance of the latents from their codes, which pulls the latents only.
    """

    sources: Float[Tensor, "batch stem channel time"]
    masks: Float[Tensor, "batch stem channel frequency frame"] | None = None
    magnitudes: Float[Tensor, "batch stem channel frequency frame"] | None = None
    spectrograms: Complex[Tensor, "batch stem channel frequency frame"] | None = None
    embedding: Tensor | None = None
    latents: Tensor | None = None
    codes: Tensor | None = None
    commitment: Float[Tensor, ""] | None = None


@dataclass(frozen=True)
class Loss:
    """A differentiable total, and the named parts of which it is made (detached, for the log)."""

    total: Float[Tensor, ""]
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
