"""What needs no training, on the same test songs: the rows of Table 2 beside ours.

    mixture            the mixture itself for every stem
    scaled mixture     a quarter of it, the challenge's baseline
    default model      the separator that ships, which was trained on other songs, and hears at its own rate
    ideal ratio mask   what a mask knows that has seen the stems: an upper bound for the refinement

Scores are ``sdr_global`` of mono mixtures, as in the examination, in ``baselines.csv`` of the results' folder.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from stemtune.data.files import write_text_atomically
from stemtune.evaluation.metrics.global_sdr import sdr_global
from stemtune.evaluation.oracle import oracle_irm
from stemtune.hub import DEFAULT_MODEL, load
from stemtune.models import Separator
from stemtune.recipes.zai2022.corpora import Corpora
from stemtune.recipes.zai2022.examination import SongExaminationConfig, TestSong
from stemtune.recipes.zai2022.scales import Scale
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform

__all__ = ["BASELINES_FILE", "prepare", "read_baselines"]

BASELINES_FILE = "baselines.csv"
SYSTEMS = ("mixture", "scaled mixture", "default model", "ideal ratio mask")


def prepare(scale: Scale, corpora: Corpora, results: Path, *, say: Callable[[str], None]) -> None:
    """Score them, if that is not done yet.

    Raises:
        InputError: if the test songs are missing.
    """
    path = results / BASELINES_FILE
    if path.exists():
        return
    say("scoring what needs no training")
    config = SongExaminationConfig(
        path=corpora.test.as_posix(),
        split=corpora.test_split,
        stems=scale.stems,
        begin_seconds=scale.begin_seconds,
        max_seconds=scale.max_seconds,
    )
    model = load(DEFAULT_MODEL)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("song", "stem", *SYSTEMS))
    for song in config.build().songs(scale.sample_rate):
        for stem, reference in song.stems.items():
            values = _scores(song, stem, reference.mean(dim=0, keepdim=True), scale.sample_rate, model)
            writer.writerow((song.name, stem, *("" if value is None else f"{value:.2f}" for value in values)))
    write_text_atomically(path, stream.getvalue())


def read_baselines(results: Path) -> dict[str, dict[str, float]]:
    """The mean over songs by system and stem; empty if they are not scored yet."""
    path = results / BASELINES_FILE
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    stems = dict.fromkeys(row["stem"] for row in rows)
    return {
        system: {
            stem: fmean(values)
            for stem in stems
            if (values := [float(row[system]) for row in rows if row["stem"] == stem and row[system]])
        }
        for system in SYSTEMS
    }


def _scores(song: TestSong, stem: str, reference: Tensor, rate: int, model: Separator) -> tuple[float | None, ...]:
    mixture = song.mixture.mean(dim=0, keepdim=True)
    rest = mixture - reference
    options = SeparationOptions(threads=1)
    estimates: list[Tensor | None] = [mixture, mixture / 4, None, None]
    if stem in model.stems:
        stems = separate_waveform(model, mixture, sample_rate=rate, options=options)
        estimates[2] = stems[model.stems.index(stem)]
    estimates[3] = oracle_irm(mixture=mixture, reference=torch.stack((reference, rest)))[0]
    return tuple(
        None if estimate is None else float(sdr_global(estimate=estimate[None], reference=reference[None])[0])
        for estimate in estimates
    )
