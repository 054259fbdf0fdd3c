"""How large: the paper's sizes, and sizes that two cores of a laptop get through in an afternoon.

The paper trains the public level 0 of Jukebox: 44.1 kHz, 64 wide, dilations up to 3^7, so that a code hears 2.1 s. The
laptop's network has 16 kHz, is half as wide, has dilations up to 3^5 and hears .6 s; hop and stages are the paper's,

    codes per second = sample_rate / 8.

Bandwidths, the power of the data that losses are divided by, belong to the corpora: those of the laptop were measured
on its prepared sets (``python -m stemtune.recipes.zai2022.bandwidths``); the paper's data are not at hand, and what
stands there is a guess that must be measured first.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from stemtune.config import Frozen
from stemtune.models.vqvae import CodecConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig
from stemtune.objectives.quantisation import Bandwidths

__all__ = ["LAPTOP", "MUSIC", "PAPER", "Scale"]

MUSIC = "music"


class Scale(Frozen):
    """Everything that differs between the scales, but for the corpora."""

    name: Literal["paper", "laptop"]
    stems: tuple[str, ...]
    codec: CodecConfig
    sample_rate: int
    segment_seconds: float
    batch_size: int
    pretrain_steps: int = Field(description="of the network that knows much music; 0: it is public")
    codec_steps: int = Field(description="of phase 1")
    mixture_steps: int = Field(description="of phase 2")
    learning_rate: float
    warmup_steps: int = 100
    ema_decay: float
    precision: Literal["float32", "bfloat16"]
    coherent_probability: float = Field(description="of phase 2: whole songs, as in the paper, or stems of several")
    bandwidths: Mapping[str, tuple[float, float]] = Field(description="of waveforms and of spectra, by stem")
    seeds: tuple[int, ...]
    glances: int = Field(default=4, description="points of a curve")
    begin_seconds: float = Field(default=0.0, description="of what is examined of each test song")
    max_seconds: float | None = Field(default=None, description="that are examined of each test song")
    codec_step_seconds: float = Field(description="of one core, for the plan")
    mixture_step_seconds: float
    examination_minutes: float

    def bandwidths_of(self, stem: str) -> Bandwidths:
        """Of a stem, or of music."""
        waveform, spectral = self.bandwidths[stem]
        return Bandwidths(waveform=waveform, spectral=spectral)


PAPER = Scale(
    name="paper",
    stems=("drums", "bass", "other", "vocals"),
    codec=CodecConfig(),
    sample_rate=44100,
    segment_seconds=393_216 / 44_100,
    batch_size=4,
    pretrain_steps=0,
    codec_steps=80_000,
    mixture_steps=80_000,
    learning_rate=3e-4,
    ema_decay=0.9995,
    precision="bfloat16",
    coherent_probability=1.0,
    bandwidths=dict.fromkeys(("drums", "bass", "other", "vocals"), (0.01, 800.0)),
    seeds=(0,),
    codec_step_seconds=1.5,
    mixture_step_seconds=1.0,
    examination_minutes=60.0,
)
LAPTOP = Scale(
    name="laptop",
    stems=("drums", "vocals"),
    codec=CodecConfig(width=32, blocks=6, quantiser=VectorQuantiserConfig(num_codes=512, features=32)),
    sample_rate=16000,
    segment_seconds=1.024,
    batch_size=8,
    pretrain_steps=2400,
    codec_steps=600,
    mixture_steps=800,
    learning_rate=1e-3,
    ema_decay=0.99,
    precision="float32",
    coherent_probability=0.5,
    bandwidths={MUSIC: (0.0285, 938.0), "drums": (0.00667, 428.0), "vocals": (0.00116, 160.0)},
    seeds=(0, 1, 2),
    begin_seconds=0.0,
    max_seconds=60.0,
    codec_step_seconds=1.1,
    mixture_step_seconds=0.65,
    examination_minutes=0.7,
)
