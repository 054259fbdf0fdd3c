"""A drum part played on a kit: one of a soundfont's, one of one-shots, or one made by rule.

    parts = {kick, snare, cymbals, toms, percussion that are struck},   drums = sum over parts.

Kits of soundfonts get one channel per part of the kit, each set to the same drum program, so that one pass renders
all parts for themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.drum_map import DRUM_PARTS, Hit, part_of_note
from stemtune.data.rendering.fluidsynth import play_channels
from stemtune.data.rendering.ingredients import Ingredient, synthesised
from stemtune.data.rendering.oneshots import Recordings, draw_kit, play_kit, scan_kit
from stemtune.data.rendering.plans import Soundfont, TimbreSet
from stemtune.data.rendering.scores import Event
from stemtune.data.rendering.soundfonts import known_soundfont, presets_of
from stemtune.errors import InputError

__all__ = ["DrumSound", "draw_drum_sound", "drums_on_soundfont", "scan_kits"]

_DRUM_BANK = 128
_ELECTRONIC_KITS = (24, 25)
_UNUSUAL_KITS = frozenset({48, 56, 127})  # orchestra, sound effects, CM-64
_LENGTH_SECONDS = 0.12


@dataclass(frozen=True)
class DrumSound:
    """What a drum part sounded like.

    Attributes:
        parts: stereo sound by part of the kit.
        kit: its name, for the record.
        ingredient: whose licence counts.
    """

    parts: Mapping[str, Float32[np.ndarray, "2 time"]]
    kit: str
    ingredient: Ingredient


def scan_kits(timbres: TimbreSet) -> dict[str, Recordings]:
    """The one-shots of every kit of a timbre set, by the kit's digest."""
    return {kit.digest: scan_kit(kit.path) for kit in timbres.kits}


def draw_drum_sound(
    hits: Sequence[Hit],
    timbres: TimbreSet,
    recordings: Mapping[str, Recordings],
    *,
    num_samples: int,
    generator: np.random.Generator,
    electronic: bool = False,
) -> DrumSound:
    """Play hits on a random kit.

    Args:
        hits: in the order of time.
        timbres: what there is to choose from.
        recordings: of its kits, as `scan_kits` found them.
        num_samples: length of the result.
        generator: draws the kit and every stroke.
        electronic: whether it shall be one of a drum machine.

    Raises:
        InputError: if there is no kit to play on.
    """
    kinds: dict[str, float] = {}
    fonts = [font for font in (*timbres.soundfonts, *timbres.drum_soundfonts) if _kits_of(font, electronic)]
    if fonts:
        kinds["soundfont"] = 0.25 if electronic else 0.55
    if timbres.kits:
        kinds["oneshots"] = 0.35
    if timbres.synthetic:
        kinds["rule"] = 0.4 if electronic else 0.1
    if not kinds:
        raise InputError("expected a kit to play drums on, of a soundfont or of one-shots; there is none: give --kits")
    weights = np.array(list(kinds.values()))
    kind = str(generator.choice(list(kinds), p=weights / weights.sum()))
    if kind == "soundfont":
        font = fonts[int(generator.integers(len(fonts)))]
        programs = _kits_of(font, electronic)
        program = programs[int(generator.integers(len(programs)))]
        parts = drums_on_soundfont(hits, font.path, program=program, num_samples=num_samples)
        return DrumSound(parts, f"{font.path.name} kit {program}", font.ingredient)
    if kind == "rule":
        kit = draw_kit({}, generator)
        return DrumSound(
            play_kit(hits, kit, num_samples=num_samples, generator=generator), "rule", synthesised("drums")
        )
    chosen = timbres.kits[int(generator.integers(len(timbres.kits)))]
    share = float(generator.choice([0.0, 0.0, 0.3])) if timbres.synthetic else 0.0
    kit = draw_kit(recordings[chosen.digest], generator, synthetic_probability=share)
    parts = play_kit(hits, kit, num_samples=num_samples, generator=generator)
    return DrumSound(parts, chosen.path.name, chosen.ingredient)


def drums_on_soundfont(
    hits: Sequence[Hit], soundfont: Path, *, program: int, num_samples: int
) -> dict[str, Float32[np.ndarray, "2 time"]]:
    """Every part of a soundfont's kit for itself; stereo, dry."""
    used = [part for part in DRUM_PARTS if any(part_of_note(hit.note) == part for hit in hits)]
    channels = {part: number for number, part in enumerate(used)}
    events = [Event(0.0, "program_change", channel, program) for channel in channels.values()]
    for hit in hits:
        channel, velocity = channels[part_of_note(hit.note)], min(max(round(127 * hit.velocity), 1), 127)
        events.append(Event(max(hit.seconds, 0.0), "note_on", channel, hit.note, velocity))
        events.append(Event(max(hit.seconds, 0.0) + _LENGTH_SECONDS, "note_off", channel, hit.note))
    events.sort(key=lambda event: event.seconds)
    is_kit = known_soundfont(soundfont).is_drum_kit
    sound = play_channels(
        events,
        soundfont=soundfont,
        num_channels=max(len(used), 1),
        num_samples=num_samples,
        drum_channels=frozenset[int]() if is_kit else frozenset(channels.values()),
    )
    return {part: sound[channel] for part, channel in channels.items()}


def _kits_of(font: Soundfont, electronic: bool) -> tuple[int, ...]:
    """The programs of a soundfont that are drum kits of the wanted sort."""
    if known_soundfont(font.path).is_drum_kit:
        return () if electronic else (0,)
    programs = sorted(program for bank, program in presets_of(font.path) if bank == _DRUM_BANK)
    usual = [program for program in programs if program not in _UNUSUAL_KITS]
    machines = [program for program in usual if program in _ELECTRONIC_KITS]
    return tuple(machines or usual if electronic else usual)
