"""Standard MIDI files, read in one pass: fast, because a corpus begins with reading a thousand of them.

A file is a header and tracks; a track is a row of (time since the last message, message), where a message may leave
out its status if it has that of the one before. Only what sounds is kept:

    time = sum of deltas,   seconds = sum over tempo regions of ticks * microseconds_per_beat / (ticks_per_beat * 1e6).

References: "The Complete MIDI 1.0 Detailed Specification", Standard MIDI Files 1.0 (MIDI Manufacturers Association).
Deviations: time codes other than ticks per beat, and files of independent songs (format 2), are refused.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from stemtune.errors import InputError

__all__ = ["MidiMessage", "MidiScore", "read_midi"]

_DEFAULT_TEMPO = 500_000
_META, _SYSTEM_EXCLUSIVE, _ESCAPE = 0xFF, 0xF0, 0xF7
_TRACK_NAME, _END_OF_TRACK, _SET_TEMPO = 0x03, 0x2F, 0x51
_ONE_BYTE = (0xC, 0xD)


@dataclass(frozen=True, slots=True)
class MidiMessage:
    """A channel message.

    Attributes:
        tick: when.
        status: its kind, the upper four bits, from 8 (note off) to 14 (pitch bend).
        channel: from 0.
        first: its first value.
        second: its second value; 0 if it has one only.
        track: the number of its track.
    """

    tick: int
    status: int
    channel: int
    first: int
    second: int
    track: int


@dataclass(frozen=True)
class MidiScore:
    """A whole file.

    Attributes:
        ticks_per_beat: how many ticks a quarter note has.
        tempi: (tick, microseconds per quarter note), in the order of time.
        track_names: of every track; empty where it has none.
        messages: in the order of time, those of one tick in the order of the file.
    """

    ticks_per_beat: int
    tempi: tuple[tuple[int, int], ...]
    track_names: tuple[str, ...]
    messages: tuple[MidiMessage, ...]

    def seconds_of(self, ticks: Sequence[int]) -> Float64[np.ndarray, "time"]:
        """When some ticks are, which must not fall."""
        result = np.empty(len(ticks))
        seconds, previous, per_tick = 0.0, 0, _DEFAULT_TEMPO / (1e6 * self.ticks_per_beat)
        changes = iter([*self.tempi, (1 << 62, _DEFAULT_TEMPO)])
        change_tick, tempo = next(changes)
        for index, tick in enumerate(ticks):
            while change_tick <= tick:
                seconds += (change_tick - previous) * per_tick
                previous, per_tick = change_tick, tempo / (1e6 * self.ticks_per_beat)
                change_tick, tempo = next(changes)
            seconds += (tick - previous) * per_tick
            previous = tick
            result[index] = seconds
        return result


def read_midi(path: Path) -> MidiScore:
    """Read a file.

    Raises:
        InputError: if it is no MIDI file, or damaged.
    """
    try:
        return _parsed(path.read_bytes())
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise InputError(f"{path}: expected a MIDI file; it does not parse ({error})") from None


def _parsed(data: bytes) -> MidiScore:
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[20:]
    kind, size, form, num_tracks, division = struct.unpack_from(">4sIHHH", data)
    if kind != b"MThd":
        raise ValueError(f"it begins with {data[:4]!r}, not MThd")
    if form not in (0, 1) or division & 0x8000 or division == 0:
        raise ValueError(f"format {form} with division {division:#x} is not supported")
    position = 8 + size
    tracks: list[tuple[str, list[MidiMessage], list[tuple[int, int]]]] = []
    while len(tracks) < num_tracks and position + 8 <= len(data):
        name, length = struct.unpack_from(">4sI", data, position)
        if name == b"MTrk":
            if position + 8 + length > len(data):
                raise ValueError("it ends within a track")
            tracks.append(_track(data[position + 8 : position + 8 + length], len(tracks)))
        position += 8 + length
    if len(tracks) < num_tracks:
        raise ValueError(f"{num_tracks} tracks are announced, {len(tracks)} are there")
    messages = [message for _, track, _ in tracks for message in track]
    messages.sort(key=lambda message: message.tick)
    tempi = sorted((change for _, _, changes in tracks for change in changes), key=lambda change: change[0])
    return MidiScore(division, tuple(tempi), tuple(name for name, _, _ in tracks), tuple(messages))


def _track(data: bytes, number: int) -> tuple[str, list[MidiMessage], list[tuple[int, int]]]:
    """The name, the channel messages and the tempo changes of a track."""
    name, tempi, messages = "", list[tuple[int, int]](), list[MidiMessage]()
    position, tick, status, end = 0, 0, 0, len(data)
    while position < end:
        delta, position = _variable(data, position)
        tick += delta
        byte = data[position]
        if byte & 0x80:
            status = byte
            position += 1
        elif not status:
            raise ValueError("a message without a status")
        if status == _META:
            kind = data[position]
            length, position = _variable(data, position + 1)
            content = data[position : position + length]
            position += length
            status = 0
            if kind == _TRACK_NAME:
                name = name or content.decode("latin-1")
            elif kind == _SET_TEMPO and length == 3:
                tempi.append((tick, int.from_bytes(content, "big")))
            elif kind == _END_OF_TRACK:
                break
        elif status in (_SYSTEM_EXCLUSIVE, _ESCAPE):
            length, position = _variable(data, position)
            position += length
            status = 0
        elif status > _SYSTEM_EXCLUSIVE:
            raise ValueError(f"a message of status {status:#x}")
        else:
            upper = status >> 4
            first = min(data[position], 127)
            second = 0 if upper in _ONE_BYTE else min(data[position + 1], 127)
            position += 1 if upper in _ONE_BYTE else 2
            messages.append(MidiMessage(tick, upper, status & 0xF, first, second, number))
    return name, messages, tempi


def _variable(data: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits per byte, and where it ends."""
    value = 0
    while True:
        byte = data[position]
        position += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position
