"""The desk: what is done to a song is done to each of its stems, which go on adding up; levels are MUSDB18's."""

import csv
from pathlib import Path

import numpy as np
import pytest

from stemtune.data.rendering.desk import compressed_gain, draw_room, equalised, limited_gain, placed, to_active_level
from stemtune.data.rendering.mixdown import STEM_LEVELS_DB, mixed_down
from stemtune.data.rendering.sound import SAMPLE_RATE, active_level

Stereo = np.ndarray
PUBLISHED = Path(__file__).parents[3] / "benchmarks" / "musdb18_stem_levels.csv"


def noise(seed: int, seconds: float = 2.0) -> Stereo:
    generator = np.random.default_rng(seed)
    return (0.1 * generator.standard_normal((2, round(seconds * SAMPLE_RATE)))).astype(np.float32)


def test_one_gain_for_all_stems() -> None:
    stems = {name: noise(number) for number, name in enumerate(STEM_LEVELS_DB)}
    stems["silent"] = np.zeros_like(stems["bass"])
    for seed in range(4):
        mixed = mixed_down(stems, np.random.default_rng(seed))
        ratios = {name: mixed[name] / stems[name] for name in STEM_LEVELS_DB}
        first = ratios["vocals"] / ratios["vocals"][:, :1]
        for ratio in ratios.values():
            np.testing.assert_allclose(ratio / ratio[:, :1], first, rtol=2e-3)
        assert not mixed["silent"].any()
        assert np.abs(sum(mixed.values())).max() < 1.0


def test_levels_lie_where_musdb18_has_them() -> None:
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stems = {name: noise(number, 1.0) for number, name in enumerate(STEM_LEVELS_DB)}
    levels: dict[str, list[float]] = {name: [] for name in stems}
    for seed in range(60):
        mixed = mixed_down(stems, np.random.default_rng(seed))
        mixture = sum(mixed.values())
        for name, samples in mixed.items():
            rest = np.mean(np.square(mixture - samples))
            levels[name].append(10 * float(np.log10(np.mean(np.square(samples)) / rest)))
    assert len(rows) == 50
    for name, values in levels.items():
        theirs = np.array([float(row[name]) for row in rows])
        low, quarter, three_quarters, high = np.percentile(theirs, [5, 25, 75, 95])
        assert quarter < np.median(values) < three_quarters, name
        assert np.mean((np.array(values) > low) & (np.array(values) < high)) > 0.85, name


def test_equaliser_and_room_are_linear() -> None:
    first, second = noise(1), noise(2)

    def treated(samples: Stereo) -> Stereo:
        generator = np.random.default_rng(5)
        room = draw_room(generator, shortest_seconds=0.2, longest_seconds=0.4)
        return room.added(equalised(samples, generator), wet_db=-6.0)

    np.testing.assert_allclose(treated(first) + treated(second), treated(first + second), atol=1e-5)
    assert treated(first).shape == first.shape


def test_a_room_dies_away_in_the_time_that_was_drawn() -> None:
    room = draw_room(np.random.default_rng(0), shortest_seconds=0.5, longest_seconds=0.5)
    assert room.decay_seconds == pytest.approx(0.5)
    click = np.zeros((2, SAMPLE_RATE), dtype=np.float32)
    click[:, 0] = 1.0
    tail = np.square(room.tail(click)).sum(axis=0)
    assert tail.sum() == pytest.approx(2.0, rel=0.05)  # as loud as what was sent
    assert tail[round(0.5 * SAMPLE_RATE) :].sum() < 1e-5 * tail.sum()
    silent = np.zeros_like(click)
    assert not room.tail(silent).any()


def test_places() -> None:
    samples = noise(3)
    left = placed(samples, position=-1.0, width=0.0)
    assert np.abs(left[1]).max() < 1e-6
    middle = placed(samples, position=0.0, width=1.0)
    np.testing.assert_allclose(middle, samples, atol=1e-6)


def test_limiter_and_compressor_only_turn_down() -> None:
    loud = noise(4) * 8
    limited = limited_gain(loud, ceiling=0.9)
    assert limited.max() <= 1.0
    assert np.abs(loud * limited).max() < 1.05
    pressed = compressed_gain(loud, threshold_db=-20.0, ratio=4.0)
    assert 0.0 < pressed.min() < 0.7
    assert pressed.max() <= 1.0
    assert compressed_gain(0.001 * loud, threshold_db=-20.0, ratio=4.0).min() == 1.0


def test_levels_count_only_where_something_sounds() -> None:
    samples = noise(5)
    padded = np.concatenate([samples, np.zeros((2, 6 * SAMPLE_RATE), dtype=np.float32)], axis=1)
    assert active_level(padded) == pytest.approx(active_level(samples), rel=1e-3)
    assert 20 * np.log10(active_level(to_active_level(padded, -20.0))) == pytest.approx(-20.0, abs=0.01)
    assert not to_active_level(0 * padded, -20.0).any()
