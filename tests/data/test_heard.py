"""What is heard of recordings beforehand, and that segments find it again."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stemtune.data.collate import loader
from stemtune.data.datasets import open_dataset
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.heard import FeatureTable, HeardExamples
from stemtune.data.mixing import Mixer, MixingConfig
from stemtune.data.provenance import Place, is_heard_as_recorded
from stemtune.data.segments import Corpus

RATE, HOP = 4000, 1000  # of an ear at half the rate of the songs


def config(songs: Path, **changes: object) -> MixingConfig:
    settings: dict[str, object] = {
        "corpora": (Corpus(path=str(songs)),),
        "stems": ("vocals", "drums"),
        "sample_rate": 8000,
        "channels": 1,
        "segment_seconds": 1.0,
    }
    return MixingConfig.model_validate(settings | changes)


def describe(waveform: Tensor) -> Tensor:
    """Root mean square and first sample of each quarter of a second, plus one."""
    frames = waveform[:, 0].unfold(-1, HOP, HOP)
    return torch.stack((frames.square().mean(dim=-1).sqrt(), frames[..., 0]), dim=1) + 1


@pytest.fixture
def table(songs: Path, tmp_path: Path) -> FeatureTable:
    made = FeatureTable(tmp_path, listener="ear", own_rate=RATE, hop_samples=HOP)
    assert made.make(open_dataset(songs), ("vocals", "drums"), describe) == 6
    assert made.make(open_dataset(songs), ("vocals", "drums"), describe) == 0, "nothing is listened to twice"
    return made


def test_a_segment_on_the_grid_is_heard_as_if_it_were_listened_to(songs: Path, table: FeatureTable) -> None:
    files = (songs / "song 1" / "drums.wav",)
    features, offset = table.at(Place(files, 1.5), num_frames=4)
    samples = ExcerptReader(sample_rate=RATE, channels=1).read(files, start_seconds=1.5, num_samples=4 * HOP)
    np.testing.assert_allclose(features[0], describe(samples[None])[0, 0], atol=0.02)  # but for the resampler's ends
    assert float(offset) == 0.0


def test_between_two_frames_the_offset_says_where(songs: Path, table: FeatureTable) -> None:
    files = (songs / "song 0" / "vocals.wav",)
    on, _ = table.at(Place(files, 0.75), num_frames=3)
    between, offset = table.at(Place(files, 0.9), num_frames=3)
    assert torch.equal(on, between)
    assert float(offset) == pytest.approx(0.15)


def test_silence_is_behind_the_end_and_where_there_is_no_stem(songs: Path, table: FeatureTable) -> None:
    nothing, offset = table.at(None, num_frames=2)
    assert torch.equal(nothing, torch.ones(2, 2))
    assert float(offset) == 0.0
    features, _ = table.at(Place((songs / "song 0" / "drums.wav",), 5.5), num_frames=4)  # of 6 s
    assert torch.equal(features[:, 2:], torch.ones(2, 2))
    assert not torch.equal(features[:, :2], torch.ones(2, 2))


@pytest.mark.parametrize("coherent", [0.0, 1.0])
def test_examples_are_the_same_and_come_with_what_is_heard(songs: Path, table: FeatureTable, coherent: float) -> None:
    settings = config(
        songs, coherent_probability=coherent, augmentation={"swap_probability": 0.5, "shift_seconds": 0.5}
    )
    mixer = Mixer(settings)
    examples = HeardExamples(mixer, table, seed=1, per_step=2, steps=3)
    for batch in loader(examples, batch_size=2, first_index=2, num_workers=0):
        sources, features, offsets = batch
        assert features.shape == (2, 2, 2, 5)
        assert offsets.shape == (2, 2)
        break
    assert torch.equal(sources[1], mixer.example(seed=1, step=1, position=1))
    place = mixer.draw(seed=1, step=1, position=1).places[0]
    assert place is not None
    samples = ExcerptReader(sample_rate=8000, channels=1).read(
        place.files, start_seconds=place.start_seconds, num_samples=8000
    )
    assert torch.equal(samples, sources[1, 0])


def test_only_what_is_not_heard_may_be_changed(songs: Path) -> None:
    assert is_heard_as_recorded(config(songs))
    quiet = {"swap_probability": 0.5, "polarity_probability": 0.5, "shift_seconds": 1.0}
    assert is_heard_as_recorded(config(songs, augmentation=quiet, mono_probability=0.5))
    for change in (
        {"augmentation": {"gain": (0.25, 1.25)}},
        {"augmentation": {"pitch_semitones": (-1, 1)}},
        {"augmentation": {"equaliser_db": 3.0}},
        {"levels_db": (-30.0, -20.0)},
        {"loudness": {}},
    ):
        assert not is_heard_as_recorded(config(songs, **change)), change
