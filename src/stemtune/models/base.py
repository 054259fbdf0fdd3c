"""The contract of every separator: a mixture goes in, an `Estimate` of its stems comes out.

Because every family speaks this contract, the separation code, the objectives, the metrics and every transfer
strategy work on all of them. The examination in ``tests/contracts/`` is what a new family must pass.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from stemtune.config import Config
from stemtune.types import Estimate, LatentGrid

__all__ = ["Listener", "ListenerConfig", "Separator", "SeparatorConfig", "StemParameters", "StemStream"]


class SeparatorConfig(Config["Separator"]):
    """What every separator's configuration states; families add their own hyper-parameters.

    A family also declares ``kind: Literal["its name"] = "its name"``, by which a saved model is recognised.
    """

    stems: tuple[str, ...]
    sample_rate: int
    channels: int

    @property
    def own_listener(self) -> "ListenerConfig | None":
        """The listener through which the network hears the mixture once more; None, the default, if there is none."""
        return None


@dataclass(frozen=True)
class StemParameters:
    """Where a network keeps what belongs to single stems, so that a stem's parameters can be found, moved and renewed.

    Attributes:
        pattern: shell pattern of the tensors' names; ``{stem}`` stands for the stem's number where each stem has
            tensors of its own.
        axis: along which the stems lie, where they share a tensor: ``(anything stem inner)``; None where they do not.
        inner: how many numbers of one stem lie side by side along that axis.
        scale: what the network multiplies the tensor with before it uses it.
    """

    pattern: str
    axis: int | None = None
    inner: int = 1
    scale: float = 1.0


@runtime_checkable
class StemStream(Protocol):
    """One stem of one mixture, heard and answered block by block; good for one signal."""

    def push(self, mixture: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch channel its_time"]:
        """All that can be said of the stem after hearing the next block; may have no samples."""
        ...

    def finish(self) -> Float[Tensor, "batch channel its_time"]:
        """The rest of the stem; all answers together are as long as the mixture."""
        ...


class Separator(nn.Module, ABC):
    """A network that estimates stems from mixtures at its own sample rate and channel count.

    Abstract and without state of its own (a family stores its ``config`` in its constructor). Subclasses are final.

    Attributes:
        config_type: the family's configuration class.
        offers: the fields of `Estimate` that the family's `forward` fills in.
    """

    config_type: ClassVar[type[SeparatorConfig]]
    offers: ClassVar[frozenset[str]]

    @property
    @abstractmethod
    def config(self) -> SeparatorConfig:
        """The configuration that this network was built from."""

    @property
    @abstractmethod
    def chunk_samples(self) -> int:
        """The inference slice, in samples at the model's rate, that suits this network best."""

    @property
    @abstractmethod
    def context_samples(self) -> int:
        """How many samples on each side of a sample its estimate may lean on within a chunk.

        The cross-fade between chunks should be at least this long to be inaudible.
        """

    @abstractmethod
    def forward(self, mixture: Float[Tensor, "batch channel time"]) -> Estimate:
        """Separate mixtures of any length of at least one sample.

        Args:
            mixture: ``batch channel time`` at `sample_rate`, with `channels` channels, nominally within [-1, 1].

        Returns:
            an estimate whose ``sources`` are ``batch stem channel time``, exactly as long as the mixture.
        """

    def separate(self, mixture: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch stem channel time"]:
        """The estimate's ``sources`` alone; families that can, leave out what only objectives ask for."""
        return self(mixture).sources

    def stream(self) -> tuple[StemStream, ...] | None:
        """A stream for each stem, if the network can hear a mixture block by block with the same result as at once.

        None, the default, if it cannot: then it is given overlapping chunks.
        """
        return None

    @property
    def latent_grid(self) -> LatentGrid | None:
        """The sizes of ``Estimate.latents``; None, the default, where there are none, or nobody has stated them."""
        return None

    @property
    def stem_parameters(self) -> tuple[StemParameters, ...]:
        """Everything that belongs to single stems, the rest serves all; empty, the default, if that is not said."""
        return ()

    @property
    def head_patterns(self) -> tuple[str, ...]:
        """Patterns of the parameters that come last, and move where only the head may; empty if there is no head."""
        return ()

    @property
    def complete(self) -> bool:
        """Whether the stems together are the whole mixture, so that what they leave may be shared among them."""
        return True

    @property
    def stems(self) -> tuple[str, ...]:
        """The names along the stem axis of every estimate."""
        return self.config.stems

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.config.sample_rate

    @property
    def channels(self) -> int:
        """How many channels the network expects."""
        return self.config.channels

    def __call__(self, *args: Any, **kwargs: Any) -> Estimate:
        """Run `forward` (typed, so that callers see an `Estimate`)."""
        return super().__call__(*args, **kwargs)


class ListenerConfig(Config["Listener"]):
    """What every listener's configuration states; families add their own hyper-parameters and their ``kind``."""


class Listener(nn.Module, ABC):
    """A network that describes sound, and from which separators learn: frozen, at its own rate, any channel count.

    Attributes:
        config_type: the family's configuration class.
    """

    config_type: ClassVar[type[ListenerConfig]]

    @property
    @abstractmethod
    def config(self) -> ListenerConfig:
        """The configuration that this network was built from."""

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """In Hz."""

    @property
    @abstractmethod
    def hop_samples(self) -> int:
        """Samples from one description to the next."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers in a description."""

    @abstractmethod
    def forward(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch feature frame"]:
        """Describe waveforms at `sample_rate` with any number of channels, one frame per `hop_samples`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """Run `forward` (typed)."""
        return super().__call__(*args, **kwargs)
