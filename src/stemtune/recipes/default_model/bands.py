"""Full bands from scores: notes are dealt to drums, bass and other, and each stem is rendered for itself.

The stem of a note follows from its channel, its program, its part's name and its register:

    drums if channel 10 or a percussive program; bass if a bass program, a bass name or a low lone voice; else other.

Every song gets a random excerpt, tempo, transposition, instruments, room and balance, all drawn from its name, so
that the same scores give the same corpus. Instruments stay within their family now and then only: variety of timbre
teaches more than fidelity to the score. Choir programs are replaced by strings: a sampled choir is no "other".
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import filtered
from stemtune.data.rendering.scores import DRUM_CHANNEL, Event, Note, notes_of
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio, active_level
from stemtune.errors import InputError
from stemtune.recipes.default_model.archives import ARCHIVES
from stemtune.recipes.default_model.pieces import Piece
from stemtune.recipes.default_model.render import render
from stemtune.recipes.default_model.scores import read_events

__all__ = ["DRUM_KITS", "band_pieces", "make_band", "stem_of_channels"]

DRUM_KITS = (0, 8, 16, 24, 25, 32, 40)
"""The kits of FluidR3: standard, room, power, electronic, TR-808, jazz, brush."""

_BASS_PROGRAMS = range(32, 40)
_BASS_LEAD = 87
_PERCUSSION_PROGRAMS = frozenset({113, 115, 116, 117, 118, 119})
_EFFECT_PROGRAMS = range(120, 128)
_BASS_NAME = re.compile(r"\b(bass|base|bas|contrabass|kontrabass|walk)\b|^bass", re.IGNORECASE)
_BASS_CHOICES = (32, 33, 33, 34, 34, 35, 36, 37, 38, 38, 39, 39)
_OTHER_CHOICES = (
    (0, 1, 2, 3, 4, 5, 6, 7),  # pianos
    (8, 9, 11, 12, 14, 15),  # mallets
    (16, 17, 18, 19, 20, 21, 22),  # organs, accordion, harmonica
    (24, 25, 26, 27, 28, 29, 30),  # guitars
    (24, 25, 27, 29, 30, 30),
    (40, 41, 42, 44, 45, 46, 48, 49, 50, 51),  # strings
    (56, 57, 60, 61, 62, 63, 64, 65, 66, 67),  # brass and saxophones
    (68, 71, 73, 75, 79),  # winds
    (80, 81, 81, 83, 84, 86),  # leads
    (50, 51, 62, 63, 88, 89, 90, 92, 93, 94, 95),  # pads and synthetic strings
    (99, 103, 104, 105, 106, 107, 108, 110),  # effects with a pitch, plucked strings of the world
)
_CHOIR_LIKE = {52: 48, 53: 49, 54: 50, 85: 81, 91: 89}
_KEPT_CONTROLLERS = frozenset({1, 7, 10, 11, 64, 101, 100, 6, 38})
_LEVEL_DB = -18.0
_LOWEST_HZ = {"drums": 20.0, "bass": 25.0, "other": 35.0}  # some samples of the soundfont have an offset
_STEM_LEVELS_DB = {"drums": -20.0, "bass": -21.0, "other": -20.0}


def band_pieces(
    scores: Mapping[str, Sequence[Path]], *, excerpt_seconds: Mapping[str, float], seed: int
) -> list[Piece]:
    """One song per score; ``excerpt_seconds`` says how much of the scores of each archive is rendered."""
    pieces: list[Piece] = []
    for archive, paths in scores.items():
        for path in paths:
            name = f"{archive}-{path.stem}"
            make = partial(make_band, path, name=name, duration_seconds=excerpt_seconds[archive], seed=seed)
            licence = f"{ARCHIVES[archive]} AND MIT"
            pieces.append(Piece(name, "song", make, f"midi/{archive}/{path.name}, FluidR3 GM", licence))
    return pieces


def make_band(path: Path, *, name: str, duration_seconds: float, seed: int) -> Mapping[str, Audio]:
    """Render an excerpt of a score; nothing where the score has no drums, no bass or no other."""
    generator = generator_of(seed, name)
    try:
        events = read_events(path)
    except InputError:
        return {}
    notes = notes_of(events)
    stems = stem_of_channels(notes)
    if not {"bass", "other"} <= {stems.get((note.channel, note.program), "") for note in notes}:
        return {}
    speed = float(generator.uniform(0.88, 1.12))
    start = _lively_start(notes, stems, duration_seconds * speed, generator)
    if start is None:
        return {}
    shift = int(generator.integers(-4, 4))
    programs = _draw_programs(notes, stems, generator)
    room = float(generator.uniform(0.1, 1.0)) if generator.random() < 0.5 else 0.0
    num_samples = round(duration_seconds * SAMPLE_RATE)
    rendered: dict[str, Audio] = {}
    for stem in ("drums", "bass", "other"):
        part = _events_of_stem(events, stem, stems, programs, shift)
        part = _excerpt(part, start, duration_seconds, speed)
        if any(event.kind == "note_on" for event in part):
            samples = render(part, num_samples=num_samples, room=room * (0.2 if stem == "bass" else 1.0))
            rendered[stem] = filtered(samples, "highpass", _LOWEST_HZ[stem])
    return _balance(rendered, generator)


def stem_of_channels(notes: Sequence[Note]) -> dict[tuple[int, int], str]:
    """The stem of every (channel, program) of a song; sound effects belong to none."""
    groups: dict[tuple[int, int], list[Note]] = defaultdict(list)
    for note in notes:
        groups[note.channel, note.program].append(note)
    stems: dict[tuple[int, int], str] = {}
    for key, group in groups.items():
        channel, program = key
        pitch = float(np.median([note.pitch for note in group]))
        named = bool(_BASS_NAME.search(group[0].part))
        if channel == DRUM_CHANNEL or program in _PERCUSSION_PROGRAMS:
            stems[key] = "drums"
        elif program in _EFFECT_PROGRAMS:
            continue
        else:
            is_bass = program in _BASS_PROGRAMS or program == _BASS_LEAD or (named and pitch < 55)
            stems[key] = "bass" if is_bass or (pitch < 43 and _is_lone_voice(group)) else "other"
    return stems


def _is_lone_voice(notes: Sequence[Note]) -> bool:
    """Whether hardly any two notes begin together: a line, not chords."""
    onsets = np.array([note.start_seconds for note in notes])
    return bool(np.mean(np.diff(onsets) < 0.02) < 0.1) if len(onsets) > 4 else True


def _lively_start(
    notes: Sequence[Note], stems: Mapping[tuple[int, int], str], length: float, generator: np.random.Generator
) -> float | None:
    """Of several random places, the one where the rarest of the stems has most notes."""
    onsets = {
        stem: np.array([n.start_seconds for n in notes if stems.get((n.channel, n.program)) == stem])
        for stem in ("drums", "bass", "other")
    }
    last = max(note.start_seconds for note in notes)
    if last < 8:
        return None
    starts = generator.uniform(0, max(last - length, 0.0) + 1e-3, size=8)
    counts = [
        min(int(((o >= s) & (o < s + length)).sum()) for stem, o in onsets.items() if stem != "drums" or o.size)
        for s in starts
    ]
    best = int(np.argmax(counts))
    return float(starts[best]) if counts[best] > 0 else None


def _draw_programs(
    notes: Sequence[Note], stems: Mapping[tuple[int, int], str], generator: np.random.Generator
) -> dict[tuple[int, int], int]:
    """The program that each (channel, program) of the score is played with."""
    programs: dict[tuple[int, int], int] = {}
    kit = int(generator.choice(DRUM_KITS))
    for channel, program in sorted({(note.channel, note.program) for note in notes}):
        drawn = _CHOIR_LIKE.get(program, program)
        match stems.get((channel, program)):
            case "bass" if generator.random() < 0.75:
                drawn = int(generator.choice(_BASS_CHOICES))
            case "other" if generator.random() < 0.6:
                family = _OTHER_CHOICES[int(generator.integers(len(_OTHER_CHOICES)))]
                drawn = int(generator.choice(family))
            case "drums" if channel == DRUM_CHANNEL:
                drawn = kit
            case _:
                pass
        programs[channel, program] = drawn
    return programs


def _events_of_stem(
    events: Sequence[Event],
    stem: str,
    stems: Mapping[tuple[int, int], str],
    programs: Mapping[tuple[int, int], int],
    shift: int,
) -> list[Event]:
    """The messages that one stem needs, with instruments replaced and pitched notes transposed."""
    current: dict[int, int] = {}
    sounding: dict[tuple[int, int], int] = {}
    channels = {channel for (channel, _), name in stems.items() if name == stem}
    kept = [Event(0.0, "program_change", channel, programs.get((channel, 0), 0)) for channel in sorted(channels)]
    for event in events:
        key = (event.channel, event.number)
        if event.channel not in channels:
            continue
        if event.kind == "program_change":
            current[event.channel] = event.number
            if key in programs:
                kept.append(replace(event, number=programs[key]))
        elif event.kind == "note_on":
            if stems.get((event.channel, current.get(event.channel, 0))) == stem:
                moved = event.number if event.channel == DRUM_CHANNEL else event.number + shift
                sounding[key] = min(max(moved, 0), 127)
                kept.append(replace(event, number=sounding[key]))
        elif event.kind == "note_off":
            if key in sounding:
                kept.append(replace(event, number=sounding.pop(key)))
        elif event.kind == "pitchwheel" or event.number in _KEPT_CONTROLLERS:
            kept.append(event)
    return kept


def _excerpt(events: Sequence[Event], start: float, length: float, speed: float) -> list[Event]:
    """What is played from ``start`` on, after the settings that were made before; ``speed`` times as fast."""
    settings: dict[tuple[int, str, int], Event] = {}
    played: list[Event] = []
    for event in events:
        seconds = (event.seconds - start) / speed
        if seconds >= length:
            break
        if seconds >= 0:
            played.append(replace(event, seconds=seconds))
        elif event.kind not in ("note_on", "note_off"):
            control = event.number if event.kind == "control_change" else -1
            settings[event.channel, event.kind, control] = replace(event, seconds=0.0)
    return [*settings.values(), *played]


def _balance(stems: Mapping[str, Audio], generator: np.random.Generator) -> dict[str, Audio]:
    """Levels as bands have them, give or take some decibels, and one common gain to a common level of the mixture."""
    balanced: dict[str, Audio] = {}
    for stem, samples in stems.items():
        level_db = _STEM_LEVELS_DB[stem] + float(generator.normal(0, 3.5))
        balanced[stem] = samples * np.float32(10 ** (level_db / 20) / active_level(samples))
    mixture = sum(balanced.values(), start=np.zeros((1, 1), dtype=np.float32))
    gain = min(10 ** (_LEVEL_DB / 20) / active_level(mixture), 0.95 / float(np.abs(mixture).max() + 1e-9))
    balanced = {stem: (samples * np.float32(gain)).astype(np.float32) for stem, samples in balanced.items()}
    if "bass" in balanced:
        balanced["bass"] = balanced["bass"].mean(axis=0)
    return balanced
