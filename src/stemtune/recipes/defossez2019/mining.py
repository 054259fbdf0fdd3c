"""The unlabelled part of the study: a detector, its thresholds, and the excerpts that it finds."""

from collections.abc import Callable, Sequence
from pathlib import Path

from stemtune.data.augment import AugmentationConfig
from stemtune.data.files import write_text_atomically
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus, open_corpora
from stemtune.mining.detector import DetectorFile, load_detector, save_detector
from stemtune.mining.features import MixtureTask, TrackTask, prepare
from stemtune.mining.index import read_index
from stemtune.mining.run import mine, settings_for
from stemtune.mining.thresholds import ThresholdConfig
from stemtune.models.silence_detector import DETECTOR_RATE, SilenceDetectorConfig, small_detector
from stemtune.recipes.defossez2019.experiments import STEMS, Sizes
from stemtune.recipes.defossez2019.library import make_library, true_excerpts
from stemtune.recipes.reproduce import StudyRoots
from stemtune.training.detector import DetectorTraining, choose_thresholds, train_detector

__all__ = ["prepare_index"]

_MIXTURES = 400  # at the scale "laptop", whose songs are few and mostly without vocals


def prepare_index(
    sizes: Sizes, labelled: Sequence[Corpus], *, roots: StudyRoots, folder: Path, say: Callable[[str], None]
) -> Path:
    """Train, choose thresholds, mine; each step is continued where it was stopped. Returns the index's folder."""
    detector = folder / "detector"
    if not (detector / "detector.json").exists():
        _train(sizes, labelled, roots, detector, say)
    hidden = [track for _, tracks in open_corpora(_hidden(sizes, roots)) for track in tracks]
    library = roots.data / "unlabelled"
    if hidden:
        library = make_library(folder / "library", hidden, library, say=say)
    settings = settings_for(load_detector(detector), library)
    summary = mine(library, detector, folder / "index", settings, num_workers=2)
    found = ", ".join(
        f"{seconds / 60:.1f} min without {stem}" for stem, seconds in (summary.excerpt_seconds or {}).items()
    )
    say(f"mined {summary.mined} songs ({summary.skipped} skipped): {found or 'nothing new'}")
    if hidden:
        truth = true_excerpts(list(read_index(folder / "index")), {track.name: track for track in hidden})
        lines = [f"{t.song},{t.stem},{t.start_seconds},{t.duration_seconds:.3f},{t.volume_db:.2f}\n" for t in truth]
        header = "song,stem,start_seconds,duration_seconds,volume_db\n"
        write_text_atomically(folder / "truth.csv", header + "".join(lines))
    return folder / "index"


def _train(
    sizes: Sizes, labelled: Sequence[Corpus], roots: StudyRoots, folder: Path, say: Callable[[str], None]
) -> None:
    config = small_detector(STEMS) if sizes.detector_size == "small" else SilenceDetectorConfig(stems=STEMS)
    songs = [track for _, tracks in open_corpora(labelled) for track in tracks]
    mixtures: list[MixtureTask] = []
    if sizes.name == "laptop":
        pools = roots.corpora / "default" / "train" / "pools"
        mixing = MixingConfig(
            corpora=(*labelled, Corpus(path=str(pools), layout="stems")),
            stems=STEMS,
            sample_rate=DETECTOR_RATE,
            channels=1,
            segment_seconds=20.0,
            coherent_probability=0.0,
            absent_probability=0.3,
            augmentation=AugmentationConfig(gain_db=(-12.0, 6.0), speed_semitones=(-2.0, 2.0), equaliser_db=3.0),
        )
        mixtures = [MixtureTask(mixing, seed=0, number=number) for number in range(_MIXTURES)]
    stem_set = [track for _, tracks in open_corpora(_stem_set(sizes, roots)) for track in tracks]
    learnt = prepare([TrackTask(track, STEMS) for track in songs] + mixtures, folder / "prepared", num_workers=2)
    asked = prepare([TrackTask(track, STEMS) for track in stem_set], folder / "prepared-held-out", num_workers=2)
    training = DetectorTraining(
        detector=config, steps=sizes.detector_steps, batch_size=64 if sizes.name == "paper" else 16
    )
    say(f"training a detector on {len(learnt)} songs and mixtures")
    network = train_detector(training, learnt, folder / "checkpoints")
    thresholds = choose_thresholds(network, asked, ThresholdConfig())
    names = tuple(track.name for track in stem_set)
    save_detector(folder, network, DetectorFile(config=config, thresholds=thresholds, threshold_tracks=names))


def _hidden(sizes: Sizes, roots: StudyRoots) -> tuple[Corpus, ...]:
    """Songs that lie in the library as if nobody knew their stems; none of them is learnt from with labels."""
    if sizes.name == "paper":
        return ()
    return (Corpus(path=str(roots.corpora / "default" / "train" / "songs"), pattern="s*"),)


def _stem_set(sizes: Sizes, roots: StudyRoots) -> tuple[Corpus, ...]:
    """Labelled songs that neither the detector nor Demucs learns from."""
    if sizes.name == "paper":
        return (Corpus(path=str(roots.data / "stem-set")),)
    songs = str(roots.corpora / "default" / "train" / "songs")
    return (Corpus(path=str(roots.data / "musicdelta"), pattern="[BPS]*"), Corpus(path=songs, pattern="mma-mma_00*"))
