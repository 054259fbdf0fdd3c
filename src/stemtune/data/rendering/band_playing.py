"""What a band plays, as stems: pitched parts in one pass of the sampler, basses on synthesisers, drums on kits.

stem = sum over its parts of equaliser(instrument(part)) + room convolved with their sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.desk import Room, equalised, placed
from stemtune.data.rendering.drum_kits import draw_drum_sound
from stemtune.data.rendering.drum_map import Hit
from stemtune.data.rendering.drumming import summed_drums
from stemtune.data.rendering.effects import in_stereo
from stemtune.data.rendering.fluidsynth import SHORTER_RELEASE, play_channels
from stemtune.data.rendering.ingredients import Ingredient, synthesised
from stemtune.data.rendering.midi_parts import MidiPart, events_of_part
from stemtune.data.rendering.oneshots import Recordings
from stemtune.data.rendering.plans import Soundfont, TimbreSet
from stemtune.data.rendering.scores import Event
from stemtune.data.rendering.sidechain import ducked
from stemtune.data.rendering.substitution import draw_program
from stemtune.data.rendering.synth_bass import synth_bass

__all__ = ["BandSound", "play_band", "side_chained"]

Stereo = Float32[np.ndarray, "2 time"]

_KICK_NOTES = (35, 36)
_DRY_PROBABILITY = 0.3


@dataclass
class BandSound:
    """Stems in the making, and what was used for them."""

    stems: dict[str, Stereo]
    ingredients: dict[str, Ingredient] = field(default_factory=dict[str, Ingredient])
    programs: dict[str, int] = field(default_factory=dict[str, int])
    kit: str = ""


def play_band(
    parts: Mapping[str, MidiPart],
    stem_of: Mapping[str, str],
    timbres: TimbreSet,
    recordings: Mapping[str, Recordings],
    *,
    stems: tuple[str, ...],
    room: Room,
    num_samples: int,
    electronic: bool,
    generator: np.random.Generator,
) -> BandSound:
    """Play all parts of a song.

    Args:
        parts: by key.
        stem_of: the stem of every key.
        timbres: soundfonts and kits to draw from.
        recordings: of the kits.
        stems: the names of all stems; those without parts are silent.
        room: that everybody shares.
        num_samples: length of the result.
        electronic: whether it shall be electronic music.
        generator: draws all else.
    """
    font = timbres.soundfonts[int(generator.integers(len(timbres.soundfonts)))]
    semitones = int(generator.integers(-4, 5))
    sound = BandSound({stem: np.zeros((2, num_samples), dtype=np.float32) for stem in stems})
    sends = {stem: np.zeros((2, num_samples), dtype=np.float32) for stem in stems}
    sampled = {key: part for key, part in parts.items() if not part.is_drums}
    if electronic and timbres.synthetic and generator.random() < 0.6:
        for key in [key for key in sampled if stem_of[key] == "bass"]:
            notes = [replace(note, pitch=note.pitch + semitones) for note in sampled.pop(key).notes]
            sound.stems["bass"] += synth_bass(notes, num_samples, generator)
            sound.ingredients["synthesis"] = synthesised("synthesisers")
    mirrored = bool(generator.random() < 0.5)
    dry = _sampled(sampled, stem_of, font, sound, num_samples, semitones, generator, electronic=electronic)
    for key, samples in dry.items():
        stem, is_bass = stem_of[key], stem_of[key] == "bass"
        if is_bass:
            processed = in_stereo(equalised(samples.mean(axis=0), generator, amount_db=2.0))
        else:
            processed = equalised(samples[::-1] if mirrored else samples, generator, amount_db=2.0)
            processed = placed(processed, position=float(generator.normal(0, 0.25)))
        wet_db = float(generator.uniform(-24, -8)) - (12 if is_bass else 0)
        sound.stems[stem] += processed
        if generator.random() > _DRY_PROBABILITY:
            sends[stem] += processed * np.float32(10 ** (wet_db / 20))
    for stem in stems:
        sound.stems[stem] += room.tail(sends[stem])
    for key, part in parts.items():
        if part.is_drums:
            hits = [
                Hit(max(note.start_seconds + float(generator.normal(0, 0.003)), 0.0), note.pitch, note.velocity / 127)
                for note in part.notes
            ]
            drums = draw_drum_sound(
                hits, timbres, recordings, num_samples=num_samples, generator=generator, electronic=electronic
            )
            sound.stems[stem_of[key]] += summed_drums(drums.parts, generator, room=room, num_samples=num_samples)
            sound.kit = drums.kit
            sound.ingredients[drums.kit] = drums.ingredient
    return sound


def side_chained(
    stems: Mapping[str, Stereo], parts: Mapping[str, MidiPart], generator: np.random.Generator
) -> dict[str, Stereo]:
    """The stems with bass and accompaniment ducking under the kick drum, if there is one."""
    kicks = [
        note.start_seconds
        for part in parts.values()
        if part.is_drums
        for note in part.notes
        if note.pitch in _KICK_NOTES
    ]
    return duck_under(stems, kicks, generator)


def duck_under(stems: Mapping[str, Stereo], kicks: list[float], generator: np.random.Generator) -> dict[str, Stereo]:
    """The stems with all but drums and vocals ducking at these times."""
    depths = {stem: float(generator.uniform(0.3, 0.95)) for stem in stems}
    recovery, ramp = float(generator.uniform(0.05, 0.2)), float(generator.uniform(0.004, 0.015))
    if not kicks:
        return dict(stems)
    return {
        stem: samples
        if stem in ("drums", "vocals")
        else samples
        * ducked(kicks, samples.shape[1], depth=depths[stem], recovery_seconds=recovery, ramp_seconds=ramp).astype(
            np.float32
        )
        for stem, samples in stems.items()
    }


def _sampled(
    parts: Mapping[str, MidiPart],
    stem_of: Mapping[str, str],
    font: Soundfont,
    sound: BandSound,
    num_samples: int,
    semitones: int,
    generator: np.random.Generator,
    *,
    electronic: bool,
) -> dict[str, Stereo]:
    """Every pitched part on an instrument of the soundfont, all in one pass; dry."""
    if not parts:
        return {}
    sound.ingredients[font.path.name] = font.ingredient
    events: list[Event] = []
    for channel, (key, part) in enumerate(parts.items()):
        program = draw_program(part.program, generator, is_bass=stem_of[key] == "bass", electronic=electronic)
        sound.programs[key] = program
        events += events_of_part(part, channel=channel, program=program, semitones=semitones, generator=generator)
    events.sort(key=lambda event: event.seconds)
    played = play_channels(
        events, soundfont=font.path, num_channels=len(parts), num_samples=num_samples, release_timecents=SHORTER_RELEASE
    )
    return {key: played[channel] for channel, key in enumerate(parts) if played[channel].any()}
