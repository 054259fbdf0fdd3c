"""How fast training examples are mixed, beside openunmix 1.3.0 and Scaper 1.6.5 (nussl's way), on this machine.

    python tests/parity/install_references.py
    apt-get install sox libsox-dev
    pip install --no-deps --target .references/data_pipeline scaper==1.6.5 soxbindings==1.2.3 jams==0.3.4 sox==1.4.0 \
        mir_eval==0.8.2 decorator six pandas
    python benchmarks/data_pipeline.py [--songs 3] [--song-seconds 120] [--repeats 7] [--examples 8]

All contenders make the same coherent example of four stems out of the same files, in one process and on one thread, in
turn, so that whatever else the machine does hits all of them alike. Cost is processor time; the inverse is examples per
second per core. Every measurement goes into a CSV file, the medians into a Markdown table.

What the references do (read in their code, and run here): openunmix's `FixedSourcesTrackFolderDataset` asks each file
for its length and reads the excerpt by a seek, through torchaudio's soundfile backend, which is reproduced here since
torchaudio cannot be installed; it neither resamples nor changes pitch. nussl's `OnTheFly` data set calls
`Scaper.generate`, which since version 1.6 reads the excerpt alone, too, sends every stem through sox (for pitch, tempo,
rate and channels) and measures its loudness. Both need shims for NumPy 2. nussl's data sets of folders read and
transform whole files before they cut; that way is measured as "whole files", with soundfile and soxr.

Last, a training step of the default network, and what it needs of processes that mix.
"""

import argparse
import csv
import datetime as dt
import gc
import os
import platform
import shlex
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from data_pipeline_references import (  # noqa: E402
    CASES,
    PITCH,
    REFERENCE_LUFS,
    SNR_DB,
    STEMS,
    STRETCH,
    Case,
    Contender,
    open_unmix,
    scaper,
    whole_files,
)

from stemtune.data.memory import keep_freed_memory  # noqa: E402

FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS"}
Times = dict[tuple[str, str, bool, str], list[float]]  # case, format, whether augmented, contender: ms of each turn


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(1)
    keep_freed_memory()  # as our workers do; it helps the references as well
    warnings.simplefilter("ignore")  # the references use deprecated functions
    with tempfile.TemporaryDirectory(prefix="data_pipeline-") as folder:
        root = options.folder or Path(folder)
        contenders: list[Contender] = []
        for case in CASES:
            for extension in FORMATS:
                songs = write_songs(root, case, extension, options)
                contenders += list(ours(case, extension, songs, root / "copies"))
                contenders += list(whole_files(case, extension, songs))
                contenders += list(open_unmix(case, extension, songs))
                contenders += list(scaper(case, extension, songs))
        runs = measure(contenders, options)
        steps = measure_training(write_songs(root, CASES[0], "wav", options), options) if options.steps else []
    lines = report(runs, steps, options)
    stem = f"data_pipeline_{hardware_slug()}_{dt.datetime.now(dt.UTC):%Y%m}{options.suffix}"
    (options.out / f"{stem}.md").write_text("\n".join(lines) + "\n")
    with (options.out / f"{stem}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(runs[0]))
        writer.writeheader()
        writer.writerows(runs)
    print("\n".join(lines))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=3)
    parser.add_argument("--song-seconds", type=float, default=120.0)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--examples", type=int, default=8, help="in each measurement; one tenth if it is slow")
    parser.add_argument("--steps", type=int, default=12, help="of training")
    parser.add_argument("--folder", type=Path, help="where to make the files, and to leave them for the next time")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--suffix", default="", help="appended to the names of the result files")
    return parser.parse_args()


def write_songs(root: Path, case: Case, extension: str, options: argparse.Namespace) -> Path:
    """``SONG/STEM.extension``, made up: gliding tones over noise that comes and goes."""
    folder = root / f"{case.file_rate}-{case.file_channels}-{extension}" / "train"
    time_seconds = np.arange(round(options.song_seconds * case.file_rate)) / case.file_rate
    for song in range(options.songs):
        for number, stem in enumerate(STEMS):
            path = folder / f"song {song}" / f"{stem}.{extension}"
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            generator = np.random.default_rng((song, number))
            glide = 2 * np.pi * np.cumsum(220 * (number + 1) * 2 ** np.sin(time_seconds / 3 + song)) / case.file_rate
            voice = sum(np.sin(k * glide) / k for k in range(1, 6)) * 0.05
            hiss = generator.standard_normal((len(time_seconds), case.file_channels)) * 0.02
            beat = np.exp(-8 * ((time_seconds * (2 + number)) % 1))
            samples = (voice[:, None] + hiss * beat[:, None]).astype(np.float32)
            with soundfile.SoundFile(path, "w", case.file_rate, case.file_channels, subtype=FORMATS[extension]) as file:
                for start in range(0, len(samples), 65536):  # libsndfile dies of very long writes to Ogg
                    file.write(samples[start : start + 65536])
    return folder


