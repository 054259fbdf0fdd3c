"""Examples: pure functions of seed, step and position, whose sources are what they should be."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

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


def test_examples_that_use_nothing_new_are_what_they_always_were(songs: Path) -> None:
    """What is drawn, and in which order: experiments of earlier versions must stay reproducible."""
    example = Mixer(config(songs, coherent_probability=1.0)).example(seed=7, step=3, position=1)
    generator = np.random.default_rng((7, 3, 1))
    generator.random(2)  # mono, coherent
    song = generator.choice(3, p=[1 / 3, 1 / 3, 1 / 3])
    for _ in range(2):  # an augmentation for each stem
        generator.random(7), generator.standard_normal(5), generator.random(3), generator.integers(2**31)
    start = round(generator.random() * 5.5 * 8000)
    for source, stem in zip(example, ("vocals", "drums"), strict=True):
        samples, _ = soundfile.read(songs / f"song {song}" / f"{stem}.wav", dtype="float32")
        np.testing.assert_array_equal(source[0].numpy(), samples[start : start + 4000])


def test_strangers_that_use_nothing_new_are_what_they_always_were(songs: Path) -> None:
    settings = {"coherent_probability": 0.0, "min_level_db": -110.0, "augmentation": {"gain_db": (-6.0, 6.0)}}
    example = Mixer(config(songs, **settings)).example(seed=7, step=3, position=2)
    generator = np.random.default_rng((7, 3, 2))
    generator.random(2)  # mono, coherent
    generator.random(2)  # absent
    for source, stem in zip(example, ("vocals", "drums"), strict=True):
        gain = 10 ** ((-6 + 12 * generator.random(7)[0]) / 20)
        generator.standard_normal(5), generator.random(3), generator.integers(2**31)
        song = generator.choice(3, p=[1 / 3, 1 / 3, 1 / 3])
        samples, _ = soundfile.read(songs / f"song {song}" / f"{stem}.wav", dtype="float32")
        start = round(generator.random() * 5.5 * 8000)
        np.testing.assert_array_equal(source[0].numpy(), np.float32(gain) * samples[start : start + 4000])
        generator.random()  # level


def test_coherent_examples_are_excerpts_of_one_song_at_one_time(songs: Path) -> None:
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
    by_others = list(loader(examples, batch_size=2, first_index=0, num_workers=2))
    assert all(torch.equal(a, b) for a, b in zip(everything, by_others, strict=True))
    batch = collate(everything[0], stems=("vocals", "drums"), sample_rate=8000)
    torch.testing.assert_close(batch.mixture, batch.sources.sum(dim=1))
    assert batch.present is not None
    assert torch.equal(batch.present, torch.tensor([[source.any() for source in example] for example in everything[0]]))


def test_mono_examples_have_equal_channels(songs: Path) -> None:
    mixer = Mixer(config(songs, channels=2, mono_probability=1.0, augmentation={"pan_probability": 1.0}))
    example = mixer.example(seed=0, step=0, position=0)
    assert torch.equal(example[:, 0], example[:, 1])
    assert example.any()


@pytest.fixture(scope="module")
def noises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three songs of noise, in which every excerpt is found at one place only."""
    root = tmp_path_factory.mktemp("noises")
    for number in range(3):
        for seed, stem in enumerate(("vocals", "drums")):
            path = root / f"song {number}" / f"{stem}.wav"
            path.parent.mkdir(exist_ok=True)
            samples = np.random.default_rng((number, seed)).uniform(-0.5, 0.5, 48000)
            soundfile.write(path, samples.astype(np.float32), 8000, subtype="FLOAT")
    return root


def place(source: torch.Tensor, stem: str, songs: Path) -> tuple[int, int]:
    """In which song, and from which sample on."""
    for song in range(3):
        samples, _ = soundfile.read(songs / f"song {song}" / f"{stem}.wav", dtype="float32")
        for start in np.flatnonzero(samples == source[0, 0].numpy()):
            if np.array_equal(samples[start : start + source.shape[1]], source[0].numpy()):
                return song, int(start)
    raise AssertionError("the source is no excerpt of any song")


def test_shifted_sources_of_a_song_begin_at_different_times(noises: Path) -> None:
    mixer = Mixer(config(noises, coherent_probability=1.0, augmentation={"shift_seconds": 0.5}))
    lags = []
    for position in range(12):
        vocals, drums = mixer.example(seed=0, step=0, position=position)
        (song, start), (other_song, other_start) = place(vocals, "vocals", noises), place(drums, "drums", noises)
        assert song == other_song
        lags.append(start - other_start)
    assert len(set(lags)) == 12
    assert 2000 < max(abs(lag) for lag in lags) <= 4000


