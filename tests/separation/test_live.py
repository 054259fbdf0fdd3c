"""Live separation: the same bits as from a file, as early as is said."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from stemtune.errors import InputError, UsageError
from stemtune.models.base import Separator
from stemtune.models.vqvae import CodecConfig, UnmixConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig
from stemtune.separation.live import LiveOptions, latency_seconds, live_stems, separate_live
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform

RATE = 8000
CODEC = CodecConfig(stages=3, width=6, blocks=3, quantiser=VectorQuantiserConfig(num_codes=16, features=5))


class Collected:
    """Keeps what comes, and how much had been heard by then."""

    def __init__(self) -> None:
        self.stems: list[Tensor] = []
        self.mixture: list[Tensor] = []
        self.heard = self.said = 0
        self.lags: list[int] = []

    def listen(self, mixture: Tensor, block_samples: int) -> Iterator[Tensor]:
        for block in torch.split(mixture, block_samples, dim=1):
            self.lags.append(self.heard - self.said)  # what is still owed when the next block is asked for
            self.heard += block.shape[1]
            yield block

    def write(self, stems: Tensor, mixture: Tensor) -> None:
        self.stems.append(stems)
        self.mixture.append(mixture)
        self.said += stems.shape[-1]

    def finish(self) -> float:
        return 1.0


@pytest.fixture(params=["streams", "chunks"])
def separator(request: pytest.FixtureRequest, noise, toy) -> Separator:
    if request.param == "chunks":
        return toy(sample_rate=RATE, channels=1, chunk_samples=3000)
    torch.manual_seed(0)
    network = UnmixConfig(codec=CODEC, stems=("low", "high"), sample_rate=RATE).build().train()
    network(noise(1, 4000)[None])
    return network.eval()


@pytest.mark.parametrize("sample_rate", [RATE, 11025])
def test_it_is_the_same_as_offline_bit_for_bit(separator: Separator, noise, sample_rate: int) -> None:
    mixture, sink = noise(2, 60_001), Collected()
    options = LiveOptions(sample_rate=sample_rate, num_channels=2)
    assert separate_live(separator, sink.listen(mixture, 999), sink, options) == 60_001
    offline = separate_waveform(separator, mixture, sample_rate=sample_rate)
    assert torch.equal(torch.cat(sink.stems, dim=-1), offline)
    assert torch.equal(torch.cat(sink.mixture, dim=-1), mixture)


def test_short_blocks_change_nothing_but_rounding(separator: Separator, noise) -> None:
    mixture, sink = noise(1, 30_000), Collected()
    options = LiveOptions(sample_rate=RATE, num_channels=1, block_seconds=0.05)
    separate_live(separator, sink.listen(mixture, 400), sink, options)
    offline = separate_waveform(separator, mixture, sample_rate=RATE)
    assert ((torch.cat(sink.stems, dim=-1) - offline).abs() < 1e-5).double().mean() > 0.99


@pytest.mark.parametrize("block_seconds", [0.02, 0.5])
@pytest.mark.parametrize("sample_rate", [RATE, 11025])
def test_stems_are_behind_by_what_is_stated(
    separator: Separator, noise, block_seconds: float, sample_rate: int
) -> None:
    sink = Collected()
    options = LiveOptions(sample_rate=sample_rate, num_channels=1, block_seconds=block_seconds)
    block = round(block_seconds * sample_rate)
    separate_live(separator, sink.listen(noise(1, 60_000), block), sink, options)
    stated = latency_seconds(separator, options)
    worst = (max(sink.lags) + block) / sample_rate  # the block that is being heard is owed as well
    assert worst <= stated
    assert worst > 0.65 * stated, "and not much earlier, or the statement would be of no use"


def test_memory_does_not_grow(separator: Separator, noise) -> None:
    """What is owed is what is kept; it is the same after a hundred blocks as after ten."""
    sink = Collected()
    options = LiveOptions(sample_rate=RATE, num_channels=1, block_seconds=0.1)
    separate_live(separator, sink.listen(noise(1, 100_000), 800), sink, options)
    assert max(sink.lags[60:]) <= max(sink.lags[:60])


def test_one_stem_or_two(separator: Separator, noise) -> None:
    mixture = noise(1, 20_000)
    offline = separate_waveform(separator, mixture, sample_rate=RATE)
    for changes, names, expected in (
        ({"stem": "high"}, ("high",), offline[1:]),
        ({"two_stems": "low"}, ("low", "no_low"), torch.stack((offline[0], mixture - offline[0]))),
    ):
        sink = Collected()
        options = LiveOptions(sample_rate=RATE, num_channels=1, **changes)
        assert live_stems(separator, options) == names
        separate_live(separator, sink.listen(mixture, 500), sink, options)
        assert torch.equal(torch.cat(sink.stems, dim=-1), expected)


def test_segments_shorten_the_latency_of_chunks(toy) -> None:
    def latency(**changes: float) -> float:
        separation = SeparationOptions.model_validate(changes)
        options = LiveOptions(sample_rate=RATE, num_channels=1, separation=separation, block_seconds=0.01)
        return latency_seconds(toy(sample_rate=RATE, channels=1, chunk_samples=8000), options)

    assert latency() == pytest.approx(1 + 2 * 0.75 + 0.01)
    assert latency(segment_seconds=0.2, overlap=0.5) == pytest.approx(0.2 + 2 * 0.1 + 0.01)
    assert latency(shifts=2) == pytest.approx(latency() + 0.5)


def test_what_cannot_be_heard(separator: Separator) -> None:
    sink = Collected()
    options = LiveOptions(sample_rate=RATE, num_channels=1)
    with pytest.raises(InputError, match="no samples"):
        separate_live(separator, [], sink, options)
    with pytest.raises(InputError, match="sample 7 of the input is not a finite number"):
        separate_live(separator, [torch.tensor([[0.0] * 7 + [float("nan")]])], sink, options)
    with pytest.raises(UsageError, match="unknown stem 'tuba'"):
        live_stems(separator, LiveOptions(sample_rate=RATE, num_channels=1, stem="tuba"))
    with pytest.raises(UsageError, match="exclude each other"):
        live_stems(separator, LiveOptions(sample_rate=RATE, num_channels=1, stem="low", two_stems="low"))
