"""Instruments by name: their General MIDI programs, what they can play, and how deep they may tremble.

    playable(instrument) = lowest <= pitch <= highest.

Names are those that musicians use; where a name covers several programs, one is drawn per song.
"""

from pydantic import Field, TypeAdapter

from stemtune.config import Frozen
from stemtune.errors import UsageError

__all__ = ["INSTRUMENTS", "Instrument", "find_instrument", "fitting_octaves"]


class Instrument(Frozen):
    """A melody instrument."""

    programs: tuple[int, ...] = Field(default=..., min_length=1, description="General MIDI, from 0; one is drawn")
    lowest: int = Field(default=..., description="MIDI pitch")
    highest: int = Field(default=...)
    vibrato_semitones: float = Field(default=0.15, description="the deepest vibrato")


INSTRUMENTS: dict[str, Instrument] = TypeAdapter(dict[str, Instrument]).validate_python(
    {
        "violin": {"programs": (40,), "lowest": 55, "highest": 96, "vibrato_semitones": 0.2},
        "viola": {"programs": (41,), "lowest": 48, "highest": 86, "vibrato_semitones": 0.2},
        "cello": {"programs": (42,), "lowest": 36, "highest": 76, "vibrato_semitones": 0.2},
        "contrabass": {"programs": (43,), "lowest": 28, "highest": 60},
        "flute": {"programs": (73,), "lowest": 59, "highest": 96, "vibrato_semitones": 0.25},
        "oboe": {"programs": (68,), "lowest": 58, "highest": 91},
        "clarinet": {"programs": (71,), "lowest": 50, "highest": 94, "vibrato_semitones": 0.05},
        "bassoon": {"programs": (70,), "lowest": 34, "highest": 75},
        "saxophone": {"programs": (65, 65, 66), "lowest": 44, "highest": 80, "vibrato_semitones": 0.25},
        "soprano saxophone": {"programs": (64,), "lowest": 56, "highest": 88, "vibrato_semitones": 0.25},
        "alto saxophone": {"programs": (65,), "lowest": 49, "highest": 80, "vibrato_semitones": 0.25},
        "tenor saxophone": {"programs": (66,), "lowest": 44, "highest": 75, "vibrato_semitones": 0.25},
        "baritone saxophone": {"programs": (67,), "lowest": 36, "highest": 68, "vibrato_semitones": 0.2},
        "trumpet": {"programs": (56,), "lowest": 54, "highest": 86, "vibrato_semitones": 0.1},
        "trombone": {"programs": (57,), "lowest": 40, "highest": 72},
        "horn": {"programs": (60,), "lowest": 35, "highest": 77, "vibrato_semitones": 0.05},
        "tuba": {"programs": (58,), "lowest": 28, "highest": 58, "vibrato_semitones": 0.0},
        "organ": {"programs": (19,), "lowest": 24, "highest": 96, "vibrato_semitones": 0.0},
        "piano": {"programs": (0,), "lowest": 21, "highest": 108, "vibrato_semitones": 0.0},
        "guitar": {"programs": (24,), "lowest": 40, "highest": 83, "vibrato_semitones": 0.05},
        "choir": {"programs": (52,), "lowest": 36, "highest": 84},
    }
)
"""The instruments that chorales can be played on."""


def find_instrument(name: str) -> Instrument:
    """An instrument by its name, or by ``program:NUMBER``.

    Raises:
        UsageError: listing the names.
    """
    if name in INSTRUMENTS:
        return INSTRUMENTS[name]
    head, _, number = name.partition(":")
    if head == "program" and number.isdigit() and int(number) < 128:
        return Instrument(programs=(int(number),), lowest=0, highest=127)
    names = ", ".join(INSTRUMENTS)
    raise UsageError(f"unknown instrument {name!r}; expected program:0 to program:127 or one of: {names}")


def fitting_octaves(instrument: Instrument, lowest: int, highest: int) -> int:
    """By how many semitones, whole octaves, a line must move to fit an instrument as well as it can."""

    def outside(shift: int) -> tuple[int, int]:
        below, above = instrument.lowest - (lowest + shift), (highest + shift) - instrument.highest
        return max(below, 0) + max(above, 0), abs(shift)

    return min((12 * octaves for octaves in range(-4, 5)), key=outside)
