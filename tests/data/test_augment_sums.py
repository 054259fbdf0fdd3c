"""Stems sum to the mixture, whatever is done to them: each augmentation by itself, and all of them together."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stemtune.data import augment
from stemtune.data.augment import AugmentationConfig
from stemtune.data.chance import Chance
from stemtune.data.coherent import draw_excerpt
from stemtune.data.collate import collate
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.mixing import Mixer, MixingConfig
from stemtune.data.segments import Corpus

RATE, STEMS = 8000, ("vocals", "drums")
EACH: dict[str, dict[str, object]] = {
    "gain": {"gain": (0.25, 1.25), "gain_db": (-6.0, 6.0)},
    "swap": {"swap_probability": 1.0, "pan_probability": 1.0},
    "polarity": {"polarity_probability": 1.0},
    "speed": {"speed_semitones": (1.0, 4.0)},
    "pitch": {"pitch_semitones": (1.0, 3.0)},
    "stretch": {"stretch": (1.1, 1.2)},
    "shift": {"shift_seconds": 0.5},
    "stage": {"width": (0.0, 1.5), "pan_probability": 1.0},
    "room": {"reverb_probability": 1.0},
    "equaliser": {"equaliser_db": 5.0},
    "codec": {"codec_probability": 1.0},
}


def mixer(songs: Path, augmentation: dict[str, object], **changes: object) -> Mixer:
    return Mixer(
        MixingConfig.model_validate(
            {
                "corpora": (Corpus(path=str(songs)),),
                "stems": STEMS,
                "sample_rate": RATE,
                "channels": 2,
                "segment_seconds": 0.5,
                "augmentation": augmentation,
                "coherent_probability": 1.0,
                "min_active": 2,
                "tries": 20,
                "min_level_db": -40.0,
            }
            | changes
        )
    )


def made_by_hand(songs: Path, made: Mixer, position: int) -> list[torch.Tensor]:
    """The sources of a coherent example, each read and augmented by itself."""
    reader = ExcerptReader(sample_rate=RATE, channels=2)
    chance = Chance(0, 0, position)
    chance.main.random(2)
    excerpt = draw_excerpt(made.config, made._stock.songs, reader, chance)
    sources = []
    for part in excerpt.parts:
        samples = reader.read(
            (songs / excerpt.track.name / f"{part.stem}.wav",),
            start_seconds=excerpt.start_seconds + part.augmentation.shift_seconds,
            num_samples=augment.num_source_samples(part.augmentation, 4000, sample_rate=RATE),
        )
        sources.append(augment.apply(part.augmentation, samples, num_samples=4000, sample_rate=RATE))
    return sources


@pytest.mark.parametrize("name", EACH)
def test_each_augmentation_is_heard_in_the_mixture_as_in_the_stem(songs: Path, name: str) -> None:
    plain, changed = mixer(songs, {}), mixer(songs, EACH[name])
    for position in range(3):
        example = changed.example(seed=0, step=0, position=position)
        batch = collate(example[None], stems=STEMS, sample_rate=RATE)
        assert torch.equal(example, torch.stack(made_by_hand(songs, changed, position)))
        torch.testing.assert_close(batch.mixture[0], example[0] + example[1])
        assert not torch.equal(example, plain.example(seed=0, step=0, position=position))
        assert torch.isfinite(example).all()


def ranges(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: (min(pair), max(pair)))


PROBABILITY = st.floats(0, 1)
CONFIGS = st.builds(
    AugmentationConfig,
    gain_db=ranges(-12, 12),
    gain=ranges(0.0, 2.0),
    gain_probability=PROBABILITY,
    swap_probability=PROBABILITY,
    polarity_probability=PROBABILITY,
    speed_semitones=ranges(-6, 6),
    speed_probability=PROBABILITY,
    pitch_semitones=ranges(-12, 12),
    pitch_probability=PROBABILITY,
    stretch=ranges(0.5, 2.0),
    stretch_probability=PROBABILITY,
    shift_seconds=st.floats(0, 2),
    width=ranges(0.0, 2.0),
    pan_probability=PROBABILITY,
    reverb_probability=PROBABILITY,
    equaliser_db=st.floats(0, 10),
    codec_probability=PROBABILITY,
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(augmentation=CONFIGS, coherent=st.floats(0, 1), mono=st.floats(0, 1), group=st.sampled_from([1, 4]))
def test_stems_sum_to_the_mixture_under_any_configuration(
    songs: Path, augmentation: AugmentationConfig, coherent: float, mono: float, group: int
) -> None:
    changes = {"coherent_probability": coherent, "mono_probability": mono, "remix_group": group, "min_active": 0}
    made = mixer(songs, augmentation.model_dump(), **changes)
    sources = torch.stack([made.example(seed=1, step=2, position=position) for position in range(3)])
    batch = collate(sources, stems=STEMS, sample_rate=RATE)
    assert sources.shape == (3, 2, 2, 4000)
    assert torch.isfinite(sources).all()
    torch.testing.assert_close(batch.mixture, sources[:, 0] + sources[:, 1])
    assert torch.equal(
        sources[2], mixer(songs, augmentation.model_dump(), **changes).example(seed=1, step=2, position=2)
    )
