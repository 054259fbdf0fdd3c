"""A MIDI file as parts: everything that one instrument plays, with the controllers that shape it.

    part = (channel, program) and its notes,   controllers = those of its channel, whoever plays there.

A channel whose program changes on the way holds several parts. Sixteen channels are no limit here: every part is
played on a channel of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stemtune.data.rendering.scores import DRUM_CHANNEL, Event, Note, notes_of, read_events
from stemtune.errors import InputError

__all__ = ["MidiPart", "events_of_part", "excerpt_of", "lively_start", "read_parts"]

_KEPT_CONTROLLERS = frozenset({1, 7, 10, 11, 64, 100, 101, 6, 38})
_TOGETHER_SECONDS = 0.02


@dataclass(frozen=True)
class MidiPart:
    """What one instrument plays.

    Attributes:
        channel: of the file.
        program: General MIDI, from 0.
        is_drums: whether it stands on the drum channel.
        name: of its track.
        notes: in the order of time.
        controllers: pitch bends and the controllers that shape a sound.
    """

    channel: int
    program: int
    is_drums: bool
    name: str
    notes: tuple[Note, ...]
    controllers: tuple[Event, ...]

    @property
    def pitch(self) -> float:
        """The median of its notes."""
        return float(np.median([note.pitch for note in self.notes]))

    @property
    def is_line(self) -> bool:
        """Whether hardly any two of its notes begin together."""
        onsets = np.array([note.start_seconds for note in self.notes])
        return bool(np.mean(np.diff(onsets) < _TOGETHER_SECONDS) < 0.1) if len(onsets) > 4 else True


def read_parts(path: Path) -> tuple[MidiPart, ...]:
    """The parts of a MIDI file, in a fixed order.

    Raises:
        InputError: if it does not parse, or holds no notes.
    """
    events = read_events(path)
    notes: dict[tuple[int, int], list[Note]] = defaultdict(list)
    for note in notes_of(events):
        notes[note.channel, 0 if note.channel == DRUM_CHANNEL else note.program].append(note)
    if not notes:
        raise InputError(f"{path}: expected a MIDI file with notes; it has none")
    controllers: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        if event.kind == "pitchwheel" or (event.kind == "control_change" and event.number in _KEPT_CONTROLLERS):
            controllers[event.channel].append(event)
    return tuple(
        MidiPart(channel, program, channel == DRUM_CHANNEL, group[0].part, tuple(group), tuple(controllers[channel]))
        for (channel, program), group in sorted(notes.items())
    )


def lively_start(
    groups: Sequence[Sequence[Note]], *, seconds: float, generator: np.random.Generator, tries: int = 8
) -> float:
    """Of several random places, the one where the rarest of the groups has most notes.

    Args:
        groups: notes that should all be heard.
        seconds: the length of the excerpt.
        generator: draws the places.
        tries: how many.
    """
    onsets = [np.array([note.start_seconds for note in group]) for group in groups if group]
    last = max(float(times.max()) for times in onsets)
    starts = generator.uniform(0, max(last - seconds, 0.0) + 1e-3, size=tries)
    counts = [min(int(((times >= s) & (times < s + seconds)).sum()) for times in onsets) for s in starts]
    return float(starts[int(np.argmax(counts))])


def excerpt_of(part: MidiPart, *, start: float, seconds: float, speed: float) -> MidiPart:
    """What a part plays from ``start`` on, ``speed`` times as fast, for ``seconds``; settings made before stay."""
    notes = tuple(
        replace(
            note, start_seconds=(note.start_seconds - start) / speed, duration_seconds=note.duration_seconds / speed
        )
        for note in part.notes
        if start <= note.start_seconds < start + seconds * speed
    )
    settings: dict[tuple[str, int], Event] = {}
    later: list[Event] = []
    for event in part.controllers:
        moment = (event.seconds - start) / speed
        if moment < 0:
            settings[event.kind, event.number] = replace(event, seconds=0.0)
        elif moment < seconds:
            later.append(replace(event, seconds=moment))
    return replace(part, notes=notes, controllers=(*settings.values(), *later))


def events_of_part(
    part: MidiPart, *, channel: int, program: int, semitones: int, generator: np.random.Generator
) -> list[Event]:
    """The messages that play a part on a channel of its own, its notes a little uneven in time and strength."""
    late = generator.normal(0, 0.004, len(part.notes))
    harder = generator.normal(1, 0.06, len(part.notes))
    events = [Event(0.0, "program_change", channel, program)]
    events += [replace(event, channel=channel) for event in part.controllers]
    for note, shift, factor in zip(part.notes, late, harder, strict=True):
        pitch = note.pitch if part.is_drums else min(max(note.pitch + semitones, 0), 127)
        velocity = int(np.clip(note.velocity * factor, 1, 127))
        start = max(note.start_seconds + float(shift), 0.0)
        events.append(Event(start, "note_on", channel, pitch, velocity))
        events.append(Event(start + max(note.duration_seconds, 0.02), "note_off", channel, pitch))
    return sorted(events, key=lambda event: (event.seconds, event.kind == "note_on"))
