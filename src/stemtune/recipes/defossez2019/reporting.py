"""The study's report: Table 2, and what remixing gains seed by seed, from whatever cells are done."""

import csv
from pathlib import Path
from statistics import fmean

from stemtune.data.files import write_text_atomically
from stemtune.errors import InputError
from stemtune.recipes.defossez2019.experiments import ABLATIONS, STEMS
from stemtune.recipes.reproduce.results import read_record, read_scores
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Scores, Study

__all__ = ["write_report"]

_PAPER = {"reference": 5.09, "no-remixed": 4.81, "no-glu": 4.68, "no-lstm": 4.83, "mse": 5.04, "no-rescaling": 4.68}


def write_report(study: Study, places: Places) -> Path:
    """Write ``report.md`` into the results folder.

    Raises:
        InputError: if no cell is done.
    """
    done = {
        cell.name: read_scores(places.result(cell.name))
        for cell in study.cells
        if read_record(places.result(cell.name)) is not None
    }
    if not done:
        raise InputError(f"{places.results}: no cell is done yet; run `stemtune reproduce {study.name}` first")
    lines = [
        f"# {study.name} at the scale {study.scale}\n",
        f"{len(done)} of {len(study.cells)} cells are done. SDR is the paper's simple one (SI-SDR without mean "
        "removal, dB), L1 is of mixtures of unit deviation; both are means over songs and stems.\n",
        "| difference | seeds | " + " | ".join(STEMS) + " | SDR | L1 | the paper's SDR |",
        "|---|---|" + "---|" * (len(STEMS) + 3),
    ]
    for name in ("reference", *ABLATIONS):
        found = [scores for cell, scores in done.items() if cell.startswith(f"{name}/")]
        if found:
            stems = " | ".join(f"{_mean(found, f'sdr_{stem}'):.2f}" for stem in STEMS)
            sdr = fmean(_mean(found, f"sdr_{stem}") for stem in STEMS)
            error = fmean(_mean(found, f"l1_{stem}") for stem in STEMS)
            lines.append(f"| {name} | {len(found)} | {stems} | {sdr:.2f} | {error:.3f} | {_PAPER[name]:.2f} |")
    lines.append("\n## What remixing gains\n")
    for cell, scores in done.items():
        twin = done.get(cell.replace("reference/", "no-remixed/"))
        if cell.startswith("reference/") and twin is not None:
            gains = ", ".join(
                f"{stem} {_mean([scores], f'sdr_{stem}') - _mean([twin], f'sdr_{stem}'):+.2f}" for stem in STEMS
            )
            lines.append(f"- {cell.removeprefix('reference/')}: {gains} dB")
    lines += _mining(places)
    path = places.results / "report.md"
    write_text_atomically(path, "\n".join(lines) + "\n")
    return path


def _mining(places: Places) -> list[str]:
    """How silent the stems truly are in what was mined of songs with hidden labels."""
    path = places.work / "mined" / "truth.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [
        "\n## What was mined of the songs with hidden labels\n",
        "| without | excerpts | minutes | at most -20 dB | 95th percentile of the true volume, dB |",
        "|---|---|---|---|---|",
    ]
    for stem in STEMS:
        here = [row for row in rows if row["stem"] == stem]
        if here:
            volumes = sorted(float(row["volume_db"]) for row in here)
            minutes = sum(float(row["duration_seconds"]) for row in here) / 60
            silent = sum(volume <= -20 for volume in volumes) / len(volumes)
            high = volumes[min(len(volumes) - 1, int(0.95 * len(volumes)))]
            lines.append(f"| {stem} | {len(here)} | {minutes:.1f} | {silent:.0%} | {high:.1f} |")
    return lines


def _mean(found: list[Scores], column: str) -> float:
    """Over songs and seeds."""
    values = [row[scores.columns.index(column)] for scores in found for _, row in scores.rows]
    there = [value for value in values if value is not None]
    return fmean(there) if there else float("nan")
