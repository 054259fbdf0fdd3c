"""What a listener says of the true stems, heard beforehand where that is possible.

Con-Reg and Dis-Reg ask a listener about every source of every example. Where sources are pieces of recordings to which
nothing audible was done, the recordings are listened to once, before the first step, and examples come with what was
heard; elsewhere the objective asks for itself, in every step:

    heard = table[recording, time]   if as recorded,   listener(source)   else.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from torch import Tensor
from torch.utils.data import Dataset

from stemtune.config import fingerprint
from stemtune.data.collate import Examples, collate
from stemtune.data.heard import FeatureTable, HeardExamples
from stemtune.data.mixing import Mixer
from stemtune.data.provenance import is_heard_as_recorded
from stemtune.data.segments import open_corpora
from stemtune.hub.listeners import find_listener_card, load_listener
from stemtune.training.log import announce
from stemtune.training.phase import Phase
from stemtune.training.teachers import regularisers
from stemtune.types import Batch, Heard

__all__ = ["Item", "batch_of", "examples_of"]

Item = Tensor | Sequence[Tensor]
"""What a loader hands out: stacked sources, or these with features and offsets."""


def examples_of(phase: Phase, *, seed: int, decoded: Path | None, folder: Path, quiet: bool = True) -> Dataset[Item]:
    """The examples of a phase, with what its listener hears in them if that can be known beforehand.

    Args:
        phase: whose objective and data are meant.
        seed: of the examples.
        decoded: as for `Mixer`.
        folder: of what listeners heard; recordings that are not in it are listened to now.
        quiet: whether to say nothing while this takes long.

    Raises:
        OutputError: if the folder cannot be written.
    """
    mixer = Mixer(phase.data, decoded=decoded)
    per_step = phase.batch_size * phase.accumulate_steps
    name = _listener_of(phase)
    if name is None:
        return cast("Dataset[Item]", Examples(mixer, seed=seed, per_step=per_step, steps=phase.steps))
    listener = load_listener(name)
    table = FeatureTable(
        folder,
        listener=fingerprint(find_listener_card(name)),
        own_rate=listener.sample_rate,
        hop_samples=listener.hop_samples,
    )
    tracks = [track for _, members in open_corpora(phase.data.corpora) for track in members]
    count = table.make(tracks, phase.data.stem_names, listener)
    if count:
        announce(f"{name} has listened to {count} recordings", quiet=quiet)
    return cast("Dataset[Item]", HeardExamples(mixer, table, seed=seed, per_step=per_step, steps=phase.steps))


def batch_of(item: Item, phase: Phase) -> Batch:
    """Name the axes of what a loader hands out, see `collate`."""
    if isinstance(item, Tensor):
        return collate(item, stems=phase.data.stem_names, sample_rate=phase.data.sample_rate)
    sources, features, offsets = item
    batch = collate(sources, stems=phase.data.stem_names, sample_rate=phase.data.sample_rate)
    return replace(batch, heard={cast("str", _listener_of(phase)): Heard(features, offsets)})


def _listener_of(phase: Phase) -> str | None:
    """The listener whose features can be known beforehand: there is one, and it hears recordings as they are."""
    names = {regulariser.listener for regulariser in regularisers(phase.objective)}
    is_known = len(names) == 1 and is_heard_as_recorded(phase.data) and isinstance(phase.data.stems, tuple)
    return names.pop() if is_known else None
