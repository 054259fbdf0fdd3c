"""Where BSSEval gets its sound from: estimates and references together, by the place in the track.

    read(start, stop) = (estimate, reference), each ``stem channel time``, of the samples start <= t < stop.

Filters are fitted to the whole track before any frame can be scored, so the track is read twice, a block at a time.
What is in memory is read by slicing; what is not, from files, as often as it is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from stemtune.errors import InputError
from stemtune.evaluation.metrics.bss_eval.allocator import reuse_freed_memory
from stemtune.evaluation.metrics.bss_eval.spectra import Reals
from stemtune.evaluation.metrics.inputs import checked_pair

__all__ = ["Block", "ReadStems", "SoundStems", "StemPair", "from_memory"]

_SAMPLES_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class StemPair:
    """The same stretch of time of all estimates and all references, stems in the same order."""

    estimate: Float[Tensor, "stem channel time"]
    reference: Float[Tensor, "stem channel time"]


ReadStems: TypeAlias = Callable[[int, int], StemPair]


@dataclass(frozen=True)
class Block:
    """The same in double precision.

    Attributes:
        estimate: not to be changed, since it may be the caller's own.
        reference: likewise.
        silent: which of these stems are silent in it, as pairs such as ("reference", 0).
    """

    estimate: Float64[np.ndarray, "stem channel time"]
    reference: Float64[np.ndarray, "stem channel time"]
    silent: frozenset[tuple[str, int]]


def from_memory(*, estimate: object, reference: object) -> tuple[ReadStems, int]:
    """A reader of arrays, and how many samples they have.

    Raises:
        InputError: if they are no floating-point arrays ``stem channel time``, their shapes differ, or one axis is
            empty.
    """
    est, ref = checked_pair(estimate=estimate, reference=reference)
    if not ref.numel():
        raise InputError(f"BSSEval needs a stem, a channel and a sample at least; the shape is {tuple(ref.shape)}")
    return (lambda start, stop: StemPair(est[..., start:stop], ref[..., start:stop])), ref.shape[-1]


class SoundStems:
    """Reads blocks as float64 and notices what cannot be scored.

    A stem is silent where its channels sum to exactly zero at every sample: opposite channels are silent, too, as in
    museval.

    Args:
        read: what reads a stretch of time.
        num_samples: of the track.

    Raises:
        InputError: if the track has no samples.
    """

    def __init__(self, read: ReadStems, num_samples: int) -> None:
        if num_samples < 1:
            raise InputError(f"BSSEval needs a sample at least; the track has {num_samples}")
        reuse_freed_memory()
        self._read, self.num_samples = read, num_samples
        self.num_stems, self.num_channels = read(0, 1).reference.shape[:2]
        self._never_heard = self.all_stems

    @property
    def all_stems(self) -> frozenset[tuple[str, int]]:
        """References and estimates, by what they are and their number."""
        return frozenset((kind, stem) for kind in ("reference", "estimate") for stem in range(self.num_stems))

    def block(self, start: int, stop: int) -> Block:
        """A stretch of time.

        Raises:
            InputError: if what was read has another shape, or holds samples that are not finite.
        """
        pair = self._read(start, stop)
        estimate = self._checked(pair.estimate, "estimate", start, stop)
        reference = self._checked(pair.reference, "reference", start, stop)
        silent = frozenset(
            (kind, stem)
            for kind, samples in (("reference", reference), ("estimate", estimate))
            for stem in range(self.num_stems)
            if _is_silent(samples[stem])
        )
        self._never_heard &= silent
        return Block(estimate, reference, silent)

    def look_through(self, start: int = 0, stop: int | None = None) -> None:
        """Read a stretch, the whole track if not told otherwise, for no other reason than to notice what is wrong.

        Raises:
            InputError: as `block`; also if this was the whole track, and a stem is silent in all of it.
        """
        for begin in range(start, self.num_samples if stop is None else stop, _SAMPLES_AT_ONCE):
            self.block(begin, min(begin + _SAMPLES_AT_ONCE, self.num_samples if stop is None else stop))
        if stop is None:
            self.require_sound()

    def require_sound(self) -> None:
        """To be asked once all blocks were read.

        Raises:
            InputError: if a stem was silent in all of them.
        """
        for kind, stem in sorted(self._never_heard, reverse=True):
            raise InputError(
                f"the {kind} of stem {stem} is silent throughout (its channels sum to zero), which BSSEval cannot "
                "score: leave the stem out of both estimate and reference"
            )

    def _checked(self, samples: Tensor, kind: str, start: int, stop: int) -> Reals:
        expected = (self.num_stems, self.num_channels, stop - start)
        if tuple(samples.shape) != expected:
            raise InputError(
                f"the {kind} between samples {start} and {stop} has the shape {tuple(samples.shape)}; expected "
                f"{expected}: stems, channels and samples must be the same throughout, and those of the other"
            )
        known = samples.detach().cpu()
        if known.dtype not in (torch.float32, torch.float64):
            known = known.double()
        exact = known.numpy().astype(np.float64, copy=False)
        if not np.isfinite(exact.sum()):  # one look at the sum is cheaper than one at every sample
            broken = np.argwhere(~np.isfinite(exact))
            if len(broken):
                stem, _, time = broken[broken[:, 2].argmin()]
                raise InputError(
                    f"the {kind} of stem {stem} is not finite at sample {start + time}; every sample must be a "
                    "number: see where the NaN or infinity comes from"
                )
        return exact


def _is_silent(samples: Reals) -> bool:
    middle = samples.shape[1] // 2
    first_look = slice(middle, middle + 16)  # which is enough for most
    return not samples[:, first_look].sum(axis=0).any() and not samples.sum(axis=0).any()
