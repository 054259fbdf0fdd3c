"""Claim: the audit listens 50 times faster than real time per core, and one damaged file among thousands is found.

1. Songs: mixture and four stems, stereo 44.1 kHz, as wav, flac, Ogg and mp3. Times real time are seconds of files per
   second of processor time (which other work on the machine hardly changes), and per second by the clock.
2. A folder of 2000 short files, 40 of which are broken in one of eight ways: files per second, and what was found.
3. Memory: peak of a process that audits 5 and 60 minutes.

    python benchmarks/audit.py --out benchmarks/audit_2cores_202611.md
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

RATE = 44100
REPEATS = 3
STEMS = ("vocals", "drums", "bass", "other")
FORMATS = {
    "wav": {"subtype": "PCM_16"},
    "flac": {"subtype": "PCM_16"},
    "ogg": {},
    "mp3": {},
}
SONG_SECONDS, NUM_SONGS = 180, 2
NUM_FILES, NUM_BROKEN, SHORT_RATE, SHORT_SECONDS = 2000, 40, 16000, 3.0


@dataclass(frozen=True)
class Cost:
    """Processor time and time by the clock."""

    processor: float
    clock: float


def tune(seed: int, seconds: float, rate: int) -> np.ndarray:
    """Decaying tones at random: something with peaks, stereo."""
    generator = np.random.default_rng(seed)
    samples = 1e-4 * generator.standard_normal((round(seconds * rate), 2))
    for _ in range(round(6 * seconds)):
        length = min(round(0.4 * rate), len(samples) - 1)
        start, pitch = generator.integers(len(samples) - length), 80 * 2 ** (generator.integers(60) / 12)
        time_axis = np.arange(length) / rate
        tone = sum(np.sin(2 * np.pi * pitch * n * time_axis) / n for n in (1, 2, 3)) * np.exp(-8 * time_axis)
        samples[start : start + length] += 0.05 * tone[:, None] * generator.uniform(0.3, 1, 2)
    return samples.astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", rate, samples.shape[1], **options) as file:
        for start in range(0, len(samples), 1 << 16):  # Ogg dies of long writes
            file.write(samples[start : start + (1 << 16)])


def make_songs(root: Path, extension: str) -> float:
    """Songs in one format; the seconds of all their files."""
    for number in range(NUM_SONGS):
        stems = [tune(10 * number + index, SONG_SECONDS, RATE) for index in range(len(STEMS))]
        for name, samples in (*zip(STEMS, stems, strict=True), ("mixture", np.sum(stems, axis=0))):
            write(root / f"song{number}" / f"{name}.{extension}", samples, RATE, **FORMATS[extension])
    return NUM_SONGS * (len(STEMS) + 1) * SONG_SECONDS


def break_file(path: Path, how: int) -> str:
    """Spoil a file, and say which kind of finding is due."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if how == 0:
        path.write_text("this is not audio", encoding="utf-8")
    elif how == 1:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    elif how == 2:
        path.write_bytes(b"")
    elif how == 3:
        samples[len(samples) // 2] = np.nan
        soundfile.write(path, samples, rate, subtype="FLOAT")
    elif how == 4:
        soundfile.write(path, samples[: len(samples) // 2], rate)
    elif how == 5:
        soundfile.write(path, samples, 2 * rate)
    elif how == 6:
        soundfile.write(path, 0 * samples, rate)
    else:
        soundfile.write(path, np.clip(60 * samples, -1, 1), rate)
    kinds = ("unreadable", "unreadable", "unreadable", "unreadable", "length", "sample_rate", "silent", "clipping")
    return kinds[how]


def make_many(root: Path) -> dict[str, str]:
    """Short songs of two stems, some of them broken; by file, the kind of finding that is due."""
    for number in range(NUM_FILES // 2):
        for index, stem in enumerate(("vocals", "drums")):
            samples = tune(2 * number + index, SHORT_SECONDS, SHORT_RATE)[:, :1]
            write(root / f"song{number:04}" / f"{stem}.wav", samples, SHORT_RATE)
    due = {}
    for number in range(NUM_BROKEN):
        name = f"song{number * (NUM_FILES // 2 // NUM_BROKEN):04}/drums.wav"
        due[name] = break_file(root / name, number % 8)
    return due


def cost(work: Callable[[], object]) -> Cost:
    """The median of some repeats; processor time includes that of the processes that were started."""

    def once() -> Cost:
        before, begin = _processor(), time.perf_counter()
        work()
        return Cost(_processor() - before, time.perf_counter() - begin)

    costs = [once() for _ in range(REPEATS)]
    return Cost(statistics.median(c.processor for c in costs), statistics.median(c.clock for c in costs))


def _processor() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def decode(root: Path) -> None:
    """What no audit can do without."""
    from stemtune.data.audio import open_audio

    for path in sorted(root.rglob("*.*")):
        with open_audio(path) as reader:
            for _ in reader.blocks(4 * reader.info.sample_rate):
                pass


def songs_table() -> Iterator[str]:
    from stemtune.data.audit import audit

    yield "| files | decoding alone | audit, per core | audit, one process, by the clock | two processes |"
    yield "|---|--:|--:|--:|--:|"
    for extension in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            seconds = make_songs(root, extension)
            bare, one, two = (
                cost(partial(decode, root)),
                cost(partial(audit, [root])),
                cost(partial(audit, [root], jobs=2)),
            )
            report = audit([root])
        assert report.passes(), report.findings
        speeds = (seconds / bare.processor, seconds / one.processor, seconds / one.clock, seconds / two.clock)
        yield f"| {extension} | {' | '.join(f'{speed:.0f}' for speed in speeds)} |"


def many_table() -> Iterator[str]:
    from stemtune.data.audit import audit

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        due = make_many(root)
        yield "| 2000 files | files per second of processor time | by the clock | broken files found |"
        yield "|---|--:|--:|--:|"
        for name, options in (("one process", {}), ("two processes", {"jobs": 2}), ("`--quick`", {"is_quick": True})):
            spent = cost(partial(audit, [root], **options))
            report = audit([root], **options)
            kinds = {(finding.track, finding.kind) for finding in report.findings}
            found = sum((file.split("/")[0], kind) in kinds for file, kind in due.items())
            alarms = {f.track for f in report.findings if f.track} - {file.split("/")[0] for file in due}
            yield (
                f"| {name} | {NUM_FILES / spent.processor:.0f} | {NUM_FILES / spent.clock:.0f} | "
                f"{found} of {len(due)}; {len(alarms)} sound songs complained of |"
            )


def memory_table() -> Iterator[str]:
    yield "| minutes of a song with four stems, wav | peak memory |"
    yield "|---|--:|"
    for minutes in (5, 60):
        with tempfile.TemporaryDirectory() as folder:
            block = [tune(index, 60, RATE) for index in range(len(STEMS))]
            for name, samples in (*zip(STEMS, block, strict=True), ("mixture", np.sum(block, axis=0))):
                path = Path(folder) / "song" / f"{name}.wav"
                path.parent.mkdir(exist_ok=True)
                with soundfile.SoundFile(path, "w", RATE, 2) as file:
                    for number in range(minutes):
                        file.write(np.roll(samples, 997 * number, axis=0))
            code = (
                "import json, resource, sys, torch; torch.set_num_threads(1)\n"
                "from stemtune.data.audit import audit\n"
                "audit([sys.argv[1]])\n"
                "print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))"
            )
            done = subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True)
        unit = 1 if sys.platform == "darwin" else 1024
        yield f"| {minutes} | {json.loads(done.stdout) * unit / 1e6:.0f} MB |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the results there, as well as printing them")
    out = parser.parse_args().out
    import torch

    torch.set_num_threads(1)
    lines = [
        "# Auditing data sets: speed",
        "",
        f"    python benchmarks/{Path(__file__).name}",
        "",
        f"{os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}; median of {REPEATS}; "
        f"load average at the start {os.getloadavg()[0]:.1f} (other work was running if that is above 1).",
        "",
        "## Songs: seconds of files per second (times real time)",
        "",
        *songs_table(),
        "",
        "## Many short files",
        "",
        *many_table(),
        "",
        "## Memory",
        "",
        *memory_table(),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if out:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
