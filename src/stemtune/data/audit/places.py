"""Reading the same places of several files of a track: where a stem is loud, or where it is quiet among loud ones.

Places are tenths of a second, counted from 0, chosen by the levels that were measured while listening:

    loud(stem) = argmax over places of the power of the stem,   apart from each other by an excerpt's length.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from stemtune.data.audit.meter import FRAME_SECONDS, SILENCE_POWER, FileFacts
from stemtune.data.tracks import read_excerpt

__all__ = ["best_places", "loud_places", "power_curve", "read_place"]


def power_curve(files: Sequence[FileFacts]) -> NDArray[np.float32]:
    """The power of the sum of some files in every tenth of a second, taking them for unrelated."""
    total = np.zeros(max((heard.frame_powers.shape[0] for heard in files), default=0), dtype=np.float32)
    for heard in files:
        total[: heard.frame_powers.shape[0]] += heard.frame_powers
    return total


def loud_places(powers: Float[np.ndarray[Any, Any], "frame"], *, seconds: float, count: int) -> tuple[float, ...]:
    """Where excerpts of ``seconds`` begin in which a stem is loudest, at most ``count``; none where it is silent."""
    frames = round(seconds / FRAME_SECONDS)
    if powers.shape[0] <= frames:
        return (0.0,) if bool((powers > SILENCE_POWER).any()) else ()
    return best_places(_means(powers, frames), frames=frames, count=count, above=SILENCE_POWER)


def best_places(
    scores: Float[np.ndarray[Any, Any], "frame"], *, frames: int, count: int, above: float
) -> tuple[float, ...]:
    """The places (in seconds) of the highest scores that exceed ``above``, at least ``frames`` apart."""
    left = scores.astype(np.float64)
    places: list[float] = []
    while left.shape[0] and len(places) < count:
        best = int(left.argmax())
        if not left[best] > above:
            break
        places.append(best * FRAME_SECONDS)
        left[max(best - frames + 1, 0) : best + frames] = -np.inf
    return tuple(places)


def read_place(paths: Sequence[Path], *, start_seconds: float, seconds: float, sample_rate: int) -> NDArray[np.float32]:
    """The sum of some files at one place, in mono."""
    return read_excerpt(
        paths,
        start_seconds=start_seconds,
        num_samples=round(seconds * sample_rate),
        sample_rate=sample_rate,
        channels=1,
    )[0].numpy()


def _means(powers: NDArray[np.float32], frames: int) -> NDArray[np.float64]:
    sums = np.concatenate([[0.0], np.cumsum(powers, dtype=np.float64)])
    return (sums[frames:] - sums[:-frames]) / frames
