"""Files have any number of channels, networks have one or two: which channel goes where, and back again.

Channels are taken in groups as wide as the network, (0, 1), (2, 3), ...; each group is one item of a batch. A group
that lacks channels repeats those it has, and what comes back for a repeated channel is averaged:

    item[i, m] = channel[index[i, m]],      channel[c] = mean of item[i, m] over all index[i, m] = c.

So a stereo network hears mono as two equal channels, and a mono network hears each channel by itself.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["channel_index", "gather_channels", "scatter_channels"]


def channel_index(*, num_channels: int, model_channels: int) -> Int[Tensor, "item channel"]:
    """Which of ``num_channels`` channels each of the network's inputs hears."""
    index: list[list[int]] = []
    for first in range(0, num_channels, model_channels):
        group = range(first, min(first + model_channels, num_channels))
        index.append([group[position % len(group)] for position in range(model_channels)])
    return torch.tensor(index)


def gather_channels(
    waveform: Float[Tensor, "channel time"], index: Int[Tensor, "item model_channel"]
) -> Float[Tensor, "item model_channel time"]:
    """A file's channels as items for the network."""
    return waveform[index]


def scatter_channels(
    items: Float[Tensor, "item stem model_channel time"], index: Int[Tensor, "item model_channel"]
) -> Float[Tensor, "stem channel time"]:
    """The network's answers as a file's channels."""
    flat_index = index.flatten().to(items.device)
    num_channels = int(index.max()) + 1
    flat = items.transpose(0, 1).flatten(1, 2)  # stem (item model_channel) time
    if flat_index.numel() == num_channels:
        return flat
    sums = flat.new_zeros(flat.shape[0], num_channels, flat.shape[2]).index_add(1, flat_index, flat)
    return sums / torch.bincount(flat_index).to(flat.dtype).unsqueeze(-1)
