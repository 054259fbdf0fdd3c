"""Kits of drum one-shots: soft recordings for soft strokes, another recording for every repetition.

    drums[n] = sum over strokes of velocity^p * blend(velocity) * recording(kind, layer(velocity), turn)[n - onset].

One-shots have lost the level at which they were played, so the gain is drawn per kit, and soft strokes are darker.
Where a drum has one recording only, slightly detuned copies take turns, or a roll would sound like a machine gun.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.drum_map import (
    DRUM_PARTS,
    KINDS,
    NOTE_OF_KIND,
    Hit,
    kind_of_file,
    kind_of_note,
    part_of_note,
)
from stemtune.data.rendering.effects import filtered, pan
from stemtune.data.rendering.hits import synthetic_hit, transposed
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio, load_audio
from stemtune.errors import InputError

__all__ = ["OneshotKit", "Recordings", "draw_kit", "play_kit", "scan_kit"]

Recordings = Mapping[str, Mapping[str, tuple[tuple[Path, ...], ...]]]
"""By kind of drum, by instrument: layers from soft to hard, each of recordings that can stand in for one another."""

_AUDIO = (".flac", ".wav", ".ogg", ".aif", ".aiff")
_LEVELS_DB = {
    "kick": 0.0, "snare": -1.0, "rim": -5.0, "clap": -3.0, "hat": -13.0, "pedal": -15.0, "open_hat": -12.0,
    "ride": -12.0, "crash": -8.0, "splash": -10.0, "tom_high": -4.0, "tom_mid": -4.0, "tom_low": -3.0,
}  # fmt: skip
_POSITIONS = {
    "kick": 0.0, "snare": 0.05, "rim": 0.05, "clap": 0.0, "hat": -0.5, "pedal": -0.5, "open_hat": -0.5, "ride": 0.55,
    "crash": -0.7, "splash": 0.3, "tom_high": -0.3, "tom_mid": 0.1, "tom_low": 0.5,
}  # fmt: skip
_STAND_INS = {
    "rim": ("snare",), "clap": ("snare",), "pedal": ("hat",), "open_hat": ("hat",), "splash": ("crash",),
    "crash": ("splash", "ride"), "ride": ("crash",), "tom_high": ("tom_mid", "tom_low"),
    "tom_mid": ("tom_high", "tom_low"), "tom_low": ("tom_mid", "tom_high"), "hat": ("pedal",),
}  # fmt: skip
_SEMITONES = {"tom_high": 3.0, "tom_mid": 0.0, "tom_low": -4.0}
_SYNTHETIC = {
    "rim": "snare", "pedal": "hat", "splash": "crash", "tom_high": "tom", "tom_mid": "tom", "tom_low": "tom",
}  # fmt: skip
_LOUDNESS = ("softest", "soft", "med", "hard", "hardest")
_NUM_COPIES = 3
_FADE_SAMPLES = 441
_TRIES = 8


@dataclass(frozen=True)
class OneshotKit:
    """A kit that is ready to be played.

    Attributes:
        recordings: by kind of drum, layers from soft to hard; each holds sounds that take turns.
        darker: the same with less treble, for soft strokes.
        positions: by kind of drum, in the stereo image.
        exponent: of the law from velocity to gain.
    """

    recordings: Mapping[str, tuple[tuple[Audio, ...], ...]]
    darker: Mapping[str, tuple[tuple[Audio, ...], ...]]
    positions: Mapping[str, float]
    exponent: float


def scan_kit(folder: Path) -> Recordings:
    """Sort the one-shots of a folder by what they can play.

    Raises:
        InputError: if there is no kick, no snare or no cymbal among them.
    """
    found: dict[str, dict[str, dict[int, list[Path]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in _AUDIO or path.name.startswith("."):
            continue
        kind = kind_of_file(path.parent.name, path.stem)
        if kind is not None:
            instrument, layer = _instrument_and_layer(path.stem)
            found[kind][instrument][layer].append(path)
    parts = {part_of_note(NOTE_OF_KIND[kind]) for kind in found}
    for part in ("kick", "snare", "cymbals"):
        if part not in parts:
            raise InputError(f"{folder}: expected one-shots of kick, snare and cymbals, by name; found no {part}")
    return {
        kind: {name: tuple(tuple(layers[layer]) for layer in sorted(layers)) for name, layers in sorted(group.items())}
        for kind, group in found.items()
    }


def draw_kit(
    recordings: Recordings, generator: np.random.Generator, *, synthetic_probability: float = 0.0
) -> OneshotKit:
    """One instrument for every kind of drum, tuned and placed at random; without recordings all are synthesised."""
    tuning = float(np.clip(generator.normal(0, 1.2), -3, 3))
    width = float(generator.uniform(0.3, 1.0)) * float(generator.choice([-1.0, 1.0]))
    chosen: dict[str, tuple[tuple[Audio, ...], ...]] = {}
    darker: dict[str, tuple[tuple[Audio, ...], ...]] = {}
    for kind in KINDS:
        level = 10 ** (float(generator.normal(_LEVELS_DB[kind], 2.0)) / 20)
        source = kind if kind in recordings else next((k for k in _STAND_INS.get(kind, ()) if k in recordings), None)
        if source is None or generator.random() < synthetic_probability:
            layers: tuple[tuple[Audio, ...], ...] = ((synthetic_hit(_SYNTHETIC.get(kind, kind), generator),),)
            shift = _SEMITONES.get(kind, 0.0)
        else:
            names = tuple(recordings[source])
            paths = recordings[source][names[int(generator.integers(len(names)))]]
            layers = tuple(tuple(_mono(path) for path in layer[:_TRIES]) for layer in paths)
            shift = tuning + (_SEMITONES.get(kind, 0.0) - _SEMITONES.get(source, 0.0))
        layers = tuple(_in_turns(layer, shift, level, generator) for layer in layers)
        cutoff = float(generator.uniform(2500, 7000))
        chosen[kind] = layers
        darker[kind] = tuple(tuple(filtered(s, "lowpass", cutoff, order=1) for s in layer) for layer in layers)
    positions = {
        kind: float(np.clip(place * width + generator.normal(0, 0.05), -1, 1)) for kind, place in _POSITIONS.items()
    }
    return OneshotKit(chosen, darker, positions, float(generator.uniform(1.1, 2.0)))


def play_kit(
    hits: Sequence[Hit], kit: OneshotKit, *, num_samples: int, generator: np.random.Generator
) -> dict[str, Float32[np.ndarray, "2 time"]]:
    """The sound of every part of the kit that is struck; stereo, dry."""
    parts: dict[str, Float32[np.ndarray, "2 time"]] = {}
    chokes = np.array([hit.seconds for hit in hits if kind_of_note(hit.note) in ("hat", "pedal", "open_hat")])
    turns: dict[tuple[str, int], int] = defaultdict(int)
    for hit in hits:
        kind = kind_of_note(hit.note)
        onset = round(hit.seconds * SAMPLE_RATE)
        if kind is None or not 0 <= onset < num_samples:
            continue
        layers = kit.recordings[kind]
        layer = min(int(hit.velocity * len(layers)), len(layers) - 1)
        turn = turns[kind, layer] % len(layers[layer])
        turns[kind, layer] += 1
        blend = np.float32(hit.velocity)
        sound = layers[layer][turn] * blend + kit.darker[kind][layer][turn] * (1 - blend)
        sound = sound * np.float32(hit.velocity**kit.exponent * generator.uniform(0.94, 1.06))
        if kind == "open_hat":
            later = chokes[chokes > hit.seconds + 0.03]
            sound = _choked(sound, float(later[0]) - hit.seconds) if later.size else sound
        sound = sound[: num_samples - onset]
        part = part_of_note(hit.note)
        if part not in parts:
            parts[part] = np.zeros((2, num_samples), dtype=np.float32)
        parts[part][:, onset : onset + len(sound)] += pan(sound, kit.positions[kind])
    return {part: parts[part] for part in DRUM_PARTS if part in parts}


def _instrument_and_layer(name: str) -> tuple[str, int]:
    """``Tom1-Softest`` is the softest layer of ``tom1``; numbers at the end only count recordings."""
    words = [word for word in re.split(r"[-_ .]+", name.lower()) if word]
    loudness = next((word for word in words if word in _LOUDNESS), None)
    rest = [word for word in words if word != loudness]
    base = "-".join(rest)
    base = base if loudness else re.sub(r"(?<=[a-z])(-?alt)?\d{1,2}$", "", base)
    return base, _LOUDNESS.index(loudness) if loudness else 0


def _mono(path: Path) -> Audio:
    samples = load_audio(path)
    return samples if samples.ndim == 1 else samples.mean(axis=0)


def _in_turns(
    layer: Sequence[Audio], semitones: float, level: float, generator: np.random.Generator
) -> tuple[Audio, ...]:
    """At least three sounds: the recordings themselves, or copies of them a few cents away."""
    count = max(len(layer), _NUM_COPIES)
    return tuple(
        transposed(layer[i % len(layer)], semitones + float(generator.normal(0, 0.07))) * np.float32(level)
        for i in range(count)
    )


def _choked(sound: Audio, seconds: float) -> Audio:
    """A sound that a hand or a pedal stops."""
    end = round(seconds * SAMPLE_RATE)
    if end >= len(sound):
        return sound
    stopped = sound[:end].copy()
    length = min(end, _FADE_SAMPLES)
    stopped[end - length :] *= np.linspace(1, 0, length, dtype=np.float32)
    return stopped
