"""Examples: pure functions of seed, step and position, whose sources are what they should be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stemtune.data import augment
from stemtune.data.augment import Augmentation, AugmentationConfig
from stemtune.data.collate import Examples, collate, loader
from stemtune.data.mixing import Mixer, MixingConfig
from stemtune.data.segments import Corpus, level_db
from stemtune.errors import InputError


def config(songs: Path, **changes: object) -> MixingConfig:
    settings: dict[str, object] = {
        "corpora": (Corpus(path=str(songs)),),
        "stems": ("vocals", "drums"),
        "sample_rate": 8000,
        "channels": 1,
        "segment_seconds": 0.5,
    }
    return MixingConfig.model_validate(settings | changes)


def test_an_example_depends_on_seed_step_and_position_alone(songs: Path) -> None:
    first, second = Mixer(config(songs)), Mixer(config(songs))
    wanted = first.example(seed=1, step=5, position=2)
    second.example(seed=1, step=0, position=0)
    assert torch.equal(second.example(seed=1, step=5, position=2), wanted)
    for other in ({"seed": 2, "step": 5, "position": 2}, {"seed": 1, "step": 2, "position": 5}):
        assert not torch.equal(first.example(**other), wanted)


def test_coherent_examples_are_excerpts_of_one_song_at_one_time(songs: Path) -> None:
    import soundfile

    example = Mixer(config(songs, coherent_probability=1.0)).example(seed=0, step=0, position=0)
    found = set()
    for index, stem in enumerate(("vocals", "drums")):
        for song in sorted(songs.iterdir()):
            samples, _ = soundfile.read(song / f"{stem}.wav", dtype="float32")
            windows = np.lib.stride_tricks.sliding_window_view(samples, 4000)
            hits = np.flatnonzero((windows[:, ::37] == example[index, 0].numpy()[::37]).all(axis=1))
            if torch.count_nonzero(example[index]) and hits.size:
                found.update((song.name, int(hit)) for hit in hits)
    assert len({name for name, _ in found}) == 1


def test_incoherent_examples_take_stems_from_different_songs(songs: Path) -> None:
    mixer = Mixer(config(songs, coherent_probability=0.0, levels_db=(-30.0, -30.0)))
    example = mixer.example(seed=0, step=0, position=1)
    assert all(level_db(source) == pytest.approx(-30.0, abs=0.01) for source in example)


def test_absent_stems_are_silent_but_never_all_of_them(songs: Path) -> None:
    mixer = Mixer(config(songs, coherent_probability=0.0, absent_probability=0.9, tries=50))
    silent = [
        [not source.any() for source in mixer.example(seed=0, step=0, position=position)] for position in range(20)
    ]
    assert any(any(stems) for stems in silent)
    assert not any(all(stems) for stems in silent)


def test_a_stem_that_no_corpus_has_is_refused(songs: Path) -> None:
    with pytest.raises(InputError, match=r"no corpus has a stem 'tabla'; the stems found are: drums, vocals"):
        Mixer(config(songs, stems=("vocals", "tabla")))


def test_a_pattern_that_matches_nothing_is_refused(songs: Path) -> None:
    with pytest.raises(InputError, match=r"none of its 3 tracks matches 'x\*'"):
        Mixer(config(songs, corpora=(Corpus(path=str(songs), pattern="x*"),)))


def test_loaders_go_on_where_they_are_told_to_and_batches_sum_to_the_mixture(songs: Path) -> None:
    examples = Examples(Mixer(config(songs)), seed=0, per_step=2, steps=4)
    everything = list(loader(examples, batch_size=2, first_index=0, num_workers=0))
    rest = list(loader(examples, batch_size=2, first_index=4, num_workers=0))
    assert len(everything) == 4
    assert all(torch.equal(a, b) for a, b in zip(everything[2:], rest, strict=True))
    batch = collate(everything[0], stems=("vocals", "drums"), sample_rate=8000)
    torch.testing.assert_close(batch.mixture, batch.sources.sum(dim=1))
    assert batch.present is not None
    assert torch.equal(batch.present, torch.tensor([[source.any() for source in example] for example in everything[0]]))


def test_augmentation_draws_within_its_ranges() -> None:
    ranges = AugmentationConfig(
        gain_db=(-6.0, 3.0),
        swap_probability=0.5,
        polarity_probability=0.5,
        speed_semitones=(-2.0, 2.0),
        width=(0.5, 1.5),
        pan_probability=0.5,
        equaliser_db=4.0,
    )
    generator = np.random.default_rng(0)
    drawn = [augment.draw(ranges, generator) for _ in range(200)]
    assert {d.polarity for d in drawn} == {-1, 1}
    assert {d.swap for d in drawn} == {True, False}
    assert all(-6 <= d.gain_db <= 3 and len(d.equaliser_db) == 5 and 0.5 <= d.width <= 1.5 for d in drawn)
    assert all(2 ** (-2 / 12) <= d.speed <= 2 ** (2 / 12) for d in drawn)


def test_the_default_augmentation_changes_nothing() -> None:
    samples = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    drawn = augment.draw(AugmentationConfig(), np.random.default_rng(0))
    assert torch.equal(augment.apply(drawn, samples, num_samples=1000, sample_rate=8000), samples)


@pytest.mark.parametrize(
    ("augmentation", "expected"),
    [
        (Augmentation(gain_db=20.0), [[10.0, 20.0], [30.0, 40.0]]),
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


def test_speed_moves_pitch_and_time_together() -> None:
    rate = 8000
    samples = torch.sin(2 * torch.pi * 500 * torch.arange(rate * 2) / rate)[None].float()
    faster = augment.apply(Augmentation(speed=2.0), samples, num_samples=rate, sample_rate=rate)
    peak = torch.fft.rfft(faster[0]).abs().argmax() * rate / faster.shape[1]
    assert float(peak) == pytest.approx(1000.0, abs=2.0)


def test_the_equaliser_follows_its_curve_without_delay() -> None:
    click = torch.zeros(1, 8000)
    click[0, 4000] = 1.0
    shaped = augment.apply(Augmentation(equaliser_db=(-6.0,)), click, num_samples=8000, sample_rate=44100)
    levels = 20 * torch.fft.rfft(shaped[0]).abs().log10()
    assert float(levels[-1]) == pytest.approx(6 * 2**0.5, abs=0.01)
    assert float(levels[2]) == pytest.approx(-6 * 2**0.5, abs=0.01)
    assert float(levels[128]) == pytest.approx(0.0, abs=0.1)
    assert int(shaped.abs().argmax()) == 4000


def test_mono_examples_have_equal_channels(songs: Path) -> None:
    mixer = Mixer(config(songs, channels=2, mono_probability=1.0, augmentation={"pan_probability": 1.0}))
    example = mixer.example(seed=0, step=0, position=0)
    assert torch.equal(example[:, 0], example[:, 1])
    assert example.any()
