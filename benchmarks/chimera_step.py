"""How long one training step of ChimeraNet takes beside nussl 1.1.9's blocks with the same weights, in one run.

    python tests/parity/install_references.py
    python benchmarks/chimera_step.py [--batch 4] [--seconds 10] [--repeats 5] [--threads 1] [--name NAME]

A step is: network, .01 deep clustering + .99 mask inference, gradients, AutoClip, Adam. nussl gets what its data
transforms make (magnitudes, assignments, weights) either ready-made, as from a cache, or made in the step; ours begins
with waveforms. Contenders take turns, so that whatever else the machine does hits all of them alike; on a busy machine
processor seconds of one thread still count. Before that the losses and all gradients are compared, without dropout,
in float32.
"""

import argparse
import csv
import datetime as dt
import gc
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import torch
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from stemtune.hub.convert import from_nussl_chimera  # noqa: E402
from stemtune.objectives.choice import WeightedObjective, WeightedSumConfig  # noqa: E402
from stemtune.objectives.clustering import ClusteringConfig  # noqa: E402
from stemtune.objectives.spectral import MagnitudeL1Config  # noqa: E402
from stemtune.training.clipping import AutoClip  # noqa: E402
from stemtune.types import Batch  # noqa: E402
from tests.parity import nussl  # noqa: E402

SAMPLE_RATE, STEMS, ALPHA = 16000, ("a", "b"), 0.01
SIZES = {"num_features": 257, "hidden_size": 500, "num_layers": 4, "embedding_size": 20, "num_sources": len(STEMS)}


@dataclass(frozen=True)
class Contender:
    """A step, and the network whose gradients it leaves behind."""

    name: str
    step: Callable[[], float]
    network: nn.Module


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    sources = noise(options.batch, round(options.seconds * SAMPLE_RATE))
    contenders = make(sources, dropout=0.0)
    facts = compare(contenders)
    del contenders
    gc.collect()
    contenders = make(sources, dropout=0.3)
    times: dict[str, list[tuple[float, float]]] = {contender.name: [] for contender in contenders}
    for run in range(options.repeats + 1):
        for contender in contenders:
            wall, processor = time.perf_counter(), time.process_time()
            contender.step()
            if run:  # the first one allocates
                times[contender.name].append((time.perf_counter() - wall, time.process_time() - processor))
            print(f"{run} {contender.name}: {time.perf_counter() - wall:.2f} s", flush=True)
    write(options, times, facts)


def make(sources: Tensor, *, dropout: float) -> list[Contender]:
    """All contenders, with the same weights."""
    torch.manual_seed(0)
    theirs = nussl.Chimera(nussl.chimera_config(**SIZES, dropout=dropout)).train()
    state = {name: value.clone() for name, value in theirs.state_dict().items()}
    config = json.dumps({"modules": {"recurrent_stack": {"args": {"dropout": dropout}}}})
    ready = transform(sources)
    contenders = [
        Contender("nussl, from tensors", nussl_step(theirs, lambda: ready), theirs),
        Contender("nussl, from waveforms", nussl_step(theirs, lambda: transform(sources)), theirs),
    ]
    for name, low in (("ours, float32", False), ("ours, bfloat16", True)):
        network = from_nussl_chimera(state, stems=STEMS, config=config)
        contenders.append(Contender(name, our_step(network.train(), sources, low=low), network))
    return contenders


def nussl_step(network: nn.Module, tensors: Callable[[], dict[str, Tensor]]) -> Callable[[], float]:
    losses: Any = nussl.losses()
    clustering, inference = losses.DeepClusteringLoss(), losses.L1Loss()
    optimiser, clip = torch.optim.Adam(network.parameters(), lr=1e-3), AutoClip(10)

    def step() -> float:
        given = tensors()
        optimiser.zero_grad()
        answer = network(given["mix_magnitude"])
        loss = ALPHA * clustering(answer["embedding"], given["assignments"], given["weights"])
        loss = loss + (1 - ALPHA) * inference(answer["estimates"], given["source_magnitudes"])
        loss.backward()
        clip(list(network.parameters()))
        optimiser.step()
        return float(loss.detach())

    return step


def our_step(network: nn.Module, sources: Tensor, *, low: bool) -> Callable[[], float]:
    objective = WeightedSumConfig(
        parts=(
            WeightedObjective(weight=ALPHA, objective=ClusteringConfig(normalise=False)),
            WeightedObjective(weight=1 - ALPHA, objective=MagnitudeL1Config()),
        )
    ).build()
    optimiser, clip = torch.optim.Adam(network.parameters(), lr=1e-3), AutoClip(10)

    def step() -> float:
        batch = Batch(mixture=sources.sum(dim=1), sources=sources, stems=STEMS, sample_rate=SAMPLE_RATE)
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            estimate = network(batch.mixture)
        loss = objective(estimate, batch).total
        loss.backward()
        clip(list(network.parameters()))
        optimiser.step()
        return float(loss.detach())

    return step