def ours(case: Case, extension: str, songs: Path, copies: Path) -> Iterator[Contender]:
    from stemtune.data.mixing import Mixer, MixingConfig

    def contender(name: str, *, augmented: bool, loudness: bool, decoded: Path | None) -> Contender:
        mixer = Mixer(
            MixingConfig.model_validate({
                "corpora": [{"path": str(songs), "layout": "songs"}],
                "stems": STEMS,
                "sample_rate": case.rate,
                "channels": case.channels,
                "segment_seconds": case.seconds,
                "coherent_probability": 1.0,
                "loudness": {"reference_lufs": REFERENCE_LUFS, "snr_db": SNR_DB} if loudness else None,
                "augmentation": {"pitch_semitones": PITCH, "stretch": STRETCH} if augmented else {},
            }),
            decoded=decoded,
        )  # fmt: skip
        steps = iter(range(10**9))

        def make() -> Any:
            sources = mixer.example(seed=0, step=next(steps), position=0)
            return sources, sources.sum(dim=0)

        return Contender(case.name, extension, augmented, name, make)

    yield contender("ours", augmented=False, loudness=False, decoded=None)
    yield contender("ours, loudness", augmented=False, loudness=True, decoded=None)
    yield contender("ours, loudness", augmented=True, loudness=True, decoded=None)
    if extension != "wav":
        yield contender("ours, decoded copies", augmented=False, loudness=False, decoded=copies)
        yield contender("ours, decoded copies, loudness", augmented=False, loudness=True, decoded=copies)


