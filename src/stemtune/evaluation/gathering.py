"""What metrics need of a track, gathered block by block, and no more.

    energies of each second += |s|^2, |s - e|^2        sdr_global += the same over all

Metrics that are sums over samples take the blocks and forget them; only if another metric is asked for is the whole
track kept, and a large one on the disk, from where metrics read it piece by piece.

Stems that are silent throughout have no ratios; only energies at silence see them. Where an estimate is silent
throughout, BSSEval is undefined for all stems, by museval's own rule: a frame in which any reference or estimate is
silent has no score.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.mapped import zeros_on_disk
from stemtune.data.tracks import Track
from stemtune.evaluation.measures import MEASURES, Measure
from stemtune.evaluation.metrics import (
    METRICS,
    GlobalSDR,
    energy_at_predicted_silence,
    predicted_energy_at_silence,
    sdr_v4,
)
from stemtune.evaluation.metrics.bss_eval import BSSEval, bss_eval_v3_sources, bss_eval_v4, median_over_frames
from stemtune.evaluation.records import EvaluationRequest, ScoreRecord, StemEnergies

__all__ = ["HeardWithTruth", "TrackGatherer", "needs_silence"]

_BLOCK_SAMPLES = 1 << 16
_WILD_COEFFICIENT = 100.0  # songs stored without loss have up to 24, lossy ones thousands

_SILENCE: dict[str, Callable[..., Tensor]] = {
    "predicted_energy_at_silence": predicted_energy_at_silence,
    "energy_at_predicted_silence": energy_at_predicted_silence,
}


@dataclass(frozen=True)
class HeardWithTruth:
    """A piece of a track: what is heard, what was estimated, what is true."""

    start: int
    mixture: Float[Tensor, "channel time"]
    estimates: Float[Tensor, "stem channel time"]
    references: Float[Tensor, "stem channel time"]


@dataclass(frozen=True)
class _Ratios:
    """``stem frame`` for each column of a measure, and the largest coefficient of the filters that it took."""

    values: list[Tensor]
    largest_coefficient: float


def needs_silence(request: EvaluationRequest) -> bool:
    """Whether stems that are silent throughout are to be heard as well."""
    return any(MEASURES[name].kind == "silence" for name in request.metrics)


class TrackGatherer:
    """Takes in the blocks of one track, once each and in order, and says in the end how good they were.

    Args:
        track: that is heard.
        stems: in the order of the blocks; those that are silent throughout are the last ones.
        request: what to measure.
        num_sounding: how many of the stems are not silent throughout.
    """

    def __init__(self, track: Track, stems: Sequence[str], request: EvaluationRequest, *, num_sounding: int) -> None:
        self._track, self._stems, self._request, self._num_sounding = track, stems, request, num_sounding
        count, seconds = len(stems), -(-track.num_samples // track.sample_rate)
        self._reference, self._error = (torch.zeros(count, seconds, dtype=torch.float64) for _ in range(2))
        self._totals = GlobalSDR(num_stems=count), GlobalSDR(num_stems=count)
        self._measures = [MEASURES[name] for name in request.metrics]
        self._sums = any(measure.kind == "sums" for measure in self._measures)
        self._whole = None if all(measure.kind == "sums" for measure in self._measures) else _room(track, count)

    def update(self, block: HeardWithTruth) -> None:
        """Take in the next block."""
        second = torch.arange(block.start, block.start + block.mixture.shape[1]) // self._track.sample_rate
        reference = block.references.double()
        error = reference - block.estimates.double()
        self._reference.index_add_(1, second, reference.square().sum(dim=1))
        self._error.index_add_(1, second, error.square().sum(dim=1))
        if self._sums:
            self._totals[0].update(estimate=block.estimates, reference=block.references)
            if self._request.baseline:
                self._totals[1].update(estimate=_mixture_as_stems(block), reference=block.references)
        if self._whole is not None:
            here = slice(block.start, block.start + block.mixture.shape[1])
            self._whole.mixture[:, here] = block.mixture
            self._whole.estimates[:, :, here] = block.estimates
            self._whole.references[:, :, here] = block.references

    def energies(self) -> dict[str, StemEnergies]:
        """Of each stem in each second."""
        return {
            stem: StemEnergies(reference=tuple(_floats(reference)), error=tuple(_floats(error)))
            for stem, reference, error in zip(self._stems, self._reference, self._error, strict=True)
        }

    def scores(self) -> tuple[list[ScoreRecord], tuple[str, ...]]:
        """Of every stem by every metric, in this order, and notes; what was gathered is let go."""
        whole, self._whole = self._whole, None
        found: dict[str, list[ScoreRecord]] = {stem: [] for stem in self._stems}
        notes: tuple[str, ...] = ()
        for measure in self._measures:
            if measure.kind == "sums":
                values, baselines = (_floats(total.compute()) for total in self._totals)
                self._add(found, measure.columns[0].name, values[: self._num_sounding], baselines)
            elif whole is not None and measure.kind == "together":
                notes += self._score_together(found, measure, _some(whole, slice(self._num_sounding)))
            elif whole is not None:
                self._score_each(found, measure, whole)
        return [score for scores in found.values() for score in scores], notes

    def _score_each(self, found: dict[str, list[ScoreRecord]], measure: Measure, whole: HeardWithTruth) -> None:
        """Stem by stem."""
        function = _SILENCE[measure.name] if measure.kind == "silence" else METRICS[measure.name].function
        count = len(self._stems) if measure.kind == "silence" else self._num_sounding
        rate, values, baselines = self._track.sample_rate, list[float](), list[float]()
        for index in range(count):
            one = _some(whole, slice(index, index + 1))
            values += _floats(function(estimate=one.estimates, reference=one.references, sample_rate=rate))
            if self._request.baseline:
                mixture = _mixture_as_stems(one)
                baselines += _floats(function(estimate=mixture, reference=one.references, sample_rate=rate))
        self._add(found, measure.columns[0].name, values, baselines)

    def _score_together(
        self, found: dict[str, list[ScoreRecord]], measure: Measure, whole: HeardWithTruth
    ) -> tuple[str, ...]:
        count = self._num_sounding
        if not count:
            return ()
        silent = self._undefined(whole)
        if silent:
            for own in measure.columns:
                empty = [math.nan] * count
                self._add(found, own.name, empty, empty, frames=[()] * count if own.framewise else None)
            return (f"{self._track.name}: {measure.name} is undefined, because {silent} silent throughout",)
        scored = self._ratios(measure, whole.estimates, whole.references)
        mixed = scored
        if self._request.baseline:
            mixed = self._ratios(measure, _mixture_as_stems(whole), whole.references)
        for own, values, baselines in zip(measure.columns, scored.values, mixed.values, strict=True):
            frames = [tuple(_floats(row)) for row in values] if own.framewise else None
            medians = (_floats(median_over_frames(rows)) for rows in (values, baselines))
            self._add(found, own.name, *medians, frames=frames)
        if scored.largest_coefficient < _WILD_COEFFICIENT:
            return ()
        return (
            f"{self._track.name}: {measure.name} says little here: some reference hardly sounds in some band, as lossy "
            f"files do, and filters amplify it {scored.largest_coefficient:.0f} times (sdr_bss_eval_v4 has no filters)",
        )

    def _ratios(self, measure: Measure, estimate: Tensor, reference: Tensor) -> "_Ratios":
        rate, window, hop = self._track.sample_rate, self._request.window_seconds, self._request.hop_seconds
        if measure.name == "sdr_bss_eval_v4":
            found = sdr_v4(
                estimate=estimate, reference=reference, sample_rate=rate, window_seconds=window, hop_seconds=hop
            )
            return _Ratios([found], 0.0)
        if measure.name == "bss_eval_v3_sources":
            result = bss_eval_v3_sources(estimate=estimate, reference=reference, sample_rate=rate)
        else:
            result = bss_eval_v4(
                estimate=estimate, reference=reference, sample_rate=rate, window_seconds=window, hop_seconds=hop
            )
        return _Ratios([_ratio(result, own.name) for own in measure.columns], result.largest_coefficient)

    def _undefined(self, whole: HeardWithTruth) -> str:
        """Which stem is silent where BSSEval cannot have it, in words; its channels sum to zero everywhere."""
        for what, samples in (("reference", whole.references), ("estimate", whole.estimates)):
            for stem, one in zip(self._stems, samples, strict=False):
                if not _sounds(one):
                    return f"the {what} of {stem} is"
        return "" if not self._request.baseline or _sounds(whole.mixture) else "the mixture is"

    def _add(
        self,
        found: dict[str, list[ScoreRecord]],
        metric: str,
        values: Sequence[float],
        baselines: Sequence[float],
        *,
        frames: Sequence[tuple[float, ...]] | None = None,
    ) -> None:
        for index, value in enumerate(values):
            stem = self._stems[index]
            found[stem].append(
                ScoreRecord(
                    stem=stem,
                    metric=metric,
                    value=value,
                    mixture_baseline=baselines[index] if self._request.baseline else math.nan,
                    frames=None if frames is None else frames[index],
                )
            )


def _sounds(channels: Tensor) -> bool:
    """Whether they ever sum to anything, looked at block by block to the first sound."""
    blocks = (channels[:, start : start + _BLOCK_SAMPLES] for start in range(0, channels.shape[1], _BLOCK_SAMPLES))
    return any(bool(block.sum(dim=0).count_nonzero()) for block in blocks)


def _room(track: Track, num_stems: int) -> HeardWithTruth:
    """For a whole track."""
    shape = (track.num_channels, track.num_samples)
    return HeardWithTruth(0, zeros_on_disk(*shape), zeros_on_disk(num_stems, *shape), zeros_on_disk(num_stems, *shape))


def _some(whole: HeardWithTruth, stems: slice) -> HeardWithTruth:
    return HeardWithTruth(whole.start, whole.mixture, whole.estimates[stems], whole.references[stems])


def _ratio(result: BSSEval, column: str) -> Tensor:
    return result.ratios[column.partition("_")[0]]


def _mixture_as_stems(block: HeardWithTruth) -> Tensor:
    return block.mixture.unsqueeze(0).expand_as(block.references)


def _floats(values: Tensor) -> list[float]:
    return cast("list[float]", values.tolist())
