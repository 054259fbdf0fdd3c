"""How large: the paper's sizes, and sizes that two cores of a laptop get through in an hour and a half.

The laptop's network is X-UMX with half the width, two recurrent layers and one channel at 22 kHz (5.5 million
parameters instead of 35.6), and the listener the one that ships with stemtune instead of VGGish. It learns ten times as
fast, for there are a few hundred times fewer examples; gains stay as recorded, so that what the listener hears of the
stems can be looked up instead of being computed in every step (`stemtune.data.heard`).
"""

from typing import Literal

from pydantic import Field

from stemtune.config import Frozen
from stemtune.hub.listeners import DEFAULT_LISTENER, find_listener_card
from stemtune.models.base import ListenerConfig
from stemtune.models.vggish import VGGishConfig
from stemtune.models.xumx import XUMXConfig

__all__ = ["LAPTOP", "PAPER", "SCALES", "STEMS", "Scale", "ScaleName"]

ScaleName = Literal["paper", "laptop"]
STEMS = ("bass", "drums", "vocals", "other")


class Scale(Frozen):
    """Everything that differs between the scales, but for the corpora."""

    name: ScaleName
    model: XUMXConfig
    listener: str = Field(description="name or folder")
    segment_seconds: float
    batch_size: int
    steps: int = Field(description="at most")
    epoch_steps: int = Field(description="between validations")
    learning_rate: float
    plateau_epochs: int = Field(description="without improvement after which the rate is multiplied by .3")
    patience_epochs: int | None = Field(description="without improvement after which to stop; None for never")
    gain: tuple[float, float]
    swap_probability: float
    precision: Literal["float32", "bfloat16"]
    seeds: tuple[int, ...]
    validation_seconds: float | None
    test_seconds: float = Field(description="of each song, from its middle")
    floor_db: float | None = Field(description="of noise under references, where resampling left a band empty")
    frame_step: int = Field(description="every so many frames are clustered")
    step_seconds: float = Field(description="for the plan; measured, or thought")
    examination_minutes: float

    @property
    def listener_config(self) -> ListenerConfig:
        """Of what Concat hears through; VGGish need not be there for a plan."""
        if self.name == "paper":
            return VGGishConfig(whiten=True, quantise="bytes")
        return find_listener_card(self.listener).config


PAPER = Scale(
    name="paper",
    model=XUMXConfig(),
    listener="vggish",
    segment_seconds=6.0,
    batch_size=14,
    steps=393_000,
    epoch_steps=393,
    learning_rate=1e-4,
    plateau_epochs=10,
    patience_epochs=25,
    gain=(0.25, 1.25),
    swap_probability=0.5,
    precision="float32",
    seeds=(0,),
    validation_seconds=None,
    test_seconds=600.0,
    floor_db=None,
    frame_step=40,
    step_seconds=0.35,
    examination_minutes=240.0,
)
"""An epoch is 64 excerpts of each of the 86 training songs; the seconds are a guess for one large GPU."""

LAPTOP = Scale(
    name="laptop",
    model=XUMXConfig(
        sample_rate=22050, channels=1, n_fft=2048, hop_length=512, num_bins=744, hidden_size=256, num_layers=2
    ),
    listener=DEFAULT_LISTENER,
    segment_seconds=4.0,
    batch_size=8,
    steps=1000,
    epoch_steps=100,
    learning_rate=1e-3,
    plateau_epochs=2,
    patience_epochs=None,
    gain=(1.0, 1.0),
    swap_probability=0.0,
    precision="bfloat16",
    seeds=(0, 1, 2),
    validation_seconds=20.0,
    test_seconds=60.0,
    floor_db=-60.0,
    frame_step=8,
    step_seconds=0.75,
    examination_minutes=2.0,
)
SCALES: dict[ScaleName, Scale] = {"paper": PAPER, "laptop": LAPTOP}
