"""Drums by their General MIDI notes: which part of the kit a note belongs to, and which recording can play it.

    note -> kind of drum (closed hi-hat, low tom, ...) -> part of the kit (kick, snare, cymbals, toms, percussion).

The Groove performances were played on a Roland TD-11, whose edges and rims have notes of their own; `GM_OF_TD11` turns
them into General MIDI.
"""

import re
from dataclasses import dataclass

__all__ = ["DRUM_PARTS", "GM_OF_TD11", "KINDS", "NOTE_OF_KIND", "Hit", "kind_of_file", "kind_of_note", "part_of_note"]

DRUM_PARTS = ("kick", "snare", "cymbals", "toms", "percussion")
"""The parts of a drum kit; percussion is everything that is not on an ordinary one."""

GM_OF_TD11 = {22: 42, 26: 46, 40: 38, 47: 45, 50: 48, 52: 57, 53: 51, 55: 49, 58: 43, 59: 51}
"""Notes of the Roland TD-11 that mean something else, or nothing, in General MIDI."""

_NOTES: dict[str, tuple[int, ...]] = {
    "kick": (36, 35), "snare": (38, 40), "rim": (37,), "clap": (39,), "hat": (42,), "pedal": (44,), "open_hat": (46,),
    "ride": (51, 53, 59), "crash": (49, 57, 52), "splash": (55,), "tom_high": (50, 48), "tom_mid": (47, 45),
    "tom_low": (43, 41),
}  # fmt: skip
KINDS = tuple(_NOTES)
"""What one-shots are sorted into."""

NOTE_OF_KIND = {kind: notes[0] for kind, notes in _NOTES.items()}
"""The first General MIDI note of every kind."""

_KIND_OF_NOTE = {note: kind for kind, notes in _NOTES.items() for note in notes}
_PART_OF_KIND = {
    "kick": "kick", "snare": "snare", "rim": "snare", "clap": "snare", "hat": "cymbals", "pedal": "cymbals",
    "open_hat": "cymbals", "ride": "cymbals", "crash": "cymbals", "splash": "cymbals", "tom_high": "toms",
    "tom_mid": "toms", "tom_low": "toms",
}  # fmt: skip
_PATTERNS = (
    ("kick", r"kick|^bd|bass_(hard|soft)|bassdrum"),
    ("clap", r"clap"),
    ("rim", r"rim|stick|butt"),
    ("snare", r"snare|^sn(_|$)|^sd"),
    ("tom_low", r"(floor|large|low|lo_|_lo).*tom|tom.*(floor|large|low|lo(_|$|-))"),
    ("tom_high", r"(small|high|hi_|_hi).*tom|tom.*(small|high|hi(_|$|-))|tom_?1(\D|$)"),
    ("tom_mid", r"tom"),
    ("ride", r"ride"),
    ("splash", r"splash"),
    ("crash", r"crash|china|cymbal_(hard|soft)"),
    ("pedal", r"pedal|foot|fhh"),
    ("open_hat", r"half-open|hohh|(hat|cymbal).*open|open.*hat|elec_cymbal|hat_(zild|noiz|gump)"),
    ("hat", r"hat|chh|cymbal|hh"),
)
_FOLDERS = {"kick": "kick", "snare": "snare", "tom": "tom_mid", "toms": "tom_mid", "cymbal": "hat", "cymbals": "hat"}


@dataclass(frozen=True)
class Hit:
    """One stroke: when, on which General MIDI note, how hard (from 0 to 1)."""

    seconds: float
    note: int
    velocity: float


def kind_of_note(note: int) -> str | None:
    """The kind of drum that a General MIDI note means; None for percussion."""
    return _KIND_OF_NOTE.get(note)


def part_of_note(note: int) -> str:
    """The part of the kit that a General MIDI note belongs to."""
    kind = _KIND_OF_NOTE.get(note)
    return "percussion" if kind is None else _PART_OF_KIND[kind]


def kind_of_file(folder: str, name: str) -> str | None:
    """What a one-shot can play, by the name of its folder and its own (without the ending); None if that is unclear."""
    if folder in KINDS:
        return folder
    text = name.lower()
    found = next((kind for kind, pattern in _PATTERNS if re.search(pattern, text)), None)
    default = _FOLDERS.get(folder.lower())
    if default is None or found is None:
        return found or default
    same = _PART_OF_KIND[found] == _PART_OF_KIND[default]
    return found if same else default
