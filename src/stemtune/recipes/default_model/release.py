"""From a finished run to the model that ships: test it on songs that it never saw, and write its card.

    python -m stemtune.recipes.default_model.release --report benchmarks/default_model_HARDWARE_YYYYMM --commit COMMIT

All that it needs of the run is its folder ``model``, so that a run on another machine need not bring its checkpoints;
of the corpora, their lists of what is in them.

The test songs took no part in training, and none in choosing the weights either: three MusicDelta songs (mono; the
other four are the validation set), and "Lithium" (stereo), which is held out of its corpus. The report goes to
``--report``, the model with its card to ``--out``. The defaults of the other options are where the recipe puts things.
"""

import argparse
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, cast

from stemtune.data.datasets import open_dataset
from stemtune.data.rendering.records import CorpusRecord, read_corpus
from stemtune.data.tracks import Track
from stemtune.errors import InputError
from stemtune.evaluation.protocol import evaluate_model
from stemtune.evaluation.report import write_report
from stemtune.evaluation.table import ALL_STEMS, Evaluation
from stemtune.hub import ModelCard, Score, TrainingData, load, save_model
from stemtune.hub.registry import read_json
from stemtune.models import Separator
from stemtune.models.bandnet import BandNetConfig
from stemtune.recipes.default_model.experiment import RENDERED
from stemtune.recipes.default_model.real import HELD_OUT_SONG

__all__ = [
    "TEST_SONGS",
    "card_scores",
    "finished_model",
    "release",
    "rendered_data",
    "rendered_record",
    "test_tracks",
    "training_data",
]

NAME = "bandnet-4stem"
TEST_SONGS = ("80sRock", "Grunge", "Rockabilly")
_OUT = Path(__file__).parents[2] / "hub" / "shipped" / NAME


class _Source(TypedDict):
    """One file of the corpus, as ``sources.json`` lists it."""

    piece: str
    stem: str
    origin: str
    licence: str
    seconds: float


def test_tracks(data: Path) -> tuple[Track, ...]:
    """The songs that neither training nor validation saw.

    Raises:
        InputError: if they are not there.
    """
    musicdelta = tuple(track for track in open_dataset(data / "musicdelta") if track.name in TEST_SONGS)
    lithium = tuple(track for track in open_dataset(data / "eir_stems") if track.name == HELD_OUT_SONG)
    if len(musicdelta) != len(TEST_SONGS) or len(lithium) != 1:
        raise InputError(f"{data}: expected the songs {', '.join(TEST_SONGS)} and {HELD_OUT_SONG} in it")
    return (*musicdelta, *lithium)


def training_data(sources: Iterable[_Source]) -> tuple[TrainingData, ...]:
    """The corpus by origin and licence; a song's minutes count once, not once per stem."""
    seconds: dict[tuple[str, str], dict[str, float]] = {}
    stems: dict[tuple[str, str], set[str]] = {}
    for source in sources:
        group = (_group(source["origin"]), source["licence"])
        pieces = seconds.setdefault(group, {})
        song = source["origin"] if source["origin"].startswith("eir_stems/") else source["piece"]
        pieces[song] = max(pieces.get(song, 0.0), source["seconds"])
        stems.setdefault(group, set()).add(source["stem"])
    return tuple(
        TrainingData(
            corpus=name,
            licence=licence,
            minutes=round(sum(pieces.values()) / 60, 1),
            stems=tuple(sorted(stems[name, licence])),
        )
        for (name, licence), pieces in sorted(seconds.items())
    )


def rendered_data(record: CorpusRecord) -> TrainingData:
    """A rendered corpus as far as it was learnt from: its training songs.

    Raises:
        InputError: if weights that heard these must not be released.
    """
    train = record.splits["train"]
    if not train.licence.may_train_released_weights:
        raise InputError(
            f"{record.kind}: released weights must not hear this corpus ({', '.join(train.licence.licences)})"
        )
    songs = [song for song in record.songs if song.split == "train"]
    collections = sorted({song.source.partition("/")[0] for song in songs})
    return TrainingData(
        corpus=f"{record.kind}, rendered by us (stemtune data render {record.kind}) from scores of "
        f"{', '.join(collections)}",
        licence="; ".join(train.licence.licences),
        minutes=round(train.seconds / 60, 1),
        stems=tuple(sorted({stem for song in songs for stem in song.stems})),
    )


def _group(origin: str) -> str:
    """The corpus that a file comes from, without the file."""
    first, _, instrument = origin.partition(", ")
    words = first.split("/")
    if first.startswith("synthesised here on midi"):
        voices = ", with the voices of CMU Flite (free for any use)" if "Flite" in origin else ""
        return f"synthesised by us on melodies and bass lines of {words[1]}{voices}"
    if words[0] == "midi":
        return f"MIDI of {words[1]}, rendered by us on {instrument}"
    if first.endswith("here"):
        return f"{first.replace('here', 'by us')}{f', with samples of {instrument}' if instrument else ''}"
    return f"{words[0]} ({words[1]})" if words[0] == "instruments" else words[0]


