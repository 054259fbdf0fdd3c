"""Which strategy is best for how many minutes? Every strategy on every task at equal computing time, cell by cell.

    python benchmarks/adapt_strategies.py --plan                      the cells, and what they would take
    python benchmarks/adapt_strategies.py --only 'choir/*' --max-minutes 60
    python benchmarks/adapt_strategies.py --report                    the table of all cells that are done

A cell is TASK/MINUTES/STRATEGY/SEED: the strategy learns from so many minutes of the task's training songs for
``--seconds-per-cell`` of this machine (a step is timed once per task and strategy, the number of steps follows), and
the model is scored on songs, singers, kits or timbres that are in no training song. Cells are kept as they finish;
start again to go on, in several processes at once if you like. The order is by seed, so that what is done is a whole
table.

``adapters@0.3`` is a strategy at .3 times the family's learning rate instead of the rule's factor. ``--judge unused``
scores on training songs that no cell learns from, and leaves the test songs alone: by that the rates are chosen.

Tasks: ``choir`` (female, male: pieces apart), ``karaoke`` (vocals, accompaniment: singers apart), ``drums`` and
``chorales`` (rendered; other kits and soundfonts in the test part):

    stemtune data render drums --data ../shared/data -o corpora/drums --songs 60
    stemtune data render chorales --data ../shared/data -o corpora/chorales --songs 60
"""

import argparse
import csv
import hashlib
import json
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

from stemtune.data.datasets import open_dataset
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus, rename_stems
from stemtune.data.tracks import Track
from stemtune.evaluation.protocol import evaluate_model
from stemtune.hub import load
from stemtune.models import Separator, SeparatorConfig
from stemtune.recipes.adapt.families import find_family, quick_precision
from stemtune.recipes.adapt.rules import find_rule
from stemtune.recipes.adapt.strategies import Task, build_experiment
from stemtune.recipes.reproduce.results import read_record, read_scores
from stemtune.recipes.reproduce.running import Places, run_cells, state_of
from stemtune.recipes.reproduce.study import Cell, Scores, Study, choose_cells
from stemtune.training.loop import Observer
from stemtune.training.phase import Execution, Experiment
from stemtune.training.run import train
from stemtune.training.validate import validate

METRICS = ("sdr_global", "si_sdr")
STRATEGIES = ("scratch", "all", "head", "adapters", "clustering", "remixing", "dis-reg")
TIMED_STEPS = 4


