"""Electronic basses: a line of notes on a synthesiser whose kind and settings are drawn.

    bass = saturate(moving_lowpass(sum of oscillators) * envelope).

Among them are pure sub-basses and long falling notes in the manner of the TR-808, which separators like to take for
drums.
"""

from collections.abc import Sequence

import numpy as np

from stemtune.data.rendering.effects import filtered, saturated
from stemtune.data.rendering.oscillators import gates, hertz, line_of, moving_lowpass, oscillator
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sidechain import since_onset
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.data.rendering.synth_layers import voices

__all__ = ["BASS_KINDS", "synth_bass"]

BASS_KINDS = ("sub", "808", "filter", "filter", "reese", "fm")
"""What is drawn from."""


def synth_bass(notes: Sequence[Note], num_samples: int, generator: np.random.Generator) -> Audio:
    """A line of notes on a random bass synthesiser, mono, without what lies below 22 Hz."""
    kind = str(generator.choice(BASS_KINDS))
    glide = float(generator.choice([0.0, 0.0, generator.uniform(0.02, 0.15)]))
    pitch = line_of(notes, num_samples, glide_seconds=glide)
    draw = generator.uniform
    if kind == "808":
        since = since_onset([note.start_seconds for note in notes], num_samples)
        pitch = pitch + draw(5, 24) * np.exp(-since / draw(0.01, 0.05))
    frequency = hertz(pitch)
    envelope = gates(
        notes,
        num_samples,
        attack_seconds=draw(0.002, 0.02),
        decay_seconds=draw(0.3, 1.5) if kind == "808" else draw(0.08, 0.8),
        sustain=0.0 if kind == "808" else draw(0.1, 1.0),
        release_seconds=draw(0.01, 0.12),
    )
    match kind:
        case "sub" | "808":
            samples = oscillator("sine" if generator.random() < 0.8 else "triangle", frequency)
            samples = samples * envelope.astype(np.float32)
            samples = saturated(samples, draw(-10, 12))
        case "fm":
            index = draw(0.5, 4) * envelope**2
            modulator = oscillator("sine", frequency * float(generator.choice([1, 1, 2, 3])))
            turns = np.cumsum(frequency) / SAMPLE_RATE
            samples = (np.sin(2 * np.pi * turns + index * modulator) * envelope).astype(np.float32)
        case _:
            samples = voices(frequency, generator, num_voices=3 if kind == "reese" else 2, detune=draw(0.05, 0.3))
            samples = samples + oscillator("sine", frequency) * np.float32(draw(0, 1.0))
            cutoff = draw(80, 400) * (1 + draw(0, 20) * envelope ** draw(1, 4))
            samples = moving_lowpass(samples, cutoff) * envelope.astype(np.float32)
            samples = saturated(samples, draw(-10, 8))
    return filtered(samples, "highpass", 22.0)
