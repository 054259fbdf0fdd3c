"""A detector of silent stems: for each stem, is it silent around this moment of the mixture?

From scattering frames, a small picture ``order frequency frame``, to one logit per stem each 64 ms:

    2 x [batch norm, conv 5x5, conv 5x5, conv 1x1, max-pool 5x5 by 2]  ->  conv over all 14 frequencies
    ->  BLSTM  ->  1x1, batch norm, relu  ->  1x1,        P_i = sigmoid(logit_i) = probability that stem i is silent.

Output ``k`` is centred on sample ``1024 k`` at 16 kHz and leans on 0.64 s around it, and, through the BLSTM, on more.

References: Defossez, Usunier, Bottou and Bach, "Demucs: deep extractor for music sources with extra unlabeled data
remixed", 2019, section 4.1 and appendix A; no implementation was published.
Deviations: the paddings, which the paper does not state, are the only ones (2 in 5x5 convolutions and pools) that leave
14 frequencies with 8 wavelets per octave. ``compress`` offers logarithmic features; the paper's are plain.
"""

from typing import Literal, cast

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from stemtune.config import Config
from stemtune.nn.lstm import BidirectionalLSTM

__all__ = [
    "DETECTOR_RATE",
    "FRAMES_PER_OUTPUT",
    "OUTPUT_HOP_SAMPLES",
    "WINDOW_SAMPLES",
    "SilenceDetector",
    "SilenceDetectorConfig",
    "small_detector",
]

DETECTOR_RATE = 16_000
OUTPUT_HOP_SAMPLES = 1024
FRAMES_PER_OUTPUT = 4
WINDOW_SAMPLES = 10_240
"""At 16 kHz: what an output is about, centred on its place."""

_NUM_ORDERS, _NUM_FREQUENCIES, _LEFT_FREQUENCIES = 7, 54, 14


class SilenceDetectorConfig(Config["SilenceDetector"]):
    """The paper's sizes: 55.3 million parameters."""

    kind: Literal["silence_detector"] = "silence_detector"
    stems: tuple[str, ...] = Field(default=("drums", "bass", "other", "vocals"), min_length=1)
    width: int = Field(default=128, gt=0, description="channels of the first convolutions; then 2 and 4 times as many")
    hidden_size: int = Field(default=1024, gt=0, description="of each direction of the BLSTM, and around it")
    lstm_layers: int = Field(default=2, ge=0, description="0 for none")
    dropout_probability: float = Field(default=0.18, ge=0, lt=1, description="between recurrent layers")
    compress: bool = Field(default=False, description="log(1 + 10^4 x) of the features, instead of x")

    def build(self) -> "SilenceDetector":
        """A network with fresh weights."""
        return SilenceDetector(self)


def small_detector(stems: tuple[str, ...] = ("drums", "bass", "other", "vocals")) -> SilenceDetectorConfig:
    """One that two cores can train in minutes: about 0.27 million parameters, logarithmic features."""
    return SilenceDetectorConfig(stems=stems, width=12, hidden_size=96, lstm_layers=1, compress=True)


class SilenceDetector(nn.Module):
    """See the module's description."""

    def __init__(self, config: SilenceDetectorConfig) -> None:
        super().__init__()
        self.config = config
        width, hidden = config.width, config.hidden_size
        self.pictures = nn.Sequential(*_block(_NUM_ORDERS, width), *_block(2 * width, 2 * width))
        self.norm = nn.BatchNorm2d(4 * width)
        self.flatten = nn.Conv2d(4 * width, hidden, (_LEFT_FREQUENCIES, 1))
        self.lstm = (
            BidirectionalLSTM(hidden, hidden, config.lstm_layers, dropout_probability=config.dropout_probability)
            if config.lstm_layers
            else None
        )
        self.squeeze = nn.Conv1d(2 * hidden if config.lstm_layers else hidden, hidden, 1)
        self.last_norm = nn.BatchNorm1d(hidden)
        self.decide = nn.Conv1d(hidden, len(config.stems), 1)

    def forward(self, features: Float[Tensor, "batch order frequency frame"]) -> Float[Tensor, "batch stem output"]:
        """Logits: positive where a stem is more probably silent than not; one for each four frames, rounded up."""
        x = torch.log1p(1e4 * features) if self.config.compress else features
        x = self.flatten(self.norm(self.pictures(x))).squeeze(2)
        if self.lstm is not None:
            x = self.lstm(x.permute(2, 0, 1)).permute(1, 2, 0).to(x.dtype)
        x = functional.relu(self.last_norm(self.squeeze(x)))
        return self.decide(x).float()

    def __call__(self, features: Tensor) -> Tensor:
        """Run `forward`."""
        return cast("Tensor", super().__call__(features))


def _block(in_channels: int, width: int) -> tuple[nn.Module, ...]:
    return (
        nn.BatchNorm2d(in_channels),
        nn.Conv2d(in_channels, width, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(width, width, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 1),
        nn.ReLU(),
        nn.MaxPool2d(5, stride=2, padding=2),
    )
