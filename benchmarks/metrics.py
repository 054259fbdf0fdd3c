"""Claim: BSSEval version 4 as museval's, ten times as fast, its SDR alone two hundred times, in half the memory.

    python tests/parity/install_references.py
    python benchmarks/metrics.py [--seconds 180] [--threads 1] [--repeats 3] [--work FOLDER]

museval 0.4.1, fast_bss_eval 0.1.4 (its torch path), torchmetrics 1.9.0 and ours score the same track in one run: four
stereo stems at 44.1 kHz, float64 in memory, each contender in a process of its own and with so many threads (of BLAS,
of OpenMP, and of ours). Seconds are those of scoring alone, after a warm-up: the median of our repeats, one run of the
others. The memory is the peak of the process while it scores; with the samples, which all are given alike, and without
them. The track is made up from a seed: coloured noise that swells and pauses, estimates that are filtered, leak and
hold noise. On a busy machine the clock says little, and processor seconds of one thread still count. With ``--work``
what was measured is kept there, and a second run goes on.

Everything goes to a CSV file, and with what the definitions have in common to a Markdown table beside it. Linux only.
"""

import argparse
import csv
import datetime as dt
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
RATE = 44100
STEMS, CHANNELS = 4, 2

MUSEVAL, OURS, OURS_SDR = "museval 0.4.1", "ours, `bss_eval_v4`", "ours, `sdr_v4`"
FAST, OURS_V3, TORCHMETRICS = "fast_bss_eval 0.1.4", "ours, `bss_eval_v3_sources`", "torchmetrics 1.9.0, SDR"
TORCHMETRICS_SI, OURS_SI = "torchmetrics 1.9.0, SI-SDR", "ours, `si_sdr`"
OURS_ALL = (OURS, OURS_SDR, OURS_V3, OURS_SI)


@dataclass(frozen=True)
class Contender:
    """How to score, and whose numbers these should be.

    Attributes:
        score: ``ratio stem frame`` of an estimate and a reference, ``stem channel time``; a ratio that is not there is
            NaN.
        what: it computes, for the table.
        like: the contender whose time and numbers these are compared with.
    """

    score: Callable[[np.ndarray, np.ndarray], np.ndarray]
    what: str
    like: str


