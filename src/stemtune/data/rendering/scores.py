"""Scores as events in seconds, so that excerpts, tempo changes and substitutions are arithmetic on lists.

note = (start, duration, pitch, velocity, who plays it),   event = (time, message).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stemtune.data.rendering.midi import MidiScore, read_midi

__all__ = ["DRUM_CHANNEL", "Event", "Note", "events_of", "notes_of", "read_events"]

DRUM_CHANNEL = 9

Kind = Literal["note_on", "note_off", "program_change", "control_change", "pitchwheel"]


@dataclass(frozen=True)
class Event:
    """One channel message at a time.

    Attributes:
        seconds: from the beginning of the score.
        kind: an onset of velocity 0 is a ``note_off`` here.
        channel: from 0 to 15.
        number: the note, the controller or the program; 0 for the pitch wheel.
        value: the velocity, the controller's value, or the pitch wheel's; 0 for a program.
        part: the name of the track that it stands in.
    """

    seconds: float
    kind: Kind
    channel: int
    number: int
    value: int = 0
    part: str = ""


@dataclass(frozen=True)
class Note:
    """One note; ``program`` is the instrument that its channel had at its onset, ``part`` its track's name."""

    start_seconds: float
    duration_seconds: float
    pitch: int
    velocity: int
    channel: int = 0
    program: int = 0
    part: str = ""


def read_events(path: Path) -> tuple[Event, ...]:
    """All channel messages of a MIDI file in the order of time.

    Raises:
        InputError: if it is not a MIDI file that can be read.
    """
    return events_of(read_midi(path))


def events_of(score: MidiScore) -> tuple[Event, ...]:
    """The messages of a score, in the order of time."""
    seconds = score.seconds_of([message.tick for message in score.messages]).tolist()
    events: list[Event] = []
    for time, message in zip(seconds, score.messages, strict=True):
        part, first, second = score.track_names[message.track], message.first, message.second
        match message.status:
            case 0x9 if second > 0:
                events.append(Event(time, "note_on", message.channel, first, second, part))
            case 0x8 | 0x9:
                events.append(Event(time, "note_off", message.channel, first, 0, part))
            case 0xB:
                events.append(Event(time, "control_change", message.channel, first, second, part))
            case 0xC:
                events.append(Event(time, "program_change", message.channel, first, 0, part))
            case 0xE:
                events.append(Event(time, "pitchwheel", message.channel, 0, first + 128 * second - 8192, part))
            case _:
                pass  # the pressure on a key that is down
    return tuple(events)


def notes_of(events: Iterable[Event]) -> tuple[Note, ...]:
    """The notes that the events play, in the order of their onsets."""
    programs: dict[int, int] = {}
    sounding: dict[tuple[int, int], tuple[Event, int]] = {}
    notes: list[Note] = []
    for event in events:
        if event.kind == "program_change":
            programs[event.channel] = event.number
        elif event.kind in ("note_on", "note_off"):
            key = (event.channel, event.number)
            held = sounding.pop(key, None)
            if held is not None:
                on, program = held
                duration = max(event.seconds - on.seconds, 0.01)
                notes.append(Note(on.seconds, duration, on.number, on.value, on.channel, program, on.part))
            if event.kind == "note_on":
                sounding[key] = event, programs.get(event.channel, 0)
    return tuple(sorted(notes, key=lambda note: note.start_seconds))
