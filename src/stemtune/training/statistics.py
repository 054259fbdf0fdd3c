"""What a network's input is like: mean and deviation of the magnitudes of whole mixtures, frequency by frequency.

    mean[f] = average over frames of |X[f, t]|,     deviation[f] = max( std over frames, 1e-4 max over f of std ).

References:
    Stoeter, Uhlich, Liutkus and Mitsufuji, "Open-Unmix", 2019: scalers of the mono mixtures of all training tracks.

Deviations:
    The mixture is the sum of the phase's stems; of more than 60 tracks, 60 are heard, and of each a minute at most,
    from its middle. Where songs have no two of the stems, single recordings stand for mixtures.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.excerpts import ExcerptReader
from stemtune.data.mixing_config import MixingConfig
from stemtune.data.segments import open_corpora
from stemtune.errors import ConfigError, InputError
from stemtune.models import Separator
from stemtune.models.xumx import XUMX
from stemtune.signal.stft import stft

__all__ = ["measure_statistics", "take_statistics"]

_MOST_TRACKS, _LONGEST_SECONDS = 60, 60.0
_SMALLEST_SHARE = 1e-4


def take_statistics(network: Separator, data: MixingConfig) -> None:
    """Let a network begin with a normalised input.

    Raises:
        ConfigError: if the network's input has no mean and scale.
        InputError: if there is no sound in the data.
    """
    if not isinstance(network, XUMX):
        raise ConfigError(
            f"initialise.input_statistics: the input of a {type(network).__name__} has no mean and scale; only that of "
            "an XUMX has"
        )
    config = network.config
    mean, deviation = measure_statistics(data, n_fft=config.n_fft, hop_length=config.hop_length)
    network.take_statistics(mean, deviation)


def measure_statistics(
    data: MixingConfig, *, n_fft: int, hop_length: int
) -> tuple[Float[Tensor, " frequency"], Float[Tensor, " frequency"]]:
    """Mean and deviation of the magnitudes of mono mixtures.

    Raises:
        InputError: if there is no sound in the data.
    """
    window = torch.hann_window(n_fft)
    count, total, squares = 0, torch.zeros(n_fft // 2 + 1).double(), torch.zeros(n_fft // 2 + 1).double()
    for mixture in _mixtures(data):
        magnitudes = stft(mixture, n_fft=n_fft, hop_length=hop_length, window=window).abs()[0].double()
        count += magnitudes.shape[1]
        total += magnitudes.sum(dim=1)
        squares += magnitudes.square().sum(dim=1)
    mean = total / max(1, count)
    deviation = (squares / max(1, count) - mean.square()).clamp_min(0).sqrt()
    if not deviation.max() > 0:
        raise InputError("the training mixtures are silent; expected audio to take the statistics of")
    return mean.float(), deviation.clamp_min(_SMALLEST_SHARE * float(deviation.max())).float()


def _mixtures(data: MixingConfig) -> Iterator[Float[Tensor, "1 time"]]:
    reader = ExcerptReader(sample_rate=data.sample_rate, channels=1)
    there = [track for _, tracks in open_corpora(data.corpora) for track in tracks]
    stems = set(data.stem_names)
    songs = [track for track in there if len(stems & set(track.stems)) > 1] or there
    for track in songs[:: -(-len(songs) // _MOST_TRACKS)]:
        seconds = min(track.duration_seconds, _LONGEST_SECONDS)
        files = [path for stem in track.stems if stem in stems for path in track.stems[stem]]
        if files:
            start = (track.duration_seconds - seconds) / 2
            yield reader.read(files, start_seconds=start, num_samples=max(1, round(seconds * data.sample_rate)))
