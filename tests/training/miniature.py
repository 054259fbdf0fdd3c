"""Miniature experiments."""

from pathlib import Path

from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.models.bandnet import BandNetConfig
from stemtune.objectives.waveform import NegativeSNRConfig
from stemtune.training.phase import Experiment, Optimiser, Phase, Validation

RATE = 8000  # of the fixture `songs`


def tiny_model() -> BandNetConfig:
    return BandNetConfig(
        stems=("vocals", "drums"),
        sample_rate=RATE,
        channels=1,
        n_fft=256,
        hop_length=64,
        bands=((8, 8), (2, 32)),
        width=8,
        dilations=(1, 2),
        mixing_groups=2,
        chunk_seconds=2.0,
    )


def tiny_phase(songs: Path, **changes: object) -> Phase:
    settings: dict[str, object] = {
        "name": "learn",
        "objective": NegativeSNRConfig(),
        "data": MixingConfig(
            corpora=(Corpus(path=str(songs)),),
            stems=("vocals", "drums"),
            sample_rate=RATE,
            channels=1,
            segment_seconds=1.0,
        ),
        "steps": 6,
        "batch_size": 2,
        "optimiser": Optimiser(learning_rate=3e-3),
    }
    return Phase.model_validate(settings | changes)


def tiny_experiment(songs: Path, **changes: object) -> Experiment:
    return Experiment(name="tiny", seed=3, model=tiny_model(), phases=(tiny_phase(songs, **changes),))


def tiny_validation(songs: Path, every_steps: int = 3) -> Validation:
    return Validation(path=str(songs), pattern="song 2", every_steps=every_steps)
