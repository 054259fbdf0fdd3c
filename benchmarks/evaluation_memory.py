"""Claim: evaluating takes no more private memory for an hour than for three minutes.

Writes two stems of noise and estimates of them, evaluates them in fresh processes, and watches the memory:

    python benchmarks/evaluation_memory.py [--out benchmarks/evaluation_memory_2cores_202611.md]

*Private* memory is what the process has to itself; *mapped* is what the system keeps of files, such as large tracks
that metrics want whole, and takes back when it needs the room. Linux only.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

MINUTES = (3, 60)
METRICS = ("sdr_global", "si_sdr", "sdr_bss_eval_v4", "bss_eval_v4")
SAMPLE_RATE = 44100


def write_songs(root: Path, *, minutes: float) -> None:
    """One mono song of two stems, and estimates of both."""
    import numpy as np
    import soundfile

    generator = np.random.default_rng(0)
    for folder, noise in (("songs", 0), ("estimates", 300)):
        for stem in ("vocals", "drums"):
            path = root / folder / "Song" / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            second = 3000 * np.random.default_rng(len(stem)).standard_normal(SAMPLE_RATE)
            with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
                for _ in range(round(60 * minutes)):
                    block = second + noise * generator.standard_normal(SAMPLE_RATE)
                    file.write(block.clip(-32768, 32767).astype(np.int16))


def inside(root: Path, metric: str) -> None:
    """What a fresh process does: evaluate, and print the peaks in bytes."""
    from stemtune.data.datasets import open_dataset
    from stemtune.evaluation import EvaluationRequest, evaluate, open_system

    peaks = {"RssAnon": 0, "RssFile": 0, "RssShmem": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            for name, value in (line.split(":") for line in lines if line.startswith("Rss")):
                peaks[name] = max(peaks[name], 1024 * int(value.split()[0]))

    thread = threading.Thread(target=watch)
    thread.start()
    request = EvaluationRequest(metrics=(metric,), baseline=False)
    evaluate(open_system(str(root / "estimates")), open_dataset(root / "songs"), request)
    done.set()
    thread.join()
    mapped = peaks["RssFile"] + peaks["RssShmem"]
    print(json.dumps({"private_bytes": peaks["RssAnon"], "mapped_bytes": mapped}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--metric", default="sdr_global", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        inside(arguments.inside, arguments.metric)
        return
    lines = [
        "# Memory of evaluating 3 and 60 minutes",
        "",
        "- Command: `python benchmarks/evaluation_memory.py`",
        f"- Hardware: {platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}",
        "- Audio: two stems and their estimates, mono, 44.1 kHz, 16 bits; each line is a process of its own",
        f"- Date: {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "",
        "Private memory is the process's own; mapped is what the system keeps of files and takes back at need.",
        "",
        "| metric | minutes | private, MB | mapped, MB |",
        "|---|---:|---:|---:|",
    ]
    for minutes in MINUTES:
        with tempfile.TemporaryDirectory() as folder:
            write_songs(Path(folder), minutes=minutes)
            for metric in METRICS:
                command = [sys.executable, __file__, "--inside", folder, "--metric", metric]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                private, mapped = (found[f"{kind}_bytes"] / 1e6 for kind in ("private", "mapped"))
                lines.append(f"| {metric} | {minutes} | {private:.0f} | {mapped:.0f} |")
                print(lines[-1], flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
