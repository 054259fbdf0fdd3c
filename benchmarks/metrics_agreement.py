"""How far BSSEval is determined at all: our numbers and museval's on real songs, and museval's own on the same songs.

    python tests/parity/install_references.py
    python benchmarks/metrics_agreement.py [--songs ../shared/data/eir_stems/2.Lithium ...] [--seconds 8]

Where references hardly sound in some band, as lossy codecs leave them, the filters are nearly indeterminate in double
precision. Then museval's scores of the same sounds differ when the stems are put in another order, or silence is put
before them. Nothing can agree with museval better than that. Of each song the seconds are scored in which its quietest
stem is loudest; estimates are the stems with a tenth of the mixture and noise 50 dB below full scale. One thread.
"""

import argparse
import csv
import datetime as dt
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from stemtune.evaluation.metrics.bss_eval import bss_eval_v4  # noqa: E402
from tests.golden.make_museval import differences  # noqa: E402
from tests.parity import museval  # noqa: E402

SONGS = ("musicdelta/80sRock", "eir_stems/2.Lithium", "eir_stems/5.Rubidium")
DATA = HERE.parents[1] / "shared/data"
STEMS = ("vocals", "drums", "bass", "other")
RATIOS = ("ISR", "SIR", "SAR")


@dataclass(frozen=True)
class Song:
    """References of the stems that it has, ``stem channel time``."""

    name: str
    reference: np.ndarray
    rate: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--songs", type=Path, nargs="+", default=[DATA / song for song in SONGS])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for song in songs(options.songs, options.seconds) for row in examine(song)]
    if not rows:
        sys.exit(f"no songs with two stems in {', '.join(map(str, options.songs))}")
    stem = f"metrics_agreement_{os.cpu_count()}cores_{dt.datetime.now(dt.UTC):%Y%m}"
    with (options.out / f"{stem}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    text = report(rows, options.seconds)
    (options.out / f"{stem}.md").write_text(text)
    print(text)


def songs(folders: list[Path], seconds: float) -> Iterator[Song]:
    """Those with two stems at least; mono ones also as they are often found, the same on two channels."""
    for folder in folders:
        paths = [path for stem in STEMS for path in sorted(folder.glob(f"{stem}.*"))]
        if len(paths) < 2:
            continue
        found = [soundfile.read(path, always_2d=True) for path in paths]
        rate, length = found[0][1], min(len(samples) for samples, _ in found)
        sound = np.stack([samples[:length].T for samples, _ in found])
        window = min(length, round(seconds * rate))
        starts = range(0, length - window + 1, rate)
        start = max(starts, key=lambda begin: np.square(sound[..., begin : begin + window]).mean(axis=(1, 2)).min())
        passage = sound[..., start : start + window]
        yield Song(folder.name, passage, rate)
        if passage.shape[1] == 1:
            yield Song(f"{folder.name}, on two channels", np.repeat(passage, 2, axis=1), rate)


def examine(song: Song) -> Iterator[dict[str, object]]:
    """A row for each ratio: the largest differences of any stem and second, and of the medians."""
    reference, noise = song.reference, np.random.default_rng(0).standard_normal(song.reference.shape)
    estimate = 0.8 * reference + 0.1 * reference.sum(axis=0) + 0.003 * noise
    ask = {"window": song.rate, "hop": song.rate, "version": "v4"}
    expected = museval.bss_eval(estimate, reference, **ask)
    reverse = museval.bss_eval(estimate[::-1], reference[::-1], **ask)[:, ::-1]
    later = [np.pad(sound, ((0, 0), (0, 0), (song.rate, 0))) for sound in (estimate, reference)]
    delayed = museval.bss_eval(*later, **ask)[..., 1:]
    ours = bss_eval_v4(estimate=estimate, reference=reference, sample_rate=song.rate)
    found = np.stack([ratio.numpy() for ratio in ours.ratios.values()])
    if differences(found, expected)[0] > 1e-9:
        raise SystemExit(f"{song.name}: the SDR differs, by {differences(found, expected)[0]} dB")
    for index, name in enumerate(RATIOS, start=1):
        yield {
            "song": song.name,
            "stems": reference.shape[0],
            "channels": reference.shape[1],
            "ratio": name,
            "median_db": float(np.nanmedian(expected[index])),
            "ours_db": float(differences(found, expected)[index]),
            "museval_reversed_db": float(differences(reverse, expected)[index]),
            "museval_delayed_db": float(differences(delayed, expected)[index]),
            "ours_medians_db": _apart(found[index], expected[index]),
            "museval_medians_db": max(_apart(again[index], expected[index]) for again in (reverse, delayed)),
            "largest_coefficient": ours.largest_coefficient,
        }
        print(song.name, name, flush=True)


def _apart(found: np.ndarray, expected: np.ndarray) -> float:
    """How far medians over seconds lie apart, in the worst stem."""
    return float(np.abs(np.nanmedian(found, axis=1) - np.nanmedian(expected, axis=1)).max())


def report(rows: list[dict[str, object]], seconds: float) -> str:
    lines = [
        "# How far BSSEval version 4 is determined: real songs",
        "",
        f"- Command: `python benchmarks/metrics_agreement.py`, {seconds:g} s of each song",
        f"- Hardware: {platform.machine()}, {os.cpu_count()} cores, one thread; NumPy {np.__version__}, museval 0.4.1",
        f"- Date: {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "",
        "Largest differences in dB over all stems and seconds: ours from museval's, museval's from its own numbers "
        "when stems are in reverse order, and when a second of silence comes first; then of the medians over seconds. "
        "SDR is the same within 1e-9 dB everywhere. *Coefficient* is the largest one of all filters: where it is far "
        "above 1, filters amplify what is hardly there.",
        "",
        "| song | stems × channels | coefficient | ratio | median | ours | museval, reversed | museval, delayed | "
        "medians: ours | museval |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        values = [row[f"{key}_db"] for key in ("ours", "museval_reversed", "museval_delayed")]
        medians = [row[f"{key}_medians_db"] for key in ("ours", "museval")]
        size = f"{row['stems']} × {row['channels']} | {row['largest_coefficient']:.3g}"
        numbers = " | ".join(f"{value:.0e}" for value in (*values, *medians))
        lines.append(f"| {row['song']} | {size} | {row['ratio']} | {row['median_db']:.1f} | {numbers} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
