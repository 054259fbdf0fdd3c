"""How fast mining is, by its parts and end to end, and what a million songs would take.

    python benchmarks/mining.py [--songs FOLDER] [--workers 2] [--out benchmarks/mining_2cores_202611.md]

Parts are timed in processor seconds of one thread per second of sound (medians over songs), which other processes
disturb least; end to end, decoding to index, with pictures, is wall clock, and the processor seconds of all workers
beside it, their start included. Weights are random: speed does not depend on them.
"""

import argparse
import os
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path

import torch

from stemtune.mining.detector import DetectorFile, load_detector, save_detector
from stemtune.mining.listen import mono_blocks, probabilities
from stemtune.mining.run import mine, settings_for, walk
from stemtune.mining.thresholds import Threshold
from stemtune.models.silence_detector import DETECTOR_RATE, SilenceDetectorConfig, small_detector
from stemtune.signal.scattering import scatter

MINUTES_PER_SONG = 4
SIZES = {"small": small_detector(), "paper": SilenceDetectorConfig()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=Path, default=Path("../shared/data/unlabelled"))
    parser.add_argument("--most-songs", type=int, default=4, help="of which the parts are timed")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of these")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--end-to-end", nargs="*", default=["small/float32"], help="SIZE/PRECISION")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = parts(options) + whole(options)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


def parts(options: argparse.Namespace) -> list[str]:
    torch.set_num_threads(1)
    rows: dict[str, list[float]] = {}
    networks = {size: config.build().eval() for size, config in SIZES.items()}
    scatter(torch.zeros(1 << 17))  # makes the filters, once for a process
    for path in list(walk(options.songs))[: options.most_songs]:
        length = int(options.seconds * DETECTOR_RATE)
        sound, spent = timed(lambda path=path: torch.cat(list(mono_blocks(path))))
        rows.setdefault("decode, mix, resample", []).append(spent / (sound.shape[0] / DETECTOR_RATE))
        sound = sound[:length]
        seconds = sound.shape[0] / DETECTOR_RATE
        frames, spent = timed(lambda sound=sound: scatter(sound))
        rows.setdefault("scattering", []).append(spent / seconds)
        for size, network in networks.items():
            for precision in ("float32", "bfloat16"):
                listen = lambda: list(probabilities([frames], network, precision=precision))  # noqa: E731, B023
                _, spent = timed(listen)
                rows.setdefault(f"detector, {size}, {precision}", []).append(spent / seconds)
    lines = [
        "# Mining: processor time",
        "",
        f"`python benchmarks/mining.py --seconds {options.seconds:g} --most-songs {options.most_songs}`; "
        f"{datetime.now().astimezone():%Y-%m-%d}, load average {os.getloadavg()[0]:.1f}",
        "",
        "| part | ms per second of sound | times real time, one core |",
        "|---|---|---|",
    ]
    medians = {name: statistics.median(values) for name, values in rows.items()}
    lines += [f"| {name} | {1e3 * value:.2f} | {1 / value:.0f} |" for name, value in medians.items()]
    common = medians["decode, mix, resample"] + medians["scattering"]
    for name, value in medians.items():
        if name.startswith("detector"):
            total = common + value
            days = 1e6 * MINUTES_PER_SONG * 60 * total / 86400
            lines.append(
                f"| all, {name.removeprefix('detector, ')} | {1e3 * total:.2f} | {1 / total:.0f}; "
                f"two cores {2 / total:.0f}; a million songs of {MINUTES_PER_SONG} minutes: {days:,.0f} core-days |"
            )
    print("\n".join(lines), flush=True)
    return lines


def whole(options: argparse.Namespace) -> list[str]:
    lines = [
        "",
        "## End to end",
        "",
        "| detector | workers | songs | minutes | seconds | times real time | processor seconds | "
        "times real time, were two cores idle | load average |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for variant in options.end_to_end:
        size, precision = variant.split("/")
        with tempfile.TemporaryDirectory() as temporary:
            folder, config = Path(temporary), SIZES[size]
            threshold = Threshold(probability=0.5, precision=1, recall=1, num_windows=1, num_songs=1)
            description = DetectorFile(config=config, thresholds=dict.fromkeys(config.stems, threshold))
            save_detector(folder / "detector", config.build().eval(), description)
            settings = settings_for(load_detector(folder / "detector"), options.songs, precision=precision)
            started, before = time.perf_counter(), processor_seconds()
            done = mine(options.songs, folder / "detector", folder / "out", settings, num_workers=options.workers)
            spent, busy = time.perf_counter() - started, processor_seconds() - before
        lines.append(
            f"| {variant} | {options.workers} | {done.mined} | {done.seconds / 60:.1f} | {spent:.1f} | "
            f"{done.seconds / spent:.0f} | {busy:.1f} | {2 * done.seconds / busy:.0f} | {os.getloadavg()[0]:.1f} |"
        )
        print(lines[-1], flush=True)
    return lines


def processor_seconds() -> float:
    """Of this process and of those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def timed(function):
    started = time.process_time()
    result = function()
    return result, time.process_time() - started


if __name__ == "__main__":
    main()
