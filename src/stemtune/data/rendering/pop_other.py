"""The accompaniment of pop songs: piano and bridge on drawn instruments, and layers made of the harmony.

other = piano + bridge + {pad, strumming, arpeggio, synthesisers} by chance.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.desk import Room, equalised, placed, to_active_level
from stemtune.data.rendering.effects import in_stereo
from stemtune.data.rendering.fluidsynth import SHORTER_RELEASE, play_channels
from stemtune.data.rendering.harmony import Bar
from stemtune.data.rendering.plans import Soundfont
from stemtune.data.rendering.pop_bass import without_left_hand
from stemtune.data.rendering.pop_scores import PopScore
from stemtune.data.rendering.scores import Event, Note
from stemtune.data.rendering.synth_layers import LAYERS, widened

__all__ = ["accompaniment"]

Stereo = Float32[np.ndarray, "2 time"]

_KEYS = (0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 7, 11, 16, 17, 18, 24, 25, 26, 27, 27, 28, 46)
_MELODIC = (
    4,
    11,
    21,
    22,
    26,
    27,
    28,
    29,
    30,
    30,
    40,
    42,
    48,
    49,
    50,
    56,
    57,
    61,
    62,
    63,
    65,
    66,
    68,
    71,
    73,
    75,
    80,
    81,
)
_PADS = (48, 49, 50, 51, 16, 18, 19, 88, 89, 90, 92, 93, 94, 95, 61)
_STRUMMED = (24, 25, 25, 26, 27, 28, 29, 30, 30, 104, 105)
_PICKED = (24, 25, 26, 45, 46, 8, 9, 11, 12, 80, 81, 107, 108)
_POWER = (29, 30)
_ELECTRONIC_KEYS = (4, 5, 50, 51, 62, 63, 80, 81, 88, 90, 92, 94, 99)
_STRUM_RHYTHMS = (
    (0, 4, 8, 12),
    (0, 2, 4, 6, 8, 10, 12, 14),
    (0, 6, 8, 14),
    (0, 4, 6, 10, 12, 14),
    (4, 12),
    (0, 3, 6, 8, 11, 14),
)
_SYNTH_PROBABILITY = 0.75


def accompaniment(
    score: PopScore,
    *,
    font: Soundfont,
    room: Room,
    num_samples: int,
    electronic: bool,
    synthetic: bool,
    generator: np.random.Generator,
) -> tuple[Stereo, dict[str, int]]:
    """Everything but voices, bass and drums; and the programs that were drawn.

    Args:
        score: the song.
        font: whose instruments play.
        room: that everybody shares.
        num_samples: length of the result.
        electronic: whether it shall be electronic music.
        synthetic: whether synthesisers by rule may play.
        generator: draws instruments, layers, places and levels.
    """
    keys = _ELECTRONIC_KEYS if electronic and generator.random() < 0.6 else _KEYS
    parts: dict[str, tuple[int, Sequence[Note]]] = {}
    if generator.random() < 0.9:
        parts["piano"] = int(generator.choice(keys)), without_left_hand(score.piano, generator)
    if score.bridge:
        parts["bridge"] = int(generator.choice(_MELODIC)), score.bridge
    if generator.random() < 0.4:
        parts["pad"] = int(generator.choice(_PADS)), _held(score, generator)
    if generator.random() < (0.15 if electronic else 0.4):
        program = int(generator.choice(_STRUMMED))
        parts["strum"] = program, _strummed(score, generator, power=program in _POWER)
    if generator.random() < 0.25:
        parts["picked"] = int(generator.choice(_PICKED)), _picked(score, generator)
    if not parts:
        parts["piano"] = int(generator.choice(keys)), score.piano
    mix = np.zeros((2, num_samples), dtype=np.float32)
    sends = np.zeros((2, num_samples), dtype=np.float32)
    for name, dry in _played(parts, font, num_samples, generator).items():
        level_db = {"piano": -20.0, "bridge": -22.0}.get(name, -25.0) + float(generator.normal(0, 2.5))
        sound = to_active_level(equalised(dry, generator, amount_db=2.5), level_db)
        width = float(generator.uniform(0.3, 1.0))
        sound = placed(sound, position=float(generator.normal(0, 0.3)), width=width)
        mix += sound
        sends += sound * np.float32(10 ** (float(generator.uniform(-22, -7)) / 20))
    if electronic and synthetic and generator.random() < _SYNTH_PROBABILITY:
        bars = _bars(score)
        for index in generator.choice(len(LAYERS), size=int(generator.integers(1, 3)), replace=False):
            layer = widened(in_stereo(LAYERS[int(index)](bars, num_samples, generator)), generator)
            mix += to_active_level(np.asarray(layer, dtype=np.float32), -22.0 + float(generator.normal(0, 2.5)))
    return mix + room.tail(sends), {name: program for name, (program, _) in parts.items()}


def _played(
    parts: dict[str, tuple[int, Sequence[Note]]], font: Soundfont, num_samples: int, generator: np.random.Generator
) -> dict[str, Stereo]:
    events: list[Event] = []
    for channel, (program, notes) in enumerate(parts.values()):
        events.append(Event(0.0, "program_change", channel, program))
        softness = float(generator.uniform(0.75, 1.1))
        for note in notes:
            start = max(note.start_seconds + float(generator.normal(0, 0.004)), 0.0)
            velocity = int(np.clip(note.velocity * softness * generator.normal(1, 0.05), 20, 127))
            events.append(Event(start, "note_on", channel, note.pitch, velocity))
            events.append(Event(start + max(note.duration_seconds, 0.05), "note_off", channel, note.pitch))
    events.sort(key=lambda event: (event.seconds, event.kind == "note_on"))
    sound = play_channels(
        events, soundfont=font.path, num_channels=len(parts), num_samples=num_samples, release_timecents=SHORTER_RELEASE
    )
    return {name: sound[channel] for channel, name in enumerate(parts) if sound[channel].any()}


def _held(score: PopScore, generator: np.random.Generator) -> list[Note]:
    """Chords that are held until they change; silent in some groups of four bars."""
    lowest = int(generator.integers(50, 62))
    notes: list[Note] = []
    first = 0
    for half in range(1, len(score.chords) + 1):
        if half == len(score.chords) or score.chords[half] != score.chords[first]:
            start, end = (float(score.seconds_of(2.0 * place)) for place in (first, half))
            pitches = [lowest + (pitch_class - lowest) % 12 for pitch_class in score.chords[first].classes[:3]]
            notes += [Note(start, end - start, pitch, int(generator.uniform(60, 90))) for pitch in pitches]
            first = half
    return notes


def _strummed(score: PopScore, generator: np.random.Generator, *, power: bool) -> list[Note]:
    """Chords in a rhythm, string after string; fifths only where the guitar is distorted."""
    rhythm = _STRUM_RHYTHMS[int(generator.integers(len(_STRUM_RHYTHMS)))]
    lowest, spread = (40, 0.004) if power else (int(generator.integers(43, 53)), float(generator.uniform(0.004, 0.014)))
    length = float(generator.uniform(0.4, 1.0))
    notes: list[Note] = []
    for bar in range(score.num_bars):
        if generator.random() < 0.05:
            continue
        for step, following in zip(rhythm, [*rhythm[1:], 16], strict=True):
            chord = score.chords[2 * bar + step // 8]
            start, end = (float(score.seconds_of(4.0 * bar + place / 4)) for place in (step, following))
            root = lowest + (chord.root - lowest) % 12
            pitches = [root, root + 7, root + 12]
            if not power:
                pitches = sorted({lowest + (c - lowest) % 12 for c in chord.classes} | {root + 12})
            velocity = float(generator.uniform(75, 110)) * (0.85 if step % 4 else 1.0)
            for string, pitch in enumerate(pitches if step % 4 == 0 else reversed(pitches)):
                notes.append(Note(start + string * spread, (end - start) * length, pitch, int(velocity)))
    return sorted(notes, key=lambda note: note.start_seconds)


def _picked(score: PopScore, generator: np.random.Generator) -> list[Note]:
    """Chord notes one by one in eighths or sixteenths, in one order."""
    steps_per_half = int(generator.choice([4, 4, 8]))
    lowest = int(generator.integers(50, 67))
    order = [int(index) for index in generator.permutation(int(generator.integers(3, 7)))]
    notes: list[Note] = []
    for half, chord in enumerate(score.chords):
        ladder = sorted(lowest + (c - lowest) % 12 + 12 * octave for octave in range(2) for c in chord.classes)
        for step in range(steps_per_half):
            place = 2.0 * half + 2.0 * step / steps_per_half
            start, end = float(score.seconds_of(place)), float(score.seconds_of(place + 2.0 / steps_per_half))
            pitch = ladder[order[(half * steps_per_half + step) % len(order)] % len(ladder)]
            notes.append(Note(start, (end - start) * 1.2, pitch, int(generator.uniform(65, 100))))
    return notes


def _bars(score: PopScore) -> tuple[Bar, ...]:
    """The harmony as `synth_layers` takes it: by whole bars if the song is fast, else by halves."""
    halves_each = 2 if score.beats_per_minute > 100 else 1
    bars: list[Bar] = []
    for half in range(0, len(score.chords), halves_each):
        start, end = (float(score.seconds_of(2.0 * place)) for place in (half, half + halves_each))
        bars.append(Bar(start, end - start, score.chords[half].root, score.chords[half].classes))
    return tuple(bars)
