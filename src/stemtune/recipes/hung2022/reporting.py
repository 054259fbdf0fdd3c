"""The study's report: Figures 4 to 6, and what each method changes, from whatever cells are done.

    change(song, stem, metric) = mean over seeds of method - mean over the same seeds of x-umx,

with a bootstrap confidence interval of its mean over the test songs. Songs are few, so the intervals are, if anything,
too narrow; the change of each seed's mean stands beside them.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemtune.config import parse
from stemtune.data.files import write_text_atomically
from stemtune.errors import InputError
from stemtune.evaluation.statistics import Interval, bootstrap_interval
from stemtune.hub.registry import read_json
from stemtune.recipes.hung2022.examination import METRICS
from stemtune.recipes.hung2022.experiments import METHODS
from stemtune.recipes.hung2022.figures import Panel, draw_confusions, draw_places, draw_scores
from stemtune.recipes.hung2022.latents import Clusters
from stemtune.recipes.hung2022.scales import STEMS
from stemtune.recipes.reproduce.results import read_record, read_scores
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Study

__all__ = ["Change", "Found", "change", "write_report"]

_BASELINE = METHODS[0]
_PAPER: Mapping[str, str] = {
    "sar": "up on all stems, for all methods",
    "sir": "up on vocals, drums and bass, down on other; Dis-Reg above Con-Reg",
    "sdr": "about the same; up on drums for the regularised ones",
}


@dataclass(frozen=True)
class Found:
    """The scores of a method.

    Attributes:
        seeds: those whose cells are done.
        values: ``seed song``, for each column such as ``sar_bass``; NaN where a song has no such stem.
    """

    seeds: tuple[int, ...]
    values: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Change:
    """What a method changes in one column: over songs, and for each seed that the baseline has, too."""

    interval: Interval
    by_seed: tuple[float, ...]

    @property
    def text(self) -> str:
        """In bold where zero is not in the interval."""
        low, high = self.interval.low, self.interval.high
        mark = "**" if low > 0 or high < 0 else ""
        seeds = ", ".join(f"{value:+.2f}" for value in self.by_seed)
        return f"{mark}{self.interval.value:+.2f}{mark} [{low:+.2f}, {high:+.2f}] ({seeds})"


def write_report(study: Study, places: Places) -> Path:
    """Write ``report.md`` and its figures into the results folder.

    Raises:
        InputError: if no cell is done.
    """
    records = {cell.name: read_record(places.result(cell.name)) for cell in study.cells}
    done = {name: record for name, record in records.items() if record}
    if not done:
        raise InputError(f"{places.results}: no cell is done yet; run `stemtune reproduce {study.name}` first")
    found = {method: scores for method in METHODS if (scores := _read(method, study, places))}
    draw_scores({method: _means(scores) for method, scores in found.items()}, places.results / "figure-4.png")
    panels = _panels(study, places)
    draw_confusions(panels, places.results / "figure-5.png")
    draw_places(panels, places.results / "figure-6.png")
    hours = sum(record.minutes for record in done.values()) / 60
    sections = [
        f"# {study.name} at the scale {study.scale}\n",
        f"{len(done)} of {len(study.cells)} cells are done; they took {hours:.1f} hours of wall clock. Scores are "
        "medians over frames of a second of `sdr_bss_eval_v4`, `sir` and `sar` in dB, then means over the test songs "
        "and seeds.\n",
        "## Figure 4: the stems\n\n![Figure 4](figure-4.png)\n",
        _table(found),
        *(_changes(metric, found) for metric in ("sar", "sir", "sdr")),
        "In brackets the 95 % bootstrap interval over songs (**bold** where it excludes zero), then each seed.\n",
        "## Figures 5 and 6: the latent space\n\n![Figure 5](figure-5.png)\n\n![Figure 6](figure-6.png)\n",
        _clusters(study, places),
    ]
    path = places.results / "report.md"
    write_text_atomically(path, "\n".join(sections))
    return path


def change(treatment: Found, control: Found, column: str) -> Change | None:
    """What the treatment changes in one column; None if they share no seed or fewer than two songs."""
    shared = [seed for seed in treatment.seeds if seed in control.seeds]
    if not shared:
        return None
    ours, theirs = (side.values[column][[side.seeds.index(seed) for seed in shared]] for side in (treatment, control))
    differences = ours - theirs
    songs = ~np.isnan(differences).any(axis=0)
    if songs.sum() < 2:
        return None
    interval = bootstrap_interval(differences[:, songs].mean(axis=0).tolist())
    return Change(interval, tuple(float(value) for value in differences[:, songs].mean(axis=1)))


def _read(method: str, study: Study, places: Places) -> Found | None:
    cells = [cell for cell in study.cells if cell.name.startswith(f"{method}/")]
    cells = [cell for cell in cells if read_record(places.result(cell.name))]
    if not cells:
        return None
    tables = [read_scores(places.result(cell.name)) for cell in cells]
    arrays = np.array(
        [[[np.nan if value is None else value for value in row] for _, row in table.rows] for table in tables]
    )
    values = {column: arrays[:, :, place] for place, column in enumerate(tables[0].columns)}
    return Found(tuple(cell.experiment.seed for cell in cells), values)


def _means(found: Found) -> dict[str, float]:
    """Over songs and seeds, of each column."""
    return {column: float(np.nanmean(values)) for column, values in found.values.items()}


def _table(found: Mapping[str, Found]) -> str:
    lines = [
        f"| method | seeds | {' | '.join(f'{metric} {stem}' for metric in METRICS for stem in STEMS)} |",
        "|---" * (2 + len(METRICS) * len(STEMS)) + "|",
    ]
    for method, scores in found.items():
        means = _means(scores)
        row = " | ".join(f"{means[f'{metric}_{stem}']:.2f}" for metric in METRICS for stem in STEMS)
        lines.append(f"| {method} | {len(scores.seeds)} | {row} |")
    return "\n".join([*lines, ""])


def _changes(metric: str, found: Mapping[str, Found]) -> str:
    lines = [
        f"### Change of {metric} from {_BASELINE}, dB\n",
        f"The paper: {_PAPER[metric]}.\n",
        f"| method | {' | '.join(STEMS)} |",
        "|---" * (1 + len(STEMS)) + "|",
    ]
    if _BASELINE in found:
        for method in METHODS[1:]:
            if method in found:
                cells = [change(found[method], found[_BASELINE], f"{metric}_{stem}") for stem in STEMS]
                lines.append(f"| {method} | {' | '.join(cell.text if cell else '' for cell in cells)} |")
    return "\n".join([*lines, ""])


def _panels(study: Study, places: Places) -> Sequence[Panel]:
    """The first seed of every method, and the listener."""
    names = [(method, f"{method}/seed-{study.cells[0].experiment.seed}", "latents") for method in METHODS]
    names.insert(0, ("listener", names[0][1], "listener"))
    panels: list[Panel] = []
    for title, cell, name in names:
        folder = places.result(cell)
        if (folder / f"{name}.json").exists():
            with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
                rows = [(row["stem"], float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
            panels.append(Panel(title, parse(Clusters, read_json(folder / f"{name}.json")), rows))
    return panels


def _clusters(study: Study, places: Places) -> str:
    lines = ["| latents | share of frames in their own stem's cluster, each seed |", "|---|---|"]
    for method in METHODS:
        values = [
            parse(Clusters, read_json(path)).accuracy
            for cell in study.cells
            if cell.name.startswith(f"{method}/") and (path := places.result(cell.name) / "latents.json").exists()
        ]
        if values:
            lines.append(f"| {method} | {', '.join(f'{value:.1%}' for value in values)} |")
    path = places.result(study.cells[0].name) / "listener.json"
    if path.exists():
        lines.append(f"| what the listener hears in the true stems | {parse(Clusters, read_json(path)).accuracy:.1%} |")
    return "\n".join(
        [*lines, "", "Chance is 25 %, and a little more, for clusters are matched with stems afterwards.\n"]
    )
