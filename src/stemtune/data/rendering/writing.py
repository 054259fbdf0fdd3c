"""Writing a song: a folder that appears with all its stems and its record, or not at all.

Stems are rounded to whole numbers first, and the mixture is the sum of these, so that it is exact in the files, too:

    integer(stem) = round(2^(bits - 1) * gain * stem),   integer(mixture) = sum over stems of integer(stem),

with one gain for all, at most 1, that keeps every stem and the mixture below full scale.
"""

import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int32

from stemtune.data.files import output_error, write_text_atomically
from stemtune.data.rendering.plans import RenderConfig, Rendering, SongPlan
from stemtune.data.rendering.records import SONG_FILE, SongRecord, StemRecord, read_song
from stemtune.data.rendering.sound import BLOCK_SAMPLES, SAMPLE_RATE, block_powers
from stemtune.data.writer import AudioWriter, Encoding
from stemtune.errors import InputError

__all__ = ["PARTIAL_FOLDER", "clear_partial", "song_folder", "write_song"]

PARTIAL_FOLDER = ".partial"
_FULL_SCALE = 0.98
_ACTIVE_DB = -60.0


def song_folder(out: Path, plan: SongPlan) -> Path:
    """Where a song is, or will be."""
    return out / plan.split / plan.name


def write_song(out: Path, plan: SongPlan, rendering: Rendering, config: RenderConfig) -> SongRecord:
    """Store a song and its record.

    Raises:
        OutputError: if it cannot be written; nothing of it is left behind then.
        InputError: if it is silent, or holds what is not a finite number.
    """
    integers = _quantised(plan.name, rendering.stems, config)
    folder = out / PARTIAL_FOLDER / str(os.getpid()) / plan.name
    try:
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            record = _fill(folder, plan, rendering, integers, config)
            target = song_folder(out, plan)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and read_song(target) is None:
                shutil.rmtree(target)  # a damaged one
            if not target.exists():
                folder.rename(target)
        except OSError as error:
            raise output_error(folder, error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return record


def clear_partial(out: Path) -> None:
    """Remove what this process, and processes that are no more, have left half finished."""
    folder = out / PARTIAL_FOLDER
    for child in folder.iterdir() if folder.is_dir() else ():
        mine = child.name == str(os.getpid())
        if mine or not (child.name.isdigit() and _is_running(int(child.name))):
            shutil.rmtree(child, ignore_errors=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _quantised(
    name: str, stems: Mapping[str, np.ndarray], config: RenderConfig
) -> dict[str, Int32[np.ndarray, "channel time"]]:
    """The stems that sound, as whole numbers in units of the last bit."""
    limit = 2.0 ** (config.bits - 1)
    sounds: dict[str, np.ndarray] = {}
    peak = 0.0
    for stem, samples in stems.items():
        kept = samples if config.num_channels == 2 else samples.mean(axis=0, keepdims=True)
        loudest = _peak(kept)
        if not math.isfinite(loudest):
            raise InputError(f"{name}: the stem {stem} holds values that are not finite numbers; please report it")
        if loudest * limit >= 1:
            sounds[stem] = kept
            peak = max(peak, loudest)
    if not sounds:
        raise InputError(f"{name}: all of its stems are silent; its score has no notes for them")
    peak = max(peak, _peak(sum(sounds.values(), start=np.zeros((1, 1), dtype=np.float32))))
    gain = limit * min(1.0, _FULL_SCALE / peak)
    return {stem: np.round(samples * np.float32(gain)).astype(np.int32) for stem, samples in sounds.items()}


def _fill(
    folder: Path,
    plan: SongPlan,
    rendering: Rendering,
    integers: Mapping[str, Int32[np.ndarray, "channel time"]],
    config: RenderConfig,
) -> SongRecord:
    """Write the files of a song into a folder, its record last."""
    stems = {stem: _write(folder, stem, samples, config.bits) for stem, samples in integers.items()}
    mixture = None
    if config.mixture:
        total = sum(integers.values(), start=np.zeros((1, 1), dtype=np.int32))
        mixture = _write(folder, "mixture", total.astype(np.int32), config.bits)
    record = SongRecord(
        name=plan.name,
        split=plan.split,
        seconds=round(next(iter(integers.values())).shape[1] / SAMPLE_RATE, 3),
        source=f"{config.sources[plan.source].ingredient.name}/{plan.locator}",
        stems=stems,
        silent=tuple(stem for stem in rendering.stems if stem not in integers),
        mixture=mixture,
        ingredients=rendering.ingredients,
        details=dict(rendering.details),
    )
    write_text_atomically(folder / SONG_FILE, record.model_dump_json(indent=1) + "\n")
    return record


def _write(folder: Path, stem: str, samples: Int32[np.ndarray, "channel time"], bits: int) -> StemRecord:
    path = folder / f"{stem}.flac"
    encoding = Encoding("flac", "int16" if bits == 16 else "int24")
    with AudioWriter(path, sample_rate=SAMPLE_RATE, num_channels=samples.shape[0], encoding=encoding) as writer:
        writer.write_integers(torch.from_numpy(samples))
    powers = block_powers(samples.astype(np.float32)) / 4.0 ** (bits - 1)
    loud = powers[powers > 10 ** (_ACTIVE_DB / 10)]
    return StemRecord(
        file=path.name,
        bytes=path.stat().st_size,
        level_db=round(_db(float(powers.mean()) if powers.size else 0.0), 2),
        active_level_db=round(_db(float(loud.mean()) if loud.size else 0.0), 2),
        active_seconds=round(loud.size * BLOCK_SAMPLES / SAMPLE_RATE, 2),
        peak=round(_peak(samples) / 2 ** (bits - 1), 5),
    )


def _peak(samples: np.ndarray) -> float:
    """The largest magnitude; not a number, or infinite, if one of the samples is."""
    return max(float(samples.max(initial=0)), -float(samples.min(initial=0)))


def _db(power: float) -> float:
    return 10 * float(np.log10(max(power, 1e-12)))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
