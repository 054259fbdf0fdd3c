"""Scores of the default corpus: MIDI files as mido reads them, and what POP909's songs offer to improvise on.

Other corpora are read by `stemtune.data.rendering.midi`, which is faster and reads two files more; here nothing may
change, so that the same seed goes on giving the same corpus:

    seconds = sum over tempo regions of ticks * microseconds_per_beat / (ticks_per_beat * 1e6).
"""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import mido
import numpy as np
from mido.midifiles.meta import KeySignatureError

from stemtune.data.rendering.harmony import Bar
from stemtune.data.rendering.scores import Event, Note, notes_of
from stemtune.errors import InputError

__all__ = ["bars_of_song", "melody_of_song", "read_events", "write_events"]

_TICKS_PER_BEAT = 480
_TICKS_PER_SECOND = 2 * _TICKS_PER_BEAT  # at MIDI's default tempo, half a second a beat


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


def bars_of_song(path: Path, num_seconds: float, generator: np.random.Generator) -> tuple[Bar, ...]:
    """The chords of a POP909 arrangement: in every window, its lowest piano note and the pitch classes it plays."""
    notes = [note for note in notes_of(read_events(path)) if note.part == "PIANO"]
    if not notes:
        return ()
    start = float(generator.uniform(0, max(notes[-1].start_seconds - num_seconds, 0.0) + 1e-3))
    seconds = float(generator.uniform(0.9, 2.4))
    shift = int(generator.integers(12))
    bars: list[Bar] = []
    for index in range(int(num_seconds / seconds) + 1):
        begin = start + index * seconds
        window = [n for n in notes if begin <= n.start_seconds + 1e-3 < begin + seconds]
        if window:
            root = (min(note.pitch for note in window) + shift) % 12
            classes = sorted({(note.pitch + shift) % 12 for note in window} | {root})
            bars.append(Bar(index * seconds, seconds, root, tuple(classes[:4])))
        elif bars:
            bars.append(Bar(index * seconds, seconds, bars[-1].root, bars[-1].chord))
    return tuple(bars)


def melody_of_song(path: Path) -> tuple[Note, ...]:
    """The MELODY track of a POP909 arrangement."""
    return tuple(note for note in notes_of(read_events(path)) if note.part == "MELODY")
