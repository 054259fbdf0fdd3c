"""Time Demucs against demucs 2.0.3 with the same weights, forwards and in training, in one run.

    python tests/parity/install_references.py && python -m benchmarks.demucs --out benchmarks/demucs_2cores_202611.md

Every repetition times each variant once, in turn, so that what else the machine does falls on all alike; ratios are
medians over repetitions of the ratio within one. With one thread, processor seconds are counted, which a busy machine
disturbs least; otherwise wall clock. A training step is forward, L1, backward, Adam.
"""

import argparse
import gc
import os
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import torch
from torch import Tensor, nn

from stemtune.hub.convert import from_demucs_v2
from tests.parity import references

STEMS = ("drums", "bass", "other", "vocals")
ROW = "| {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |"


def prepare(reference: nn.Module, mixture: Tensor) -> Tensor:
    missing = reference.valid_length(mixture.shape[-1]) - mixture.shape[-1]
    return nn.functional.pad(mixture, (missing // 2, missing - missing // 2))


def step(forward: Callable[[], Tensor], optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    forward().float().abs().mean().backward()
    optimiser.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = [
        f"# Demucs ({arguments.width} channels, 6 layers, released variant, 44.1 kHz) beside demucs 2.0.3",
        "",
        f"`python -m benchmarks.demucs --repeats {arguments.repeats} --threads "
        f"{' '.join(map(str, arguments.threads))}`; the same weights, interleaved; seconds, median of "
        f"{arguments.repeats}; how many times as fast as the reference's float32. One thread: processor seconds.",
        "",
        f"{datetime.now().astimezone():%Y-%m-%d}, torch {torch.__version__}, load average {os.getloadavg()[0]:.1f} "
        "at the beginning.",
        "",
        "| what | threads | reference | ours | ours, bf16 | float32 | bf16 |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        print(line)
    torch.manual_seed(0)
    reference = references.demucs()(list(STEMS), channels=arguments.width, resample=False)
    ours = from_demucs_v2(reference.state_dict(), resample=False, normalise=False)
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for what, seconds, batch in (("forward, 1 x 10 s", 10, 1), ("forward, 4 x 5 s", 5, 4), ("step, 4 x 5 s", 5, 4)):
            lines.append(measure(reference, ours, what, seconds, batch, threads, arguments.repeats))
            print(lines[-1], flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


def measure(
    reference: nn.Module, ours: nn.Module, what: str, seconds: int, batch: int, threads: int, repeats: int
) -> str:
    mixture = 0.1 * torch.randn(batch, 2, seconds * 44100)
    padded = prepare(reference, mixture)

    def low() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return ours(mixture).sources

    variants: list[Callable[[], object]] = [lambda: reference(padded), lambda: ours(mixture).sources, low]
    learns = what.startswith("step")
    if learns:
        theirs, mine = torch.optim.Adam(reference.parameters(), lr=1e-9), torch.optim.Adam(ours.parameters(), lr=1e-9)
        variants = [
            lambda: step(lambda: reference(padded), theirs),
            lambda: step(lambda: ours(mixture).sources, mine),
            lambda: step(low, mine),
        ]
    clock = time.process_time if threads == 1 else time.perf_counter
    times: list[list[float]] = []
    with torch.set_grad_enabled(learns):
        for _ in range(repeats + 1):
            times.append([])
            for variant in variants:
                gc.collect()
                started = clock()
                variant()
                times[-1].append(clock() - started)
    for model in (reference, ours):
        model.zero_grad(set_to_none=True)
    times = times[1:]  # the first one warms up
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    ratios = [statistics.median(row[0] / row[i] for row in times) for i in (1, 2)]
    return ROW.format(what, threads, *medians, *ratios)


if __name__ == "__main__":
    main()
