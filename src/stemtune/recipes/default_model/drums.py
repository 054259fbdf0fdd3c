"""Drum parts: human performances and programmed patterns, on sampled kits, one-shots and synthesised hits.

A performance is a list of (time, kind of drum, velocity); its sound on one-shots is a sum of shifted, scaled hits:

    drums[n] = sum over strokes of gain(velocity) * hit[kind](n - onset).

The Groove performances were recorded on a Roland TD-11, whose extra zones are mapped to General MIDI. One-shots have
lost their velocities, so the gain, and the brightness of soft strokes, are drawn per kit.
"""

import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from stemtune.data.rendering.beats import Stroke, pattern
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import filtered, in_stereo, pan, process_mildly, to_level
from stemtune.data.rendering.hits import DRUM_KINDS, synthetic_hit, transposed
from stemtune.data.rendering.scores import DRUM_CHANNEL, Event, notes_of
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio, load_audio
from stemtune.errors import InputError
from stemtune.recipes.default_model.bands import DRUM_KITS
from stemtune.recipes.default_model.pieces import Piece
from stemtune.recipes.default_model.real import Row
from stemtune.recipes.default_model.render import render
from stemtune.recipes.default_model.scores import read_events

__all__ = ["drum_pieces", "make_on_kit", "oneshots_by_kind", "play_on_hits"]

_GM_OF_TD11 = {22: 42, 26: 46, 40: 38, 47: 45, 50: 48, 52: 57, 53: 51, 55: 49, 58: 43, 59: 51}
_KIND_OF_GM = {
    35: "kick", 36: "kick", 37: "snare", 38: "snare", 39: "clap", 40: "snare", 41: "tom", 42: "hat", 43: "tom",
    44: "hat", 45: "tom", 46: "open_hat", 47: "tom", 48: "tom", 49: "crash", 51: "ride", 57: "crash",
}  # fmt: skip
_TOM_SEMITONES = {41: -5.0, 43: -3.0, 45: 0.0, 47: 2.0, 48: 4.0}
_KIND_LEVELS_DB = {
    "kick": 0.0, "snare": -2.0, "clap": -4.0, "hat": -13.0, "open_hat": -13.0, "tom": -5.0, "ride": -13.0,
    "crash": -9.0,
}  # fmt: skip
_SECONDS = 36.0
_SMALLEST_SCORE_BYTES = 2500  # what is smaller is a fill of a few strokes


def drum_pieces(
    performances: Sequence[Path],
    rows: Sequence[Row],
    *,
    num_sampled: int,
    num_oneshot: int,
    num_programmed: int,
    seed: int,
) -> list[Piece]:
    """Pool files of drums: performances on FluidR3 kits, performances on one-shots, programmed electronic patterns."""
    hits = oneshots_by_kind(rows)
    order = generator_of(seed, "drums").permutation(len(performances))
    shuffled = [performances[int(index)] for index in order]
    chosen = [path for path in shuffled if path.stat().st_size > _SMALLEST_SCORE_BYTES]
    pieces: list[Piece] = []
    for index, path in enumerate(chosen[: num_sampled + num_oneshot]):
        name = f"groove-{zlib.crc32(path.as_posix().split('groove/')[-1].encode()):08x}"
        origin = f"midi/groove/{path.parent.parent.name}/{path.parent.name}/{path.name}"
        if index < num_sampled:
            make = partial(make_on_kit, path, name=name, seed=seed)
            pieces.append(Piece(f"{name}-kit", "pool", make, f"{origin}, FluidR3 GM", "CC-BY-4.0 AND MIT"))
        else:
            make = partial(_performance_on_hits, path, hits, name=name, seed=seed)
            pieces.append(Piece(f"{name}-hits", "pool", make, f"{origin}, sonic_pi_cc0", "CC-BY-4.0 AND CC0-1.0"))
    for index in range(num_programmed):
        name = f"beat-{index:03d}"
        make = partial(_pattern_on_hits, hits, name=name, seed=seed)
        pieces.append(Piece(name, "pool", make, "programmed here, sonic_pi_cc0", "CC0-1.0"))
    return pieces


def oneshots_by_kind(rows: Sequence[Row]) -> dict[str, tuple[Path, ...]]:
    """The one-shots of the manifest, sorted by what they can play."""
    kinds: dict[str, list[Path]] = {kind: [] for kind in DRUM_KINDS}
    for row in rows:
        if row.corpus == "drum_oneshots":
            kinds[_kind_of_file(row.path)].append(row.path)
    kinds["clap"] = kinds["clap"] or kinds["snare"]
    return {kind: tuple(sorted(paths)) for kind, paths in kinds.items()}


def _kind_of_file(path: Path) -> str:
    folder, name = path.parent.name, path.stem
    if folder != "cymbal":
        return folder
    if name.startswith("ride"):
        return "ride"
    if "splash" in name or name.endswith(("cymbal_hard", "cymbal_soft")):
        return "crash"
    return "open_hat" if name in {"drum_cymbal_open", "elec_cymbal", "hat_zild", "hat_noiz", "hat_gump"} else "hat"


