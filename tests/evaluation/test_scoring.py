"""Streams that are aligned, whole tracks that are the sum of their blocks, frames, and what has no score."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch

from stemtune.data.datasets import open_dataset
from stemtune.data.mapped import zeros_on_disk
from stemtune.data.tracks import load_mixture, load_stem
from stemtune.evaluation import gathering, streams
from stemtune.evaluation.excerpts import ExcerptKeeper, middle_of
from stemtune.evaluation.metrics import sdr_global, si_sdr
from stemtune.evaluation.metrics.bss_eval import bss_eval_v4, sdr_v4
from stemtune.evaluation.records import EvaluationRequest, assemble
from stemtune.evaluation.scoring import hear, score_track
from stemtune.evaluation.streams import file_blocks, is_silent, stem_blocks
from stemtune.evaluation.systems import EstimatesSystem, MixtureSystem
from tests.evaluation.small_songs import RATE, noise, write

SECONDS = 5
LENGTH = SECONDS * RATE + 1234


@pytest.fixture
def long_songs(tmp_path: Path) -> Path:
    for number, stem in enumerate(("vocals", "drums", "bass")):
        write(tmp_path / "long" / "Song" / f"{stem}.wav", noise(number, samples=LENGTH))
        estimate = noise(number, samples=LENGTH) + 0.3 * noise(number + 10, samples=LENGTH)
        write(tmp_path / "estimates" / "Song" / f"{stem}.wav", estimate)
    return tmp_path / "long"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch):
    from stemtune.evaluation import scoring

    monkeypatch.setattr(streams, "BLOCK_SAMPLES", 3000)
    monkeypatch.setattr(scoring, "BLOCK_SAMPLES", 3000)


def test_what_is_heard_block_by_block_is_the_track(long_songs: Path, tmp_path: Path):
    (track,) = open_dataset(long_songs)
    system = EstimatesSystem(tmp_path / "estimates", "e")
    blocks = list(hear(system, track, ("drums", "vocals")))
    assert [block.start for block in blocks] == list(range(0, LENGTH, 3000))
    torch.testing.assert_close(torch.cat([b.mixture for b in blocks], 1), load_mixture(track), rtol=0, atol=1e-7)
    references = torch.cat([b.references for b in blocks], 2)
    assert torch.equal(references, torch.stack([load_stem(track, "drums"), load_stem(track, "vocals")]))
    (estimated,) = open_dataset(tmp_path / "estimates")
    assert torch.equal(torch.cat([b.estimates for b in blocks], 2)[1], load_stem(estimated, "vocals"))


def test_another_rate_or_width_becomes_the_track_s_also_in_blocks(long_songs: Path, tmp_path: Path):
    (track,) = open_dataset(long_songs)
    time = np.arange(2 * LENGTH) / (2 * RATE)
    tone = (0.3 * np.sin(2 * np.pi * 440 * time))[:, None]
    path = write(tmp_path / "tone.wav", tone, rate=2 * RATE)
    heard = torch.cat(list(file_blocks([path], track)), 1)
    assert heard.shape == (2, LENGTH)
    expected = torch.from_numpy(0.3 * np.sin(2 * np.pi * 440 * np.arange(LENGTH) / RATE)).float()
    assert (heard[0] - expected)[100:-100].abs().max() < 1e-3
    assert torch.equal(heard[0], heard[1])
    short = write(tmp_path / "short.wav", noise(0, samples=3500))
    heard = torch.cat(list(file_blocks([short, short], track)), 1)
    assert heard.shape == (2, LENGTH)
    assert heard[:, 3500:].abs().max() == 0
    assert torch.equal(heard[:, :3500], 2 * load_stem(track, "vocals")[:, :3500])


def test_silence_is_looked_for_no_further_than_to_the_first_sound(long_songs: Path, tmp_path: Path, monkeypatch):
    (track,) = open_dataset(long_songs)
    late = np.zeros((LENGTH, 2))
    assert is_silent([write(tmp_path / "s.wav", late)], track)
    assert is_silent([write(tmp_path / "offset.wav", late + 0.25)], track)
    late[-1, 1] = 0.5
    assert not is_silent([write(tmp_path / "late.wav", late)], track)
    broken = noise(0, samples=LENGTH)
    broken[20000:] = np.nan
    assert not is_silent([write(tmp_path / "broken.wav", broken)], track)


def test_streamed_scores_are_those_of_whole_tracks(long_songs: Path, tmp_path: Path):
    (track,) = open_dataset(long_songs)
    request = EvaluationRequest(metrics=("sdr_global", "si_sdr", "bss_eval_v4", "sdr_bss_eval_v4"))
    record = score_track(EstimatesSystem(tmp_path / "estimates", "e"), track, request)
    stems = ("bass", "drums", "vocals")
    reference = torch.stack([load_stem(track, stem) for stem in stems])
    (estimated,) = open_dataset(tmp_path / "estimates")
    estimate = torch.stack([load_stem(estimated, stem) for stem in stems])
    mixture = load_mixture(track).expand_as(reference)
    found = {(score.stem, score.metric): score for score in record.scores}
    for index, stem in enumerate(stems):
        assert found[stem, "sdr_global"].value == pytest.approx(
            sdr_global(estimate=estimate, reference=reference)[index].item(), abs=1e-9
        )
        assert found[stem, "si_sdr"].mixture_baseline == pytest.approx(
            si_sdr(estimate=mixture, reference=reference)[index].item(), abs=1e-4
        )
        frames = bss_eval_v4(estimate=estimate, reference=reference, sample_rate=RATE)
        assert found[stem, "sir_bss_eval_v4"].frames == pytest.approx(frames.sir[index].tolist(), abs=1e-9)
        assert found[stem, "sir_bss_eval_v4"].value == pytest.approx(float(np.median(frames.sir[index])), abs=1e-9)
        assert len(found[stem, "sdr_bss_eval_v4"].frames or ()) == SECONDS
        baseline = sdr_v4(estimate=mixture, reference=reference, sample_rate=RATE)[index]
        assert found[stem, "sdr_bss_eval_v4"].mixture_baseline == pytest.approx(float(np.median(baseline)), abs=1e-5)


def test_energies_of_seconds_sum_to_those_of_the_track(long_songs: Path, tmp_path: Path):
    (track,) = open_dataset(long_songs)
    record = score_track(
        EstimatesSystem(tmp_path / "estimates", "e"), track, EvaluationRequest(metrics=("sdr_global",))
    )
    energies = record.energies["drums"]
    assert len(energies.reference) == SECONDS + 1
    second = load_stem(track, "drums")[:, 2 * RATE : 3 * RATE].double().square().sum().item()
    assert energies.reference[2] == pytest.approx(second)
    total = 10 * math.log10(sum(energies.reference) / sum(energies.error))
    assert total == pytest.approx(next(s.value for s in record.scores if s.stem == "drums"), abs=1e-6)


def test_without_a_baseline_it_is_not_computed(long_songs: Path):
    (track,) = open_dataset(long_songs)
    request = EvaluationRequest(metrics=("sdr_global", "si_sdr", "sdr_bss_eval_v4"), baseline=False)
    record = score_track(MixtureSystem(), track, request)
    assert all(math.isnan(score.mixture_baseline) for score in record.scores)
    assert not any(math.isnan(score.value) for score in record.scores)


def test_only_sums_are_kept_where_no_metric_needs_more(long_songs: Path):
    (track,) = open_dataset(long_songs)
    gatherer = gathering.TrackGatherer(track, ("drums",), EvaluationRequest(metrics=("sdr_global",)), num_sounding=1)
    held = [value for value in vars(gatherer).values() if isinstance(value, torch.Tensor)]
    assert sum(tensor.numel() for tensor in held) == 2 * (SECONDS + 1)
    assert gatherer._whole is None


def test_an_estimate_that_is_silent_throughout_leaves_bss_eval_undefined_and_says_so(long_songs: Path, tmp_path: Path):
    write(tmp_path / "estimates" / "Song" / "bass.wav", np.zeros((LENGTH, 2)))
    (track,) = open_dataset(long_songs)
    request = EvaluationRequest(metrics=("bss_eval_v4", "sdr_global"))
    record = score_track(EstimatesSystem(tmp_path / "estimates", "e"), track, request)
    ratios = [score for score in record.scores if score.metric != "sdr_global"]
    assert len(ratios) == 12
    assert all(math.isnan(score.value) for score in ratios)
    assert next(s.value for s in record.scores if (s.stem, s.metric) == ("bass", "sdr_global")) == 0
    assert "Song: bss_eval_v4 is undefined, because the estimate of bass is silent throughout" in record.notes


def test_an_antiphase_reference_is_silent_for_bss_eval_only(tmp_path: Path):
    left = noise(0, samples=LENGTH)[:, :1]
    write(tmp_path / "songs" / "Song" / "vocals.wav", np.concatenate([left, -left], axis=1))
    write(tmp_path / "songs" / "Song" / "drums.wav", noise(1, samples=LENGTH))
    (track,) = open_dataset(tmp_path / "songs")
    record = score_track(MixtureSystem(), track, EvaluationRequest(metrics=("sdr_global", "bss_eval_v4")))
    assert "Song: bss_eval_v4 is undefined, because the reference of vocals is silent throughout" in record.notes
    assert math.isfinite(record.scores[0].value)


def test_references_without_treble_leave_filters_indeterminate_and_the_table_says_so(tmp_path: Path):
    """As lossy codecs leave them."""
    for number, stem in enumerate(("vocals", "drums")):
        low = scipy.signal.lfilter(scipy.signal.firwin(255, 0.5), [1.0], noise(number, samples=2 * RATE), axis=0)
        write(tmp_path / "songs" / "Song" / f"{stem}.wav", low + 1e-7 * noise(number + 5, samples=2 * RATE))
        write(tmp_path / "estimates" / "Song" / f"{stem}.wav", low + noise(number + 8, samples=2 * RATE))
    (track,) = open_dataset(tmp_path / "songs")
    request = EvaluationRequest(metrics=("bss_eval_v4", "sdr_bss_eval_v4"), baseline=False)
    record = score_track(EstimatesSystem(tmp_path / "estimates", "e"), track, request)
    (note,) = record.notes
    assert note.startswith("Song: bss_eval_v4 says little here: some reference hardly sounds in some band")


def test_a_large_track_is_kept_on_the_disk_and_scores_the_same(long_songs: Path, tmp_path: Path, monkeypatch):
    (track,) = open_dataset(long_songs)
    system = EstimatesSystem(tmp_path / "estimates", "e")
    request = EvaluationRequest(metrics=("si_sdr", "bss_eval_v4", "bss_eval_v3_sources"))
    expected = score_track(system, track, request).scores
    shapes: list[tuple[int, ...]] = []

    def mapped(*shape: int):
        shapes.append(shape)
        return zeros_on_disk(*shape, mapped_bytes=0)

    monkeypatch.setattr(gathering, "zeros_on_disk", mapped)
    assert score_track(system, track, request).scores == expected
    assert shapes == [(2, LENGTH), (3, 2, LENGTH), (3, 2, LENGTH)]


def test_energies_at_silence_are_known_where_ratios_are_not(long_songs: Path, tmp_path: Path):
    write(long_songs / "Song" / "bass.wav", np.zeros((LENGTH, 2)))
    write(tmp_path / "estimates" / "Song" / "bass.wav", np.full((LENGTH, 2), 0.01))
    muted = noise(1, samples=LENGTH)
    muted[: 2 * RATE] = 0
    write(tmp_path / "estimates" / "Song" / "drums.wav", muted)
    (track,) = open_dataset(long_songs)
    request = EvaluationRequest(metrics=("predicted_energy_at_silence", "energy_at_predicted_silence", "sdr_global"))
    record = score_track(EstimatesSystem(tmp_path / "estimates", "e"), track, request)
    found = {(score.stem, score.metric): score.value for score in record.scores}
    assert found["bass", "predicted_energy_at_silence"] == pytest.approx(10 * math.log10(2 * RATE * 1e-4), abs=1e-4)
    assert ("bass", "sdr_global") not in found
    assert found["drums", "energy_at_predicted_silence"] > 0
    assert math.isnan(found["vocals", "energy_at_predicted_silence"])
    evaluation = assemble([record], subject="e")
    means = {(mean.stem, mean.metric): mean for mean in evaluation.means()}
    assert means["bass", "predicted_energy_at_silence"].num_tracks == 1
    assert means["vocals", "predicted_energy_at_silence"].num_tracks == 0
    assert means["(mean)", "predicted_energy_at_silence"].value == means["bass", "predicted_energy_at_silence"].value
    assert "the tracks that have one (rule defined)" in evaluation.rules()["predicted_energy_at_silence"]


def test_an_excerpt_is_cut_out_of_the_stream_exactly(long_songs: Path, tmp_path: Path):
    (track,) = open_dataset(long_songs)
    keeper = ExcerptKeeper(track, start=2500, stop=9100)
    middle = middle_of(track, seconds=1.0)
    outside = ExcerptKeeper(track, start=LENGTH + 5, stop=LENGTH + 10)
    for block in hear(MixtureSystem(), track, ("drums", "bass")):
        for one in (keeper, middle, outside):
            one.update(block)
    excerpt = keeper.excerpt(("drums", "bass"))
    assert excerpt is not None
    assert torch.equal(excerpt.references["bass"], load_stem(track, "bass")[:, 2500:9100])
    assert excerpt.start_seconds == 2500 / RATE
    assert excerpt.duration_seconds == 6600 / RATE
    assert outside.excerpt(("drums", "bass")) is None
    centre = middle.excerpt(("drums", "bass"))
    assert centre is not None
    assert centre.mixture.shape == (2, RATE)
    assert centre.start_seconds == pytest.approx((LENGTH - RATE) / 2 / RATE, abs=1 / RATE)


def test_stems_are_streams_of_their_own(long_songs: Path):
    (track,) = open_dataset(long_songs)
    blocks = list(stem_blocks(track, "vocals"))
    assert torch.equal(torch.cat(blocks, 1), load_stem(track, "vocals"))