def transform(sources: Tensor) -> dict[str, Tensor]:
    """What nussl's transforms make of sources ``batch stem 1 time``: ``batch frame frequency channel [source]``."""
    window = np.sqrt(scipy.signal.get_window("hann", 512))

    def magnitude(waveform: Tensor) -> np.ndarray:
        spectrogram = scipy.signal.stft(waveform.numpy(), window=window, nperseg=512, noverlap=384)[2]
        return np.abs(spectrogram)

    mix = magnitude(sources.sum(dim=1))
    each = np.stack([magnitude(sources[:, n]) for n in range(sources.shape[1])], axis=-1)
    assignments = (each == each.max(axis=-1, keepdims=True)).astype(np.float32)
    assignments /= assignments.sum(axis=-1, keepdims=True)
    assignments[assignments <= 0.5] = 0
    weights = np.sqrt(mix / (mix.sum(axis=(1, 2, 3), keepdims=True) + 1e-6) * mix[0].size)
    order = (0, 3, 2, 1)
    return {
        "mix_magnitude": torch.from_numpy(mix.transpose(order)).float().contiguous(),
        "source_magnitudes": torch.from_numpy(each.transpose(*order, 4)).float().contiguous(),
        "assignments": torch.from_numpy(assignments.transpose(*order, 4)).float().contiguous(),
        "weights": torch.from_numpy(weights.transpose(order)).float().contiguous(),
    }


def compare(contenders: list[Contender]) -> dict[str, str]:
    """Losses and gradients of the first step of each contender, beside nussl's."""
    names = {
        "layers.normalization.batch_norm.": "norm.",
        "layers.recurrent_stack.rnn.": "recurrent.",
        "layers.embedding.linear.": "embedding_head.",
        "layers.mask.linear.": "mask_head.",
    }
    reference, *_, ours, low = contenders
    losses = {contender.name: contender.step() for contender in (reference, ours, low)}
    mine = dict(ours.network.named_parameters())
    pairs = []
    for name, parameter in reference.network.named_parameters():
        begin = next(begin for begin in names if name.startswith(begin))
        pairs.append((mine[names[begin] + name.removeprefix(begin)].grad.flatten(), parameter.grad.flatten()))
    got, expected = (torch.cat(side) for side in zip(*pairs, strict=True))
    return {
        "loss, nussl": f"{losses[reference.name]:.9f}",
        "loss, ours in float32": f"{losses[ours.name]:.9f}",
        "loss, ours in bfloat16": f"{losses[low.name]:.9f}",
        "relative difference of the loss, float32": f"{abs(losses[ours.name] / losses[reference.name] - 1):.1e}",
        "relative difference of the loss, bfloat16": f"{abs(losses[low.name] / losses[reference.name] - 1):.1e}",
        "relative difference of all gradients, float32": f"{float((got - expected).norm() / expected.norm()):.1e}",
    }


def write(options: argparse.Namespace, times: dict[str, list[tuple[float, float]]], facts: dict[str, str]) -> None:
    path = HERE / options.name
    with path.with_suffix(".csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("contender", "run", "wall_seconds", "processor_seconds"))
        for name, runs in times.items():
            rows.writerows((name, number, f"{wall:.3f}", f"{cpu:.3f}") for number, (wall, cpu) in enumerate(runs))
    medians = {name: [statistics.median(values) for values in zip(*runs, strict=True)] for name, runs in times.items()}
    base = medians["nussl, from tensors"]
    lines = [
        "# One training step of the full-size ChimeraNet beside nussl 1.1.9, the same weights",
        "",
        f"- Command: `python {shlex.join(['benchmarks/chimera_step.py', *sys.argv[1:]])}`",
        f"- Hardware: {platform.machine()}, {os.cpu_count()} cores; torch {torch.__version__} with "
        f"{options.threads} thread(s), Python {platform.python_version()}; load average {os.getloadavg()[0]:.1f}",
        f"- Batch: {options.batch} times {options.seconds:g} s; {options.repeats} steps of each, in turn; medians",
        f"- Allocator: GLIBC_TUNABLES={os.environ.get('GLIBC_TUNABLES', '(default)')}",
        f"- Date: {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}",
        *(f"- {name[0].upper() + name[1:]}: {value}" for name, value in facts.items()),
        "",
        "| | wall s | processor s | faster than nussl: wall | processor |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {wall:.2f} | {cpu:.2f} | {base[0] / wall:.2f} | {base[1] / cpu:.2f} |"
            for name, (wall, cpu) in medians.items()
        ),
        "",
    ]
    path.with_suffix(".md").write_text("\n".join(lines))
    print("\n".join(lines))


def noise(batch: int, num_samples: int) -> Tensor:
    """Sources of unlike spectra, each silent now and then, ``batch stem 1 time``."""
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(batch, len(STEMS), 1, num_samples, generator=generator)
    dark = torch.nn.functional.avg_pool1d(white[:, 1], 9, stride=1, padding=4)
    gate = (torch.arange(num_samples) // 4000 % 3 > 0).float()
    return 0.1 * torch.stack((white[:, 0] * gate, 3 * dark), dim=1)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="chimera_step_2cores_202611", help="of the results, in this folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
