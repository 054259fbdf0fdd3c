"""What networks that learnt deep clustering only separate: k-means on the embeddings of each excerpt, best order.

    stemtune reproduce bugler2020 --only 'pretrain/*-none/seed-0'
    python benchmarks/bugler2020_clustering.py [--work runs/bugler2020-laptop] [--excerpts 200]
    python benchmarks/bugler2020_clustering.py --heard --excerpts 100 --name bugler2020_clustering_heard_2cores_202611

Each pre-trained network hears test excerpts of the three tasks, of which it has learnt nothing, and divides them into
as many clusters as there are stems. With ``--heard`` it is excerpts of the two corpora that were learnt from, whose
songs some of them know: whether they have learnt to divide at all. Beside it: the mixture itself, the same clustering
of a network with fresh weights, and masks that know which source is loudest in each bin.
"""

import argparse
import csv
import datetime as dt
import math
import os
import platform
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from stemtune.evaluation.metrics.order import in_best_order
from stemtune.evaluation.metrics.si_sdr import si_sdr
from stemtune.hub import load
from stemtune.models.chimeranet import ChimeraNet
from stemtune.objectives.clustering import loudest_source
from stemtune.recipes.bugler2020.corpora import TASKS, laptop_corpora
from stemtune.recipes.bugler2020.scales import LAPTOP
from stemtune.separation.clustering import separate_by_clustering

HERE = Path(__file__).resolve().parent
SEED, RATE = 20201, 16000


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    models = {
        path.parts[-3].removesuffix("-none"): load(path)
        for path in sorted((options.work / "cells" / "pretrain").glob("*-none/seed-0/model"))
    }
    torch.manual_seed(0)
    fresh = LAPTOP.network(("a", "b")).build().eval()
    assert isinstance(fresh, ChimeraNet)
    contenders: dict[str, Callable[[Tensor], Tensor]] = {
        "mixture": lambda sources: sources.sum(dim=0, keepdim=True).expand_as(sources),
        "clusters, fresh weights": lambda sources: cluster(fresh, sources),
        **{
            f"clusters, pre-trained on {name}": (lambda sources, model=model: cluster(model, sources))
            for name, model in models.items()
        },
        "binary masks of the truth": lambda sources: binary_masks(fresh, sources),
    }
    rows: list[tuple[str, str, int, float]] = []
    corpora = laptop_corpora(options.work / "data")
    tests = {task: corpora.tasks[task].test for task in TASKS}
    heard = {name: corpora.pretraining[name] for name in ("real", "pop")} if options.heard else tests
    for task, data in heard.items():
        mixer = data.model_copy(update={"segment_seconds": LAPTOP.excerpt_seconds}).build()
        for number in range(options.excerpts):
            sources = mixer.example(seed=SEED, step=0, position=number)
            for name, separate in contenders.items():
                estimate = in_best_order(estimate=separate(sources), reference=sources)
                values = [v for v in si_sdr(estimate=estimate, reference=sources).tolist() if math.isfinite(v)]
                if values:
                    rows.append((task, name, number, statistics.mean(values)))
        print(task, {name: mean(rows, task, name) for name in contenders}, flush=True)
    write(options, rows, list(contenders), list(heard))


def cluster(model: ChimeraNet, sources: Tensor) -> Tensor:
    mixture = sources.sum(dim=0)
    return separate_by_clustering(model, mixture, sample_rate=RATE, num_stems=sources.shape[0])


def binary_masks(model: ChimeraNet, sources: Tensor) -> Tensor:
    masks = loudest_source(model.spectrogram(sources).abs().unsqueeze(0))[0]
    masked = masks * model.spectrogram(sources.sum(dim=0, keepdim=True))
    return model.synthesise(masked, num_samples=sources.shape[-1])


def mean(rows: list[tuple[str, str, int, float]], task: str, name: str) -> float:
    values = [value for of, by, _, value in rows if (of, by) == (task, name)]
    return round(statistics.mean(values), 2)


def write(
    options: argparse.Namespace, rows: list[tuple[str, str, int, float]], names: list[str], tasks: list[str]
) -> None:
    path = HERE / options.name
    with path.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("task", "contender", "excerpt", "si_sdr"))
        writer.writerows((task, name, number, f"{value:.2f}") for task, name, number, value in rows)
    arguments = f"{'--heard ' * options.heard}--excerpts {options.excerpts}"
    lines = [
        "# Separation by clustering the embeddings of networks that learnt deep clustering only",
        "",
        f"- Command: `python benchmarks/bugler2020_clustering.py {arguments}`",
        f"- Hardware: {platform.machine()}, {os.cpu_count()} cores; torch {torch.__version__}",
        f"- Date: {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}",
        f"- Mean `si_sdr` in dB over the stems that sound and the first {options.excerpts} excerpts "
        f"({LAPTOP.excerpt_seconds:g} s) of each {'corpus that was learnt from' if options.heard else 'test'}; "
        "all estimates in their best order",
        "",
        "| | " + " | ".join(tasks) + " |",
        "|---" * (1 + len(tasks)) + "|",
        *(f"| {name} | " + " | ".join(f"{mean(rows, task, name):.2f}" for task in tasks) + " |" for name in names),
        "",
    ]
    path.with_suffix(".md").write_text("\n".join(lines))
    print("\n".join(lines))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/bugler2020-laptop"))
    parser.add_argument("--excerpts", type=int, default=200)
    parser.add_argument("--heard", action="store_true", help="on what was learnt from, not on the tasks")
    parser.add_argument("--name", default="bugler2020_clustering_2cores_202611", help="of the results, in this folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
