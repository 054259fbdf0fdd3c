"""Runs of windows in which a stem is silent for long enough to be worth keeping.

A window is taken if the score is at least the threshold and the mixture is audible; a run of ``n`` windows in a row is
kept if

    n * 64 ms >= 5 s,

and lasts, as an excerpt, from its first window's place to its last one's plus 64 ms (the conservative reading of the
paper, which could count the windows' own length on top).

References: Defossez et al., 2019, section 4.2. Deviations: runs are kept whole; those who train cut them as they like.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from stemtune.config import Frozen

__all__ = ["Excerpt", "find_runs"]


class Excerpt(Frozen):
    """A piece of a song in which a stem is silent."""

    stem: str
    start_seconds: float = Field(ge=0)
    end_seconds: float = Field(gt=0)
    mean_probability: float = Field(ge=0, le=1, description="of silence, over the windows")

    @property
    def duration_seconds(self) -> float:
        """Its length."""
        return self.end_seconds - self.start_seconds


def find_runs(taken: Bool[np.ndarray, "window"], *, min_windows: int) -> list[tuple[int, int]]:
    """First and last-plus-one of all runs of at least ``min_windows``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], taken, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in list(pairwise(edges))[::2] if b - a >= min_windows]
