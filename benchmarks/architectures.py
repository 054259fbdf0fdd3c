"""Which family makes the best four-stem separator out of the same data in the same time?

    python -m stemtune.recipes.default_model.corpus --data ../shared/data --out corpora/default
    python -m benchmarks.architectures --minutes 4
    python -m benchmarks.architectures --minutes 4 --report

Every candidate learns from scratch, with its family's own objective, rate and batches (`recipes.adapt.families`), the
default model's corpus, mixing and augmentation, and one thread, for so many minutes; a step is timed first, the number
of steps follows. The rate falls along a cosine. Scores are `sdr_global` on songs that none of them
heard: MusicDelta's seven and "Lithium". ChimeraNet takes no part, for it is mono at 16 kHz by design, and Unmix
neither, for it needs an auto-encoder for each stem first.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.adapt_strategies import TIMED_STEPS, Options, TestSongs, steps_of
from stemtune.data.datasets import open_dataset
from stemtune.models import SeparatorConfig
from stemtune.models.bandnet import BandNetConfig
from stemtune.models.demucs import DemucsConfig
from stemtune.models.xumx import XUMXConfig
from stemtune.recipes.adapt.families import find_family, quick_precision
from stemtune.recipes.adapt.rules import find_rule
from stemtune.recipes.adapt.strategies import Task, build_experiment
from stemtune.recipes.default_model.experiment import default_model
from stemtune.recipes.reproduce.results import read_record, read_scores
from stemtune.recipes.reproduce.running import Places, run_cells, state_of
from stemtune.recipes.reproduce.study import Cell, Study, choose_cells
from stemtune.training.phase import Execution, Experiment
from stemtune.training.schedule import Schedule

STEMS = ("vocals", "drums", "bass", "other")
CANDIDATES: dict[str, SeparatorConfig] = {
    "bandnet": BandNetConfig(stems=STEMS, dropout=0.0),
    "xumx": XUMXConfig(stems=STEMS, hidden_size=256),
    "open-unmix": XUMXConfig(stems=STEMS, hidden_size=256, bridged=False),
    "demucs": DemucsConfig(stems=STEMS, width=16, depth=5),
}
TEST = "Lithium"


def experiment(model: SeparatorConfig, corpora: Path, *, name: str, seed: int, steps: int) -> Experiment:
    (phase,) = default_model(corpora / "default", None, rendered=None).phases
    task = Task(
        model=model,
        base=None,
        origins=None,
        data=phase.data,
        rule=find_rule(30.0).model_copy(update={"rate_factor": 1.0, "ema_decay": 0.99}),
        steps=steps,
        precision=quick_precision(find_family(model)),
    )
    made = build_experiment("scratch", task, name=name, seed=seed)
    schedule = Schedule(kind="cosine", warmup_steps=min(50, steps), decay=0.02)
    return made.override({"phases.0.schedule": schedule.model_dump(mode="json")})


def study_of(given: argparse.Namespace) -> Study:
    options = Options(given.work, seconds_per_cell=60 * given.minutes, steps=given.steps)
    songs = [track for track in open_dataset(given.data / "eir_stems") if TEST in track.name]
    asked = (*open_dataset(given.data / "musicdelta"), *songs)
    cells: list[Cell] = []
    for name, model in CANDIDATES.items():
        make = partial(experiment, model, given.corpora)
        steps = steps_of(options, "four-stems", name, make(name="timing", seed=0, steps=TIMED_STEPS))
        cells += [
            Cell(
                f"{name}/{seed}",
                make(name=f"{name}-{seed}", seed=seed, steps=steps),
                examination=partial(TestSongs, asked),
                glance_every_steps=max(1, steps // 5),
                minutes=given.minutes,
            )
            for seed in range(given.seeds)
        ]
    return Study("architectures", "2cores", tuple(cells))


def report(study: Study, places: Places) -> list[str]:
    """One row per candidate and seed: the mean over songs of each stem."""
    lines = [
        f"| candidate | million parameters | steps | {' | '.join(STEMS)} | mean |",
        "|---|---:|---:|" + "---:|" * (len(STEMS) + 1),
    ]
    for cell in study.cells:
        record = read_record(places.result(cell.name))
        if record is None:
            continue
        scores = read_scores(places.result(cell.name))
        means: list[float] = []
        for stem in STEMS:
            place = scores.columns.index(f"{stem} sdr_global")
            values = [value for _, row in scores.rows if (value := row[place]) is not None]
            means.append(sum(values) / len(values))
        figures = " | ".join(f"{mean:.2f}" for mean in (*means, sum(means) / len(means)))
        lines.append(f"| {cell.name} | {record.num_parameters / 1e6:.1f} | {record.steps} | {figures} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--corpora", type=Path, default=Path("corpora"))
    parser.add_argument("--work", type=Path, default=Path("runs/architectures"))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/architectures_2cores_202611"))
    parser.add_argument("--minutes", type=float, default=4.0, help="of training, for each")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, help="instead of the time")
    parser.add_argument("--only", nargs="*", default=[], help="patterns of cells, such as 'xumx/*'")
    parser.add_argument("--max-minutes", type=float)
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    study = study_of(given)
    places = Places(given.work, given.results)
    chosen = choose_cells(study, given.only)
    if given.plan:
        sys.stdout.write("".join(f"{state_of(cell, places):6} {cell.name}  {cell.steps} steps\n" for cell in chosen))
    elif given.report:
        sys.stdout.write("\n".join(report(study, places)) + "\n")
    else:
        execution = Execution(device="cpu", num_workers=0, threads=1, max_minutes=given.max_minutes)
        run_cells(study, chosen, places, execution=execution, say=lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
