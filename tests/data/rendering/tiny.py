"""What the tests of rendering play: a soundfont of one wave, scores of a few bars, one-shots and voices of noise."""

import csv
import gzip
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import mido
import numpy as np
import soundfile

SAMPLE_RATE = 44_100


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("<4sI", name, len(data)) + data + b"\0" * (len(data) % 2)


def _list(kind: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", kind + b"".join(chunks))


def _text(text: str) -> bytes:
    """Ended by one zero or two, so that the length is even, on which FluidSynth insists."""
    data = text.encode() + b"\0"
    return data + b"\0" * (len(data) % 2)


def write_soundfont(path: Path, *, partials: Sequence[float] = (1.0, 0.5, 0.25), name: str = "tiny") -> Path:
    """A valid soundfont: one looped wave at A4 for program 0 and for drum kit 0."""
    period, num_periods = 100, 44  # 441 Hz
    time = np.arange(period * num_periods) / period
    wave = sum(level * np.sin(2 * np.pi * (k + 1) * time) for k, level in enumerate(partials))
    samples = (0.5 * 32767 * wave / np.abs(wave).max()).astype("<i2")
    end = len(samples)
    info = _list(b"INFO", _chunk(b"ifil", struct.pack("<HH", 2, 1)), _chunk(b"isng", b"EMU8000\0"),
                 _chunk(b"INAM", _text(name)))  # fmt: skip
    sdta = _list(b"sdta", _chunk(b"smpl", samples.tobytes() + b"\0" * 92))
    preset = "<20sHHHIII"
    phdr = struct.pack(preset, b"Wave", 0, 0, 0, 0, 0, 0) + struct.pack(preset, b"Kit", 0, 128, 1, 0, 0, 0)
    phdr += struct.pack(preset, b"EOP", 0, 0, 2, 0, 0, 0)
    pbag = b"".join(struct.pack("<HH", index, 0) for index in range(3))
    pgen = struct.pack("<HH", 41, 0) * 2 + struct.pack("<HH", 0, 0)
    inst = struct.pack("<20sH", b"Wave", 0) + struct.pack("<20sH", b"EOI", 1)
    ibag = struct.pack("<HH", 0, 0) + struct.pack("<HH", 2, 0)
    igen = struct.pack("<HH", 54, 1) + struct.pack("<HH", 53, 0) + struct.pack("<HH", 0, 0)
    header = "<20sIIIIIBbHH"
    shdr = struct.pack(header, b"wave", 0, end, period, end - period, SAMPLE_RATE, 69, 0, 0, 1)
    shdr += struct.pack(header, b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    pdta = _list(
        b"pdta", _chunk(b"phdr", phdr), _chunk(b"pbag", pbag), _chunk(b"pmod", b"\0" * 10), _chunk(b"pgen", pgen),
        _chunk(b"inst", inst), _chunk(b"ibag", ibag), _chunk(b"imod", b"\0" * 10), _chunk(b"igen", igen),
        _chunk(b"shdr", shdr),
    )  # fmt: skip
    body = b"sfbk" + info + sdta + pdta
    path.write_bytes(struct.pack("<4sI", b"RIFF", len(body)) + body)
    return path


Notes = Sequence[tuple[float, float, int, int]]
"""(start, length, pitch, velocity), in quarter notes."""


def write_midi(
    path: Path,
    tracks: Mapping[str, tuple[int, int, Notes]],
    *,
    tempo: int = 500_000,
    before: Sequence[mido.MetaMessage] = (),
) -> Path:
    """A file with tracks of (channel, program, notes)."""
    score = mido.MidiFile(type=1, ticks_per_beat=480)
    head = mido.MidiTrack([*before, mido.MetaMessage("set_tempo", tempo=tempo)])
    score.tracks.append(head)
    for name, (channel, program, notes) in tracks.items():
        events: list[tuple[int, int, mido.Message]] = []
        for start, length, pitch, velocity in notes:
            on = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
            events.append((round(480 * start), 1, on))
            off = mido.Message("note_off", channel=channel, note=pitch, velocity=0)
            events.append((round(480 * (start + length)), 0, off))
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        track.append(mido.Message("program_change", channel=channel, program=program))
        now = 0
        for tick, _, message in sorted(events, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - now))
            now = tick
        score.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    score.save(path)
    return path


def band_midi(path: Path, *, bars: int = 8, with_bass: bool = True) -> Path:
    """Drums, bass and chords."""
    beats = range(4 * bars)
    tracks: dict[str, tuple[int, int, Notes]] = {
        "Drums": (9, 0, [(b / 2, 0.2, 36 if b % 4 == 0 else 38 if b % 4 == 2 else 42, 90) for b in range(8 * bars)]),
        "Piano": (0, 0, [(float(b), 0.9, p + b % 3, 70) for b in beats for p in (60, 64, 67)]),
    }
    if with_bass:
        tracks["Bass"] = (1, 33, [(float(b), 0.9, 36 + b % 5, 80) for b in beats])
    return write_midi(path, tracks)


def pop_midi(path: Path, *, bars: int = 10, offset: float = 0.25) -> Path:
    """A song as POP909 has them, its beat a quarter of a beat late, its bar on the first beat."""
    roots = [48, 45, 41, 43]
    piano = [
        (offset + 4 * bar + beat, 0.9, pitch, 80)
        for bar in range(bars)
        for beat, pitches in enumerate(
            ([roots[bar % 4] - 12, roots[bar % 4]], [roots[bar % 4] + 16], [roots[bar % 4] + 19], [roots[bar % 4] + 16])
        )
        for pitch in pitches
    ]
    melody = [(offset + beat, 0.9, 60 + (beat * 2) % 7, 90) for beat in range(4 * bars) if beat % 8 < 6]
    bridge = [(offset + 4.0 * bar, 3.5, 67, 70) for bar in range(bars)]
    return write_midi(path, {"MELODY": (0, 0, melody), "BRIDGE": (1, 0, bridge), "PIANO": (2, 0, piano)})


def drum_midi(path: Path, *, bars: int = 6, notes: Sequence[int] = (36, 42, 38, 42)) -> Path:
    """A beat in eighths at 120 beats a minute: kick, hi-hat, snare, hi-hat."""
    strokes = [(step / 2, 0.1, notes[step % len(notes)], 60 + 20 * (step % 3)) for step in range(8 * bars)]
    strokes += [(4.0 * bar + 3.5, 0.1, 45, 100) for bar in range(bars)]
    return write_midi(path, {"Drums": (9, 0, strokes)})


def write_chorales(path: Path, *, num_train: int = 3, num_test: int = 1, steps: int = 32) -> Path:
    """Chorales of a few bars."""

    def song(shift: int) -> list[list[int]]:
        return [[72 + shift + (s // 4) % 3, 67 + shift, 60 + shift - (s // 8) % 2, 48 + shift] for s in range(steps)]

    tree = {"train": [song(i) for i in range(num_train)], "valid": [song(1)], "test": [song(2)] * num_test}
    text = json.dumps(tree).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def write_oneshots(folder: Path, *, seed: int = 0, num: int = 2) -> Path:
    """Short bursts of noise for every drum of a kit."""
    generator = np.random.default_rng(seed)
    for kind, names in {
        "kick": ["kick"], "snare": ["snare"], "cymbal": ["hat_closed", "hat_open", "ride", "crash"], "tom": ["tom_low"],
    }.items():  # fmt: skip
        for name in names:
            for index in range(num):
                decay = np.exp(-np.arange(4410) / 800)
                path = folder / kind / f"{name}{index + 1}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, 0.8 * decay * generator.uniform(-1, 1, 4410), SAMPLE_RATE)
    return folder


def write_voices(folder: Path, pitches: Mapping[str, int]) -> Path:
    """Two seconds of a harmonic tone for every note name."""
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for name, pitch in pitches.items():
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * k * frequency * time) / k for k in range(1, 9))
        soundfile.write(folder / f"choir-{name}.wav", 0.2 * tone, SAMPLE_RATE)
    return folder


def write_manifest(root: Path, verdicts: Mapping[str, tuple[str, str]]) -> Path:
    """A manifest that gives every folder a licence and a verdict."""
    path = root / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "licence", "may_train_released_weights"])
        for folder, (licence, verdict) in verdicts.items():
            for audio in sorted((root / folder).rglob("*.wav")):
                writer.writerow([audio.relative_to(root).as_posix(), licence, verdict])
    return path