def test_stems_of_a_song_are_stretched_and_shifted_in_pitch_together(songs: Path) -> None:
    mixer = Mixer(
        config(songs, coherent_probability=1.0, augmentation={"pitch_semitones": (-3, 3), "stretch": (0.8, 1.2)})
    )
    from stemtune.data.chance import Chance
    from stemtune.data.coherent import draw_excerpt

    for position in range(5):
        chance = Chance(0, 0, position)
        chance.main.random(2)
        excerpt = draw_excerpt(mixer.config, mixer._stock.songs, mixer._reader, chance)
        first, second = (part.augmentation for part in excerpt.parts)
        assert first.pitch_semitones == second.pitch_semitones != 0
        assert first.stretch == second.stretch != 1
        assert mixer.example(seed=0, step=0, position=position).shape == (2, 1, 4000)


def test_remixing_exchanges_sources_within_a_group_and_loses_none(songs: Path) -> None:
    plain, remixed = (Mixer(config(songs, coherent_probability=1.0, remix_group=size)) for size in (1, 4))
    before = torch.stack([plain.example(seed=0, step=3, position=position) for position in range(8)])
    after = torch.stack([remixed.example(seed=0, step=3, position=position) for position in range(8)])
    partners = []
    for group in (range(4), range(4, 8)):
        for stem in range(2):
            given = {p: [q for q in group if torch.equal(after[p, stem], before[q, stem])] for p in group}
            assert all(given.values())
            assert {q for matches in given.values() for q in matches} == set(group)
            partners.append(tuple(matches[0] for matches in given.values()))
    assert len(set(partners)) > 2
    assert torch.equal(Mixer(remixed.config).example(seed=0, step=3, position=5), after[5])


def test_remixing_leaves_incoherent_examples_alone(songs: Path) -> None:
    plain, remixed = (Mixer(config(songs, coherent_probability=0.5, remix_group=size)) for size in (1, 4))
    is_same = [
        torch.equal(*(mixer.example(seed=0, step=0, position=position) for mixer in (plain, remixed)))
        for position in range(16)
    ]
    kinds = [np.random.default_rng((0, 0, position)).random(2)[1] < 0.5 for position in range(16)]
    assert all(same for same, is_coherent in zip(is_same, kinds, strict=True) if not is_coherent)
    assert not all(is_same)


def test_as_many_stems_as_are_drawn(songs: Path) -> None:
    for coherent in (0.0, 1.0):
        mixer = Mixer(config(songs, coherent_probability=coherent, num_stems=(1, 2), tries=20, min_active=2))
        counts = [
            sum(bool(source.any()) for source in mixer.example(seed=0, step=0, position=position))
            for position in range(24)
        ]
        assert {1, 2} <= set(counts)
        assert 4 < counts.count(1) < 20


def test_starts_are_drawn_where_stems_are_heard(songs: Path) -> None:
    """The tones are silent half of the time, so that half of the excerpts would have silent or weak vocals."""

    def heard(**changes: object) -> float:
        mixer = Mixer(config(songs, coherent_probability=1.0, segment_seconds=0.25, min_level_db=-40.0, **changes))
        examples = [mixer.example(seed=0, step=0, position=position) for position in range(30)]
        return float(np.mean([all(level_db(source) > -40 for source in example) for example in examples]))

    assert heard() < 0.7
    assert heard(min_active=2, tries=12) > 0.95


def test_loudness_and_differences_are_as_drawn(songs: Path) -> None:
    from stemtune.signal.loudness import integrated_loudness

    settings = {"min_active": 2, "tries": 20, "min_level_db": -40.0, "segment_seconds": 1.0}
    for coherent in (0.0, 1.0):
        loudness = {"reference_lufs": -40.0, "snr_db": (-2.5, 2.5)}
        mixer = Mixer(config(songs, coherent_probability=coherent, loudness=loudness, **settings))
        levels = torch.tensor([
            [integrated_loudness(source, sample_rate=8000) for source in mixer.example(seed=0, step=0, position=p)]
            for p in range(12)
        ])  # fmt: skip
        assert levels.min() >= -42.51
        assert levels.max() <= -37.49
        assert levels.std() > 0.8
        assert (levels[:, 0] - levels[:, 1]).abs().max() > 0.5


def test_silence_stays_silence_whatever_the_loudness(songs: Path) -> None:
    mixer = Mixer(config(songs, coherent_probability=1.0, loudness={"reference_lufs": -20.0}))
    examples = [mixer.example(seed=0, step=0, position=position) for position in range(12)]
    assert any(not source.any() for example in examples for source in example)
    assert all(torch.isfinite(example).all() for example in examples)
