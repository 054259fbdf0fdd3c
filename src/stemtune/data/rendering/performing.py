"""From a score to a performance: notes that begin a little early or late, swell, waver, and are never quite in tune.

What a sampler cannot do by itself is sent to it as controllers, every ten milliseconds of a line:

    bend(t) = tuning + drift(t) + scoop * exp(-t_note / 60 ms) + depth(t_note) * sin(2 pi rate t)      in semitones,
    expression(t) = 100 + swell within notes + slow noise                                              controller 11.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from stemtune.data.rendering.scores import Event, Note

__all__ = ["Manner", "draw_manner", "late", "perform"]

_GRID_SECONDS = 0.01
_BEND_RANGE_SEMITONES = 2.0
_BEND_STEPS = 8192
_EXPRESSION = 11


@dataclass(frozen=True)
class Manner:
    """How one player plays."""

    timing_seconds: float
    legato_seconds: float
    tuning_semitones: float
    intonation_semitones: float
    vibrato_semitones: float
    vibrato_hz: float
    scoop_semitones: float
    swell: float


def draw_manner(generator: np.random.Generator, *, vibrato_semitones: float = 0.15) -> Manner:
    """A player; ``vibrato_semitones`` is the deepest vibrato that the instrument allows."""
    draw = generator.uniform
    return Manner(
        timing_seconds=draw(0.004, 0.018),
        legato_seconds=draw(-0.03, 0.05),
        tuning_semitones=float(np.clip(generator.normal(0, 0.04), -0.1, 0.1)),
        intonation_semitones=draw(0.01, 0.06),
        vibrato_semitones=draw(0.0, vibrato_semitones) if generator.random() < 0.7 else 0.0,
        vibrato_hz=draw(4.6, 6.4),
        scoop_semitones=draw(0.0, 0.4) if generator.random() < 0.4 else 0.0,
        swell=draw(0.0, 18.0),
    )


def late(notes: Sequence[Note], generator: np.random.Generator, *, timing_seconds: float) -> list[Note]:
    """The same notes, each some milliseconds away, with a slow drift that neighbours share."""
    drift = np.convolve(generator.normal(0, timing_seconds, len(notes) + 8), np.ones(9) / 3, mode="valid")[: len(notes)]
    shifts = drift * 0.6 + generator.normal(0, timing_seconds * 0.6, len(notes))
    return [
        Note(max(note.start_seconds + float(shift), 0.0), note.duration_seconds, note.pitch, note.velocity,
             note.channel, note.program, note.part)
        for note, shift in zip(notes, shifts, strict=True)
    ]  # fmt: skip


def perform(
    notes: Sequence[Note], *, channel: int, program: int, manner: Manner, generator: np.random.Generator
) -> list[Event]:
    """The messages by which a sampler plays one line on one channel, in the order of time.

    Args:
        notes: in the order of time; they may touch, but should not overlap by much.
        channel: of all messages.
        program: General MIDI, from 0.
        manner: of the player.
        generator: draws what differs from note to note.
    """
    played = late(notes, generator, timing_seconds=manner.timing_seconds)
    events = [Event(0.0, "program_change", channel, program)]
    for note, following in zip(played, [*played[1:], None], strict=True):
        end = note.start_seconds + max(note.duration_seconds + manner.legato_seconds, 0.05)
        if following is not None and following.pitch == note.pitch:
            end = min(end, following.start_seconds - 0.015)  # or the same key would be struck while it is down
        events.append(Event(note.start_seconds, "note_on", channel, note.pitch, note.velocity))
        events.append(Event(max(end, note.start_seconds + 0.02), "note_off", channel, note.pitch))
    if played:
        events += _controllers(played, channel, manner, generator)
    return sorted(events, key=lambda event: (event.seconds, event.kind != "note_off"))


def _controllers(notes: Sequence[Note], channel: int, manner: Manner, generator: np.random.Generator) -> list[Event]:
    """Pitch bend and expression on a grid of time, wherever their values change."""
    seconds = np.arange(0.0, notes[-1].start_seconds + notes[-1].duration_seconds + 0.5, _GRID_SECONDS)
    onsets = np.array([note.start_seconds for note in notes])
    lengths = np.array([max(note.duration_seconds, 0.05) for note in notes])
    index = np.clip(np.searchsorted(onsets, seconds, side="right") - 1, 0, None)
    since = np.clip(seconds - onsets[index], 0, None)
    errors = manner.tuning_semitones + generator.normal(0, manner.intonation_semitones, len(notes))
    scoops = (generator.random(len(notes)) < 0.4) * manner.scoop_semitones
    depth = manner.vibrato_semitones * np.clip((since - 0.2) / 0.35, 0, 1)
    rate = manner.vibrato_hz * (1 + 0.05 * _slow(len(seconds), 40, generator))
    bend = errors[index] - scoops[index] * np.exp(-since / 0.06)
    bend = (
        bend + depth * np.sin(2 * np.pi * np.cumsum(rate) * _GRID_SECONDS) + 0.01 * _slow(len(seconds), 30, generator)
    )
    swell = (
        manner.swell
        * np.sin(np.pi * np.clip(since / lengths[index], 0, 1))
        * generator.uniform(-0.4, 1, len(notes))[index]
    )
    expression = np.clip(np.round(100 + swell + 4 * _slow(len(seconds), 50, generator)), 40, 127)
    wheel = np.clip(np.round(bend / _BEND_RANGE_SEMITONES * _BEND_STEPS / 32) * 32, -_BEND_STEPS, _BEND_STEPS - 1)
    events = [
        Event(float(seconds[i]), "pitchwheel", channel, 0, int(wheel[i]))
        for i in np.flatnonzero(np.diff(wheel, prepend=np.inf))
    ]
    events += [
        Event(float(seconds[i]), "control_change", channel, _EXPRESSION, int(expression[i]))
        for i in np.flatnonzero(np.diff(expression, prepend=np.inf))
    ]
    return events


def _slow(count: int, every: int, generator: np.random.Generator) -> Float64[np.ndarray, "time"]:
    """Noise of unit variance that changes its course every so many steps."""
    points = generator.standard_normal(count // every + 3)
    return np.interp(np.arange(count) / every, np.arange(len(points)), points)
