"""Before the first step: every file that training and validation will hear is decoded once, to its end.

A NaN in the third hour of a corpus, a file that was cut off, a mixture of another song: a random draw may find them
after a night, or never. So training refuses them at once. What was found sound is remembered in the run's folder, with

    identity = hash of (path, size, time of change) of all files,

and is not listened to again until a file changes.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from stemtune.data.audio_streams import split_stream
from stemtune.data.audit.refusing import refuse_broken, songs_lacking_stems
from stemtune.data.files import write_json_atomically
from stemtune.data.segments import Corpus, open_corpora
from stemtune.data.tracks import Track
from stemtune.training.log import announce
from stemtune.training.phase import Experiment

__all__ = ["check_data"]

_WORTH_A_WORD_SECONDS = 1800.0
_MOST_LINES = 3
_REMEMBERED = "data-checked.json"


def check_data(experiment: Experiment, folder: Path, *, quiet: bool = False) -> None:
    """Listen to all data of an experiment, unless that was done before.

    Args:
        experiment: whose corpora and validation sets are meant.
        folder: of the run; what was checked is remembered there.
        quiet: whether to say nothing while this takes long.

    Raises:
        InputError: naming the first file that cannot be learnt from.
        OutputError: if the folder cannot be written.
    """
    tracks = list({track.name + repr(track.stems): (path, track) for path, track in _tracks(experiment)}.values())
    identity = _identity([track for _, track in tracks])
    remembered = folder / _REMEMBERED
    if remembered.is_file() and identity in remembered.read_text(encoding="utf-8"):
        return
    seconds = sum(len(_files(track)) * track.duration_seconds for _, track in tracks)
    if seconds > _WORTH_A_WORD_SECONDS:
        announce(f"listening once to all data ({seconds / 3600:.1f} hours of files) before the first step", quiet=quiet)
    refuse_broken(tracks)
    for path in dict.fromkeys(path for path, _ in tracks):
        lines = songs_lacking_stems(path, [track for origin, track in tracks if origin == path])
        for line in lines[:_MOST_LINES]:
            announce(f"warning: {line}", quiet=quiet)
        if len(lines) > _MOST_LINES:
            announce(f"warning: {path}: and {len(lines) - _MOST_LINES} more songs lack a stem", quiet=quiet)
    write_json_atomically(remembered, {"identity": identity, "files": sum(len(_files(track)) for _, track in tracks)})


def _tracks(experiment: Experiment) -> Iterator[tuple[str, Track]]:
    """All tracks that are heard, each with its data set's path; some may come twice."""
    for phase in experiment.phases:
        corpora = list(phase.data.corpora)
        if phase.validation is not None:
            held_out = phase.validation
            corpora.append(Corpus(path=held_out.path, split=held_out.split, pattern=held_out.pattern))
        for corpus, tracks in open_corpora(corpora):
            yield from ((corpus.path, track) for track in tracks)


def _files(track: Track) -> tuple[Path, ...]:
    stems = [path for paths in track.stems.values() for path in paths]
    return tuple(dict.fromkeys([*stems, *([track.mixture] if track.mixture else [])]))


def _identity(tracks: list[Track]) -> str:
    digest = hashlib.sha256()
    for path in sorted({split_stream(path)[0] for track in tracks for path in _files(track)}):
        status = path.stat()
        digest.update(json.dumps([str(path.resolve()), status.st_size, status.st_mtime_ns]).encode())
    return digest.hexdigest()
