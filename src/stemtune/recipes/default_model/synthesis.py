"""Electronic bass lines, and electronic music of the stem other: pads, arpeggios, leads, stabs, sweeps.

All are subtractive synthesis on a random harmony, with what electronic music does to it:

    stem = synthesiser(line or chords) * (1 - depth * exp(-t_since_beat / recovery)).

The last factor imitates a compressor that the kick drum drives ("side-chain").
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import filtered, in_stereo, process_mildly, to_level
from stemtune.data.rendering.harmony import Bar, bars_at_random, bass_line
from stemtune.data.rendering.oscillators import Line
from stemtune.data.rendering.sidechain import ducked
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.data.rendering.synth_bass import synth_bass
from stemtune.data.rendering.synth_layers import LAYERS, widened
from stemtune.recipes.default_model.pieces import Piece
from stemtune.recipes.default_model.scores import bars_of_song

__all__ = ["make_bass", "make_other", "synthesis_pieces"]

_SECONDS = 36.0


def synthesis_pieces(songs: Sequence[Path], *, num_bass: int, num_other: int, seed: int) -> list[Piece]:
    """Pool files of bass and other; every second one on the harmony of a POP909 song."""
    pieces: list[Piece] = []
    for stem, count, make in (("bass", num_bass, make_bass), ("other", num_other, make_other)):
        chosen = generator_of(seed, f"synthesis-{stem}").permutation(len(songs))
        for index in range(count):
            name = f"synth-{stem}-{index:03d}"
            song = songs[int(chosen[index % len(chosen)])] if index % 2 and len(songs) else None
            origin = f"synthesised here{f' on midi/pop909/{song.name}' if song else ''}"
            pieces.append(
                Piece(name, "pool", partial(make, song, name=name, seed=seed), origin, "MIT" if song else "CC0-1.0")
            )
    return pieces


def _bars(song: Path | None, seconds: float, generator: np.random.Generator) -> tuple[Bar, ...]:
    bars = bars_of_song(song, seconds, generator) if song else ()
    return bars or bars_at_random(seconds, generator)


def make_bass(song: Path | None, *, name: str, seed: int, seconds: float = _SECONDS) -> Mapping[str, Audio]:
    """A bass line on a random instrument; mono."""
    generator = generator_of(seed, name)
    bars = _bars(song, seconds, generator)
    num_samples = round(seconds * SAMPLE_RATE)
    lowest = int(generator.integers(24, 34))
    notes = bass_line(bars, generator, lowest_pitch=lowest)
    samples = synth_bass(notes, num_samples, generator) * _ducking(bars, num_samples, generator).astype(np.float32)
    return {"bass": to_level(samples, float(generator.normal(-19, 2.5)))}


def make_other(song: Path | None, *, name: str, seed: int) -> Mapping[str, Audio]:
    """One to three layers of electronic instruments on one harmony; stereo."""
    generator = generator_of(seed, name)
    bars = _bars(song, _SECONDS, generator)
    num_samples = round(_SECONDS * SAMPLE_RATE)
    mix = np.zeros((2, num_samples), dtype=np.float32)
    layers = LAYERS
    for index in generator.choice(len(layers), size=int(generator.integers(1, 4)), replace=False):
        layer = in_stereo(layers[int(index)](bars, num_samples, generator))
        layer = widened(layer, generator)
        mix += to_level(layer, float(generator.normal(-20, 3)))
    mix *= _ducking(bars, num_samples, generator).astype(np.float32)
    mix = filtered(process_mildly(mix, generator), "highpass", float(generator.uniform(40, 180)))
    return {"other": to_level(mix, float(generator.normal(-20, 2.5)))}


def _ducking(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Line:
    """A gain that dips on every beat, in four of ten pieces; otherwise 1."""
    if generator.random() > 0.4:
        return np.ones(num_samples)
    beats = [bar.start_seconds + beat * bar.seconds / 4 for bar in bars for beat in range(4)]
    depth, recovery = generator.uniform(0.4, 1.0), generator.uniform(0.05, 0.18)
    return ducked(
        beats, num_samples, depth=depth, recovery_seconds=recovery, ramp_seconds=generator.uniform(0.004, 0.015)
    )
