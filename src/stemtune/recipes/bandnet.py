"""BandNet on a data set of your own: whatever stems it has, at its own sample rate."""

from collections import Counter
from pathlib import Path

from stemtune.data.augment import AugmentationConfig
from stemtune.data.datasets import open_dataset
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.errors import UsageError
from stemtune.models.bandnet import BandNetConfig
from stemtune.objectives.waveform import NegativeSNRConfig
from stemtune.training.phase import Clipping, Experiment, Optimiser, Phase, Validation
from stemtune.training.schedule import Schedule

__all__ = ["bandnet"]


def bandnet(data: Path | None, validation: Path | None) -> Experiment:
    """Train BandNet from scratch on any data set that `open_dataset` can read.

    Paper: none; a compact network of ours (`stemtune.models.bandnet`).
    Expected: depends on the data. The shipped default model's card shows what some hours of mixed music give.
    Cost: 2000 steps of 24 s of audio each: about 45 minutes on one core with bfloat16.
    Run: ``stemtune train bandnet --data my_music/train --validation my_music/valid --out runs/mine``
    Deviations: none known.

    Raises:
        UsageError: if no data are given, or they have fewer than two stems.
    """
    if data is None:
        raise UsageError("the recipe bandnet needs data to learn from: add --data FOLDER (SONG/STEM.wav or STEM/*.wav)")
    tracks = open_dataset(data)
    counts = Counter(stem for track in tracks for stem in track.stems)
    stems = tuple(stem for stem, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    if len(stems) < 2:
        found = ", ".join(stems) or "none"
        raise UsageError(f"{data}: separating needs at least two stems (such as tabla and other), found: {found}")
    rate = Counter(track.sample_rate for track in tracks).most_common(1)[0][0]
    channels = 2 if any(track.num_channels > 1 for track in tracks) else 1
    coherent = any(len(track.stems) > 1 for track in tracks)
    return Experiment(
        name="bandnet",
        model=BandNetConfig(stems=stems, sample_rate=rate, channels=channels),
        phases=(
            Phase(
                name="learn",
                objective=NegativeSNRConfig(),
                data=MixingConfig(
                    corpora=(Corpus(path=str(data)),),
                    stems=stems,
                    sample_rate=rate,
                    channels=channels,
                    segment_seconds=4.0,
                    coherent_probability=0.5 if coherent else 0.0,
                    absent_probability=0.05,
                    augmentation=AugmentationConfig(
                        gain_db=(-6.0, 3.0),
                        swap_probability=0.5,
                        polarity_probability=0.5,
                        speed_semitones=(-2.0, 2.0),
                    ),
                ),
                steps=2000,
                batch_size=6,
                optimiser=Optimiser(learning_rate=2e-3),
                schedule=Schedule(kind="cosine", warmup_steps=100, decay=0.02),
                clipping=Clipping(percentile=20.0),
                ema_decay=0.998,
                precision="bfloat16",
                validation=Validation(path=str(validation), every_steps=200) if validation else None,
            ),
        ),
    )
