"""From a detector's scores to a decision that can be trusted, chosen on songs whose stems are known.

    p_i = the lowest p such that at least 95 % of the windows with P_i >= p have V_i <= -20 dB,
          and that at least so many windows and songs have such a score.

Precision does not grow steadily with ``p``; the lowest one for which the condition holds is taken. Where none exists,
the stem is left out of what is mined: a detector that does not know had better be silent.

References: Defossez, Usunier, Bottou and Bach, "Demucs: deep extractor for music sources with extra unlabeled data
remixed", 2019, section 4.2 (which could not find one for "other", either).
Deviations: the minimum support, without which one lucky window would do.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from stemtune.config import Frozen

__all__ = ["Threshold", "ThresholdConfig", "choose_threshold"]


class ThresholdConfig(Frozen):
    """What is asked of a threshold."""

    precision: float = Field(default=0.95, gt=0, le=1)
    max_volume_db: float = Field(default=-20.0, description="what counts as truly silent")
    min_windows: int = Field(default=200, ge=1, description="of 64 ms; fewer are chance")
    min_songs: int = Field(default=2, ge=1, description="that these windows come from")


class Threshold(Frozen):
    """A stem's threshold, and what it did on the songs that it was chosen on."""

    probability: float = Field(ge=0, le=1)
    precision: float = Field(description="share of windows at or above it that are truly silent")
    recall: float = Field(description="share of truly silent windows that are at or above it")
    num_windows: int
    num_songs: int


def choose_threshold(
    *,
    probabilities: Float[np.ndarray, "window"],
    volumes_db: Float[np.ndarray, "window"],
    songs: Int[np.ndarray, "window"],
    config: ThresholdConfig,
) -> Threshold | None:
    """The lowest threshold that fulfils the conditions, if there is one.

    Args:
        probabilities: of silence, for all audible windows of all songs.
        volumes_db: the true relative volumes there.
        songs: which song each window is from.
        config: the conditions.
    """
    if not probabilities.size:
        return None
    order = np.argsort(-probabilities, kind="stable")
    scores, songs = probabilities[order], songs[order]
    silent: Bool[np.ndarray, "window"] = volumes_db[order] <= config.max_volume_db
    counts = np.arange(1, scores.size + 1)
    precision = np.cumsum(silent) / counts
    first_of_song = np.zeros(scores.size, dtype=bool)
    first_of_song[np.unique(songs, return_index=True)[1]] = True
    num_songs = np.cumsum(first_of_song)
    is_last_of_score = np.append(scores[1:] < scores[:-1], True)
    fulfilled = (
        (precision >= config.precision)
        & (counts >= config.min_windows)
        & (num_songs >= config.min_songs)
        & is_last_of_score
    )
    if not fulfilled.any():
        return None
    last = int(np.flatnonzero(fulfilled)[-1])
    return Threshold(
        probability=float(scores[last]),
        precision=float(precision[last]),
        recall=float(silent[: last + 1].sum() / max(1, silent.sum())),
        num_windows=last + 1,
        num_songs=int(num_songs[last]),
    )
