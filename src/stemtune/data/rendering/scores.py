"""MIDI scores as events in seconds, so that excerpts, tempo changes and substitutions are arithmetic on lists.

A standard MIDI file counts ticks, and its tempo may change on the way; an event's time is

    seconds = sum over tempo regions of ticks * microseconds_per_beat / (ticks_per_beat * 1e6).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, cast

import mido
from mido.midifiles.meta import KeySignatureError

from stemtune.errors import InputError

__all__ = ["DRUM_CHANNEL", "Event", "Note", "notes_of", "read_events", "write_events"]

DRUM_CHANNEL = 9
_TICKS_PER_BEAT = 480
_TICKS_PER_SECOND = 2 * _TICKS_PER_BEAT  # at MIDI's default tempo, half a second a beat

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
    try:
        score = mido.MidiFile(path, clip=True)
    except (OSError, EOFError, ValueError, KeyError, IndexError, KeySignatureError) as error:
        raise InputError(f"{path}: expected a MIDI file; it does not parse ({error})") from error
    rows: list[tuple[int, int, Any, str]] = []
    for track in cast(list[Any], score.tracks):
        ticks = 0
        for message in track:
            ticks += int(message.time)
            rows.append((ticks, len(rows), message, str(track.name)))
    rows.sort(key=lambda row: row[:2])
    events: list[Event] = []
    ticks_per_beat = int(cast(Any, score).ticks_per_beat)
    seconds, previous, seconds_per_tick = 0.0, 0, 0.5 / ticks_per_beat
    for ticks, _, message, part in rows:
        seconds += (ticks - previous) * seconds_per_tick
        previous = ticks
        if message.type == "set_tempo":
            seconds_per_tick = message.tempo / (1e6 * ticks_per_beat)
        else:
            event = _event(seconds, message, part)
            events += [event] if event else []
    return tuple(events)


def _event(seconds: float, message: Any, part: str) -> Event | None:
    match message.type:
        case "note_on" if message.velocity > 0:
            return Event(seconds, "note_on", message.channel, message.note, message.velocity, part)
        case "note_on" | "note_off":
            return Event(seconds, "note_off", message.channel, message.note, 0, part)
        case "program_change":
            return Event(seconds, "program_change", message.channel, message.program, 0, part)
        case "control_change":
            return Event(seconds, "control_change", message.channel, message.control, message.value, part)
        case "pitchwheel":
            return Event(seconds, "pitchwheel", message.channel, 0, message.pitch, part)
        case _:
            return None


def _message(event: Event, ticks: int) -> mido.Message:
    fields: dict[str, int] = {"channel": event.channel, "time": ticks}
    match event.kind:
        case "note_on" | "note_off":
            fields |= {"note": event.number, "velocity": event.value}
        case "program_change":
            fields |= {"program": event.number}
        case "control_change":
            fields |= {"control": event.number, "value": event.value}
        case "pitchwheel":
            fields |= {"pitch": event.value}
    return cast(Any, mido.Message)(event.kind, **fields)


def notes_of(events: Iterable[Event]) -> tuple[Note, ...]:
    """The notes that the events play, in the order of their onsets."""
    programs: dict[int, int] = {}
    sounding: dict[tuple[int, int], Note] = {}
    notes: list[Note] = []
    for event in events:
        if event.kind == "program_change":
            programs[event.channel] = event.number
        elif event.kind in ("note_on", "note_off"):
            key = (event.channel, event.number)
            held = sounding.pop(key, None)
            if held is not None:
                notes.append(replace(held, duration_seconds=max(event.seconds - held.start_seconds, 0.01)))
            if event.kind == "note_on":
                program = programs.get(event.channel, 0)
                sounding[key] = Note(event.seconds, 0.0, event.number, event.value, event.channel, program, event.part)
    return tuple(sorted(notes, key=lambda note: note.start_seconds))


def write_events(events: Iterable[Event], path: Path | BytesIO) -> None:
    """Store events as a MIDI file (or in an open one) of one track at a constant tempo."""
    score = mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_BEAT)
    track = cast(Any, mido.MidiTrack())
    cast(list[Any], score.tracks).append(track)
    previous = 0
    for event in events:
        ticks = round(event.seconds * _TICKS_PER_SECOND)
        track.append(_message(event, max(ticks - previous, 0)))
        previous = max(ticks, previous)
    if isinstance(path, Path):
        score.save(path)
    else:
        score.save(file=path)
