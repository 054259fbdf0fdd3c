"""Claim: rendered corpora sum exactly, are balanced like MUSDB18, and cost less than a twentieth of their length.

For each kind of corpus songs are rendered as ``stemtune data render`` does it (processor seconds of all processes
together, from starting them and reading scores to written FLAC files), decoded again, and measured:

    null depth = 10 log10( sum (mixture - sum of stems)^2 / sum mixture^2 ),
    level(stem) = median over seconds of 10 log10( |stem|^2 / |mixture - stem|^2 ),   in seconds when all stems sound.

The first is of two songs of each kind that are rendered again with ``--mixture``. The second is what BSSEval 4 calls
the SIR of the mixture as an estimate, and is known of the 50 test songs of MUSDB18: ``musdb18_stem_levels.csv`` holds
it as it was published (SiSEC 2018, submission MIX, file ``static/scores.csv`` of
github.com/sigsep/sigsep-mus-2018-website). A sheet of spectrograms is drawn of every corpus.

    python benchmarks/rendering.py --data ../shared/data --work runs/rendering --out benchmarks/rendering_2cores_202611

Corpora that are in the work folder already are not rendered again, and keep the times of when they were.

References:
    F.-R. Stoeter, A. Liutkus and N. Ito, "The 2018 signal separation evaluation campaign", LVA/ICA 2018.
"""

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from stemtune.data.rendering.choosing import Amount
from stemtune.data.rendering.plans import KINDS
from stemtune.data.rendering.records import CorpusRecord, SongRecord, read_corpus
from stemtune.data.rendering.requests import RenderRequest, render
from stemtune.evaluation.pictures import draw_stems
from stemtune.types import StemSet

SONGS = {"chorales": 24, "choir": 24, "drums": 32, "bands": 16, "pop": 18}
SONGS_WITH_MIXTURE = 2
SPLITS = (50.0, 0.0, 50.0)  # half with the timbres of training, half with those of tests
SHEET_SECONDS = 12.0
STEMS = ("vocals", "drums", "bass", "other")
TIMES = "times.json"


