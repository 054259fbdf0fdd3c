"""Mine a few thousand generated files through Ray, killing it three times, and count what was lost or done twice.

    pip install -e '.[cluster]' && python benchmarks/mining_ray.py [--files 2000] [--out benchmarks/FILE.md]

The command line is the driver, whose cluster is this machine and goes down with it. First a worker process is killed,
which Ray must mend, and a moment later the driver; then the driver again; the third start runs to the end. The index
must have each file once, in the library's order, and be the same, to the byte, as that of worker processes that nobody
killed. The detector has random weights: what is looked at is the bookkeeping.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
import torch

from stemtune.mining.detector import DetectorFile, save_detector
from stemtune.mining.run import walk
from stemtune.mining.thresholds import Threshold
from stemtune.models.silence_detector import SilenceDetectorConfig

RATE = 16_000
DRIVER = "import sys; from stemtune.cli.main import run; sys.exit(run(sys.argv[1:]))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each")
    parser.add_argument("--workers", type=int, default=2, help="of the run that is compared with")
    parser.add_argument("--no-compare", action="store_true", help="leave out the run that is compared with")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generate(folder / "library", options.files, options.seconds)
        make_detector(folder / "detector")
        lines = run(folder, options)
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


def generate(library: Path, number: int, seconds: float) -> None:
    """Noises in a hundred folders; one file is a copy of another, every hundredth is no audio."""
    for i in range(number):
        path = library / f"{i % 100:02d}" / f"{i:05d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i % 100 == 99:
            path.write_bytes(f"not audio {i}".encode())
        else:
            seed = 48 if i == 98 else i
            noise = 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))
            soundfile.write(path, noise.astype(np.float32), RATE, subtype="PCM_16")


def make_detector(folder: Path) -> None:
    torch.manual_seed(0)
    config = SilenceDetectorConfig(width=2, hidden_size=4, lstm_layers=1)
    network = config.build()
    torch.nn.init.constant_(network.decide.bias, 5.0)
    threshold = Threshold(probability=0.6, precision=1, recall=1, num_windows=1, num_songs=1)
    save_detector(folder, network, DetectorFile(config=config, thresholds=dict.fromkeys(config.stems, threshold)))


def run(folder: Path, options: argparse.Namespace) -> list[str]:
    out = folder / "out"
    rows: list[str] = []
    third = options.files // 3
    rows.append(drive(folder, out, "a worker, then the driver", at=third, kill_worker=True))
    rows.append(drive(folder, out, "the driver", at=2 * third))
    rows.append(drive(folder, out, "nobody", at=None))
    index = (out / "index.jsonl").read_bytes()
    records = [json.loads(line) for line in index.splitlines()]
    names = [record["path"] for record in records]
    expected = [path.relative_to(folder / "library").as_posix() for path in walk(folder / "library")]
    states = Counter(record["status"] for record in records)
    twice = len(names) - len(set(names))
    lost = len(set(expected) - set(names))
    curves = sum(1 for record in records if record["status"] == "mined" and (out / record["curves"]).is_file())
    return [
        "# Mining through Ray, killed and gone on with",
        "",
        f"- Command: `python benchmarks/mining_ray.py --files {options.files}{' --no-compare' * options.no_compare}`",
        f"- Ray {version('ray')} on one machine of {os.cpu_count()} cores; load average {os.getloadavg()[0]:.1f}",
        f"- Library: {options.files} files of {options.seconds} s, of which one is a copy and some are no audio",
        f"- Date: {datetime.now().astimezone():%Y-%m-%d}",
        "",
        "| start | who was killed | files before | files after | of these begun a second time | seconds | files/s |",
        "|---|---|---|---|---|---|---|",
        *(f"| {number} {row}" for number, row in enumerate(rows, start=1)),
        "",
        f"In the index: {states['mined']} mined, {states['skipped']} skipped; {lost} lost, {twice} twice, "
        f"{curves} with their curves; {'in' if names == expected else 'NOT in'} the order of the library.",
        "",
        "Not compared with a run that was not killed." if options.no_compare else compare(folder, options, index),
    ]


def compare(folder: Path, options: argparse.Namespace, index: bytes) -> str:
    started = time.perf_counter()
    subprocess.run([*command(folder, folder / "whole"), "-j", str(options.workers)], check=True, capture_output=True)
    spent = time.perf_counter() - started
    same = index == (folder / "whole" / "index.jsonl").read_bytes()
    return (
        f"{options.workers} worker processes, not killed, took {spent:.0f} s "
        f"({options.files / spent:.1f} files/s); their index is {'the same to the byte' if same else 'ANOTHER ONE'}."
    )


def command(folder: Path, out: Path) -> list[str]:
    where = [str(folder / "library"), "--detector", str(folder / "detector"), "--out", str(out)]
    return [sys.executable, "-c", DRIVER, "mine", *where, "--min-seconds", "2", "--no-pictures"]


def drive(folder: Path, out: Path, what: str, *, at: int | None, kill_worker: bool = False) -> str:
    """Start the driver, and kill when the index has ``at`` lines; returns a row."""
    before = lines_of(out)
    begun = {path.relative_to(out / "curves").as_posix() for path in (out / "curves").rglob("*.u8")}
    begun -= {f"{name}.u8" for name in names_of(out)}
    started = time.perf_counter()
    driver = subprocess.Popen(
        [*command(folder, out), "--ray"],
        env={**os.environ, "RAY_raylet_start_wait_time_s": "600"},  # on a busy machine it takes its time
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if at is not None:
        if kill_worker:
            wait(driver, out, at - 20)
            os.kill(a_worker_of(driver.pid), signal.SIGKILL)
        wait(driver, out, at)
        driver.kill()
    error = driver.communicate()[1].decode()
    if at is None and driver.returncode:
        raise SystemExit(f"the driver failed:\n{error}")
    spent = time.perf_counter() - started
    after = lines_of(out)
    row = f"| {what} | {before} | {after} | {len(begun)} | {spent:.0f} | {(after - before) / spent:.1f} |"
    print(row, file=sys.stderr, flush=True)
    return row


def wait(driver: "subprocess.Popen[bytes]", out: Path, lines: int) -> None:
    while lines_of(out) < lines:
        if driver.poll() is not None:
            error = driver.stderr.read().decode() if driver.stderr else ""
            raise SystemExit(f"the driver ended too early ({driver.returncode}):\n{error}")
        time.sleep(0.02)


def a_worker_of(driver: int) -> int:
    """The process of one of its tasks: the driver's child is the raylet, whose children are the workers."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "cmdline").read_bytes()
            ancestor = int(process.name)
            while name.startswith(b"ray::_run_task") and ancestor > 1:
                ancestor = int((Path("/proc") / str(ancestor) / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if ancestor == driver:
                    return int(process.name)
        except OSError:
            continue
    raise SystemExit("found no worker to kill")


def lines_of(out: Path) -> int:
    path = out / "index.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def names_of(out: Path) -> list[str]:
    path = out / "index.jsonl"
    whole = path.read_bytes().rsplit(b"\n", 1)[0].splitlines() if path.exists() else []
    return [json.loads(line)["path"] for line in whole if line]


if __name__ == "__main__":
    main()
