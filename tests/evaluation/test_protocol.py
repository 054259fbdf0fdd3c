"""Whole tracks against references: which stems are scored, on which mixture, and what is said about the rest."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from stemtune.data.datasets import open_dataset
from stemtune.errors import InputError, UsageError
from stemtune.evaluation.metrics import sdr_global
from stemtune.evaluation.protocol import evaluate_estimates, evaluate_model
from stemtune.models.bandnet import BandNetConfig
from stemtune.models.base import Separator
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform
from tests.evaluation.small_songs import RATE, SAMPLES, noise, write


@pytest.fixture
def separator() -> Separator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BandNetConfig(
            stems=("drums", "vocals", "piano"), sample_rate=RATE, n_fft=64, hop_length=16,
            bands=((4, 2), (3, 8), (1, 1)), width=8, dilations=(1,), mixing_groups=2, chunk_seconds=0.5,
        ).build()  # fmt: skip


def sdr(estimate: np.ndarray, reference: np.ndarray) -> float:
    error = ((reference - estimate) ** 2).sum() + 1e-7
    return float(10 * np.log10(((reference**2).sum() + 1e-7) / error))


def test_estimates_are_scored_by_name_beside_the_mixture(songs: Path, tmp_path: Path):
    estimates = tmp_path / "estimates"
    guess = noise(0) + 0.3 * noise(50)
    write(estimates / "First" / "vocals.wav", guess)
    write(estimates / "First" / "drums.wav", noise(1))
    write(estimates / "Second" / "vocals.wav", noise(11))
    write(estimates / "Second" / "bass.wav", noise(12))
    found = evaluate_estimates(estimates, open_dataset(songs), metrics=["sdr_global"])
    values = {(row.track, row.stem): row for row in found.rows}
    assert set(values) == {("First", "vocals"), ("First", "drums"), ("Second", "vocals")}
    assert values["First", "vocals"].value == pytest.approx(sdr(guess, noise(0)), abs=1e-4)
    mixture = noise(0) + noise(1) + noise(2)
    assert values["First", "vocals"].mixture_baseline == pytest.approx(sdr(mixture, noise(0)), abs=1e-4)
    assert values["First", "drums"].value > 80
    assert "First: no estimate of bass, which is therefore not scored" in found.notes
    assert "Second: has no drums, which is therefore not scored" in found.notes
    assert "Second: bass is silent throughout, and therefore not scored" in found.notes


def test_the_mixture_file_is_preferred_to_the_sum_of_the_stems(songs: Path, tmp_path: Path):
    write(songs / "First" / "mixture.wav", noise(77))
    write(tmp_path / "estimates" / "First" / "vocals.wav", noise(0))
    write(tmp_path / "estimates" / "Second" / "vocals.wav", noise(0))
    found = evaluate_estimates(tmp_path / "estimates", open_dataset(songs), metrics=["sdr_global"])
    assert found.rows[0].mixture_baseline == pytest.approx(sdr(noise(77), noise(0)), abs=1e-4)


def test_estimates_without_a_common_stem_are_an_error(songs: Path, tmp_path: Path):
    for song in ("First", "Second"):
        write(tmp_path / "estimates" / song / "piano.wav", noise(0))
    with pytest.raises(InputError, match="nothing to score: expected references of piano; the data set has bass"):
        evaluate_estimates(tmp_path / "estimates", open_dataset(songs))


def test_splits_do_not_need_to_be_repeated_in_the_estimates(songs: Path, tmp_path: Path):
    songs.rename(tmp_path / "test")
    write(tmp_path / "estimates" / "First" / "vocals.wav", noise(0))
    write(tmp_path / "estimates" / "Second" / "vocals.wav", noise(0))
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "test").rename(root / "test")
    found = evaluate_estimates(tmp_path / "estimates", open_dataset(root))
    assert found.tracks == ("test/First", "test/Second")


def test_a_model_is_scored_through_the_separation_code(songs: Path, separator: Separator):
    tracks = open_dataset(songs)
    found = evaluate_model(separator, tracks, subject="tiny", metrics=["sdr_global"])
    assert [(row.track, row.stem) for row in found.rows] == [
        ("First", "drums"),
        ("First", "vocals"),
        ("Second", "vocals"),
    ]
    assert found.notes == (
        "no track has piano, which tiny also estimates",
        "Second: has no drums, which is therefore not scored",
    )
    mixture = torch.from_numpy((noise(0) + noise(1) + noise(2)).T.astype(np.float32))
    expected = separate_waveform(separator, mixture, sample_rate=RATE, options=SeparationOptions())
    reference = torch.from_numpy(sf.read(songs / "First" / "vocals.wav", dtype="float32")[0].T)
    score = sdr_global(estimate=expected[1:2], reference=reference[None])
    assert found.rows[1].value == pytest.approx(score.item(), abs=1e-6)
    assert not separator.training


def test_a_model_whose_stems_no_track_has_is_an_error(songs: Path, separator: Separator):
    (songs / "First" / "drums.wav").unlink()
    (songs / "First" / "vocals.wav").unlink()
    (songs / "Second" / "vocals.wav").unlink()
    with pytest.raises(InputError, match=r"expected references of drums, vocals, piano; the data set has bass, other"):
        evaluate_model(separator, open_dataset(songs))


def test_an_unknown_metric_lists_the_known_ones(songs: Path, separator: Separator):
    for metrics, message in ((["sdr"], "unknown metric sdr"), ([], "no metric was named")):
        with pytest.raises(UsageError, match=f"{message}; the metrics are sdr_global, si_sdr"):
            evaluate_model(separator, open_dataset(songs), metrics=metrics)


def test_a_track_of_which_everything_is_silent_has_nothing_to_score(songs: Path, separator: Separator):
    for stem in ("vocals", "drums"):
        write(songs / "First" / f"{stem}.wav", np.zeros((SAMPLES, 2)))
    with pytest.raises(InputError, match=r"nothing to score: the references of .* are silent throughout"):
        evaluate_model(separator, open_dataset(songs)[:1])
