"""The unlabelled part of the study: a detector, its thresholds, the excerpts that it finds, and how true they are.

WORK/mined/detector, library, index      what is large or private
RESULTS/mining/detector.csv              thresholds, and what they do on songs with hidden labels (`evidence`)
               excerpts.csv              each excerpt mined in such a song, and its true relative volume
               index/                    what was mined, for machines that have the songs and not the detector

The same detector trained on another processor is another one, if only by rounding, and finds other excerpts. All cells
of a study must hear the same, so an index among the results is taken over instead of made again.
"""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from stemtune.data.augment import AugmentationConfig
from stemtune.data.files import write_text_atomically
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus, open_corpora
from stemtune.data.tracks import Track
from stemtune.mining.detector import DetectorFile, load_detector, save_detector
from stemtune.mining.features import MixtureTask, TrackTask, prepare
from stemtune.mining.index import INDEX_FILE, copy_index, read_index
from stemtune.mining.run import mine, settings_for
from stemtune.mining.thresholds import ThresholdConfig
from stemtune.models.silence_detector import DETECTOR_RATE, SilenceDetectorConfig, small_detector
from stemtune.recipes.defossez2019.corpora import Songs
from stemtune.recipes.defossez2019.evidence import examine_detector, write_evidence
from stemtune.recipes.defossez2019.experiments import STEMS, Sizes
from stemtune.recipes.defossez2019.library import make_library, true_excerpts
from stemtune.recipes.reproduce.running import Places
from stemtune.training.detector import DetectorTraining, choose_thresholds, train_detector

__all__ = ["DETECTOR_RESULT", "EXCERPTS_RESULT", "INDEX_RESULT", "index_folder", "prepare_index"]

DETECTOR_RESULT, EXCERPTS_RESULT, INDEX_RESULT = "mining/detector.csv", "mining/excerpts.csv", "mining/index"


def index_folder(places: Places) -> Path:
    """Where the index of what was mined is, or will be."""
    return places.work / "mined" / "index"


def prepare_index(sizes: Sizes, songs: Songs, places: Places, *, say: Callable[[str], None], workers: int = 1) -> None:
    """Train, choose thresholds, mine, compare with the truth; each step is continued where it was stopped.

    If the results hold an index and there is no detector, the index is taken over.
    """
    folder, kept = places.work / "mined", places.results / INDEX_RESULT
    detector = folder / "detector"
    if (kept / INDEX_FILE).exists() and not detector.exists():
        say("the results hold what was mined before: no detector is trained")
        library = make_library(folder / "library", _tracks(songs.hidden), songs.recordings, say=say)
        copy_index(kept, index_folder(places), library=str(library.resolve()))
        return
    if not (detector / "detector.json").exists():
        for stale in (DETECTOR_RESULT, EXCERPTS_RESULT):  # of another detector
            (places.results / stale).unlink(missing_ok=True)
        _train(sizes, songs, detector, say, workers)
    trained = load_detector(detector)
    for stem in STEMS:
        if stem not in trained.thresholds:
            say(f"{stem}: no threshold is right often enough, so nothing is mined for it")
    hidden = _tracks(songs.hidden)
    if hidden and not (places.results / DETECTOR_RESULT).exists():
        say("comparing the detector with the hidden labels")
        asked = prepare([TrackTask(track, STEMS) for track in hidden], folder / "prepared-hidden", num_workers=workers)
        evidence = examine_detector(trained.network, trained.description.thresholds, asked)
        write_evidence(places.results / DETECTOR_RESULT, evidence)
    settings_for(
        trained, songs.recordings
    )  # refuses a detector without thresholds, now that it is known how good it is
    library = make_library(folder / "library", hidden, songs.recordings, say=say) if hidden else songs.recordings
    summary = mine(library, detector, index_folder(places), settings_for(trained, library), num_workers=workers)
    found = ", ".join(
        f"{seconds / 60:.1f} min without {stem}" for stem, seconds in (summary.excerpt_seconds or {}).items()
    )
    say(f"mined {summary.mined} songs ({summary.skipped} skipped): {found or 'nothing new'}")
    if hidden and not (places.results / EXCERPTS_RESULT).exists():
        _write_excerpts(places, hidden)
    copy_index(index_folder(places), kept, library="the library")


def _train(sizes: Sizes, songs: Songs, folder: Path, say: Callable[[str], None], workers: int) -> None:
    config = small_detector(STEMS) if sizes.detector_size == "small" else SilenceDetectorConfig(stems=STEMS)
    heard = (*songs.labelled, *songs.singers)
    labelled, stem_set = _tracks(heard), _tracks(songs.stem_set)
    mixtures = [MixtureTask(_mixing(heard), seed=0, number=number) for number in range(sizes.detector_mixtures)]
    say(f"preparing {len(labelled)} songs and {len(mixtures)} mixtures for the detector")
    tasks = [TrackTask(track, STEMS) for track in labelled] + mixtures
    learnt = prepare(tasks, folder / "prepared", num_workers=workers)
    asked = prepare([TrackTask(track, STEMS) for track in stem_set], folder / "prepared-held-out", num_workers=workers)
    training = DetectorTraining(detector=config, steps=sizes.detector_steps, batch_size=sizes.detector_batch_size)
    say(f"training the detector: {training.steps} steps")
    network = train_detector(training, learnt, folder / "checkpoints")
    thresholds = choose_thresholds(network, asked, ThresholdConfig())
    names = tuple(track.name for track in stem_set)
    save_detector(folder, network, DetectorFile(config=config, thresholds=thresholds, threshold_tracks=names))


def _mixing(corpora: Sequence[Corpus]) -> MixingConfig:
    """Mixtures of stems of different songs, in which stems are missing more often than they are silent in songs."""
    return MixingConfig(
        corpora=tuple(corpora),
        stems=STEMS,
        sample_rate=DETECTOR_RATE,
        channels=1,
        segment_seconds=20.0,
        coherent_probability=0.0,
        absent_probability=0.3,
        augmentation=AugmentationConfig(gain_db=(-12.0, 6.0), speed_semitones=(-2.0, 2.0), equaliser_db=3.0),
    )


def _write_excerpts(places: Places, hidden: Sequence[Track]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("song", "stem", "start_seconds", "duration_seconds", "volume_db"))
    for truth in true_excerpts(list(read_index(index_folder(places))), {track.name: track for track in hidden}):
        place = (truth.song, truth.stem, truth.start_seconds, f"{truth.duration_seconds:.3f}")
        writer.writerow((*place, f"{truth.volume_db:.2f}"))
    write_text_atomically(places.results / EXCERPTS_RESULT, stream.getvalue())


def _tracks(corpora: Sequence[Corpus]) -> list[Track]:
    return [track for _, tracks in open_corpora(corpora) for track in tracks]
