"""The study's report: both tables, box plots, what remixing gains, and how true the mining is, of whatever is done.

Table 1   median over songs of museval's median over frames; "all" is the median of all stems' medians together
Table 2   means over songs and stems of the simple SDR and of the L1, on songs learnt from and on test songs
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

from stemtune.data.files import write_text_atomically
from stemtune.errors import InputError
from stemtune.evaluation.signed_rank import wilcoxon_signed_rank
from stemtune.recipes.defossez2019.evidence import read_evidence
from stemtune.recipes.defossez2019.examination import RATIOS, TRAINED
from stemtune.recipes.defossez2019.experiments import ABLATIONS, STEMS
from stemtune.recipes.defossez2019.figures import draw_boxes
from stemtune.recipes.defossez2019.mining import DETECTOR_RESULT
from stemtune.recipes.reproduce.results import read_record, read_scores
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Scores, Study

__all__ = ["write_report"]

_REMIXED, _ALONE = "reference", "no-remixed"
_NAMES = {_REMIXED: "Demucs, remixed", _ALONE: "Demucs"}
_PAPER_1 = {_REMIXED: (5.09, 5.79, 6.23, 3.45, 5.51), _ALONE: (4.81, 5.38, 5.07, 3.01, 5.44)}
_PAPER_2 = {
    "reference": (0.090, 8.82, 0.169, 5.09),
    "no-remixed": (0.089, 8.87, 0.175, 4.81),
    "no-glu": (0.099, 8.00, 0.174, 4.68),
    "no-lstm": (0.156, 8.42, 0.182, 4.83),
    "mse": (None, 8.84, None, 5.04),
    "no-rescaling": (0.094, 8.39, 0.171, 4.68),
}

Done = Mapping[str, Scores]


def write_report(study: Study, places: Places) -> Path:
    """Write ``report.md`` and ``appendix-b.png`` into the results folder.

    Raises:
        InputError: if nothing is done.
    """
    done = {
        cell.name: read_scores(places.result(cell.name))
        for cell in study.cells
        if read_record(places.result(cell.name)) is not None
    }
    mining = _mining(places)
    if not done and not mining:
        raise InputError(f"{places.results}: no cell is done yet; run `stemtune reproduce {study.name}` first")
    lines = [
        f"# {study.name} at the scale {study.scale}\n",
        f"{len(done)} of {len(study.cells)} cells are done. The paper's figures are of other songs and a network many "
        "times as large: what can be compared is their order, not their level.\n",
    ]
    if any(name.startswith((_REMIXED, _ALONE)) for name in done):
        lines += [*_table_1(done), *_boxes(done, places)]
    if done:
        lines += [*_table_2(done), *_gains(done)]
    lines += mining
    path = places.results / "report.md"
    write_text_atomically(path, "\n".join(lines) + "\n")
    return path


def _table_1(done: Done) -> list[str]:
    lines = [
        "## Table 1: median SDR of museval, dB\n",
        "| | seeds | all | " + " | ".join(STEMS) + " | the paper: all, " + ", ".join(STEMS) + " |",
        "|---|---|---|" + "---|" * (len(STEMS) + 1),
    ]
    for name, label in _NAMES.items():
        found = _of(done, name)
        if not found:
            continue
        per_stem = [[*_values(found, f"museval_sdr_{stem}")] for stem in STEMS]
        together = [value for values in per_stem for value in values]
        cells = " | ".join(f"{median(values):.2f}" if values else "" for values in (together, *per_stem))
        lines.append(f"| {label} | {len(found)} | {cells} | {', '.join(f'{value:.2f}' for value in _PAPER_1[name])} |")
    return [*lines, ""]


def _boxes(done: Done, places: Places) -> list[str]:
    found = {name: _of(done, name) for name in _NAMES}
    values = {
        ratio: {
            (label, stem): _values(found[name], f"museval_{ratio}_{stem}")
            for name, label in _NAMES.items()
            for stem in STEMS
        }
        for ratio in RATIOS
    }
    draw_boxes(places.results / "appendix-b.png", values, conditions=list(_NAMES.values()), stems=STEMS)
    return [
        "![Box plots](appendix-b.png)\n",
        "*Appendix B: each song's median over frames, of all seeds, in quartiles.*\n",
    ]


def _table_2(done: Done) -> list[str]:
    lines = [
        "## Table 2: ablations\n",
        "SDR is the paper's simple one (SI-SDR without removing the mean, dB); L1 is of mixtures of unit deviation. "
        "The paper's four numbers are in the order of the first four columns.\n",
        "| difference | seeds | learnt: L1 | SDR | tests: L1 | SDR | " + " | ".join(STEMS) + " | the paper's |",
        "|---|---|---|---|---|---|" + "---|" * (len(STEMS) + 1),
    ]  # fmt: skip
    for name in ("reference", *ABLATIONS):
        found = _of(done, name)
        if not found:
            continue
        learnt = [_mean_over_stems(found, kind, learnt=True) for kind in ("l1", "sdr")]
        tests = [_mean_over_stems(found, kind) for kind in ("l1", "sdr")]
        stems = " | ".join(_number(_mean(_values(found, f"sdr_{stem}")), 2) for stem in STEMS)
        measured = (
            f"{_number(learnt[0], 3)} | {_number(learnt[1], 2)} | {_number(tests[0], 3)} | {_number(tests[1], 2)}"
        )
        a, b, c, d = _PAPER_2[name]
        paper = f"{_number(a, 3) or '-'}, {_number(b, 2)}; {_number(c, 3) or '-'}, {_number(d, 2)}"
        lines.append(f"| {name} | {len(found)} | {measured} | {stems} | {paper} |")
    return [*lines, ""]


def _gains(done: Done) -> list[str]:
    """Seed by seed, and a test over songs and stems whose scores are means over seeds."""
    seeds = [
        name.removeprefix(f"{_REMIXED}/")
        for name in done
        if name.startswith(f"{_REMIXED}/") and name.replace(_REMIXED, _ALONE) in done
    ]
    if not seeds:
        return []
    lines = [
        "## What remixing gains\n",
        "| seed | " + " | ".join(STEMS) + " | mean |",
        "|---|" + "---|" * (len(STEMS) + 1),
    ]
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seed in seeds:
        gains: list[float | None] = []
        for stem in STEMS:
            with_songs, without = (_by_song(done[f"{name}/{seed}"], f"sdr_{stem}") for name in _NAMES)
            common = [song for song in with_songs if song in without]
            gains.append(_mean([with_songs[song] - without[song] for song in common]))
            for song in common:
                pairs.setdefault((song, stem), []).append((with_songs[song], without[song]))
        there = [gain for gain in gains if gain is not None]
        cells = " | ".join("" if gain is None else f"{gain:+.2f}" for gain in (*gains, _mean(there)))
        lines.append(f"| {seed.removeprefix('seed-')} | {cells} |")
    if len(pairs) > 1:
        means = [tuple(fmean(values) for values in zip(*both, strict=True)) for both in pairs.values()]
        up, down = ([pair[side] for pair in means] for side in (0, 1))
        better = wilcoxon_signed_rank(treatment=up, control=down).p_value
        worse = wilcoxon_signed_rank(treatment=down, control=up).p_value
        lines.append(
            f"\nOver {len(pairs)} pairs of song and stem, means of {len(seeds)} seeds, the mean gain is "
            f"{fmean(a - b for a, b in means):+.2f} dB; Wilcoxon's signed-rank test: better p = {better:.2g}, "
            f"worse p = {worse:.2g}. In the paper it is +0.28 dB, of one run each."
        )
    return [*lines, ""]


def _mining(places: Places) -> list[str]:
    evidence = read_evidence(places.results / DETECTOR_RESULT)
    if not evidence:
        return []
    lines = [
        "## The detector, on songs whose labels were hidden\n",
        "Thresholds are chosen on the stem set, for 95 % of windows at V <= -20 dB. Then, on hidden songs: all windows "
        "at or above the threshold / those in runs of at least 5 s. Ranking: how probably a silent window has a higher "
        "score than another one. The paper's 95th percentiles: -20 / -30 dB.\n",
        "| without | threshold | stem set: precision, recall | songs | minutes | truly silent | ranking | "
        "precision | recall | 95th percentile, dB | minutes in runs |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for line in evidence:
        head = f"| {line.stem} | {_number(line.threshold, 3) or 'none'} |"
        chosen = f"{_percent(line.stem_set_precision)}, {_percent(line.stem_set_recall)}" if line.threshold else ""
        songs = f"{line.songs} | {line.minutes:.1f} | {_percent(line.silent_share)} | "
        songs += _number(line.ranking, 3) or "-"
        if line.threshold is None:
            lines.append(f"{head} {chosen} | {songs} | | | | |")
            continue
        lines.append(
            f"{head} {chosen} | {songs} | {_percent(line.precision)} / {_percent(line.run_precision)} | "
            f"{_percent(line.recall)} / {_percent(line.run_recall)} | "
            f"{_number(line.percentile_db, 1) or '-'} / {_number(line.run_percentile_db, 1) or '-'} | "
            f"{line.run_minutes:.1f} |"
        )
    return [*lines, ""]


def _of(done: Done, name: str) -> list[Scores]:
    """All seeds of a condition."""
    return [scores for cell, scores in done.items() if cell.startswith(f"{name}/")]


def _values(found: Sequence[Scores], column: str, *, learnt: bool = False) -> list[float]:
    """Of all songs and seeds, where they are defined."""
    return [
        value
        for scores in found
        for item, row in scores.rows
        if item.startswith(TRAINED) == learnt and (value := row[scores.columns.index(column)]) is not None
    ]


def _by_song(scores: Scores, column: str) -> dict[str, float]:
    place = scores.columns.index(column)
    return {
        item: value for item, row in scores.rows if not item.startswith(TRAINED) and (value := row[place]) is not None
    }


def _mean_over_stems(found: Sequence[Scores], kind: str, *, learnt: bool = False) -> float | None:
    means = [_mean(_values(found, f"{kind}_{stem}", learnt=learnt)) for stem in STEMS]
    return _mean([value for value in means if value is not None])


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
