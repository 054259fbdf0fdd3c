"""Mixing: training examples made out of stems, on the fly, without any state.

*Coherent*: all stems of one song at one time, with one speed, pitch and stretch (`coherent`). *Incoherent*: every stem
from a recording of its own, at a time of its own (`incoherent`). An example depends on (seed, step, position) and on
nothing else, so training can stop and go on anywhere:

    example(seed, step, position) = augment(draw(generator(seed, step, position))).

Stems are *named* (every example has the same ones, silent where a song lacks one), or *anonymous*: ``stems="any"``
takes whatever stems each corpus has, in the order of their names, and fills up with silence to ``max_stems``.

References:
    Bugler, Pardo and Seetharaman, 2021 (section 3.1): coherent and incoherent mixing. Uhlich et al., 2017.
    Defossez, Usunier, Bottou and Bach, 2019 (section 5.2): sources exchanged within a batch.
    Salamon et al., Scaper 1.6.5: stems at a drawn difference from a reference loudness.

Deviations:
    Levels are by default those of the stems times a drawn gain; the paper does not say whether it redraws them.
    Remixing takes groups of consecutive positions, whichever batch they end up in; an incoherent example is mixed of
    strangers already, and is left alone.
    Scaper lifts what is below -70 LUFS as if it were at -70 LUFS; here it stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data import augment
from stemtune.data.chance import Chance, Purpose
from stemtune.data.coherent import draw_excerpt, read_part
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.incoherent import draw_sources
from stemtune.data.mixing_config import Loudness, MixingConfig
from stemtune.data.provenance import Place
from stemtune.data.segments import open_corpora
from stemtune.data.stock import anonymous_stock, check_lengths, check_sounds, named_stock
from stemtune.errors import InputError
from stemtune.signal.loudness import SILENCE_LUFS, integrated_loudness

__all__ = ["Drawn", "Loudness", "Mixer", "MixingConfig"]


@dataclass(frozen=True)
class Drawn:
    """An example: its sources, and where each of them comes from; None for silence."""

    sources: Float[Tensor, "stem channel time"]
    places: tuple[Place | None, ...]


class Mixer:
    """Draws examples; see `example`.

    Args:
        config: what to draw.
        decoded: a folder for decoded copies of compressed files, which make reading faster and change nothing.

    Raises:
        InputError: (constructor) if a corpus is empty, if some stem is in none of the corpora or silent in all of
            them, or if no song for coherent mixing exists.
        ConfigError: (constructor) if segments are longer than any recording, or something needs a missing library.
    """

    def __init__(self, config: MixingConfig, *, decoded: Path | None = None) -> None:
        augment.check(config.augmentation, channels=config.channels)
        self.config = config
        self._reader = ExcerptReader(sample_rate=config.sample_rate, channels=config.channels, decoded=decoded)
        opened = open_corpora(config.corpora)
        self._stock = anonymous_stock(opened) if isinstance(config.stems, str) else named_stock(opened, config.stems)
        if config.coherent_probability > 0 and self._stock.songs is None:
            raise InputError(
                "coherent mixing needs songs with at least two of the stems, and the corpora have none; "
                "set coherent_probability to 0 or add songs"
            )
        check_lengths(
            self._stock,
            segment_seconds=config.segment_seconds,
            coherent=config.coherent_probability > 0,
            incoherent=config.coherent_probability < 1,
        )
        check_sounds(self._stock, ExcerptReader(sample_rate=config.sample_rate, channels=config.channels))

    def example(self, *, seed: int, step: int, position: int) -> Float[Tensor, "stem channel time"]:
        """The sources of one example; their sum is its mixture."""
        return self.draw(seed=seed, step=step, position=position).sources

    def draw(self, *, seed: int, step: int, position: int) -> Drawn:
        """The same, with where the sources come from."""
        config = self.config
        chance = Chance(seed, step, position)
        is_mono, is_coherent = self._kind(chance)
        sources = torch.empty(len(config.stem_names), config.channels, config.num_samples)
        places: list[Place | None] = [None] * len(sources)
        if not is_coherent:
            self._fill_incoherent(sources, places, chance)
        elif config.remix_group == 1:
            self._fill_coherent(sources, places, range(len(sources)), chance)
        else:
            for slot in range(len(sources)):
                partner = Chance(seed, step, self._partner(seed, step, position, slot))
                self._kind(partner)
                self._fill_coherent(sources, places, (slot,), partner)
        if is_mono:
            sources = sources.mean(dim=1, keepdim=True).expand_as(sources).contiguous()
        return Drawn(sources, tuple(places))

    def _kind(self, chance: Chance) -> tuple[bool, bool]:
        """Whether an example is mono, and whether it is coherent: what is drawn first."""
        mono, coherent = chance.main.random(2) < (self.config.mono_probability, self.config.coherent_probability)
        return bool(mono), bool(coherent)

    def _partner(self, seed: int, step: int, position: int, slot: int) -> int:
        """The position of the group's member from which a coherent example takes a source."""
        first = position - position % self.config.remix_group
        group = range(first, first + self.config.remix_group)
        members = [member for member in group if self._kind(Chance(seed, step, member))[1]]
        order = Chance(seed, step, first).side(Purpose.REMIX, slot).permutation(len(members))
        return members[int(order[members.index(position)])]

    def _fill_coherent(
        self,
        sources: Float[Tensor, "stem channel time"],
        places: list[Place | None],
        slots: Sequence[int],
        chance: Chance,
    ) -> None:
        if self._stock.songs is None:
            raise ValueError("a coherent example was asked for, and there are no songs")
        excerpt = draw_excerpt(self.config, self._stock.songs, self._reader, chance)
        for slot in slots:
            source, part = sources[slot], excerpt.parts[slot]
            if part is None:
                source.zero_()
                continue
            start = excerpt.start_seconds + part.augmentation.shift_seconds
            places[slot] = Place(excerpt.track.stems[part.stem], start)
            made = read_part(self.config, self._reader, excerpt, part, out=source)
            made = self._at_loudness(made, chance, slot)
            if made is not source:
                source.copy_(made)

    def _fill_incoherent(
        self, sources: Float[Tensor, "stem channel time"], places: list[Place | None], chance: Chance
    ) -> None:
        for slot, made in enumerate(draw_sources(self.config, self._stock, self._reader, chance)):
            if made is None:
                sources[slot].zero_()
            else:
                places[slot] = made.place
                sources[slot].copy_(self._at_loudness(made.samples, chance, slot))

    def _at_loudness(
        self, source: Float[Tensor, "channel time"], chance: Chance, slot: int
    ) -> Float[Tensor, "channel time"]:
        """Bring a source to its drawn loudness, if any; what is nearly silent stays so."""
        if self.config.loudness is None:
            return source
        low, high = self.config.loudness.snr_db
        wanted = self.config.loudness.reference_lufs + float(chance.side(Purpose.LEVEL, slot).uniform(low, high))
        loudness = integrated_loudness(source, sample_rate=self.config.sample_rate)
        return source if loudness <= SILENCE_LUFS else source * 10 ** ((wanted - loudness) / 20)
