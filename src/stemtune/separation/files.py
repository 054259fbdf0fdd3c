"""One track: an audio file in, a file for each stem out, in constant memory.

The stems have the file's sample rate, channels and length, to the sample, and begin where it begins. They appear under
their names together and whole, or not at all, whatever happens on the way:

    file -> blocks -> stems -> files,        sum over stems = file.
"""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from stemtune.data.audio import open_audio
from stemtune.data.audio_info import AudioInfo
from stemtune.data.encoding import Encoding
from stemtune.errors import UsageError
from stemtune.models.base import Separator
from stemtune.separation.estimate import check_disk
from stemtune.separation.network import one_thread
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import Progress, SeparatedBlock, separate_stream
from stemtune.separation.writing import ClipMode, open_stem_sink
from stemtune.types import StemSet

__all__ = ["FileResult", "against_the_rest", "name_outputs", "output_stems", "separate_file"]


@dataclass(frozen=True)
class FileResult:
    """What became of a track.

    Attributes:
        outputs: the files, by stem.
        sample_rate: of the track and its stems, in Hz.
        num_channels: of the track and of each stem.
        num_samples: of the track and of each stem.
        gain: what all stems were multiplied with so that none clips; 1 if none would.
        seconds: how long it took.
    """

    outputs: StemSet[Path]
    sample_rate: int
    num_channels: int
    num_samples: int
    gain: float
    seconds: float


def separate_file(
    separator: Separator,
    input_path: Path | str,
    outputs: Mapping[str, Path],
    *,
    options: SeparationOptions | None = None,
    encoding: Encoding | None = None,
    clip_mode: ClipMode = "rescale",
    two_stems: str | None = None,
    stream: int = 0,
    on_progress: Progress | None = None,
) -> FileResult:
    """Separate an audio file into files.

    Args:
        separator: in evaluation mode, on the device where it shall compute.
        input_path: any audio or video file.
        outputs: where each stem goes, for exactly the names that `output_stems` gives; see `name_outputs`.
        options: how to separate; None for the defaults.
        encoding: of all outputs; None for what the first output's ending says, with 16 bits.
        clip_mode: what happens when a stem exceeds full scale; see `open_stem_sink`.
        two_stems: write only this stem, and all that is not this stem.
        stream: which of the file's audio streams.
        on_progress: is told how many samples are finished; may raise to stop.

    Raises:
        UsageError: for outputs that do not match the stems, or a format that cannot hold the sound.
        InputError: if the file cannot be read to its end, or has no samples.
        OutputError: if the outputs cannot be written, or the disk is too small for them.
    """
    begin = time.perf_counter()
    options = options or SeparationOptions()
    names = output_stems(separator.stems, two_stems)
    if set(outputs) != set(names):
        raise UsageError(f"expected outputs for the stems {', '.join(names)}; got {', '.join(outputs)}")
    paths = [Path(outputs[name]) for name in names]
    encoding = encoding or Encoding.for_path(paths[0])
    sums = two_stems is not None or (options.mixture_consistency and len(separator.stems) > 1)
    with one_thread(), open_audio(input_path, stream=stream) as reader:
        info = reader.info
        _check_outputs(info, paths, encoding)
        check_disk(info, folder=paths[0].parent, num_stems=len(paths), encoding=encoding, clip_mode=clip_mode)
        separated = separate_stream(
            separator,
            reader.blocks(info.sample_rate),
            sample_rate=info.sample_rate,
            num_channels=info.num_channels,
            options=options,
            on_progress=on_progress,
        )
        sink = open_stem_sink(
            paths,
            sample_rate=info.sample_rate,
            num_channels=info.num_channels,
            encoding=encoding,
            clip_mode=clip_mode,
            sums_to_mixture=sums,
        )
        num_samples = 0
        with closing(separated), sink as files:
            for block in separated:
                chosen = block if two_stems is None else against_the_rest(block, separator.stems.index(two_stems))
                files.write(chosen.stems, chosen.mixture)
                num_samples += chosen.mixture.shape[1]
            gain = files.finish()
    return FileResult(
        outputs=StemSet(dict(zip(names, paths, strict=True))),
        sample_rate=info.sample_rate,
        num_channels=info.num_channels,
        num_samples=num_samples,
        gain=gain,
        seconds=time.perf_counter() - begin,
    )


def output_stems(stems: tuple[str, ...], two_stems: str | None = None) -> tuple[str, ...]:
    """The names of what is written: all stems, or one and what is not it.

    Raises:
        UsageError: if the model has no such stem.
    """
    if two_stems is None:
        return stems
    if two_stems not in stems:
        raise UsageError(f"unknown stem {two_stems!r}; the stems of this model are {', '.join(stems)}")
    return (two_stems, f"no_{two_stems}")


def name_outputs(
    folder: Path, stems: tuple[str, ...], *, track: str, extension: str, pattern: str = "{track}/{stem}.{ext}"
) -> StemSet[Path]:
    """Where each stem goes.

    Args:
        folder: that all outputs lie in.
        stems: the names of what is written; see `output_stems`.
        track: fills ``{track}``; may have slashes.
        extension: fills ``{ext}``; without a dot.
        pattern: of the paths in ``folder``.

    Raises:
        UsageError: for a pattern that leads out of the folder or does not tell the stems apart.
    """
    try:
        names = {stem: pattern.format(track=track, stem=stem, ext=extension) for stem in stems}
    except (KeyError, IndexError, ValueError, AttributeError):
        raise UsageError(f"{pattern!r}: expected a pattern of {{track}}, {{stem}} and {{ext}}") from None
    if len(set(names.values())) < len(names):
        raise UsageError(f"{pattern!r} gives all stems the same name; add {{stem}}")
    for name in names.values():
        relative = Path(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.suffix:
            raise UsageError(f"{pattern!r} gives {name!r}; expected a file inside the output folder, with an ending")
    return StemSet({stem: folder / name for stem, name in names.items()})


def against_the_rest(block: SeparatedBlock, stem: int) -> SeparatedBlock:
    """One stem, and the mixture without it."""
    chosen = block.stems[stem]
    return SeparatedBlock(block.mixture, torch.stack((chosen, block.mixture - chosen)))


def _check_outputs(info: AudioInfo, paths: list[Path], encoding: Encoding) -> None:
    encoding.check(sample_rate=info.sample_rate, num_channels=info.num_channels)
    for path in paths:
        if path.exists() and path.samefile(info.path):
            raise UsageError(f"{path} is the input itself; choose another output folder")
