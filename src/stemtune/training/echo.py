"""Learning more than once from what was loaded: mixing is quick on a GPU where reading and augmenting are not.

A batch serves ``repeats`` steps. From the second on, its examples exchange their sources, each stem by itself, so that
no step hears a mixture that another one heard:

    sources'[b, stem] = sources[order_stem(seed, number)[b], stem].

References:
    Choi, Passos, Shallue and Dahl, "Faster neural network training with data echoing", 2019: batch echoing.
    Defossez, Usunier, Bottou and Bach, 2019 (section 5.2): sources exchanged within a batch.

Deviations:
    Where the first one repeats a batch as it is or augments it again, this one mixes it again.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from stemtune.training.hearing import Item

__all__ = ["echoed", "exchange_sources"]


def echoed(load: Callable[[], Item], *, repeats: int, first: int, seed: Callable[[int], int]) -> Iterator[Item]:
    """Batches ``first``, ``first + 1`` and so on of a training run.

    Args:
        load: hands out the batch of the loader in which the first one is, then the next ones.
        repeats: how often each is learnt from; 1 for as it is.
        first: number of the first batch wanted.
        seed: of the exchange in the batch of a number.
    """
    number, current = first, load()
    while True:
        yield current if number % repeats == 0 else exchange_sources(current, seed=seed(number))
        number += 1
        if number % repeats == 0:
            current = load()


def exchange_sources(item: Item, *, seed: int) -> Item:
    """The examples of a batch with each stem's sources, and what was heard in them, dealt out anew."""
    parts = (item,) if isinstance(item, Tensor) else tuple(item)
    batch, stems = parts[0].shape[:2]
    generator = torch.Generator().manual_seed(seed)
    order = torch.stack([torch.randperm(batch, generator=generator) for _ in range(stems)], dim=1).to(parts[0].device)
    slots = torch.arange(stems, device=order.device)
    dealt = [part[order, slots] for part in parts]
    return dealt[0] if isinstance(item, Tensor) else dealt