def play_on_hits(
    strokes: Sequence[Stroke], hits: Mapping[str, tuple[Path, ...]], num_samples: int, generator: np.random.Generator
) -> Audio:
    """Play strokes on a random kit of one-shots and synthesised hits; stereo."""
    synthetic_probability = float(generator.choice([0.0, 0.3, 1.0], p=[0.4, 0.35, 0.25]))
    exponent, tuning = float(generator.uniform(1.0, 2.2)), float(generator.normal(0, 1.5))
    kit: dict[str, Audio] = {}
    for kind in DRUM_KINDS:
        paths = hits.get(kind, ())
        if not paths or generator.random() < synthetic_probability:
            kit[kind] = synthetic_hit(kind, generator)
        else:
            sample = load_audio(paths[int(generator.integers(len(paths)))])
            kit[kind] = transposed(sample if sample.ndim == 1 else sample.mean(axis=0), tuning)
        kit[kind] = kit[kind] * np.float32(10 ** (generator.normal(_KIND_LEVELS_DB[kind], 2.5) / 20))
    soft = {
        kind: filtered(sample, "lowpass", float(generator.uniform(2500, 7000)), order=1) for kind, sample in kit.items()
    }
    width = float(generator.uniform(0, 0.7))
    positions = {kind: float(generator.uniform(-1, 1)) * (0.05 if kind in ("kick", "snare") else width) for kind in kit}
    mix = np.zeros((2, num_samples), dtype=np.float32)
    chokes = [stroke.seconds for stroke in strokes if stroke.kind in ("hat", "open_hat")]
    for stroke in strokes:
        onset = round(stroke.seconds * SAMPLE_RATE)
        if onset >= num_samples:
            continue
        blend = np.float32(stroke.velocity)
        hit = kit[stroke.kind] * blend + soft[stroke.kind] * (1 - blend)
        if stroke.semitones:
            hit = transposed(hit, stroke.semitones)
        if stroke.kind == "open_hat":
            later = [time for time in chokes if time > stroke.seconds + 0.03]
            hit = _choked(hit, (min(later) - stroke.seconds) if later else 9.0)
        hit = hit[: num_samples - onset] * np.float32(stroke.velocity**exponent * generator.uniform(0.93, 1.07))
        place = positions[stroke.kind] + 0.03 * stroke.semitones
        mix[:, onset : onset + len(hit)] += pan(hit, min(max(place, -1.0), 1.0))
    return mix


def _choked(hit: Audio, seconds: float) -> Audio:
    end = round(seconds * SAMPLE_RATE)
    if end >= len(hit):
        return hit
    fade = np.ones(end, dtype=np.float32)
    length = min(end, 441)
    fade[end - length :] = np.linspace(1, 0, length, dtype=np.float32)
    return hit[:end] * fade


def _excerpt_of(path: Path, generator: np.random.Generator) -> tuple[list[tuple[float, int, int]], float] | None:
    try:
        notes = notes_of(read_events(path))
    except InputError:
        return None
    if len(notes) < 24 or notes[-1].start_seconds < 6:
        return None
    speed = float(generator.uniform(0.9, 1.12))
    latest = max(notes[-1].start_seconds - _SECONDS * speed, 0.0)
    start = float(generator.uniform(0, latest)) if latest else max(notes[0].start_seconds - 0.1, 0.0)
    strokes = [
        ((note.start_seconds - start) / speed, note.pitch, note.velocity)
        for note in notes
        if note.start_seconds >= start
    ]
    strokes = [
        (seconds, _GM_OF_TD11.get(pitch, pitch), velocity) for seconds, pitch, velocity in strokes if seconds < _SECONDS
    ]
    return strokes, min(_SECONDS, strokes[-1][0] + 1.0)


def make_on_kit(path: Path, *, name: str, seed: int) -> Mapping[str, Audio]:
    """A performance on a sampled kit; stereo, or nothing where it is too short."""
    generator = generator_of(seed, name)
    excerpt = _excerpt_of(path, generator)
    if excerpt is None:
        return {}
    strokes, seconds = excerpt
    kit = int(generator.choice(DRUM_KITS))
    events = [Event(0.0, "program_change", DRUM_CHANNEL, kit)]
    for time, pitch, velocity in strokes:
        events.append(Event(time, "note_on", DRUM_CHANNEL, pitch, velocity))
        events.append(Event(time + 0.1, "note_off", DRUM_CHANNEL, pitch))
    events.sort(key=lambda event: event.seconds)
    room = float(generator.choice([0.0, 0.0, generator.uniform(0.1, 1)]))
    samples = render(events, num_samples=round(seconds * SAMPLE_RATE), room=room)
    return {"drums": to_level(process_mildly(samples, generator), float(generator.normal(-19, 2)))}


def _performance_on_hits(
    path: Path, hits: Mapping[str, tuple[Path, ...]], *, name: str, seed: int
) -> Mapping[str, Audio]:
    generator = generator_of(seed, name)
    excerpt = _excerpt_of(path, generator)
    if excerpt is None:
        return {}
    notes, seconds = excerpt
    strokes = [
        Stroke(time, _KIND_OF_GM[pitch], velocity / 127, _TOM_SEMITONES.get(pitch, 0.0))
        for time, pitch, velocity in notes
        if pitch in _KIND_OF_GM
    ]
    samples = play_on_hits(strokes, hits, round(seconds * SAMPLE_RATE), generator)
    return {"drums": to_level(process_mildly(samples, generator), float(generator.normal(-19, 2)))}


def _pattern_on_hits(hits: Mapping[str, tuple[Path, ...]], *, name: str, seed: int) -> Mapping[str, Audio]:
    generator = generator_of(seed, name)
    samples = play_on_hits(pattern(_SECONDS, generator), hits, round(_SECONDS * SAMPLE_RATE), generator)
    return {"drums": in_stereo(to_level(process_mildly(samples, generator), float(generator.normal(-18, 2))))}
