"""The licence-clean training corpus of the default model: real stems, and music that we synthesise.

Few real multitracks may train weights that are published, so most of the corpus is made here:

    corpus = real songs + rendered bands + performed and programmed drums + synthesised basses, pads and singers.

Everything that enters has ``may_train_released_weights`` = yes in the manifest of the data folder, or is a score of
a known licence, or is drawn by this code; see `real` for what is left out nevertheless and held out for testing.
What exists already is kept, so that an interrupted run goes on where it stopped, and the same seed gives the same
corpus. It needs ``mido`` and ``scipy``, and FluidSynth with the FluidR3 soundfont (Debian packages ``fluidsynth``
and ``fluid-soundfont-gm``).

Run: ``python -m stemtune.recipes.default_model.corpus --data ../shared/data --out corpora/default``
Cost: about a quarter of an hour of two cores and 6 GB of disk for eleven hours of stems.
Deviations from the rule that only the lower layers touch files: a recipe that makes its own corpus has to write it.
"""

import argparse
import logging
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stemtune.errors import StemtuneError
from stemtune.recipes.default_model.archives import ARCHIVES, extract_scores
from stemtune.recipes.default_model.bands import band_pieces
from stemtune.recipes.default_model.drums import drum_pieces
from stemtune.recipes.default_model.phrases import phrase_pieces
from stemtune.recipes.default_model.pieces import Piece, Source, make_pieces
from stemtune.recipes.default_model.real import Row, read_manifest, real_pieces
from stemtune.recipes.default_model.synthesis import synthesis_pieces
from stemtune.recipes.default_model.vocals import vocal_pieces
from stemtune.recipes.default_model.words import worded_pieces

__all__ = ["CorpusPlan", "build_corpus", "main", "plan_pieces", "summary"]


@dataclass(frozen=True)
class CorpusPlan:
    """How much of everything is made.

    Attributes:
        max_band_songs: of each score archive; of the generated ones (MMA) every fifth is used.
        band_seconds: how long an excerpt of a song by people is; of a generated song half of it is used.
        num_kit_drums: performances on sampled kits.
        num_oneshot_drums: performances on one-shots and synthesised hits.
        num_programmed_drums: electronic beats.
        num_basses: synthesised bass lines.
        num_others: synthesised electronic music without drums and bass.
        num_phrases: files of phrases per recorded instrument.
        num_vocals: files of synthesised singing on vowels.
        num_worded: files of synthesised singing with words.
    """

    max_band_songs: int = 120
    band_seconds: float = 32.0
    num_kit_drums: int = 50
    num_oneshot_drums: int = 40
    num_programmed_drums: int = 35
    num_basses: int = 90
    num_others: int = 80
    num_phrases: int = 8
    num_vocals: int = 100
    num_worded: int = 80


def plan_pieces(
    rows: Sequence[Row], scores: dict[str, tuple[Path, ...]], plan: CorpusPlan, *, seed: int
) -> list[Piece]:
    """Everything that the corpus shall hold, the most valuable first."""
    bands = {"freedoom": scores["freedoom"], "simutrans": scores["simutrans"], "mma": scores["mma"][::5]}
    bands = {archive: paths[: plan.max_band_songs] for archive, paths in bands.items()}
    seconds = {"freedoom": plan.band_seconds, "simutrans": plan.band_seconds, "mma": plan.band_seconds / 2}
    return [
        *real_pieces(rows),
        *band_pieces(bands, excerpt_seconds=seconds, seed=seed),
        *drum_pieces(
            scores["groove"],
            rows,
            num_sampled=plan.num_kit_drums,
            num_oneshot=plan.num_oneshot_drums,
            num_programmed=plan.num_programmed_drums,
            seed=seed,
        ),
        *synthesis_pieces(scores["pop909"], num_bass=plan.num_basses, num_other=plan.num_others, seed=seed),
        *phrase_pieces(rows, num_pieces=plan.num_phrases, seed=seed),
        *vocal_pieces(scores["pop909"], num_pieces=plan.num_vocals, seed=seed),
        *worded_pieces(scores["pop909"], num_pieces=plan.num_worded, seed=seed),
    ]


def build_corpus(
    data: Path, out: Path, *, plan: CorpusPlan | None = None, seed: int = 0, num_workers: int = 1
) -> tuple[Source, ...]:
    """Make what is missing of the corpus.

    Args:
        data: the folder with ``manifest.csv`` and ``midi/``.
        out: where the corpus is, or will be.
        plan: how much of everything; the default model's by default.
        seed: of all random choices.
        num_workers: processes that work side by side.

    Returns:
        One entry per file of the corpus.

    Raises:
        InputError: if the data folder is not what was expected, or FluidSynth is missing.
    """
    rows = read_manifest(data)
    scores = {name: extract_scores(data, out / "scores", name) for name in ARCHIVES}
    pieces = plan_pieces(rows, scores, plan or CorpusPlan(), seed=seed)
    return make_pieces(pieces, out, num_workers=num_workers)


def summary(sources: Sequence[Source]) -> str:
    """Minutes by stem, and by licence, as lines of text."""
    minutes: dict[tuple[str, str, str], float] = defaultdict(float)
    for source in sources:
        place = source.path.split("/")[1]
        minutes[source.stem, place, source.licence] += source.seconds / 60
    lines = [
        f"{stem:<7} {place:<6} {licence:<32} {total:7.1f} min"
        for (stem, place, licence), total in sorted(minutes.items())
    ]
    totals: dict[str, float] = defaultdict(float)
    for (stem, _, _), total in sorted(minutes.items()):
        totals[stem] += total
    return "\n".join([*lines, *(f"{stem:<7} {'in all':<39} {total:7.1f} min" for stem, total in totals.items())])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the licence-clean training corpus of the default model.")
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and midi/")
    parser.add_argument("--out", type=Path, required=True, help="where the corpus is, or will be")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    parser.add_argument("--workers", type=int, default=1, help="processes that work side by side")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        sources = build_corpus(options.data, options.out, seed=options.seed, num_workers=options.workers)
    except StemtuneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(summary(sources) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