def measure(contenders: list[Contender], options: argparse.Namespace) -> list[dict[str, object]]:
    """In turn, so often as wanted; slow ones make fewer examples in each turn."""
    counts: list[int] = []
    for contender in contenders:
        begin = time.process_time()
        contender.make()
        contender.make()  # the first may have made a decoded copy
        counts.append(options.examples if time.process_time() - begin < 0.4 else max(1, options.examples // 8))
    runs: list[dict[str, object]] = []
    for repeat in range(options.repeats):
        for contender, count in zip(contenders, counts, strict=True):
            gc.collect()
            load, processor, begin = os.getloadavg()[0], time.process_time(), time.perf_counter()
            for _ in range(count):
                contender.make()
            runs.append({
                "case": contender.case,
                "format": contender.extension,
                "pitch_and_stretch": contender.is_augmented,
                "contender": contender.name,
                "repeat": repeat,
                "examples": count,
                "processor_ms_per_example": f"{1000 * (time.process_time() - processor) / count:.3f}",
                "ms_per_example": f"{1000 * (time.perf_counter() - begin) / count:.3f}",
                "load_average_before": f"{load:.2f}",
            })  # fmt: skip
        print(f"repeat {repeat} of {options.repeats}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return runs


def measure_training(songs: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    """Steps of the default network on batches of 6 x 4 s, and how long they wait for two processes that mix."""
    from stemtune.data.collate import Examples, collate, loader
    from stemtune.data.mixing import Mixer, MixingConfig
    from stemtune.models.bandnet import BandNetConfig
    from stemtune.objectives.waveform import NegativeSNRConfig
    from stemtune.recipes.default_model.experiment import default_model

    default = default_model(validation=None).phases[0].data.augmentation
    kinds = {
        "no augmentation": {},
        "the default model's augmentation": default.model_dump(),
        "pitch and stretch": {"pitch_semitones": PITCH, "stretch": STRETCH},
    }
    network, objective = BandNetConfig(dropout=0.0).build(), NegativeSNRConfig().build()
    optimiser = torch.optim.Adam(network.parameters())
    rows: list[dict[str, object]] = []
    for kind, augmentation in kinds.items():
        mixer = Mixer(
            MixingConfig.model_validate({
                "corpora": [{"path": str(songs), "layout": "songs"}],
                "stems": STEMS,
                "segment_seconds": 4.0,
                "coherent_probability": 0.5,
                "augmentation": augmentation,
            })
        )  # fmt: skip
        begin = time.process_time()
        for position in range(12):
            mixer.example(seed=1, step=0, position=position)
        mixing = (time.process_time() - begin) / 2
        examples = Examples(mixer, seed=0, per_step=6, steps=options.steps)
        batches = iter(loader(examples, batch_size=6, first_index=0, num_workers=2))
        waits, steps = [], []
        for number in range(options.steps):
            begin = time.perf_counter()
            sources = next(batches)
            waits.append(time.perf_counter() - begin)
            processor = time.process_time()
            batch = collate(sources, stems=STEMS, sample_rate=44100)
            with torch.autocast("cpu", torch.bfloat16):
                answer = network(batch.mixture)
            loss = objective(answer, batch).total
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps.append(time.process_time() - processor)
            print(f"step {number}, {kind}: waited {waits[-1]:.2f} s, {steps[-1]:.2f} s", file=sys.stderr, flush=True)
        rows.append({
            "augmentation": kind,
            "step": statistics.median(steps[2:]),
            "mixing": mixing,
            "waiting": statistics.median(waits[2:]),
        })  # fmt: skip
    return rows


def report(runs: list[dict[str, object]], steps: list[dict[str, object]], options: argparse.Namespace) -> list[str]:
    loads = [float(str(run["load_average_before"])) for run in runs]
    times: Times = {}
    for run in runs:
        key = (str(run["case"]), str(run["format"]), bool(run["pitch_and_stretch"]), str(run["contender"]))
        times.setdefault(key, []).append(float(str(run["processor_ms_per_example"])))
    lines = [
        "# Mixing training examples beside openunmix 1.3.0 and Scaper 1.6.5",
        "",
        f"- Command: `{shlex.join(['python', 'benchmarks/' + Path(sys.argv[0]).name, *sys.argv[1:]])}`",
        f"- Hardware: {hardware()}; torch {torch.__version__}, Python {platform.python_version()}; "
        f"load average {min(loads):.1f} to {max(loads):.1f}",
        f"- Files: {options.songs} songs of {options.song_seconds:g} s with 4 stems each, made up by the script; 16 "
        "bits, or Vorbis at libsndfile's default quality",
        f"- Coherent examples of 4 stems and their sum, one thread; medians of {options.repeats} turns",
        f"- Date: {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "",
        "Milliseconds of processor time per example (examples per second per core), and in the last columns how many "
        "times as fast we are, by medians (by the fastest turns: what is left when others leave the machine alone). "
        "What only moves samples, reading WAV files above all, suffers most from neighbours. openunmix leaves levels "
        "as they are, and is compared with ours that does; Scaper brings stems to a loudness, and is compared with "
        "ours that does. Decoded copies: `stemtune train --cache`.",
        "",
    ]
    for augmented in (False, True):
        lines += ["", f"## {'With pitch shift and time stretch' if augmented else 'Without augmentation'}", ""]
        lines += table(times, augmented=augmented)
    if steps:
        lines += [
            "",
            "## A training step of the default network",
            "",
            "6 x 4 s, bfloat16, one thread; seconds of processor time of a step and of mixing its batch (WAV files, "
            "half of the examples coherent), how many processes keep it fed, and the median of its waiting for two.",
            "",
            "| augmentation | step | mixing | processes needed | waited |",
            "|---|---:|---:|---:|---:|",
        ]
        for row in steps:
            step, mixing, waiting = (float(str(row[name])) for name in ("step", "mixing", "waiting"))
            lines.append(f"| {row['augmentation']} | {step:.2f} | {mixing:.3f} | {mixing / step:.2f} | {waiting:.3f} |")
    return lines


def table(times: Times, *, augmented: bool) -> list[str]:
    names = [
        name
        for name in ("ours", "ours, loudness", "ours, decoded copies", "ours, decoded copies, loudness", "whole files",
                     "openunmix", "Scaper")
        if any(key[2:] == (augmented, name) for key in times)
    ]  # fmt: skip
    comparisons = [
        (other, mine)
        for other, mine in (
            ("whole files", "ours"), ("openunmix", "ours"), ("openunmix", "ours, decoded copies"),
            ("Scaper", "ours, loudness"), ("Scaper", "ours, decoded copies, loudness"),
        )
        if other in names and mine in names
    ]  # fmt: skip
    header = ["case", "files", *names, *(f"{other} / {mine}" for other, mine in comparisons)]
    lines = ["| " + " | ".join(header) + " |", "|---|---|" + "---:|" * (len(header) - 2)]
    for case in CASES:
        for extension in FORMATS:
            values = {name: times.get((case.name, extension, augmented, name)) for name in names}
            medians = {name: statistics.median(value) for name, value in values.items() if value}
            cells = [f"{medians[name]:.2f} ({1000 / medians[name]:.0f})" if name in medians else "" for name in names]
            for other, mine in comparisons:
                theirs, own = values[other], values[mine]
                if theirs and own:
                    cells.append(f"{medians[other] / medians[mine]:.1f} ({min(theirs) / min(own):.1f})")
                else:
                    cells.append("")
            lines.append(f"| {case.name} | {extension} | " + " | ".join(cells) + " |")
    return lines


def hardware() -> str:
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return f"{name}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"


def hardware_slug() -> str:
    return f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}cores"


if __name__ == "__main__":
    main()
