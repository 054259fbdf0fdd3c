"""``stemtune train-detector`` and ``stemtune mine``: find where stems are silent in songs that nobody labelled."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from stemtune.data.tracks import Track
    from stemtune.mining.index import SongRecord
    from stemtune.mining.thresholds import Threshold

__all__ = ["MINE_EXAMPLES", "TRAIN_DETECTOR_EXAMPLES", "mine", "train_detector"]

MINE_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune mine ~/music --detector detector/ -o excerpts/` — run it again to go on\n\n"
    "`stemtune mine ~/music --detector detector/ -o excerpts/ --workers 8 --no-pictures`\n\n"
    "`stemtune mine /cluster/music --detector detector/ -o excerpts/ --ray` — on all machines of a Ray cluster"
)
TRAIN_DETECTOR_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune train-detector songs/train --held-out songs/valid -o detector/`\n\n"
    "`stemtune train-detector songs/train --held-out songs/valid -o detector/ --size paper --steps 40000`"
)


def train_detector(
    data: Annotated[
        list[Path], typer.Argument(metavar="DATA...", help="Songs, or stems, to learn from.", show_default=False)
    ],
    *,
    held_out: Annotated[
        Path, typer.Option("--held-out", help="Other songs, to choose thresholds on.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for the detector.", show_default=False)],
    stems: Annotated[str, typer.Option("--stems", help="Which ones, with commas.")] = "drums,bass,other,vocals",
    size: Annotated[
        Literal["small", "paper"], typer.Option("--size", help="small: for two cores; paper: 55 million parameters.")
    ] = "small",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Of the optimiser.")] = 2000,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Excerpts of 5 s per step.")] = 64,
    mixtures: Annotated[
        int, typer.Option("--mixtures", min=0, help="So many made-up mixtures of 20 s besides the songs.")
    ] = 0,
    workers: Annotated[int, typer.Option("--workers", "-j", min=1, help="Processes that prepare the songs.")] = 2,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Of the network, while it learns.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Of weights and draws.")] = 0,
    held_out_pattern: Annotated[str, typer.Option("--held-out-pattern", help="Of the names of held-out songs.")] = "*",
) -> None:
    """Train a detector of silent stems, and choose the thresholds above which it is right 95 times in 100."""
    from fnmatch import fnmatch

    import torch

    from stemtune.data.augment import AugmentationConfig
    from stemtune.data.datasets import open_dataset
    from stemtune.data.mixing import MixingConfig
    from stemtune.data.segments import Corpus
    from stemtune.mining.detector import DetectorFile, save_detector
    from stemtune.mining.features import MixtureTask, TrackTask, prepare
    from stemtune.mining.thresholds import ThresholdConfig
    from stemtune.models.silence_detector import DETECTOR_RATE, SilenceDetectorConfig, small_detector
    from stemtune.training.detector import DetectorTraining, choose_thresholds
    from stemtune.training.detector import train_detector as train

    names = tuple(name.strip() for name in stems.split(",") if name.strip())
    config = small_detector(names) if size == "small" else SilenceDetectorConfig(stems=names)
    songs = [track for path in data for track in open_dataset(path) if len(track.stems) > 1]
    checked = [
        track for track in open_dataset(held_out) if len(track.stems) > 1 and fnmatch(track.name, held_out_pattern)
    ]
    _refuse_shared(songs, checked)
    if not mixtures:
        for stem in names:
            if not any(stem in track.stems for track in songs):
                print(f"{stem}: none of the songs to learn from has it, so nothing is learnt of it", file=sys.stderr)
    mixing = MixingConfig(
        corpora=tuple(Corpus(path=str(path)) for path in data),
        stems=names,
        sample_rate=DETECTOR_RATE,
        channels=1,
        segment_seconds=20.0,
        coherent_probability=0.0,
        absent_probability=0.3,
        augmentation=AugmentationConfig(gain_db=(-12.0, 6.0), speed_semitones=(-2.0, 2.0), equaliser_db=3.0),
    )
    torch.set_num_threads(threads)
    told = _Ticker()
    learnt = prepare(
        [TrackTask(track, names) for track in songs] + [MixtureTask(mixing, seed, i) for i in range(mixtures)],
        out / "prepared",
        num_workers=workers,
        on_done=lambda number: told(f"prepared {number}"),
    )
    asked = prepare([TrackTask(track, names) for track in checked], out / "prepared-held-out", num_workers=workers)
    training = DetectorTraining(detector=config, steps=steps, batch_size=batch_size, seed=seed)
    network = train(
        training, learnt, out / "checkpoints", on_step=lambda step, loss: told(f"step {step}/{steps}  loss {loss:.3f}")
    )
    thresholds = choose_thresholds(network, asked, ThresholdConfig())
    description = DetectorFile(
        config=config,
        thresholds=thresholds,
        threshold_tracks=tuple(track.name for track in checked),
        training_data=f"{len(songs)} songs and {mixtures} mixtures of {', '.join(path.name for path in data)}",
    )
    save_detector(out, network, description)
    for stem, threshold in thresholds.items():
        print(_describe(stem, threshold, is_known=any(stem in track.stems for track in checked)))


def mine(
    library: Annotated[Path, typer.Argument(metavar="LIBRARY", help="A folder of songs.", show_default=False)],
    *,
    detector: Annotated[
        Path, typer.Option("--detector", "-d", help="The folder of a trained detector.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for the index.", show_default=False)],
    min_seconds: Annotated[float, typer.Option("--min-seconds", min=0.1, help="Of an excerpt.")] = 5.0,
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", min=1, help="Processes; all cores if not given.")
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw each song's activity.")] = True,
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option("--precision", help="bfloat16 is faster with large detectors.")
    ] = "float32",
    ray: Annotated[bool, typer.Option("--ray", help="Use Ray, on all machines of its cluster.")] = False,
) -> None:
    """Find excerpts in which a stem is silent, in a library of any size; run it again to go on.

    Writes an index of excerpts into the songs, activity curves, labels for Audacity and pictures. The songs themselves
    are neither copied nor changed. What cannot be used is skipped, with the reason in the index.
    """
    import os

    from stemtune.mining.detector import load_detector
    from stemtune.mining.run import Runner, settings_for
    from stemtune.mining.run import mine as run

    loaded = load_detector(detector)
    settings = settings_for(loaded, library, min_seconds=min_seconds, precision=precision)
    for stem in settings.left_out:
        print(f"{stem}: no threshold was good enough, nothing is mined for it", file=sys.stderr)
    runner: Runner | None = None
    if ray:
        from stemtune.mining.ray_runner import RayRunner

        runner = RayRunner(workers)
    told = _Ticker()
    started, count = time.monotonic(), 0

    def tell(record: "SongRecord") -> None:
        nonlocal count
        count += 1
        if record.status == "skipped":
            print(f"skipped {record.path}: {record.reason}", file=sys.stderr)
        told(f"{count} songs, {record.path}")

    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    summary = run(
        library,
        detector,
        out,
        settings,
        num_workers=workers or available,
        pictures=pictures,
        runner=runner,
        on_song=tell,
    )
    elapsed = time.monotonic() - started
    print(
        f"{summary.mined} songs mined, {summary.skipped} skipped, {summary.already_done} done before; "
        f"{summary.seconds / 60:.1f} minutes at {summary.seconds / max(elapsed, 1e-9):.0f} times real time; in {out}"
    )
    for stem, seconds in (summary.excerpt_seconds or {}).items():
        print(f"without {stem}: {seconds / 60:.1f} minutes")


class _Ticker:
    """Prints to stderr at most once in two seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, text: str) -> None:
        if time.monotonic() - self._last > 2:
            self._last = time.monotonic()
            print(text, file=sys.stderr)


def _refuse_shared(songs: Sequence["Track"], held_out: Sequence["Track"]) -> None:
    """Thresholds that were chosen on what was learnt promise too much."""
    learnt = {Path(path).resolve() for track in songs for files in track.stems.values() for path in files}
    for track in held_out:
        if any(Path(path).resolve() in learnt for files in track.stems.values() for path in files):
            raise UsageError(f"{track.name} is among the songs to learn from and among those held out; choose others")


def _describe(stem: str, threshold: "Threshold | None", *, is_known: bool) -> str:
    if not is_known:
        return f"{stem}: none of the held-out songs has it, so no threshold can be chosen; it will be left out"
    if threshold is None:
        return f"{stem}: no threshold is right often enough; it will be left out"
    return (
        f"{stem}: from {threshold.probability:.3f} on, right in {threshold.precision:.1%} of {threshold.num_windows} "
        f"windows of {threshold.num_songs} songs; finds {threshold.recall:.0%} of the silence"
    )
