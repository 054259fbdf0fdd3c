"""``stemtune separate --stream``: stems of what is being played, from a pipe or a device, into a pipe or files."""

import signal
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stemtune.errors import InputError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from stemtune.data.encoding import Encoding
    from stemtune.data.pipe import ByteSource, PipeReader
    from stemtune.models.base import Separator
    from stemtune.separation.live import LiveOptions
    from stemtune.separation.options import SeparationOptions
    from stemtune.separation.writing import StemSink

__all__ = ["separate_stream_of"]

_PIPE = "-"


def separate_stream_of(
    separator: "Separator",
    tracks: list[Path],
    *,
    out: Path,
    model: str,
    pattern: str,
    encoding: "Encoding",
    separation: "SeparationOptions",
    raw: str | None,
    block_seconds: float | None,
    two_stems: str | None,
    stem: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Separate until the input ends or Ctrl-C is pressed; what was heard until then is finished.

    Raises:
        UsageError: for what cannot be streamed, or a terminal as a pipe.
        InputError: if the input cannot be read.
    """
    from stemtune.data.pipe import RawFormat, open_pipe
    from stemtune.separation.files import name_outputs
    from stemtune.separation.live import LiveOptions, latency_seconds, live_stems, separate_live
    from stemtune.separation.writing import open_stem_sink

    if len(tracks) != 1:
        raise UsageError("--stream hears one thing at a time: - for standard input, or the path of a device or pipe")
    if encoding.container != "wav":
        raise UsageError(f"--stream writes uncompressed samples; leave out --{encoding.container}")
    given = RawFormat.parse(raw) if raw is not None else None
    if str(out) == _PIPE and sys.stdout.isatty():
        raise UsageError("standard output is a terminal; send it into a file or another program: ... -o - | aplay")
    with ExitStack() as stack:
        file, name = _open_input(tracks[0], stack)
        reader = open_pipe(file, raw=given, name=name)
        options = LiveOptions(
            sample_rate=reader.format.sample_rate,
            num_channels=reader.format.num_channels,
            separation=separation,
            block_seconds=block_seconds,
            two_stems=two_stems,
            stem=stem,
        )
        names = live_stems(separator, options)
        latency = latency_seconds(separator, options)
        if not quiet:
            print(f"{', '.join(names)}: {latency:.2f} s behind, and the time to compute", file=sys.stderr, flush=True)
        if str(out) == _PIPE:
            sink = _open_pipe_out(separator, names, options, encoding, header=given is None)
        else:
            paths = name_outputs(out / model, names, track=Path(name).stem, extension="wav", pattern=pattern)
            if not overwrite:
                _refuse_existing(paths.values())
            sink = stack.enter_context(
                open_stem_sink(
                    list(paths.values()),
                    sample_rate=options.sample_rate,
                    num_channels=options.num_channels,
                    encoding=encoding,
                    clip_mode="clamp",
                    sums_to_mixture=_sums(separator, options),
                )
            )
        started = time.perf_counter()
        try:
            num_samples = separate_live(separator, _until_asked(reader, options, separator), sink, options)
        except BrokenPipeError:  # who listened has heard enough
            return
        sink.finish()
        if not quiet:
            heard, spent = num_samples / options.sample_rate, time.perf_counter() - started
            print(f"{heard:.1f} s of sound in {spent:.1f} s", file=sys.stderr)


def _open_input(path: Path, stack: ExitStack) -> "tuple[ByteSource, str]":
    if str(path) == _PIPE:
        return sys.stdin.buffer, "standard input"
    try:
        return stack.enter_context(path.open("rb", buffering=0)), path.name
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}); give - or a device, a pipe, a file") from None


def _open_pipe_out(
    separator: "Separator", names: tuple[str, ...], options: "LiveOptions", encoding: "Encoding", *, header: bool
) -> "StemSink":
    """All stems beside each other on standard output."""
    from stemtune.data.pipe import PipeWriter, RawFormat
    from stemtune.separation.live import StemPipe
    from stemtune.separation.writing import integer_bits

    carried = RawFormat(encoding.sample_format, options.sample_rate, options.num_channels * len(names))
    writer = PipeWriter(sys.stdout.buffer, carried, header=header, name="standard output")
    return StemPipe(writer, bits=integer_bits(encoding), sums_to_mixture=_sums(separator, options))


def _sums(separator: "Separator", options: "LiveOptions") -> bool:
    """Whether what is handed out sums to the mixture."""
    consistent = options.separation.mixture_consistency and separator.complete and len(separator.stems) > 1
    return options.stem is None and (consistent or options.two_stems is not None)


def _refuse_existing(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} exists; give --overwrite to replace it, or choose another --out or --filename")


def _until_asked(reader: "PipeReader", options: "LiveOptions", separator: "Separator") -> "Iterator[Tensor]":
    """What comes, until it ends or Ctrl-C ends it: a live source has no other end."""
    block = max(1, options.block_samples(separator) * options.sample_rate // separator.sample_rate)
    with _interrupt_ends() as heard:
        blocks = reader.blocks(block)
        while not heard.asked:
            heard.waiting = True
            try:
                samples = next(blocks, None)
            except _Ended:
                return
            finally:
                heard.waiting = False
            if samples is None:
                return
            yield samples


class _Ended(BaseException):
    """Wakes up who waits for sound that does not come."""


class _Interrupt:
    asked = False
    waiting = False

    def __call__(self, number: int, frame: object) -> None:
        del number, frame
        self.asked = True
        if self.waiting:
            raise _Ended


@contextmanager
def _interrupt_ends() -> Generator[_Interrupt]:
    heard = _Interrupt()
    try:
        before = signal.signal(signal.SIGINT, heard)
    except ValueError:  # only the main thread may listen to signals
        yield heard
        return
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)
