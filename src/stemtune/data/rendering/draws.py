"""Randomness that belongs to one song, whatever else is rendered before it, beside it, or by how many workers.

generator = default_rng([seed, crc32(name)]).
"""

import zlib

import numpy as np

__all__ = ["generator_of"]


def generator_of(seed: int, name: str) -> np.random.Generator:
    """Randomness that belongs to one name, whatever else is made before or beside it."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