def main() -> None:
    options = parse()
    if options.inside:
        inside(options.inside, options.folder, options.repeats, options.threads[0])
        return
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = options.work or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "reference.npy").is_file():
            for kind, sound in zip(("estimate", "reference"), track(options.seconds), strict=True):
                np.save(folder / f"{kind}.npy", sound)
        for threads in options.threads:
            for contender in CONTENDERS:
                rows.append(measure(contender, folder, threads, options.repeats if contender in OURS_ALL else 1))
                print(rows[-1], flush=True)
            compare([row for row in rows if row["threads"] == threads], folder)
    stem = f"metrics_{os.cpu_count()}cores_{dt.datetime.now(dt.UTC):%Y%m}{options.suffix}"
    with (options.out / f"{stem}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    text = report(rows, options)
    (options.out / f"{stem}.md").write_text(text)
    print(text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180.0, help="of the track; a few samples are added")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, help="keeps what was measured; nothing is kept without it")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--suffix", default="", help="appended to the names of the result files")
    parser.add_argument("--inside", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def track(seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimate and reference, an odd number of samples; one stem pauses for some seconds."""
    import scipy.signal

    generator = np.random.default_rng(4)
    num_samples = round(seconds * RATE) + 1 + round(seconds * RATE) % 2
    time_axis = np.arange(num_samples) / RATE
    reference = np.empty((STEMS, CHANNELS, num_samples))
    for stem in range(STEMS):
        dry = generator.standard_normal(num_samples)
        swell = 0.02 + np.abs(np.sin(time_axis * (0.3 + 0.2 * stem)))
        for channel in range(CHANNELS):
            sound = generator.uniform(0.3, 1) * dry + 0.3 * generator.standard_normal(num_samples)
            reference[stem, channel] = 0.1 * swell * scipy.signal.lfilter([1.0], [1.0, 0.6 - 0.4 * stem], sound)
    reference[1, :, num_samples // 3 : num_samples // 3 + 3 * RATE] = 0
    estimate = 0.8 * reference + 0.1 * reference.sum(axis=0) + 0.003 * generator.standard_normal(reference.shape)
    estimate[..., 3:] += 0.2 * reference[..., :-3]
    return estimate, reference


def by_museval(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    from tests.parity.museval import bss_eval

    return bss_eval(estimate, reference, window=RATE, hop=RATE, version="v4")


def by_bss_eval_v4(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    from stemtune.evaluation.metrics.bss_eval import bss_eval_v4

    found = bss_eval_v4(estimate=estimate, reference=reference, sample_rate=RATE)
    return np.stack([ratio.numpy() for ratio in found.ratios.values()])


def by_sdr_v4(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    from stemtune.evaluation.metrics.bss_eval import sdr_v4

    return _alone(sdr_v4(estimate=estimate, reference=reference, sample_rate=RATE).numpy())


def by_fast_bss_eval(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Channel by channel, in place of the frames."""
    import torch

    from tests.parity.references import fast_bss_eval

    score = fast_bss_eval().bss_eval_sources
    found = np.full((4, STEMS, CHANNELS), math.nan)
    for channel in range(CHANNELS):
        pair = (torch.from_numpy(x[:, channel]) for x in (reference, estimate))
        found[[0, 2, 3], :, channel] = np.stack([x.numpy() for x in score(*pair, compute_permutation=False)])
    return found


def by_bss_eval_v3_sources(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Channel by channel, in place of the frames."""
    from stemtune.evaluation.metrics.bss_eval import bss_eval_v3_sources

    found = np.full((4, STEMS, CHANNELS), math.nan)
    for channel in range(CHANNELS):
        part = slice(channel, channel + 1)
        scores = bss_eval_v3_sources(estimate=estimate[:, part], reference=reference[:, part], sample_rate=RATE)
        found[..., channel] = np.stack([ratio[:, 0].numpy() for ratio in scores.ratios.values()])
    return found


def by_torchmetrics(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    import torch

    from tests.parity.references import torchmetrics_audio

    score = torchmetrics_audio().signal_distortion_ratio
    return _alone(score(torch.from_numpy(estimate), torch.from_numpy(reference)).numpy())


def by_torchmetrics_si(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    import torch

    from tests.parity.references import torchmetrics_audio

    score = torchmetrics_audio().scale_invariant_signal_distortion_ratio
    values = score(torch.from_numpy(estimate), torch.from_numpy(reference), zero_mean=True).mean(dim=1, keepdim=True)
    return _alone(values.numpy())


def by_si_sdr(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    from stemtune.evaluation.metrics import si_sdr

    return _alone(si_sdr(estimate=estimate, reference=reference).numpy()[:, None])


def _alone(sdr: np.ndarray) -> np.ndarray:
    return np.concatenate([sdr[None], np.full((3, *sdr.shape), math.nan)])


CONTENDERS: dict[str, Contender] = {
    MUSEVAL: Contender(by_museval, "v4: SDR, ISR, SIR, SAR of each second", MUSEVAL),
    OURS: Contender(by_bss_eval_v4, "v4: SDR, ISR, SIR, SAR of each second", MUSEVAL),
    OURS_SDR: Contender(by_sdr_v4, "v4: SDR of each second", MUSEVAL),
    FAST: Contender(by_fast_bss_eval, "v3, sources: SDR, SIR, SAR of each channel", FAST),
    OURS_V3: Contender(by_bss_eval_v3_sources, "v3, sources: SDR, SIR, SAR of each channel", FAST),
    TORCHMETRICS: Contender(by_torchmetrics, "v3, sources: SDR of each channel", FAST),
    TORCHMETRICS_SI: Contender(by_torchmetrics_si, "SI-SDR, mean of the channels", TORCHMETRICS_SI),
    OURS_SI: Contender(by_si_sdr, "SI-SDR, mean of the channels", TORCHMETRICS_SI),
}


def inside(name: str, folder: Path, repeats: int, threads: int) -> None:
    """What a process of its own does: score, keep the scores, print seconds and bytes."""
    estimate, reference = (np.load(folder / f"{kind}.npy") for kind in ("estimate", "reference"))
    two_seconds = slice(0, 2 * RATE)
    if name == MUSEVAL:  # which has no torch
        CONTENDERS[name].score(estimate[:2, :1, two_seconds], reference[:2, :1, two_seconds])
    else:
        import torch

        torch.set_num_threads(threads)
        CONTENDERS[name].score(estimate[..., two_seconds], reference[..., two_seconds])  # imports, and warms up
    samples = estimate.nbytes + reference.nbytes
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    seconds: list[float] = []
    processor: list[float] = []
    for _ in range(repeats):
        begin, began = time.perf_counter(), time.process_time()
        scores = CONTENDERS[name].score(estimate, reference)
        seconds.append(time.perf_counter() - begin)
        processor.append(time.process_time() - began)
    np.save(kept(name, folder, threads, "npy"), scores)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    found = {"seconds": statistics.median(seconds), "processor_seconds": statistics.median(processor)}
    print(json.dumps(found | {"peak_bytes": peak, "without_samples_bytes": peak - samples}))


def measure(name: str, folder: Path, threads: int, repeats: int) -> dict[str, object]:
    record = kept(name, folder, threads, "json")
    if record.is_file():
        return json.loads(record.read_text())
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, "-W", "ignore", __file__, "--inside", name, "--folder", str(folder)]
    command += ["--repeats", str(repeats), "--threads", str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | limits)
    found = {"contender": name, "threads": threads, "repeats": repeats, **json.loads(done.stdout)}
    record.write_text(json.dumps(found))
    return found


def kept(name: str, folder: Path, threads: int, kind: str) -> Path:
    """Where what a contender said is kept, and what that took."""
    return folder / f"{threads}-{list(CONTENDERS).index(name)}.{kind}"


def compare(rows: list[dict[str, object]], folder: Path) -> None:
    """Add how far each contender's numbers are from those that they should be, and how much faster they came."""
    names = list(CONTENDERS)
    scores = [np.load(kept(str(row["contender"]), folder, int(str(row["threads"])), "npy")) for row in rows]
    for row, name, found in zip(rows, names, scores, strict=True):
        like = names.index(CONTENDERS[name].like)
        expected = scores[like]
        there = ~np.isnan(found).all(axis=(1, 2))  # a ratio that is computed
        apart = np.where(np.isnan(found) & np.isnan(expected), 0, np.abs(found - expected))[there]
        row["largest_difference_db"] = float(np.nan_to_num(apart, nan=math.inf).max())
        row["values"] = int(there.sum() * found[0].size)
        row["values_nan"] = int(np.isnan(found[there]).sum())
        row["times_as_fast"] = float(rows[like]["seconds"]) / float(row["seconds"])
        row["times_as_fast_processor"] = float(rows[like]["processor_seconds"]) / float(row["processor_seconds"])
        row["memory_share"] = float(row["peak_bytes"]) / float(rows[like]["peak_bytes"])
        row["median_sdr_db"] = float(np.nanmedian(found[0]))


def report(rows: list[dict[str, object]], options: argparse.Namespace) -> str:
    threads = " ".join(map(str, options.threads))
    lines = [
        "# BSSEval and SI-SDR beside museval, fast_bss_eval and torchmetrics",
        "",
        f"- Command: `python benchmarks/metrics.py --seconds {options.seconds:g} --threads {threads} "
        f"--repeats {options.repeats}`",
        f"- Hardware: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}",
        f"- Track: {options.seconds:g} s, {STEMS} stems, {CHANNELS} channels, {RATE} Hz, float64",
        f"- Date: {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "",
        "Speed, memory and the largest difference are relative to museval for version 4, to fast_bss_eval for version "
        "3, to torchmetrics for SI-SDR. The difference is that of all values, and a NaN beside a number is infinite. "
        "Where the clock shows more than the processor, the machine had other work to do, and the processor counts.",
    ]
    for threads in options.threads:
        lines += [
            "",
            f"## {threads} thread{'s' * (threads > 1)}",
            "",
            "| | computes | processor s | times as fast | clock s | times as fast | peak, MB | without samples, MB | "
            "of the peak | largest difference, dB | median SDR, dB |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for row in rows:
            name = str(row["contender"])
            if row["threads"] != threads:
                continue
            itself = CONTENDERS[name].like == name
            lines.append(
                f"| {name} | {CONTENDERS[name].what} | {row['processor_seconds']:.2f} | "
                + ("| " if itself else f"{row['times_as_fast_processor']:.1f} | ")
                + f"{row['seconds']:.2f} | "
                + ("| " if itself else f"{row['times_as_fast']:.1f} | ")
                + f"{float(row['peak_bytes']) / 1e6:.0f} | {float(row['without_samples_bytes']) / 1e6:.0f} | "
                + ("| | " if itself else f"{row['memory_share']:.2f} | {row['largest_difference_db']:.0e} | ")
                + f"{row['median_sdr_db']:.2f} |"
            )
    return "\n".join([*lines, "", *DEFINITIONS.strip().splitlines()]) + "\n"


DEFINITIONS = """
## What the definitions have in common, and what they do not

| | filters explain an estimate's channel by | in | a filtered stem is | its level |
|---|---|---|---|---|
| BSSEval v4 (museval, `bss_eval_v4`) | all channels of all references | seconds, median | wrong (ISR, SDR) | counts |
| its SDR alone (`sdr_v4`) | nothing: all errors sum to estimate minus reference | seconds, median | wrong | counts |
| BSSEval v3, sources (fast_bss_eval, ours) | that channel of all references | the track | right | does not count |
| torchmetrics' SDR | that channel of the stem's own reference | the track | right | does not count |
| SI-SDR | a gain of that channel of the stem's own reference | the track | wrong | does not count |

BSSEval fits filters of 512 taps to the whole track. Version 4 adds up the channels' energies; all others score channels
one by one. Only version 4 tells spatial distortion (ISR) apart, and only it gives NaN to seconds in which any reference
or estimate is silent. torchmetrics' SDR is the SDR of version 3, sources, which needs no other references; its SIR and
SAR it does not have. The median SDRs above say how far the definitions lie apart on one and the same track.
"""


if __name__ == "__main__":
    main()
