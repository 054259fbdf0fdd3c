"""One frame's energies: of the target, of what filters make of it, and of everything that is wrong.

    e = s + e_spat + e_interf + e_artif,
    s + e_spat = own filters * s,    s + e_spat + e_interf = all filters * all references.

The frame is filtered as if there were silence before and after it, and what rings on after its end belongs to it,
as in museval. Blocks overlap by the length of the filters (overlap-save), so that memory depends neither on the
length of a frame nor on that of the track. Spatial distortion and interference are outputs of filters of their own,
not differences of two projections that are nearly alike.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Complex128, Float64

from stemtune.evaluation.metrics.bss_eval.filters import Filters
from stemtune.evaluation.metrics.bss_eval.framing import Frame
from stemtune.evaluation.metrics.bss_eval.result import energy
from stemtune.evaluation.metrics.bss_eval.spectra import Reals, block_length, inverse, overlapping, spectrum
from stemtune.evaluation.metrics.bss_eval.stems import SoundStems
from stemtune.evaluation.metrics.bss_eval.workers import in_order

__all__ = ["Energies", "frame_energies"]

_SAMPLES_AT_ONCE = 1 << 16
_BLOCKS_PER_PRODUCT = 8


@dataclass(frozen=True)
class Energies:
    """Sums of squares over the channels and samples of a frame, for each stem.

    Attributes:
        target: of s.
        error: of e - s.
        spatial: of e_spat.
        filtered: of s + e_spat.
        rest: of e_interf + e_artif.
        interference: of e_interf.
        explained: of s + e_spat + e_interf.
        artefacts: of e_artif.
    """

    target: Float64[np.ndarray, "stem"]
    error: Float64[np.ndarray, "stem"]
    spatial: Float64[np.ndarray, "stem"]
    filtered: Float64[np.ndarray, "stem"]
    rest: Float64[np.ndarray, "stem"]
    interference: Float64[np.ndarray, "stem"]
    explained: Float64[np.ndarray, "stem"]
    artefacts: Float64[np.ndarray, "stem"]

    def __add__(self, other: "Energies") -> "Energies":
        return Energies(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


@dataclass(frozen=True)
class _Stretch:
    """Some blocks of a frame, each array with ``taps - 1`` samples before them.

    Attributes:
        number: of the frame.
        ends: whether it is the frame's last.
        silent: the stems that were silent in the frame so far.
    """

    number: int
    ends: bool
    silent: frozenset[tuple[str, int]]
    estimate: Float64[np.ndarray, "stem channel time"]
    reference: Float64[np.ndarray, "stem channel time"]


def frame_energies(
    stems: SoundStems, filters: Filters, frames: Iterable[Frame], *, longest: Frame
) -> Iterator[Energies | None]:
    """Of each frame; None if any reference or estimate is silent in it.

    Args:
        stems: estimates and references.
        filters: fitted to these.
        frames: to look at.
        longest: as long as the longest of them.
    """
    bank = _FilterBank(filters, longest)
    total: Energies | None = None
    stretches = _stretches(stems, frames, bank)
    for stretch, part in in_order(lambda stretch: (stretch, bank.energies(stretch)), stretches):
        total = part if total is None or part is None else total + part
        if stretch.ends:
            yield None if stretch.silent else total
            total = None


def _stretches(stems: SoundStems, frames: Iterable[Frame], bank: "_FilterBank") -> Iterator[_Stretch]:
    before = bank.taps - 1
    num_new = max(1, _SAMPLES_AT_ONCE // bank.step) * bank.step
    for number, frame in enumerate(frames):
        silent = stems.all_stems
        for start in range(0, frame.num_samples + before, num_new):
            known = slice(max(0, start - before), min(start + num_new, frame.num_samples))
            block = stems.block(frame.start + known.start, frame.start + known.stop)
            silent &= block.silent
            ends = start + num_new >= frame.num_samples + before
            num_blocks = -(-min(num_new, frame.num_samples + before - start) // bank.step)
            missing = (
                (0, 0),
                (0, 0),
                (known.start - (start - before), start + num_blocks * bank.step - known.stop),
            )
            yield _Stretch(number, ends, silent, np.pad(block.estimate, missing), np.pad(block.reference, missing))


class _FilterBank:
    """All filters as one matrix per frequency: from the references to all e_spat, then to all e_interf."""

    def __init__(self, filters: Filters, longest: Frame) -> None:
        stems, channels, _, self.taps = filters.own.shape
        self._length = block_length(longest.num_samples + self.taps - 1, self.taps)
        self.step = self._length - self.taps + 1
        spatial, interfering = np.zeros_like(filters.every), filters.every.copy()
        for stem in range(stems):
            inputs = slice(stem * channels, (stem + 1) * channels)
            interfering[stem, :, inputs] -= filters.own[stem]
            spatial[stem, :, inputs] = filters.own[stem]
            spatial[stem, :, inputs, 0] -= np.eye(channels)
        both = np.concatenate([spatial, interfering]).reshape(2 * stems * channels, stems * channels, self.taps)
        self._matrices: Complex128[np.ndarray, "frequency input output"] = np.ascontiguousarray(
            spectrum(both, self._length).transpose(2, 1, 0)
        )

    def energies(self, stretch: _Stretch) -> Energies | None:
        """Of a stretch; None if its frame is over and has no score."""
        if stretch.ends and stretch.silent:
            return None
        stems, channels, _ = stretch.reference.shape
        known = overlapping(stretch.reference.reshape(stems * channels, -1), self._length, self.taps)
        new = (
            array[..., self.taps - 1 :].reshape(stems, channels, -1, self.step)
            for array in (stretch.reference, stretch.estimate)
        )
        target, estimate = new
        total: Energies | None = None
        for first in range(0, known.shape[1], _BLOCKS_PER_PRODUCT):
            some = slice(first, first + _BLOCKS_PER_PRODUCT)
            spatial, interference = self._parts(known[:, some]).reshape(2, stems, channels, -1, self.step)
            part = _compare(estimate[:, :, some], target[:, :, some], spatial, interference)
            total = part if total is None else total + part
        return total

    def _parts(self, known: Reals) -> Reals:
        spectra = np.matmul(spectrum(known, self._length).transpose(2, 1, 0), self._matrices)
        return inverse(spectra.transpose(2, 1, 0), self._length)[..., self.taps - 1 :]


def _compare(estimate: Reals, target: Reals, spatial: Reals, interference: Reals) -> Energies:
    """All ``stem channel block time``; the last two are used up."""
    difference = estimate - target
    error, in_space = energy(difference), energy(spatial)
    filtered = np.add(spatial, target, out=spatial)
    rest = np.subtract(estimate, filtered, out=difference)
    of_rest, of_filtered = energy(rest), energy(filtered)
    artefacts = np.subtract(rest, interference, out=rest)
    return Energies(
        target=energy(target),
        error=error,
        spatial=in_space,
        filtered=of_filtered,
        rest=of_rest,
        interference=energy(interference),
        explained=energy(np.add(filtered, interference, out=filtered)),
        artefacts=energy(artefacts),
    )
