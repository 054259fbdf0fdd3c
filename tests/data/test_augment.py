"""Augmentation: what is drawn lies within its ranges, and each effect does what it says, at its place."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from stemtune.data import augment
from stemtune.data.augment import Augmentation, AugmentationConfig
from stemtune.data.augmentation.codec import Codec
from stemtune.errors import ConfigError
from tests.data.conftest import lag_samples, noise

RATE = 16000


def tone(frequency_hz: float, seconds: float, rate: int = RATE) -> torch.Tensor:
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (0.3 * torch.sin(2 * torch.pi * frequency_hz * time))[None].float()


def loudest_hz(samples: torch.Tensor, rate: int = RATE) -> float:
    middle = samples[0, samples.shape[1] // 4 : -samples.shape[1] // 4]
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle)), n=8 * len(middle)).abs()
    return float(spectrum.argmax()) * rate / (8 * len(middle))


def applied(
    augmentation: Augmentation, sound: Callable[[float], torch.Tensor], seconds: float, rate: int = RATE
) -> torch.Tensor:
    """``seconds`` of an augmented sound, made of as much of it as is needed."""
    num_samples = round(seconds * rate)
    needed = augment.num_source_samples(augmentation, num_samples, sample_rate=rate)
    source = sound(needed / rate)
    assert source.shape[1] == needed
    return augment.apply(augmentation, source, num_samples=num_samples, sample_rate=rate)


def test_augmentation_draws_within_its_ranges() -> None:
    ranges = AugmentationConfig(
        gain_db=(-6.0, 3.0),
        gain=(0.25, 1.25),
        swap_probability=0.5,
        polarity_probability=0.5,
        speed_semitones=(-2.0, 2.0),
        pitch_semitones=(-3.0, 3.0),
        stretch=(0.8, 1.2),
        shift_seconds=0.5,
        width=(0.5, 1.5),
        pan_probability=0.5,
        equaliser_db=4.0,
        codec_probability=0.5,
    )
    generator = np.random.default_rng(0)
    drawn = [augment.draw(ranges, generator) for _ in range(400)]
    assert {d.polarity for d in drawn} == {-1, 1}
    assert {d.swap for d in drawn} == {True, False}
    assert {d.codec.name for d in drawn if d.codec} == {"mp3", "aac", "opus"}
    assert all(32 <= d.codec.kbps <= 128 for d in drawn if d.codec)
    assert all(len(d.equaliser_db) == 5 for d in drawn)
    limits = {
        "gain_db": (-6.0, 3.0),
        "gain": (0.25, 1.25),
        "speed": (2 ** (-2 / 12), 2 ** (2 / 12)),
        "pitch_semitones": (-3.0, 3.0),
        "stretch": (0.8, 1.2),
        "shift_seconds": (0.0, 0.5),
        "width": (0.5, 1.5),
        "pan": (-1.0, 1.0),
    }
    for name, (low, high) in limits.items():
        values = [getattr(d, name) for d in drawn]
        assert low <= min(values) < low + 0.05 * (high - low), name
        assert high - 0.05 * (high - low) < max(values) <= high, name


@pytest.mark.parametrize(
    ("name", "settings", "unchanged"),
    [
        ("gain", {"gain": (0.1, 0.5)}, 1.0),
        ("gain", {"gain_db": (-20.0, -10.0), "gain": (0.5, 0.5)}, 1.0),
        ("speed", {"speed_semitones": (1.0, 2.0)}, 1.0),
        ("pitch", {"pitch_semitones": (1.0, 2.0)}, 0.0),
        ("stretch", {"stretch": (1.1, 1.2)}, 1.0),
        ("shift", {"shift_seconds": 0.5}, 0.0),
        ("width", {"width": (0.0, 0.5)}, 1.0),
        ("equaliser", {"equaliser_db": 3.0}, ()),
        ("codec", {}, None),
    ],
)
def test_every_augmentation_has_its_probability(name: str, settings: dict[str, object], unchanged: object) -> None:
    field = {"pitch": "pitch_semitones", "shift": "shift_seconds", "equaliser": "equaliser_db"}.get(name, name)
    config = AugmentationConfig.model_validate(settings | {f"{name}_probability": 0.25})
    generator = np.random.default_rng(0)
    changed = [getattr(augment.draw(config, generator), field) != unchanged for _ in range(1000)]
    assert 0.2 < np.mean(changed) < 0.3


def test_what_is_drawn_does_not_depend_on_what_else_is_drawn() -> None:
    few, many = AugmentationConfig(gain_db=(-6.0, 6.0)), AugmentationConfig(gain_db=(-6.0, 6.0), stretch=(0.8, 1.2))
    first, second = (np.random.default_rng(1) for _ in range(2))
    for _ in range(3):
        a, b = (augment.draw(config, g) for config, g in ((few, first), (many, second)))
        assert a.gain_db == b.gain_db
        assert b.stretch != 1.0


def test_the_default_augmentation_changes_nothing() -> None:
    samples = noise(1000, num_channels=2)
    drawn = augment.draw(AugmentationConfig(), np.random.default_rng(0))
    assert drawn == Augmentation(gain_db=drawn.gain_db)
    assert augment.apply(drawn, samples, num_samples=1000, sample_rate=8000) is samples


@pytest.mark.parametrize(
    ("augmentation", "expected"),
    [
        (Augmentation(gain_db=20.0), [[10.0, 20.0], [30.0, 40.0]]),
        (Augmentation(gain=0.5), [[0.5, 1.0], [1.5, 2.0]]),
        (Augmentation(polarity=-1), [[-1.0, -2.0], [-3.0, -4.0]]),
        (Augmentation(swap=True), [[3.0, 4.0], [1.0, 2.0]]),
        (Augmentation(width=0.0), [[2.0, 3.0], [2.0, 3.0]]),
        (Augmentation(pan=-1.0), [[2**0.5, 2 * 2**0.5], [0.0, 0.0]]),
    ],
)
def test_what_each_augmentation_does(augmentation: Augmentation, expected: list[list[float]]) -> None:
    samples = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    changed = augment.apply(augmentation, samples, num_samples=2, sample_rate=8000)
    torch.testing.assert_close(changed, torch.tensor(expected), atol=1e-5, rtol=1e-5)
    assert torch.equal(samples, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


def test_speed_moves_pitch_and_time_together() -> None:
    faster = applied(Augmentation(speed=2.0), lambda seconds: tone(500.0, seconds), 1.0)
    assert loudest_hz(faster) == pytest.approx(1000.0, abs=2.0)


@pytest.mark.parametrize("semitones", [-3.0, -0.5, 2.0, 3.0])
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_pitch_moves_without_time_and_time_without_pitch(semitones: float, factor: float) -> None:
    augmentation = Augmentation(pitch_semitones=semitones, stretch=factor)
    shifted = applied(augmentation, lambda seconds: tone(700.0, seconds), 2.0)
    cents = 1200 * np.log2(loudest_hz(shifted) / 700.0)
    assert cents == pytest.approx(100 * semitones, abs=8.0)
    for part in shifted[0].split(RATE // 10)[1:]:  # no fade at the end
        assert 0.17 < float(part.square().mean().sqrt()) < 0.25


@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize(("semitones", "factor"), [(0.0, 0.8), (3.0, 1.0), (-3.0, 1.2)])
def test_stretching_moves_attacks_to_where_they_belong(rate: int, semitones: float, factor: float) -> None:
    def clicks(seconds: float) -> torch.Tensor:
        sound = torch.zeros(2, round(seconds * rate))
        sound[:, round(0.5 * rate)] = 1.0
        return sound

    stretched = applied(Augmentation(pitch_semitones=semitones, stretch=factor), clicks, 1.0, rate)
    peak_seconds = float(stretched[1].abs().argmax()) / rate
    assert peak_seconds == pytest.approx(0.5 * factor, abs=0.0005)


def test_stretching_gives_the_same_every_time() -> None:
    sound = noise(RATE, num_channels=2)
    augmentation = Augmentation(pitch_semitones=1.5, stretch=1.2)
    first, second = (
        augment.apply(augmentation, sound, num_samples=RATE, sample_rate=RATE) for _ in range(2)
    )  # fmt: skip
    assert torch.equal(first, second)


def test_scapers_convention_of_the_stretch_factor() -> None:
    """Ten seconds at factor f are made of 10 / f seconds, and some milliseconds that the vocoder fades out."""
    for factor in (0.8, 1.2):
        needed = augment.num_source_samples(Augmentation(stretch=factor), 160_000, sample_rate=16_000)
        assert 0 <= needed / 16_000 - 10 / factor < 0.08


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize("name", ["mp3", "aac", "opus"])
@pytest.mark.parametrize("num_channels", [1, 2])
def test_codecs_are_heard_and_do_not_delay(name: str, rate: int, num_channels: int) -> None:
    sound = 200 * noise(rate + 123, num_channels).diff()  # above full scale; Opus removes the lowest frequencies
    coded = augment.apply(Augmentation(codec=Codec(name, kbps=48)), sound, num_samples=sound.shape[1], sample_rate=rate)
    for before, after in zip(sound, coded, strict=True):
        assert lag_samples(estimate=after, reference=before) == 0
    error = float((coded - sound).square().sum() / sound.square().sum())
    assert 1e-7 < error < 0.5


def test_codecs_keep_the_length_of_the_shortest_sounds() -> None:
    for name in ("mp3", "aac", "opus"):
        coded = augment.apply(Augmentation(codec=Codec(name, 64)), torch.zeros(1, 5), num_samples=5, sample_rate=16000)
        assert coded.shape == (1, 5)


def test_the_equaliser_follows_its_curve_without_delay() -> None:
    click = torch.zeros(1, 8000)
    click[0, 4000] = 1.0
    shaped = augment.apply(Augmentation(equaliser_db=(-6.0,)), click, num_samples=8000, sample_rate=44100)
    levels = 20 * torch.fft.rfft(shaped[0]).abs().log10()
    assert float(levels[-1]) == pytest.approx(6 * 2**0.5, abs=0.01)
    assert float(levels[2]) == pytest.approx(-6 * 2**0.5, abs=0.01)
    assert float(levels[128]) == pytest.approx(0.0, abs=0.1)
    assert int(shaped.abs().argmax()) == 4000


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("pitch_semitones", (3.0, -3.0), "expected the lower limit first, such as (-3, 3)"),
        ("pitch_semitones", (-40.0, 0.0), "expected at most 24 semitones up or down"),
        ("stretch", (0.0, 1.0), "expected factors of the duration within 0.25 and 4"),
        ("stretch", (1.0, 100.0), "expected factors of the duration within 0.25 and 4"),
        ("gain", (-1.0, 1.0), "expected nothing below zero"),
        ("gain_db", (1.0, -1.0), "expected the lower limit first"),
        ("codec_kbps", (128, 32), "expected the lower limit first"),
        ("pitch_probability", 1.5, "less than or equal to 1"),
        ("shift_seconds", -1.0, "greater than or equal to 0"),
    ],
)
def test_impossible_ranges_are_refused(setting: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("(", r"\(").replace(")", r"\)")):
        AugmentationConfig.model_validate({setting: value})


def test_what_cannot_be_done_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="codecs take at most 2 channels, not 6"):
        augment.check(AugmentationConfig(codec_probability=0.1), channels=6)
    monkeypatch.setattr("stemtune.data.augmentation.tempo.find_spec", lambda name: None)
    augment.check(AugmentationConfig(), channels=6)
    with pytest.raises(ConfigError, match="pitch shift and time stretch need python-stretch"):
        augment.check(AugmentationConfig(pitch_semitones=(-1.0, 1.0)), channels=2)
