"""One track against its references: heard once, as a stream, and scored by every metric that was asked for.

    (mixture, estimates, references) block by block  ->  energies of each second, sdr_global, ...

What has no score says so: a stem that the track lacks or that is silent throughout is left out, with a note. The
mixture is scored beside the estimates, in the same pass.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

import torch
from torch import Tensor

from stemtune.data.audio import probe
from stemtune.data.tracks import Track
from stemtune.evaluation.gathering import HeardWithTruth, TrackGatherer, needs_silence
from stemtune.evaluation.records import EvaluationRequest, ScoreRecord, StemEnergies, TrackRecord
from stemtune.evaluation.streams import BLOCK_SAMPLES, is_silent, misfit, stem_blocks
from stemtune.evaluation.systems import HeardBlock, System
from stemtune.signal.blocks import reblock

__all__ = ["HeardWithTruth", "ScoredStems", "hear", "score_track", "scored_stems"]


@dataclass(frozen=True)
class ScoredStems:
    """What is to be heard of a track.

    Attributes:
        sounding: the stems that both have and that sound.
        silent: those that both have and that are silent throughout, as files or because the track says so.
        notes: about what is not scored or does not fit.
    """

    sounding: tuple[str, ...]
    silent: tuple[str, ...]
    notes: tuple[str, ...]


def scored_stems(system: System, track: Track) -> ScoredStems:
    """Which stems of a track a system can be scored on."""
    silent = [stem for stem, paths in track.stems.items() if is_silent(paths, track)]
    true = [stem for stem in track.stems if stem not in silent]
    estimated = system.stems(track)
    notes = [
        f"{track.name}: {stem} is silent throughout, and therefore not scored"
        for stem in (*track.silent, *silent)
        if stem in estimated
    ]
    sounding = tuple(stem for stem in estimated if stem in true)
    for path in (path for stem in sounding for path in track.stems[stem]):
        difference = misfit(probe(path), track)
        if difference:
            notes.append(f"{track.name}: the reference {path.name}: {difference}")
    return ScoredStems(
        sounding, tuple(stem for stem in estimated if stem in silent), (*notes, *system.notes(track, true))
    )


def hear(system: System, track: Track, stems: Sequence[str]) -> Generator[HeardWithTruth, None, None]:
    """The whole track in blocks of one size, with estimates and references of some stems; may be closed early."""
    with ExitStack() as streams:
        truths = [streams.enter_context(closing(stem_blocks(track, stem))) for stem in stems]
        heard = streams.enter_context(closing(system.listen(track, stems)))
        flat = (torch.cat([block.mixture, block.estimates.flatten(0, 1)]) for block in heard)
        start = 0
        for rows, *references in zip(reblock(flat, BLOCK_SAMPLES), *truths, strict=True):
            block = _unflatten(rows, track.num_channels, len(stems))
            yield HeardWithTruth(start, block.mixture, block.estimates, torch.stack(references))
            start += rows.shape[1]


def score_track(
    system: System,
    track: Track,
    request: EvaluationRequest,
    *,
    fingerprint: str = "",
    on_block: Callable[[HeardWithTruth], None] | None = None,
) -> TrackRecord:
    """Score one track.

    Args:
        system: that estimates its stems.
        track: with the references.
        request: what to measure.
        fingerprint: to be kept with the result.
        on_block: sees every block, for pictures and progress.

    Raises:
        InputError: if a file cannot be read, holds samples that are not numbers, or an estimate does not fit.
    """
    begin = time.perf_counter()
    parts = scored_stems(system, track)
    stems = parts.sounding + (parts.silent if needs_silence(request) else ())
    notes = parts.notes
    scores: list[ScoreRecord] = []
    energies: Mapping[str, StemEnergies] = {}
    if stems:
        gatherer = TrackGatherer(track, stems, request, num_sounding=len(parts.sounding))
        with closing(hear(system, track, stems)) as blocks:
            for block in blocks:
                gatherer.update(block)
                if on_block:
                    on_block(block)
        scores, more = gatherer.scores()
        energies, notes = gatherer.energies(), notes + more
    return TrackRecord(
        fingerprint=fingerprint,
        system=system.name,
        track=track.name,
        duration_seconds=track.duration_seconds,
        sample_rate=track.sample_rate,
        num_channels=track.num_channels,
        window_seconds=request.window_seconds,
        hop_seconds=request.hop_seconds,
        scores=tuple(scores),
        energies=energies,
        notes=notes,
        seconds=round(time.perf_counter() - begin, 3),
    )


def _unflatten(rows: Tensor, num_channels: int, num_stems: int) -> HeardBlock:
    stems = rows[num_channels:].reshape(num_stems, num_channels, rows.shape[1])
    return HeardBlock(rows[:num_channels], stems)
