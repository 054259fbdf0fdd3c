"""Which of many files may share sound: equal hashes, counted by pair of files and lag.

If two files share a passage, many of their hashes are equal at one and the same lag; by chance, few are:

    count(a, b, lag) = number of equal hashes h with  frame_b(h) - frame_a(h) = lag   (or lag + 1).

Files are taken in groups, so that memory depends on their total length in fingerprints (about 2 kB a second), not on
the number of pairs. What is found here are candidates; `common` listens to them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stemtune.data.audit.landmarks import hash_landmarks

__all__ = ["Candidate", "find_candidates"]

_MIN_COUNT = 5
_MIN_SHARE, _FEW_HASHES, _MIN_COUNT_OF_FEW = 0.3, 15, 3
_COMMON_HASH = 400  # a hash that more files have says nothing
_GROUP_HASHES = 400_000
_BATCH_PAIRS = 8_000_000
_FILE_BITS, _LAG_BITS = 21, 22
_LAG_OFFSET = 1 << (_LAG_BITS - 1)


@dataclass(frozen=True)
class Candidate:
    """Two files that may share sound.

    Attributes:
        first: the number of one file.
        second: the number of the other, larger than ``first``.
        lag_frames: by how many frames the passage comes later in the second.
        count: of the hashes that say so.
        score: the count, in relation to what chance would give.
    """

    first: int
    second: int
    lag_frames: int
    count: int
    score: float


def find_candidates(landmarks: Sequence[NDArray[np.uint32]], tracks: Sequence[int]) -> tuple[Candidate, ...]:
    """Pairs of files of different tracks that have many hashes in common, the likeliest first.

    Args:
        landmarks: of each file, as `landmarks.LandmarkFinder.finish` gives them.
        tracks: the number of the track that each file belongs to.
    """
    hashed = [hash_landmarks(points) for points in landmarks]
    sizes = np.array([hashes.shape[0] for hashes, _ in hashed], dtype=np.int64)
    if sizes.sum() == 0:
        return ()
    hashes = np.concatenate([hashes for hashes, _ in hashed]).astype(np.uint64)
    frames = np.concatenate([frames for _, frames in hashed]).astype(np.int64)
    owners = np.repeat(np.arange(len(hashed), dtype=np.int64), sizes)
    keys = (hashes << np.uint64(_FILE_BITS)) | owners.astype(np.uint64)
    order = np.argsort(keys, kind="stable")
    index = _Index(keys[order], frames[order], owners[order], np.asarray(tracks, dtype=np.int64), sizes)
    best: dict[tuple[int, int], Candidate] = {}
    for start, end in _groups(np.cumsum(sizes)):
        for candidate in index.match(hashes[start:end], frames[start:end], owners[start:end]):
            pair = (candidate.first, candidate.second)
            if pair not in best or best[pair].count < candidate.count:
                best[pair] = candidate
    return tuple(sorted(best.values(), key=lambda candidate: -candidate.score))


def _groups(ends: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of hashes of about `_GROUP_HASHES`, each made of whole files."""
    start = 0
    for number, end in enumerate(ends.tolist()):
        if end - start >= _GROUP_HASHES or number == len(ends) - 1:
            if end > start:
                yield start, end
            start = end


@dataclass(frozen=True)
class _Index:
    """All hashes of all files, sorted by hash and file."""

    keys: NDArray[np.uint64]
    frames: NDArray[np.int64]
    owners: NDArray[np.int64]
    tracks: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def match(
        self, hashes: NDArray[np.uint64], frames: NDArray[np.int64], owners: NDArray[np.int64]
    ) -> Iterator[Candidate]:
        """Candidates of which the first file is among some ``owners`` of hashes."""
        shifted = hashes << np.uint64(_FILE_BITS)
        low = np.searchsorted(self.keys, shifted | (owners.astype(np.uint64) + np.uint64(1)))
        high = np.searchsorted(self.keys, shifted + (np.uint64(1) << np.uint64(_FILE_BITS)))
        counts = high - low
        counts[counts > _COMMON_HASH] = 0
        found: list[NDArray[np.int64]] = []
        for start, end in _batches(np.cumsum(counts)):
            number = counts[start:end]
            query = np.repeat(np.arange(start, end), number)
            offset = np.arange(query.shape[0]) - np.repeat(np.cumsum(number) - number, number)
            hit = low[query] + offset
            other = self.tracks[owners[query]] != self.tracks[self.owners[hit]]
            query, hit = query[other], hit[other]
            pair = (owners[query] << _FILE_BITS) | self.owners[hit]
            found.append((pair << _LAG_BITS) | (self.frames[hit] - frames[query] + _LAG_OFFSET))
        yield from self._count(np.sort(np.concatenate(found))) if found else ()

    def _count(self, places: NDArray[np.int64]) -> Iterator[Candidate]:
        """Candidates among sorted pairs with lags, counting each lag with the next one."""
        place, count = np.unique(places, return_counts=True)
        if not place.shape[0]:
            return
        together = count.copy()
        neighbours = place[1:] - place[:-1] == 1
        together[:-1][neighbours] += count[1:][neighbours]
        first, second = place >> (_LAG_BITS + _FILE_BITS), (place >> _LAG_BITS) & ((1 << _FILE_BITS) - 1)
        smaller = np.minimum(self.sizes[first], self.sizes[second])
        enough = np.where(
            smaller < _FEW_HASHES, np.maximum(_MIN_SHARE * smaller, _MIN_COUNT_OF_FEW), np.int64(_MIN_COUNT)
        )
        for row in np.nonzero(together >= enough)[0].tolist():
            yield Candidate(
                int(first[row]),
                int(second[row]),
                int(place[row] & ((1 << _LAG_BITS) - 1)) - _LAG_OFFSET,
                int(together[row]),
                float(together[row] / np.sqrt(smaller[row])),
            )


def _batches(ends: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of queries with about `_BATCH_PAIRS` hits each."""
    start, done = 0, 0
    while start < ends.shape[0]:
        end = max(int(np.searchsorted(ends, done + _BATCH_PAIRS)), start + 1)
        yield start, end
        start, done = end, int(ends[end - 1])
