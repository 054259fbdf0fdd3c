"""Where a source of a training example comes from: the files, and the second from which on it was read.

Whoever knows a recording by heart need not listen to a segment of it, as long as nothing was done to it that is heard:

    what is heard of segment = what is heard of recording[start : start + duration].
"""

from dataclasses import dataclass
from pathlib import Path

from stemtune.data.augment import AugmentationConfig
from stemtune.data.mixing_config import MixingConfig

__all__ = ["Place", "is_heard_as_recorded"]

_UNHEARD = {"swap_probability", "polarity_probability", "shift_seconds", "shift_probability"}


@dataclass(frozen=True)
class Place:
    """A recording, the sum of some files, and where in it a source begins."""

    files: tuple[Path, ...]
    start_seconds: float


def is_heard_as_recorded(config: MixingConfig) -> bool:
    """Whether sources are pieces of recordings, for somebody who hears the mean of the channels and no polarity.

    Left and right may be exchanged, waveforms turned over, sources shifted; gains, levels, rates and colours may not.
    """
    unlike = config.augmentation.model_dump(exclude=_UNHEARD) != AugmentationConfig().model_dump(exclude=_UNHEARD)
    return not unlike and config.levels_db is None and config.loudness is None