@dataclass(frozen=True)
class Material:
    """What a task is made of: a data set, its stems, and which of its tracks are kept for the test."""

    path: Path
    stems: tuple[str, ...]
    mapping: Mapping[str, str | None] = field(default_factory=dict)
    num_test: int = 8
    layout: Literal["songs"] | None = None

    def tracks(self) -> tuple[list[Track], list[Track]]:
        """For training, in an order that mixes the groups (singers), and for the test; groups are not divided."""
        tracks = open_dataset(self.path, layout=self.layout)
        tracks = rename_stems(tracks, self.mapping, origin=str(self.path)) if self.mapping else tracks
        if any(track.origin.split == "test" for track in tracks):
            learnt = [track for track in tracks if track.origin.split == "train"]
            return _shuffled(learnt), self._some([track for track in tracks if track.origin.split == "test"])
        groups = sorted({track.origin.group or track.name for track in tracks})
        apart = set(groups[::3])
        kept = [track for track in tracks if (track.origin.group or track.name) in apart]
        return _shuffled(track for track in tracks if track not in kept), self._some(kept)

    def _some(self, tracks: list[Track]) -> list[Track]:
        """From all over the list."""
        return tracks[:: max(1, len(tracks) // self.num_test)][: self.num_test]


def _shuffled(tracks: Iterable[Track]) -> list[Track]:
    """The same order each time."""
    return sorted(tracks, key=lambda track: hashlib.sha256(track.name.encode()).hexdigest())


def materials(data: Path, corpora: Path) -> dict[str, Material]:
    parts = {"soprano": "female", "alto": "female", "tenor": "male", "bass": "male"}
    return {
        "choir": Material(data / "choralsynth", ("female", "male"), parts),
        "karaoke": Material(data / "mir1k", ("vocals", "accompaniment"), num_test=24),
        "drums": Material(corpora / "drums", ("kick", "snare", "cymbals"), {"toms": None}, layout="songs"),
        "chorales": Material(corpora / "chorales", ("violin", "clarinet", "saxophone", "bassoon"), layout="songs"),
    }


@dataclass(frozen=True)
class TestSongs:
    """Scores a model on whole songs."""

    tracks: tuple[Track, ...]

    def __call__(self, separator: Separator) -> Scores:
        evaluation = evaluate_model(separator, self.tracks, metrics=METRICS)
        columns = tuple(f"{stem} {metric}" for stem in evaluation.stems for metric in METRICS)
        found = {(row.track, f"{row.stem} {row.metric}"): row.value for row in evaluation.rows}
        return Scores(
            columns, tuple((name, tuple(found.get((name, c)) for c in columns)) for name in evaluation.tracks)
        )

    def glance(self, separator: Separator) -> float:
        return validate(separator, self.tracks[:3], max_seconds=15.0).mean


@dataclass(frozen=True)
class Options:
    """What all cells share."""

    work: Path
    base: str = "default"
    seconds_per_cell: float = 90.0
    steps: int | None = None
    index: Path | None = None
    listener: str | None = None
    segment_seconds: float = 3.0
    judge: Literal["test", "unused"] = "test"


def table_of(tracks: Sequence[Track], stems: Iterable[str], minutes: float, path: Path) -> Path:
    """The first songs, as many as make up the minutes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds, wanted = 0.0, set(stems)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("track", "stem", "path", "split"))
        for track in tracks:
            if seconds >= 60 * minutes:
                break
            seconds += track.duration_seconds
            rows = [(stem, own) for stem, paths in track.stems.items() if stem in wanted for own in paths]
            writer.writerows((track.name, stem, str(own.absolute()), "train") for stem, own in rows)
    return path


def experiment(
    options: Options,
    model: SeparatorConfig,
    table: Path,
    minutes: float,
    strategy: str,
    *,
    name: str,
    seed: int,
    steps: int,
) -> Experiment:
    strategy, _, factor = strategy.partition("@")
    rule = find_rule(minutes)
    if factor:
        rule = rule.model_copy(update={"rate_factor": float(factor)})
    base = load(options.base)
    task = Task(
        model=model,
        base=options.base,
        origins=None if model.stems == base.stems else {s: s if s in base.stems else None for s in model.stems},
        data=MixingConfig(
            corpora=(Corpus(path=str(table)),),
            stems=model.stems,
            sample_rate=model.sample_rate,
            channels=model.channels,
            segment_seconds=options.segment_seconds,
            min_level_db=-45.0,
            augmentation=rule.augmentation,
        ),
        rule=rule,
        steps=steps,
        index=options.index,
        listener=options.listener,
        precision=quick_precision(find_family(model)),
    )
    return build_experiment(strategy, task, name=name, seed=seed)


def steps_of(options: Options, task: str, strategy: str, made: Experiment) -> int:
    """As many as the time allows; a step is timed once per task and strategy and remembered."""
    if options.steps is not None:
        return options.steps
    timed = f"{task}/{strategy.partition('@')[0]}"
    memory = options.work / "step_seconds.json"
    known: dict[str, float] = json.loads(memory.read_text()) if memory.exists() else {}
    if timed not in known:
        times: list[float] = []
        folder = options.work / "timing"
        shutil.rmtree(folder, ignore_errors=True)
        watch = Observer(1, lambda *_: times.append(time.monotonic()))
        train(made, folder, execution=Execution(device="cpu", num_workers=0), quiet=True, observer=watch)
        shutil.rmtree(folder, ignore_errors=True)
        known[timed] = min(after - before for before, after in pairwise(times))
        memory.write_text(json.dumps(known, indent=2))
    return max(10, round(options.seconds_per_cell / known[timed]))


def study_of(
    options: Options, tasks: Mapping[str, Material], minutes: Sequence[float], strategies: Sequence[str], seeds: int
) -> Study:
    """The table of cells; strategies that cannot be built (no index, no listener, another family) are left out."""
    cells: list[list[Cell]] = [[] for _ in range(seeds)]
    facts: dict[str, str] = {}
    for task, material in tasks.items():
        if not material.path.exists():
            facts[task] = f"left out: {material.path} is not there"
            continue
        learnt, asked = material.tracks()
        if options.judge == "unused":
            asked = learnt[-max(2, material.num_test // 2) :]
        model = load(options.base).config.override({"stems": list(material.stems)})
        for amount in minutes:
            table = table_of(learnt, material.stems, amount, options.work / "tables" / f"{task}-{amount:g}.csv")
            for strategy in strategies:
                make = partial(experiment, options, model, table, amount, strategy)
                try:
                    steps = steps_of(options, task, strategy, make(name="timing", seed=0, steps=TIMED_STEPS))
                except Exception as error:
                    facts[strategy] = f"left out: {error}"
                    continue
                for seed in range(seeds):
                    name = f"{task}/{amount:g}/{strategy}/{seed}"
                    cells[seed].append(
                        Cell(
                            name,
                            make(name=name.replace("/", "-"), seed=seed, steps=steps),
                            examination=partial(TestSongs, tuple(asked)),
                            glance_every_steps=max(1, steps // 4),
                            minutes=options.seconds_per_cell / 60,
                        )
                    )
    return Study("adapt", "2cores", tuple(cell for row in cells for cell in row), facts)


def report(study: Study, places: Places) -> list[str]:
    """One row per task, amount and strategy: means over seeds of the means over songs and stems."""
    lines = ["| task | minutes | strategy | cells | sdr_global | si_sdr |", "|---|---:|---|---:|---:|---:|"]
    groups: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for cell in study.cells:
        if read_record(places.result(cell.name)) is None:
            continue
        scores = read_scores(places.result(cell.name))
        means = [
            statistics.fmean(
                value
                for _, values in scores.rows
                for column, value in zip(scores.columns, values, strict=True)
                if value is not None and column.endswith(metric)
            )
            for metric in METRICS
        ]
        groups.setdefault(tuple(cell.name.split("/")[:3]), []).append((means[0], means[1]))
    for (task, amount, strategy), found in groups.items():
        first, second = (statistics.fmean(pair[place] for pair in found) for place in (0, 1))
        lines.append(f"| {task} | {amount} | {strategy} | {len(found)} | {first:.2f} | {second:.2f} |")
    return [*lines, "", *(f"- {name}: {fact}" for name, fact in study.facts.items())]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--corpora", type=Path, default=Path("corpora"))
    parser.add_argument("--work", type=Path, default=Path("runs/adapt_strategies"))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/adapt_2cores_202611"))
    parser.add_argument("--base", default="default")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 5.0])
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds-per-cell", type=float, default=90.0)
    parser.add_argument("--steps", type=int, help="instead of the time")
    parser.add_argument("--index", type=Path, help="of mined excerpts, for remixing")
    parser.add_argument("--listener", help="for dis-reg")
    parser.add_argument("--tasks", nargs="+", default=["choir", "karaoke", "drums", "chorales"])
    parser.add_argument("--judge", choices=("test", "unused"), default="test", help="the songs that scores are of")
    parser.add_argument("--only", nargs="*", default=[], help="patterns of cells, such as 'choir/5/*'")
    parser.add_argument("--max-minutes", type=float)
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    options = Options(
        given.work, given.base, given.seconds_per_cell, given.steps, given.index, given.listener, judge=given.judge
    )
    tasks = {name: made for name, made in materials(given.data, given.corpora).items() if name in given.tasks}
    study = study_of(options, tasks, given.minutes, given.strategies, given.seeds)
    places = Places(given.work, given.results)
    chosen = choose_cells(study, given.only)
    if given.plan:
        for cell in chosen:
            sys.stdout.write(f"{state_of(cell, places):6} {cell.name}  {cell.steps} steps\n")
        sys.stdout.write("".join(f"{name}: {fact}\n" for name, fact in study.facts.items()))
    elif given.report:
        sys.stdout.write("\n".join(report(study, places)) + "\n")
    else:
        execution = Execution(device="cpu", num_workers=0, max_minutes=given.max_minutes)
        run_cells(study, chosen, places, execution=execution, say=lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
