"""Chance by number: all random values of a training example come from (seed, step, position), and from nothing else.

The main stream holds what was always drawn; everything that was added later has a stream of its own, so that a new
possibility does not change examples that do not use it:

    main = generator(seed, step, position),   side = generator(seed, step, position; purpose).
"""

from enum import IntEnum

import numpy as np

__all__ = ["Chance", "Purpose"]


class Purpose(IntEnum):
    """What a side stream is for; numbers are never used again."""

    AUGMENT = 1
    STEMS = 2
    CORPUS = 3
    START = 4
    LEVEL = 5
    REMIX = 6


class Chance:
    """The random values of one example.

    Attributes:
        main: the stream that everything takes its values from in order.
    """

    def __init__(self, seed: int, step: int, position: int) -> None:
        self._key = (seed, step, position)
        self.main = np.random.default_rng(self._key)

    def side(self, purpose: Purpose, number: int = 0) -> np.random.Generator:
        """A stream of its own, the same at every call."""
        return np.random.default_rng(np.random.SeedSequence(self._key, spawn_key=(int(purpose), number)))