def release(*, run: Path, corpora: Path, data: Path, report: Path, out: Path, commit: str) -> ModelCard:
    """Score the run's best weights on the test songs, and write report and model.

    Raises:
        InputError: if the run is not finished, or songs or the list of sources are missing.
    """
    separator = _for_listening(finished_model(run))
    sources = cast("list[_Source]", read_json(corpora / "default" / "sources.json"))
    rendered = [rendered_data(rendered_record(corpora / kind)) for kind in RENDERED]
    evaluation = evaluate_model(separator, test_tracks(data), subject=NAME)
    write_report(evaluation, report)
    return save_model(separator, out, _card(separator, evaluation, (*training_data(sources), *rendered), commit))


def finished_model(run: Path) -> Separator:
    """The model of a run.

    Raises:
        InputError: if the run is not finished.
    """
    if not (run / "model").is_dir():
        raise InputError(f"{run}: holds no model; finish the run first (start its command again)")
    return load(run / "model")


def card_scores(evaluation: Evaluation, data: str) -> tuple[Score, ...]:
    """The means of an evaluation as a card states them.

    Args:
        evaluation: of the model.
        data: what it was scored on, in words.
    """
    return tuple(
        Score(
            stem=mean.stem,
            definition=mean.metric,
            value=round(mean.value, 2),
            mixture_baseline=round(mean.mixture_baseline, 2),
            data=data,
            num_tracks=mean.num_tracks,
        )
        for mean in evaluation.means()
        if mean.stem != ALL_STEMS
    )


def rendered_record(folder: Path) -> CorpusRecord:
    """What is in a rendered corpus.

    Raises:
        InputError: if there is none.
    """
    record = read_corpus(folder)
    if record is None:
        raise InputError(f"{folder}: holds no rendered corpus; render it as the recipe says")
    return record


def _for_listening(separator: Separator) -> Separator:
    """The same weights with today's default chunk, which concerns inference only and may have changed since the run."""
    chunk = BandNetConfig.model_fields["chunk_seconds"].default
    listener = separator.config.override({"chunk_seconds": chunk}).build()
    listener.load_state_dict(separator.state_dict())
    return listener.eval()


def _card(separator: Separator, evaluation: Evaluation, heard: Sequence[TrainingData], commit: str) -> ModelCard:
    mono = replace(evaluation, rows=tuple(row for row in evaluation.rows if row.track in TEST_SONGS))
    stereo = replace(evaluation, rows=tuple(row for row in evaluation.rows if row.track not in TEST_SONGS))
    worse_than_silence = [
        f"{row.stem} of {row.track} ({row.value:.1f} dB)"
        for row in evaluation.rows
        if row.metric == "sdr_global" and row.value <= 0
    ]
    parts = {
        f"all test songs: MusicDelta {', '.join(TEST_SONGS)}; Lithium": evaluation,
        f"MusicDelta {', '.join(TEST_SONGS)} (mono)": mono,
        "Lithium (stereo)": stereo,
    }
    return ModelCard(
        name=NAME,
        version="0.1.0",
        licence="MIT",
        description="Four stems (vocals, drums, bass, other) by a compact network, faster than real time on one core.",
        training_data=tuple(heard),
        recipe="stemtune train default-model --out runs/default-model",
        commit=commit,
        created=datetime.now(tz=UTC).date().isoformat(),
        scores=tuple(score for name, part in parts.items() for score in card_scores(part, name)),
        intended_use=(
            "Trying out stemtune, and a starting point for teaching it other instruments. For the best possible stems "
            "of popular music use a large model that was trained on hundreds of songs."
        ),
        limits=(
            "All real singing that it heard is by one artist; the rest is synthesised. Unlike voices fare worse.",
            "Distorted guitars and voices end up in one another, kick drums in the bass.",
            "Scores rest on four songs; a mean moves by a dB or more when one of them is exchanged.",
            f"Worse than silence (0 dB) on the test songs: {', '.join(worse_than_silence) or 'nothing'}.",
            "It hears nothing above 16 kHz on its own: there it follows the band below.",
            "Sonatina samples are CC Sampling Plus 1.0: not for use in advertising, as their authors ask.",
        ),
    ).model_copy(update={"stems": separator.stems})


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/default-model"))
    parser.add_argument("--corpora", type=Path, default=Path("corpora"), help="with default, pop and bands in it")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--report", type=Path, required=True, help="folder of the scores, such as benchmarks/NAME")
    parser.add_argument("--commit", default="", help="of stemtune, with which the run was made")
    parser.add_argument("--out", type=Path, default=_OUT)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    card = release(**vars(arguments))
    logging.info("%s: %s bytes, SHA-256 %s", arguments.out, card.weights_bytes, card.weights_sha256)


if __name__ == "__main__":
    main()
