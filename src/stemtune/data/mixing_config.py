"""What a model hears while it learns, as a configuration; `stemtune.data.mixing` carries it out."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from stemtune.config import Config, Frozen
from stemtune.data.augment import AugmentationConfig
from stemtune.data.segments import Corpus

if TYPE_CHECKING:
    from stemtune.data.mixing import Mixer

__all__ = ["Loudness", "MixingConfig"]


class Loudness(Frozen):
    """Every stem at the same loudness (ITU-R BS.1770, integrated), up to what is drawn; the defaults are Scaper's."""

    reference_lufs: float = Field(default=-40.0, description="loudness of a stem before the drawn difference")
    snr_db: tuple[float, float] = Field(default=(-2.5, 2.5), description="difference from it, uniform, for each stem")


class MixingConfig(Config["Mixer"]):
    """Which examples are mixed, and how."""

    corpora: tuple[Corpus, ...] = Field(min_length=1)
    stems: tuple[str, ...] | Literal["any"] = Field(
        min_length=1, description='"any": whatever stems each corpus has, for objectives that do not ask which is which'
    )
    max_stems: int = Field(default=4, ge=2, description='width of the stem axis if stems is "any"')
    num_stems: tuple[int, int] | None = Field(
        default=None, description="how many stems an example has, uniform, of those that there are; None: all of them"
    )
    sample_rate: int = Field(default=44100, ge=8000)
    channels: int = Field(default=2, ge=1)
    segment_seconds: float = Field(default=6.0, gt=0)
    coherent_probability: float = Field(default=0.5, ge=0, le=1)
    remix_group: int = Field(
        default=1, ge=1, description="the coherent examples of so many positions exchange sources (Demucs: 4)"
    )
    absent_probability: float = Field(
        default=0.0, ge=0, lt=1, description="of a stem being left out of an incoherent mixture"
    )
    min_level_db: float = Field(default=-60.0, description="segments of incoherent mixtures below it are drawn again")
    min_active: int = Field(
        default=0, ge=0, description="starts of coherent mixtures with fewer stems above min_level_db are drawn again"
    )
    tries: int = Field(default=4, ge=1)
    levels_db: tuple[float, float] | None = Field(
        default=None,
        description="root mean square (dBFS) to which the segments of incoherent mixtures are brought, uniform; "
        "None leaves them as recorded",
    )
    loudness: Loudness | None = Field(
        default=None, description="to which the stems of all mixtures are brought; None leaves them as recorded"
    )
    mono_probability: float = Field(default=0.0, ge=0, le=1, description="of averaging the channels of an example")
    augmentation: AugmentationConfig = Field(default_factory=AugmentationConfig)

    @model_validator(mode="after")
    def _fits_together(self) -> "MixingConfig":
        limits = {"num_stems": self.num_stems, "levels_db": self.levels_db}
        limits["loudness.snr_db"] = self.loudness.snr_db if self.loudness else None
        for name, pair in limits.items():
            if pair is not None and pair[0] > pair[1]:
                raise ValueError(f"{name}: expected the lower limit first, got ({pair[0]:g}, {pair[1]:g})")
        width = len(self.stem_names)
        if len(set(self.stem_names)) < width:
            raise ValueError(f"stems: expected different names, got {', '.join(self.stem_names)}")
        if self.num_stems is not None and not 1 <= self.num_stems[0] <= self.num_stems[1] <= width:
            raise ValueError(f"num_stems: expected numbers from 1 to {width}, got {self.num_stems}")
        if self.levels_db is not None and self.loudness is not None:
            raise ValueError("levels_db and loudness both set the levels; leave one of them out")
        if self.stems == "any" and self.remix_group > 1:
            raise ValueError('remix_group exchanges sources of the same name, which stems="any" does not have')
        return self

    @property
    def stem_names(self) -> tuple[str, ...]:
        """The names along the stem axis of every example."""
        if isinstance(self.stems, str):
            return tuple(f"any-{number + 1}" for number in range(self.max_stems))
        return self.stems

    @property
    def num_samples(self) -> int:
        """The length of every example."""
        return round(self.segment_seconds * self.sample_rate)

    def build(self) -> "Mixer":
        """Open the corpora."""
        from stemtune.data.mixing import Mixer

        return Mixer(self)
