"""What a listener costs: a training step of X-UMX with Con-Reg and Dis-Reg, and the separation of 30 s with Concat.

    python benchmarks/listening_step.py [--repeats 5] [--name NAME]

The sizes are those of the study hung2022 at the scale "laptop"; one thread. A step is: network (bfloat16), loss,
gradients, Adam. Features of the stems come looked up, as from a table of recordings that were heard before, or are
computed in the step, as gains of their own would ask for. Contenders take turns, and processor seconds are counted, so
that other work on the machine matters little; the median of the repeats is given. Weights are random: they do not
matter for the time.
"""

import argparse
import csv
import datetime as dt
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from stemtune.models.vggish import VGGishConfig
from stemtune.objectives.base import Objective, fitted, learned, taught
from stemtune.objectives.choice import WeightedObjective, WeightedSumConfig
from stemtune.objectives.latent import ConRegConfig, DisRegConfig
from stemtune.objectives.spectral import MagnitudeMSEConfig
from stemtune.recipes.hung2022.scales import LAPTOP
from stemtune.recipes.listener.training import ListenerTraining
from stemtune.training.teachers import ListenerTeacher
from stemtune.types import Batch, Heard

HERE = Path(__file__).resolve().parent
SECONDS_SEPARATED = 30.0
OURS = ListenerTraining().listener
VGGISH = VGGishConfig(whiten=True, quantise="bytes")


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    steps = {
        name: make_step(name) for name in ("x-umx", "con-reg, looked up", "dis-reg, looked up", "dis-reg, computed")
    }
    with torch.no_grad():
        mixture = 0.1 * torch.randn(1, 1, round(SECONDS_SEPARATED * LAPTOP.model.sample_rate))
        listeners = {"x-umx": None, "concat, our listener": OURS, "concat, VGGish's size": VGGISH}
        separations = {name: make_separation(listener, mixture) for name, listener in listeners.items()}
    times: dict[tuple[str, str], list[float]] = {}
    for run in range(options.repeats + 1):
        for what, contenders in (("step", steps), ("30 s", separations)):
            for name, work in contenders.items():
                started = time.process_time()
                work()
                if run:  # the first one allocates
                    times.setdefault((what, name), []).append(time.process_time() - started)
        print(f"{run} of {options.repeats}", file=sys.stderr, flush=True)
    write(options.name, options.repeats, {key: statistics.median(values) for key, values in times.items()})


def make_step(name: str) -> Callable[[], object]:
    torch.manual_seed(0)
    network = LAPTOP.model.build().train()
    mse = MagnitudeMSEConfig(n_fft=LAPTOP.model.n_fft, hop_length=LAPTOP.model.hop_length)
    objective: Objective = mse.build()
    if name != "x-umx":
        config = ConRegConfig(listener="ear") if name.startswith("con") else DisRegConfig(listener="ear")
        parts = (WeightedObjective(weight=1.0, objective=mse), WeightedObjective(weight=1.0, objective=config))
        teacher = ListenerTeacher(OURS.build(), sample_rate=LAPTOP.model.sample_rate)
        objective = taught(WeightedSumConfig(parts=parts).build(), lambda _: teacher)
        objective = fitted(objective, network.latent_grid, num_stems=len(network.stems))
    optimiser = torch.optim.Adam([*network.parameters(), *learned(objective).parameters()], lr=1e-4)
    stems, samples = len(network.stems), round(LAPTOP.segment_seconds * LAPTOP.model.sample_rate)
    sources = 0.1 * torch.randn(LAPTOP.batch_size, stems, 1, samples)
    batch = Batch(mixture=sources.sum(dim=1), sources=sources, stems=network.stems, sample_rate=network.sample_rate)
    if name.endswith("looked up"):
        features = torch.randn(LAPTOP.batch_size, stems, OURS.features, 6)
        batch = replace(batch, heard={"ear": Heard(features, torch.rand(LAPTOP.batch_size, stems))})

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            estimate = network(batch.mixture)
        objective(estimate, batch).total.backward()
        optimiser.step()

    return step


def make_separation(listener: VGGishConfig | None, mixture: torch.Tensor) -> Callable[[], object]:
    changes = {} if listener is None else {"listener": listener.model_dump(mode="json")}
    network = LAPTOP.model.override(changes).build().eval()

    def separate() -> None:
        with torch.inference_mode():
            network(mixture)

    return separate


def write(name: str, repeats: int, medians: dict[tuple[str, str], float]) -> None:
    rows = [
        (what, contender, f"{seconds:.3f}", f"{100 * (seconds / medians[what, 'x-umx'] - 1):+.1f}")
        for (what, contender), seconds in medians.items()
    ]
    with (HERE / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("what", "contender", "seconds", "more than x-umx, %"), *rows])
    lines = [
        "# What a listener costs\n",
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {platform.machine()}, torch {torch.__version__}, one thread; "
        f"median of {repeats} repeats in processor seconds. Made by `python benchmarks/listening_step.py --repeats "
        f"{repeats}`; see there for what is measured.\n",
        "| what | contender | seconds | more than x-umx, % |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    (HERE / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--name", default="listening_step_2cores_202611")
    return parser.parse_args()


if __name__ == "__main__":
    main()
