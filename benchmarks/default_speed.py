"""How fast the default model separates, beside Open-Unmix and HTDemucs with random weights, in one run.

    python tests/parity/install_references.py
    pip install --no-deps --target .references/htdemucs demucs==4.0.1
    python -m benchmarks.default_speed [--seconds 60] [--repeats 5] [--threads N]

Ours is measured as `stemtune.separate` does it, in overlapping chunks, to four stems that sum to the mixture;
openunmix as its own separator, without chunks or Wiener filter; HTDemucs as its own `apply_model` with the command
line's overlap of a quarter and no random shift, which spares it a second of padding. Contenders take turns; quality is
not compared here, for the weights of the others are random. Results go beside this file.
"""

import argparse
import datetime as dt
import platform
import shlex
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.separation_speed import (
    SAMPLE_RATE,
    STEMS,
    Contender,
    gather,
    hardware,
    keep,
    load_audio,
    measure,
)
from stemtune.hub import load
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform
from tests.parity import references

HERE = Path(__file__).resolve().parent


def ours(precision: str) -> Callable[[Tensor], Tensor]:
    separator, options = load("default"), SeparationOptions(precision=precision)
    return lambda x: separate_waveform(separator, x[0], sample_rate=SAMPLE_RATE, options=options)


def open_unmix() -> Callable[[Tensor], Tensor]:
    package = references.open_unmix()
    targets = {stem: package.OpenUnmix(2049, 2, 512, max_bin=1487) for stem in STEMS}
    separator = package.Separator(targets, niter=0).eval()
    return lambda x: separator(x.clone())


def htdemucs() -> Callable[[Tensor], Tensor]:
    """demucs 4's hybrid transformer."""
    package = references.htdemucs()
    network, apply_model = package.HTDemucs(sources=list(STEMS)).eval(), package.apply_model
    return lambda x: apply_model(network, x, shifts=0, overlap=0.25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="for all contenders; PyTorch's own choice if not given")
    parser.add_argument("--audio", type=Path, help="a stereo file at 44.1 kHz, repeated to the length; else made up")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--suffix", default="", help="appended to the names of the result files")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    mixture = load_audio(options.audio, options.seconds)
    runs_of = {
        "the default model, float32": ours("float32"),
        "the default model, bfloat16": ours("bfloat16"),
        "openunmix 1.3.0, four targets": open_unmix(),
        "HTDemucs (demucs 4.0.1)": htdemucs(),
    }
    contenders = [Contender(name, run, name, False) for name, run in runs_of.items()]
    with torch.inference_mode():
        for contender in contenders:
            contender.run(mixture[..., : 10 * SAMPLE_RATE])  # warms up
        runs = measure(contenders, mixture, options.repeats)
    lines = report(runs, options)
    keep("default_speed", lines, runs, options)


def report(runs: list[dict[str, object]], options: argparse.Namespace) -> list[str]:
    seconds, processor = gather(runs, "seconds"), gather(runs, "processor_seconds")
    loads = [float(str(run["load_average_before"])) for run in runs]
    first = next(iter(seconds))
    lines = [
        "# How fast the default model separates, beside networks with random weights",
        "",
        f"- Command: `{shlex.join(['python', '-m', 'benchmarks.default_speed', *sys.argv[1:]])}`",
        f"- Hardware: {hardware()}; torch {torch.__version__} with {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}; load average {min(loads):.1f} to {max(loads):.1f}",
        f"- Audio: {options.seconds:g} s stereo at 44.1 kHz; {options.repeats} runs of each, in turn",
        f"- Date: {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "",
        "| | median s | fastest s | processor s | times real time (median) | times the first one's time |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, values in seconds.items():
        median = statistics.median(values)
        cells = [f"{median:.2f}", f"{min(values):.2f}", f"{min(processor[name]):.2f}"]
        cells += [f"{options.seconds / median:.1f}", f"{median / statistics.median(seconds[first]):.2f}"]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return lines


if __name__ == "__main__":
    main()
