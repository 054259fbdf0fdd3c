"""Thresholds, runs, volumes, features, and listening in slices."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stemtune.data.datasets import open_dataset
from stemtune.errors import InputError, WeightsError
from stemtune.mining.detector import load_detector
from stemtune.mining.excerpts import find_runs
from stemtune.mining.features import TrackTask, prepare, read_example
from stemtune.mining.listen import curves_of_blocks, probabilities
from stemtune.mining.thresholds import ThresholdConfig, choose_threshold
from stemtune.models.silence_detector import SilenceDetectorConfig
from stemtune.objectives.silence import silence_loss
from stemtune.signal.relative_volume import relative_volumes
from stemtune.signal.scattering import scatter

LENIENT = ThresholdConfig(precision=0.75, min_windows=2, min_songs=1)


def chosen(
    scores: list[float], volumes: list[float], config: ThresholdConfig = LENIENT, songs: int = 1
) -> float | None:
    found = choose_threshold(
        probabilities=np.array(scores, dtype=float),
        volumes_db=np.array(volumes, dtype=float),
        songs=np.arange(len(scores)) % songs,
        config=config,
    )
    return None if found is None else found.probability


def test_the_lowest_threshold_that_is_precise_enough_is_taken() -> None:
    assert chosen([0.9, 0.8, 0.7, 0.6, 0.5], [-30, -30, 0, -30, 0]) == 0.6  # fails at .7, holds again at .6
    assert chosen([0.9, 0.8, 0.7], [0, -30, -30]) is None
    assert chosen([0.9, 0.9, 0.9, 0.9], [-30, 0, -30, -30]) == 0.9  # equal scores are taken together
    assert chosen([0.9, 0.9, 0.9], [-30, 0, -30]) is None


def test_thresholds_need_support() -> None:
    assert chosen([0.9], [-30]) is None
    assert chosen([0.9, 0.8], [-30, -30]) == 0.8
    many = ThresholdConfig(precision=0.75, min_windows=2, min_songs=2)
    assert chosen([0.9, 0.8], [-30, -30], many) is None
    assert chosen([0.9, 0.8], [-30, -30], many, songs=2) == 0.8
    assert chosen([], []) is None


def test_runs_are_maximal_and_long_enough() -> None:
    taken = np.array([1, 1, 0, 1, 1, 1, 0, 1], dtype=bool)
    assert find_runs(taken, min_windows=2) == [(0, 2), (3, 6)]
    assert find_runs(taken, min_windows=1)[-1] == (7, 8)
    assert find_runs(np.zeros(0, dtype=bool), min_windows=1) == []


def test_volumes_are_ratios_of_energy_in_the_window() -> None:
    sources = torch.zeros(2, 40960)
    sources[0] = 1.0
    sources[1, 20480:] = 0.1
    found = relative_volumes(sources, hop_samples=1024, window_samples=10240)
    assert found.volumes_db.shape == (2, 40)
    assert float(found.volumes_db[1, 0]) == pytest.approx(-120)
    assert float(found.volumes_db[1, 35]) == pytest.approx(20 * np.log10(0.1 / 1.1), abs=0.01)
    half = 10 * np.log10(0.5 * 0.01 / (0.5 + 0.5 * 1.21))  # the window around the entry
    assert float(found.volumes_db[1, 20]) == pytest.approx(half, abs=0.01)
    assert found.audible.all()
    assert not relative_volumes(1e-5 * sources, hop_samples=1024, window_samples=10240).audible.any()


def test_silent_is_below_the_threshold_and_unknown_stems_and_silent_mixtures_do_not_count() -> None:
    logits = torch.tensor([[[3.0, -3.0], [3.0, 3.0]]])
    volumes = torch.tensor([[[-40.0, 0.0], [0.0, 0.0]]])
    everywhere, known = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[True, False]])
    loss = silence_loss(logits=logits, volumes_db=volumes, audible=everywhere, known=known)
    assert float(loss) == pytest.approx(np.log1p(np.exp(-3)), rel=1e-5)
    both = silence_loss(logits=logits, volumes_db=volumes, audible=everywhere, known=torch.ones(1, 2, dtype=torch.bool))
    assert float(both) > 3
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    assert silence_loss(logits=logits, volumes_db=volumes, audible=nothing, known=known) == 0


def test_the_papers_detector_has_its_size_and_its_output_rate() -> None:
    with torch.device("meta"):
        network = SilenceDetectorConfig().build()
        assert sum(parameter.numel() for parameter in network.parameters()) == 55_296_914
        assert network.eval()(torch.zeros(1, 7, 54, 313)).shape == (1, 4, 79)


def test_every_parameter_of_the_detector_gets_a_gradient() -> None:
    torch.manual_seed(0)
    network = SilenceDetectorConfig(width=3, hidden_size=4, compress=True).build()
    network(torch.rand(2, 7, 54, 40)).square().sum().backward()
    dead = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert [name for name in dead if not name.endswith("bias")] == []  # batch norm makes some biases idle


def test_slices_give_nearly_what_the_whole_gives() -> None:
    torch.manual_seed(0)
    network = SilenceDetectorConfig(stems=("a",), width=3, hidden_size=4, lstm_layers=1).build().eval()
    frames = torch.rand(7, 54, 4 * 1000 + 3)
    with torch.inference_mode():
        whole = torch.sigmoid(network(frames.unsqueeze(0))[0])
    for size in (256, 5000):
        parts = torch.cat(list(probabilities(frames.split(size, dim=-1), network)), dim=-1)
        assert parts.shape == whole.shape
        assert (parts - whole).abs().max() < 1e-3
    assert torch.equal(
        torch.cat(list(probabilities(frames.split(256, dim=-1), network)), dim=-1),
        torch.cat(list(probabilities(frames.split(999, dim=-1), network)), dim=-1),
    )


def test_listening_to_a_stream_is_listening_to_its_sum() -> None:
    torch.manual_seed(0)
    network = SilenceDetectorConfig(stems=("a",), width=2, hidden_size=4, lstm_layers=1).build().eval()
    samples = 0.1 * torch.randn(100_001)
    samples[50_000:80_000] = 0
    one = curves_of_blocks([samples], network)
    many = curves_of_blocks(samples.split(3001), network)
    assert np.array_equal(one.probabilities, many.probabilities)
    assert np.array_equal(one.audible, many.audible)
    truth = relative_volumes(samples[None], hop_samples=1024, window_samples=10240).audible.numpy()
    assert np.array_equal(one.audible, truth)
    assert not one.audible.all()
    with pytest.raises(InputError, match="no samples"):
        curves_of_blocks([], network)


def test_songs_are_prepared_once(songs: Path, tmp_path: Path) -> None:
    tasks = [TrackTask(track, ("vocals", "drums", "bass")) for track in open_dataset(songs)]
    paths = prepare(tasks, tmp_path / "prepared")
    example = read_example(paths[0])
    assert example.features.shape == (7, 54, 375)
    assert example.volumes_db.shape == (3, 94)
    assert example.known.tolist() == [True, True, False]
    sources, _ = tasks[0].sources()
    torch.testing.assert_close(example.frames(0, 375), scatter(sources.sum(dim=0)), rtol=2e-3, atol=1e-6)
    before = [path.stat().st_mtime_ns for path in paths]
    prepare(tasks, tmp_path / "prepared")
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_detectors_with_foreign_weights_are_refused(detector: Path, tmp_path: Path) -> None:
    for path in detector.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "detector.safetensors").write_bytes(b"not weights")
    with pytest.raises(WeightsError):
        load_detector(tmp_path)
    with pytest.raises(InputError, match="no detector"):
        load_detector(tmp_path / "nowhere")
