"""The references of `data_pipeline`: openunmix's data set and Scaper as nussl uses it, making the same examples.

See there for how to install them. Who is not installed takes no part.
"""

import importlib.util
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import soundfile
import torch

HERE = Path(__file__).resolve().parent
REFERENCES = Path(os.environ.get("STEMTUNE_REFERENCES", HERE.parent / ".references"))
STEMS = ("bass", "drums", "other", "vocals")
PITCH, STRETCH = (-3.0, 3.0), (0.8, 1.2)  # semitones; factor of the duration
SNR_DB, REFERENCE_LUFS = (-2.5, 2.5), -40.0  # Scaper's, in nussl's cookbook


@dataclass(frozen=True)
class Case:
    """Which examples are wanted, and of which files they are made."""

    name: str
    seconds: float
    rate: int
    channels: int
    file_rate: int
    file_channels: int


CASES = (
    Case("6 s, stereo 44.1 kHz", 6.0, 44100, 2, 44100, 2),
    Case("10 s, mono 16 kHz", 10.0, 16000, 1, 16000, 1),
    Case("10 s, mono 16 kHz, of stereo 44.1 kHz", 10.0, 16000, 1, 44100, 2),
)


@dataclass(frozen=True)
class Contender:
    """``make()`` gives sources and mixture of one example."""

    case: str
    extension: str
    is_augmented: bool
    name: str
    make: Callable[[], Any]


def whole_files(case: Case, extension: str, songs: Path) -> Iterator[Contender]:
    """Every stem's whole file read, averaged over channels and resampled as a whole, then cut.

    So do nussl's data sets of folders (`MixSourceFolder`, `MUSDB18`); its transform `GetExcerpt` cuts what was loaded.
    """
    import soxr

    names = sorted(path.name for path in songs.iterdir())

    def make() -> Any:
        song = songs / random.choice(names)  # noqa: S311
        place, sources = random.random(), []  # noqa: S311
        for stem in STEMS:
            samples, rate = soundfile.read(song / f"{stem}.{extension}", dtype="float32", always_2d=True)
            if case.channels < samples.shape[1]:
                samples = samples.mean(axis=1, keepdims=True)
            if rate != case.rate:
                samples = soxr.resample(samples, rate, case.rate)
            length = round(case.seconds * case.rate)
            start = int(place * (len(samples) - length))
            sources.append(torch.from_numpy(samples[start : start + length]).t())
        stacked = torch.stack(sources)
        return stacked, stacked.sum(dim=0)

    yield Contender(case.name, extension, False, "whole files", make)


def open_unmix(case: Case, extension: str, songs: Path) -> Iterator[Contender]:
    """Its data set of songs with fixed stems; not for other rates than the files'."""
    path = REFERENCES / "openunmix" / "data.py"
    if not path.is_file() or case.rate != case.file_rate:
        return
    sys.modules["torchaudio"] = torchaudio_by_soundfile()
    spec = importlib.util.spec_from_file_location("openunmix_data", path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.tqdm = SimpleNamespace(tqdm=lambda items: items)
    first, *others = (f"{stem}.{extension}" for stem in STEMS)
    data = module.FixedSourcesTrackFolderDataset(
        root=str(songs.parent),
        split="train",
        target_file=first,
        interferer_files=others,
        seq_duration=case.seconds,
        random_chunks=True,
    )
    yield Contender(case.name, extension, False, "openunmix", lambda: data[random.randrange(len(data))])  # noqa: S311


def torchaudio_by_soundfile() -> ModuleType:
    """torchaudio 2's soundfile backend, as far as openunmix uses it."""

    def info(path: str) -> SimpleNamespace:
        with soundfile.SoundFile(path) as file:
            return SimpleNamespace(sample_rate=file.samplerate, num_frames=file.frames, num_channels=file.channels)

    def load(path: str, frame_offset: int = 0, num_frames: int = -1) -> tuple[torch.Tensor, int]:
        with soundfile.SoundFile(path) as file:
            file.seek(frame_offset)
            samples = file.read(num_frames, dtype="float32", always_2d=True)
            return torch.from_numpy(samples).t(), file.samplerate

    module = ModuleType("torchaudio")
    module.__dict__.update(info=info, load=load, get_audio_backend=lambda: "soundfile")
    return module


def scaper(case: Case, extension: str, songs: Path) -> Iterator[Contender]:
    """Coherent mixing as nussl's cookbook has it: the same file name, place, pitch and stretch for every stem."""
    if not (REFERENCES / "data_pipeline" / "scaper").is_dir():
        return
    for old, new in {"Inf": np.inf, "float_": np.float64, "complex_": np.complex128, "unicode_": np.str_}.items():
        setattr(np, old, new)
    sys.path.insert(0, str(REFERENCES / "data_pipeline"))
    import scaper as package

    labels = songs.parent / "by_label"
    for song in sorted(songs.iterdir()):
        for stem in STEMS:
            link = labels / stem / f"{song.name}.{extension}"
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to((song / f"{stem}.{extension}").resolve())
    names = sorted(path.name for path in (labels / STEMS[0]).iterdir())
    length = soundfile.info(str(labels / STEMS[0] / names[0])).duration

    def make(augmented: bool) -> Any:
        soundscape = package.Scaper(case.seconds, str(labels), str(labels), random_state=random.randrange(2**31))  # noqa: S311
        soundscape.sr, soundscape.n_channels, soundscape.ref_db = case.rate, case.channels, REFERENCE_LUFS
        soundscape.fade_in_len = soundscape.fade_out_len = 0
        name, factor = random.choice(names), random.uniform(*STRETCH) if augmented else 1.0  # noqa: S311
        pitch = random.uniform(*PITCH)  # noqa: S311
        duration = case.seconds / factor
        start = random.uniform(0, length - duration)  # noqa: S311
        for stem in STEMS:
            soundscape.add_event(
                label=("const", stem),
                source_file=("const", str(labels / stem / name)),
                source_time=("const", start),
                event_time=("const", 0),
                event_duration=("const", duration),
                snr=("uniform", *SNR_DB),
                pitch_shift=("const", pitch) if augmented else None,
                time_stretch=("const", factor) if augmented else None,
            )
        mixture, _, _, sources = soundscape.generate(fix_clipping=True)
        return sources, mixture

    yield Contender(case.name, extension, False, "Scaper", lambda: make(False))
    yield Contender(case.name, extension, True, "Scaper", lambda: make(True))