@dataclass(frozen=True)
class Heard:
    """What was measured of a song."""

    song: SongRecord
    levels_db: Mapping[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True, help="where the corpora are rendered")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--songs", type=int, help="of each kind, instead of the usual numbers")
    parser.add_argument(
        "--out", type=Path, help="a folder for the tables and the sheets; without it nothing is decoded"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    records = {kind: rendered(kind, options) for kind in options.kinds}
    if options.out is None:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    heard = {kind: heard_songs(options.work / kind, records[kind]) for kind in options.kinds}
    nulls = {kind: null_depths(kind, options) for kind in options.kinds}
    for kind in options.kinds:
        if not (options.out / f"{kind}.jpg").exists():
            draw_sheet(options.work / kind, records[kind], options.out / f"{kind}.jpg")
    write_songs(options.out / "songs.csv", heard)
    times = json.loads((options.work / TIMES).read_text()) | {"start": start_of_a_process()}
    text = "\n".join(report(records, heard, nulls, times, published_levels())) + "\n"
    (options.out / "report.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def rendered(kind: str, options: argparse.Namespace) -> CorpusRecord:
    """The corpus of a kind, made now or earlier; what it cost is kept beside it."""
    folder, times = options.work / kind, options.work / TIMES
    earlier = read_corpus(folder)
    spent = json.loads(times.read_text()) if times.exists() else {}
    if earlier is not None and earlier.complete and kind in spent:
        return earlier
    options.work.mkdir(parents=True, exist_ok=True)
    request = RenderRequest(kind=kind, data=options.data, splits=SPLITS)
    before = processor_seconds()
    record = render(request, folder, amount=Amount(songs=options.songs or SONGS[kind]), num_workers=os.cpu_count() or 1)
    spent[kind] = processor_seconds() - before
    times.write_text(json.dumps(spent))
    music = sum(song.seconds for song in record.songs)
    sys.stderr.write(f"{kind}: {music / 60:.1f} minutes, {music / spent[kind]:.1f} times real time\n")
    return record


def processor_seconds() -> float:
    """Of this process and of those that it started, such as Flite."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def start_of_a_process() -> float:
    """What it costs to start one that can render, in processor seconds."""
    code = "from stemtune.data.rendering.rendering import _render_song"
    before = processor_seconds()
    subprocess.run([sys.executable, "-c", code], check=True)
    return processor_seconds() - before


def heard_songs(corpus: Path, record: CorpusRecord) -> list[Heard]:
    """What was measured of all songs of a corpus, now or earlier."""
    path = corpus.with_name(f"{corpus.name}_heard.json")
    if not path.exists():
        heard = [listen(corpus, song) for song in record.songs]
        path.write_text(json.dumps({one.song.name: one.levels_db for one in heard}))
    known = json.loads(path.read_text())
    return [Heard(song, known[song.name]) for song in record.songs]


def listen(corpus: Path, song: SongRecord) -> Heard:
    """Decode a song's files, and compare each with the rest."""
    stems, rate = decoded(corpus, song)
    mixture = sum_of(stems)
    powers = {name: seconds_of(samples, rate) for name, samples in stems.items()}
    rests = {name: seconds_of(mixture - samples, rate) for name, samples in stems.items()}
    sounding = np.all([power > 0 for power in powers.values()], axis=0)
    levels = {
        name: float(np.median(10 * np.log10(powers[name][sounding] / np.maximum(rests[name][sounding], 1e-12))))
        for name in powers
        if len(powers) > 1 and sounding.any()
    }
    return Heard(song, levels)


def null_depths(kind: str, options: argparse.Namespace) -> list[float]:
    """How far below the mixture lies what the sum of the stems lacks of it, in dB, of some songs."""
    folder = options.work / f"{kind}-with-mixture"
    request = RenderRequest(kind=kind, data=options.data, splits=SPLITS, mixture=True)
    record = render(request, folder, amount=Amount(songs=SONGS_WITH_MIXTURE), num_workers=os.cpu_count() or 1)
    depths: list[float] = []
    for song in record.songs:
        stems, rate = decoded(folder, song)
        assert song.mixture is not None
        mixture = soundfile.read(folder / song.split / song.name / song.mixture.file, dtype="int16")[0]
        error = mixture - sum_of(stems)
        total = float(seconds_of(mixture, rate).sum())
        depths.append(10 * np.log10(float(np.square(error, dtype=float).sum()) / total) if error.any() else -300.0)
    return depths


def decoded(corpus: Path, song: SongRecord) -> tuple[dict[str, np.ndarray], int]:
    """The stems as the whole numbers that are in the files, ``time channel``, and their rate."""
    folder = corpus / song.split / song.name
    stems = {name: soundfile.read(folder / stem.file, dtype="int16")[0] for name, stem in song.stems.items()}
    return stems, soundfile.info(folder / next(iter(song.stems.values())).file).samplerate


def sum_of(stems: Mapping[str, np.ndarray]) -> np.ndarray:
    """The mixture."""
    return sum((samples.astype(np.int32) for samples in stems.values()), start=np.zeros((1, 1), dtype=np.int32))


def seconds_of(samples: np.ndarray, rate: int) -> np.ndarray:
    """The energy of every whole second."""
    blocks = (samples[start : start + rate].ravel() for start in range(0, len(samples) - rate + 1, rate))
    return np.array([float(np.square(block, dtype=np.float64).sum()) for block in blocks])


def published_levels() -> dict[str, np.ndarray]:
    """The levels of MUSDB18's test songs, by stem."""
    with (Path(__file__).parent / "musdb18_stem_levels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {stem: np.array([float(row[stem]) for row in rows]) for stem in STEMS}


def draw_sheet(corpus: Path, record: CorpusRecord, path: Path) -> None:
    """A song with the timbres of training and one with those of tests, where most stems sound."""
    from PIL import Image

    pictures = []
    for split in ("train", "test"):
        songs = [song for song in record.songs if song.split == split]
        if not songs:
            continue
        song = max(songs, key=lambda song: (len(song.stems), song.name))
        stems, rate = decoded(corpus, song)
        start = liveliest(stems, rate)
        piece = slice(start, start + round(SHEET_SECONDS * rate))

        def excerpt(samples: np.ndarray, piece: slice = piece) -> torch.Tensor:
            return torch.from_numpy(samples[piece].T.astype(np.float32) / 2**15)

        figure = draw_stems(
            mixture=excerpt(sum_of(stems)),
            estimates=StemSet({name: excerpt(samples) for name, samples in stems.items()}),
            sample_rate=rate,
            title=f"{corpus.name}, {split}",
        )
        target = path.with_suffix(f".{split}.png")
        figure.savefig(target)
        pictures.append(Image.open(target).convert("RGB"))
        target.unlink()
    height = max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (sum(picture.width for picture in pictures), height), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width
    sheet.resize((1400, round(height * 1400 / sheet.width))).save(path, quality=80)


def liveliest(stems: Mapping[str, np.ndarray], rate: int) -> int:
    """Where the excerpt begins in which the rarest stem sounds most, in samples."""
    sounding = []
    for samples in stems.values():
        powers = seconds_of(samples, rate)
        sounding.append(np.convolve(powers > 1e-3 * powers.max(), np.ones(round(SHEET_SECONDS)), mode="valid"))
    return int(np.argmax(np.min(sounding, axis=0) * 100 + np.sum(sounding, axis=0))) * rate


def write_songs(path: Path, heard: Mapping[str, Sequence[Heard]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "split", "song", "seconds", "stem", "level_to_rest_db"])
        for kind, items in heard.items():
            for item in items:
                for stem, level in item.levels_db.items():
                    song = item.song
                    writer.writerow([kind, song.split, song.name, song.seconds, stem, f"{level:.2f}"])


def report(
    records: Mapping[str, CorpusRecord],
    heard: Mapping[str, Sequence[Heard]],
    nulls: Mapping[str, Sequence[float]],
    times: Mapping[str, float],
    published: Mapping[str, np.ndarray],
) -> Iterator[str]:
    yield "# Rendered corpora: speed, sums, balance, pictures"
    yield ""
    yield "    python benchmarks/rendering.py --data ../shared/data --work runs/rendering --out ..."
    yield ""
    yield (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, FluidSynth "
        f"{next(iter(records.values())).versions['fluidsynth']}; one process per core; processor seconds of "
        "all processes, their start included; half of the songs with the timbres of training, half with those of tests."
    )
    yield ""
    yield "## Speed and sums"
    yield ""
    yield (
        f"Starting a process costs {times['start']:.1f} processor seconds, whatever it then renders; the last but one "
        "column is without the start of one process per core."
    )
    yield ""
    yield "| kind | songs | minutes | processor s | times real time, one core | without starting | nulls |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for kind, record in records.items():
        music = sum(song.seconds for song in record.songs)
        depths = nulls[kind]
        yield (
            f"| {kind} | {len(record.songs)} | {music / 60:.1f} | {times[kind]:.1f} | {music / times[kind]:.1f} | "
            f"{music / (times[kind] - times['start'] * (os.cpu_count() or 1)):.1f} | "
            f"{min(depths):.0f}, {max(depths):.0f} dB |"
        )
    yield ""
    yield "-300 means that not one sample differs."
    yield ""
    yield "## Balance: level of a stem beside the sum of the others, dB"
    yield ""
    yield "| | stem | songs | 5 % | median | 95 % | songs within MUSDB18's 5 to 95 % | within its extremes |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for stem, levels in published.items():
        yield f"| MUSDB18, test | {stem} | {len(levels)} | {quantiles(levels)} | | |"
    for kind, items in heard.items():
        for stem in sorted({stem for item in items for stem in item.levels_db}):
            levels = np.array([item.levels_db[stem] for item in items if stem in item.levels_db])
            inside = ["", ""]
            if kind in ("bands", "pop") and stem in published:
                theirs = published[stem]
                low, high = np.percentile(theirs, [5, 95])
                inside = [
                    f"{int(np.sum((levels >= a) & (levels <= b)))} of {len(levels)}"
                    for a, b in ((low, high), (theirs.min(), theirs.max()))
                ]
            yield f"| {kind} | {stem} | {len(levels)} | {quantiles(levels)} | {inside[0]} | {inside[1]} |"
    yield ""
    yield "## Spectrograms"
    yield ""
    yield from (f"![{kind}]({kind}.jpg)" for kind in records)


def quantiles(levels: np.ndarray) -> str:
    return " | ".join(f"{value:.1f}" for value in np.percentile(levels, [5, 50, 95]))


if __name__ == "__main__":
    main()
