"""What metrics need of a track, gathered block by block, and no more.

    energies of each second += |s|^2, |s - e|^2        sdr_global += the same over all

Metrics that are sums over samples take the blocks and forget them; only if another metric is asked for is the whole
track kept. Where a reference or an estimate is silent throughout, BSSEval's frames are undefined for all stems, by
museval's own rule: a frame in which any of them is silent has no score.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.tracks import Track
from stemtune.evaluation.measures import BSS_EVAL_V4, column, columns_of
from stemtune.evaluation.metrics import METRICS, GlobalSDR
from stemtune.evaluation.metrics.bss_eval import bss_eval_v4, median_over_frames, sdr_v4
from stemtune.evaluation.records import EvaluationRequest, ScoreRecord, StemEnergies

__all__ = ["HeardWithTruth", "TrackGatherer"]

_STREAMED = ("sdr_global",)


@dataclass(frozen=True)
class HeardWithTruth:
    """A piece of a track: what is heard, what was estimated, what is true."""

    start: int
    mixture: Float[Tensor, "channel time"]
    estimates: Float[Tensor, "stem channel time"]
    references: Float[Tensor, "stem channel time"]


class TrackGatherer:
    """Takes in the blocks of one track, once each and in order, and says in the end how good they were."""

    def __init__(self, track: Track, stems: Sequence[str], request: EvaluationRequest) -> None:
        self._track, self._stems, self._request = track, stems, request
        count, seconds = len(stems), -(-track.num_samples // track.sample_rate)
        self._reference, self._error = (torch.zeros(count, seconds, dtype=torch.float64) for _ in range(2))
        self._totals = GlobalSDR(num_stems=count), GlobalSDR(num_stems=count)
        self._whole = _room(track, count) if set(request.metrics) - set(_STREAMED) else None

    def update(self, block: HeardWithTruth) -> None:
        """Take in the next block."""
        second = torch.arange(block.start, block.start + block.mixture.shape[1]) // self._track.sample_rate
        reference = block.references.double()
        error = reference - block.estimates.double()
        self._reference.index_add_(1, second, reference.square().sum(dim=1))
        self._error.index_add_(1, second, error.square().sum(dim=1))
        if "sdr_global" in self._request.metrics:
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
        for measure in self._request.metrics:
            if measure == "sdr_global":
                values, baselines = (_floats(total.compute()) for total in self._totals)
                self._add(found, measure, values, baselines)
            elif whole is not None and column(columns_of(measure)[0]).framewise:
                notes += self._score_frames(found, measure, whole)
            elif whole is not None:
                self._score_whole(found, measure, whole)
        return [score for scores in found.values() for score in scores], notes

    def _score_whole(self, found: dict[str, list[ScoreRecord]], measure: str, whole: HeardWithTruth) -> None:
        function = METRICS[measure].function
        values, baselines = list[float](), list[float]()
        for index in range(len(self._stems)):
            one = slice(index, index + 1)
            reference = whole.references[one]
            values += _floats(function(estimate=whole.estimates[one], reference=reference))
            if self._request.baseline:
                baselines += _floats(function(estimate=whole.mixture.unsqueeze(0), reference=reference))
        self._add(found, measure, values, baselines)

    def _score_frames(
        self, found: dict[str, list[ScoreRecord]], measure: str, whole: HeardWithTruth
    ) -> tuple[str, ...]:
        columns = columns_of(measure)
        silent = self._undefined(whole)
        if silent:
            empty = [math.nan] * len(self._stems)
            for name in columns:
                self._add(found, name, empty, empty, frames=[()] * len(self._stems))
            return (f"{self._track.name}: {measure} is undefined, because {silent} silent throughout",)
        scored = self._frames(measure, whole.estimates, whole.references)
        mixed = self._frames(measure, _mixture_as_stems(whole), whole.references) if self._request.baseline else scored
        for name, values, baselines in zip(columns, scored, mixed, strict=True):
            self._add(
                found,
                name,
                _floats(median_over_frames(values)),
                _floats(median_over_frames(baselines)),
                frames=[tuple(_floats(row)) for row in values],
            )
        return ()

    def _frames(self, measure: str, estimate: Tensor, reference: Tensor) -> list[Tensor]:
        """``stem frame`` for each column."""
        rate, request = self._track.sample_rate, self._request
        if measure != BSS_EVAL_V4:
            return [
                sdr_v4(
                    estimate=estimate,
                    reference=reference,
                    sample_rate=rate,
                    window_seconds=request.window_seconds,
                    hop_seconds=request.hop_seconds,
                )
            ]
        result = bss_eval_v4(
            estimate=estimate,
            reference=reference,
            sample_rate=rate,
            window_seconds=request.window_seconds,
            hop_seconds=request.hop_seconds,
        )
        return [result.sdr, result.isr, result.sir, result.sar]

    def _undefined(self, whole: HeardWithTruth) -> str:
        """Which stem is silent where BSSEval cannot have it, in words; its channels sum to zero everywhere."""
        for what, samples in (("reference", whole.references), ("estimate", whole.estimates)):
            for stem, one in zip(self._stems, samples, strict=True):
                if not bool(one.sum(dim=0).count_nonzero()):
                    return f"the {what} of {stem} is"
        return "" if bool(whole.mixture.sum(dim=0).count_nonzero()) or not self._request.baseline else "the mixture is"

    def _add(
        self,
        found: dict[str, list[ScoreRecord]],
        metric: str,
        values: Sequence[float],
        baselines: Sequence[float],
        *,
        frames: Sequence[tuple[float, ...]] | None = None,
    ) -> None:
        for index, stem in enumerate(self._stems):
            found[stem].append(
                ScoreRecord(
                    stem=stem,
                    metric=metric,
                    value=values[index],
                    mixture_baseline=baselines[index] if self._request.baseline else math.nan,
                    frames=None if frames is None else frames[index],
                )
            )


def _room(track: Track, num_stems: int) -> HeardWithTruth:
    """For a whole track."""
    shape = (track.num_channels, track.num_samples)
    return HeardWithTruth(0, torch.zeros(shape), torch.zeros(num_stems, *shape), torch.zeros(num_stems, *shape))


def _mixture_as_stems(block: HeardWithTruth) -> Tensor:
    return block.mixture.unsqueeze(0).expand_as(block.references)


def _floats(values: Tensor) -> list[float]:
    return cast("list[float]", values.tolist())
