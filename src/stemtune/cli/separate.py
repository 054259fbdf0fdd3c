"""``stemtune separate``: songs in, stems out; with Demucs's flags where they exist."""

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from stemtune.data.encoding import Encoding
    from stemtune.models.base import Separator
    from stemtune.separation.batch import BatchRequest, Job

__all__ = ["SEPARATE_EXAMPLES", "separate"]

SEPARATE_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune separate song.mp3` — four stems in separated/MODEL/song/\n\n"
    "`stemtune separate song.mp3 --two-stems vocals --flac` — vocals.flac and no_vocals.flac\n\n"
    "`stemtune separate album/ more/*.m4a -o stems/ -j 2` — whole folders; run it again to do only what is missing\n\n"
    "`stemtune separate song.wav --filename '{track} - {stem}.{ext}' --float32`\n\n"
    "`stemtune separate mix.stem.mp4 --audio-stream 0` — the mixture of a file with several audio streams\n\n"
    "`arecord -f cd -t wav | stemtune separate --stream - -o - --stem vocals | aplay` — live, with a stated latency\n\n"
    "`stemtune separate album/ --dry-run` — what it would do, how long it would take, how much disk it needs"
)

TERMINATED = 143
_MAX_BLOCK_SECONDS = 60.0


def separate(
    tracks: Annotated[
        list[Path] | None,
        typer.Argument(metavar="TRACKS...", help="Audio or video files, or folders of them.", show_default=False),
    ] = None,
    *,
    name: Annotated[str, typer.Option("--name", "-n", help="The model: its name, or its folder.")] = "default",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder for the stems; they go into its sub-folder MODEL.")
    ] = Path("separated"),
    filename: Annotated[
        str, typer.Option("--filename", help="What the stems are called within OUT/MODEL.")
    ] = "{track}/{stem}.{ext}",
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device", "-d", help="Where to compute.")
    ] = "auto",
    two_stems: Annotated[
        str | None, typer.Option("--two-stems", metavar="STEM", help="Only this stem, and all that is not this stem.")
    ] = None,
    segment: Annotated[
        float | None, typer.Option("--segment", help="Seconds that are separated at once; less needs less memory.")
    ] = None,
    overlap: Annotated[float, typer.Option("--overlap", help="Fraction that two segments share.")] = 0.25,
    shifts: Annotated[
        int, typer.Option("--shifts", help="Average so many shifted separations: slower, a little better.")
    ] = 0,
    int24: Annotated[bool, typer.Option("--int24", help="24 bits for each sample instead of 16.")] = False,
    float32: Annotated[bool, typer.Option("--float32", help="Floats instead of integers: nothing clips.")] = False,
    flac: Annotated[bool, typer.Option("--flac", help="Write FLAC.")] = False,
    mp3: Annotated[bool, typer.Option("--mp3", help="Write MP3.")] = False,
    mp3_bitrate: Annotated[int, typer.Option("--mp3-bitrate", help="In kbit/s.")] = 320,
    audio_format: Annotated[
        Literal["wav", "flac", "ogg", "opus", "mp3", "m4a"] | None,
        typer.Option("--format", help="Write this format; wav if not given."),
    ] = None,
    clip_mode: Annotated[
        Literal["rescale", "clamp", "none"],
        typer.Option("--clip-mode", help="If a stem is too loud: turn all stems down alike, clip it, or let it be."),
    ] = "rescale",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Tracks at once.")] = 1,
    mixture_consistency: Annotated[
        bool,
        typer.Option("--mixture-consistency/--no-mixture-consistency", help="Make the stems sum to the mixture."),
    ] = True,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option("--precision", help="bfloat16: less exact, often faster."),
    ] = "float32",
    audio_stream: Annotated[int, typer.Option("--audio-stream", min=0, help="Which of a file's audio streams.")] = 0,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Live, block by block: TRACKS is - or a device; -o - writes to standard output."),
    ] = False,
    raw: Annotated[
        str | None,
        typer.Option(
            "--raw", metavar="FORMAT:RATE:CHANNELS", help="Of a stream without a WAV header, such as int16:44100:2."
        ),
    ] = None,
    block: Annotated[
        float | None, typer.Option("--block", help="Seconds of a stream that are heard at a time; less lags less.")
    ] = None,
    stem: Annotated[str | None, typer.Option("--stem", help="Of a stream, only this stem.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Separate again what is done, and replace files of others.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and its costs; write nothing.")] = False,
    progress: Annotated[
        Literal["bar", "json", "none"],
        typer.Option("--progress", help="A bar on stderr, one JSON object per line on stdout, or nothing."),
    ] = "bar",
    list_models: Annotated[bool, typer.Option("--list-models", help="List the models, and stop.")] = False,
) -> None:
    """Separate songs into stems.

    Stems have the rate, channels and length of the song, and sum to it. Folders are searched for audio. What an
    earlier run has done is not done again. The exit code is 0 if all went well, 1 if a track failed.

    A stream (--stream) is separated while it is heard; Ctrl-C ends it. What is too loud in it is clipped.
    """
    if list_models:
        from stemtune.cli.models import list_all

        return list_all(as_json=False)
    if not tracks:
        raise UsageError("no tracks; name audio files or folders, such as: stemtune separate song.mp3")
    live_only = {"--raw": raw, "--block": block, "--stem": stem}
    if not stream and (given := [flag for flag, value in live_only.items() if value is not None]):
        raise UsageError(f"{given[0]} is for --stream")
    if stream and dry_run:
        raise UsageError("--dry-run tells what files would cost; a stream has no length")
    if block is not None and not 0 < block <= _MAX_BLOCK_SECONDS:
        raise UsageError(f"--block {block:g}: expected seconds, more than 0 and at most {_MAX_BLOCK_SECONDS:g}")
    from stemtune.config import parse
    from stemtune.hub import find_card, load
    from stemtune.separation.batch import BatchRequest, plan_batch
    from stemtune.separation.options import SeparationOptions, choose_device

    options = parse(
        SeparationOptions,
        {
            "overlap": overlap,
            "segment_seconds": segment,
            "shifts": shifts,
            "mixture_consistency": mixture_consistency,
            "precision": precision,
            "device": device,
        },
    )
    encoding = _encoding(audio_format, flac=flac, mp3=mp3, int24=int24, float32=float32, mp3_bitrate=mp3_bitrate)
    with _terminable():
        separator = load(name).to(choose_device(device))
        if stream:
            from stemtune.cli.separate_live import separate_stream_of

            separate_stream_of(
                separator,
                tracks,
                out=out,
                model=find_card(name).name,
                pattern=filename,
                encoding=encoding,
                separation=options,
                raw=raw,
                block_seconds=block,
                two_stems=two_stems,
                stem=stem,
                overwrite=overwrite,
                quiet=progress == "none",
            )
            return None
        request = BatchRequest(
            folder=out / find_card(name).name,
            pattern=filename,
            extension=encoding.container,
            encoding=encoding,
            clip_mode=clip_mode,
            two_stems=two_stems,
            stream=audio_stream,
            options=options,
            overwrite=overwrite,
        )
        planned = plan_batch(separator, tracks, request)
        run = _estimate if dry_run else _run
        num_failed = run(separator, planned, request, jobs=jobs, progress=progress)
    if num_failed:
        raise typer.Exit(1)
    return None


def _run(separator: "Separator", planned: "list[Job]", request: "BatchRequest", *, jobs: int, progress: str) -> int:
    from stemtune.cli.separate_progress import open_display
    from stemtune.separation.batch import run_batch

    with open_display(progress, num_tracks=len(planned), folder=request.folder) as display:
        return run_batch(separator, planned, request, num_workers=jobs, on_event=display.show)


def _estimate(
    separator: "Separator", planned: "list[Job]", request: "BatchRequest", *, jobs: int, progress: str
) -> int:
    """Print what a run would do and cost; the number of tracks that would fail at once."""
    from stemtune.cli.separate_progress import print_error, print_estimate
    from stemtune.data.audio import probe
    from stemtune.data.audio_info import AudioInfo
    from stemtune.errors import StemtuneError
    from stemtune.separation.estimate import estimate_cost
    from stemtune.separation.files import output_stems

    del jobs
    infos: list[AudioInfo] = []
    ready: list[Job] = []
    num_failed = 0
    for job in planned:
        try:
            if job.problem is not None:
                raise job.problem
            if not job.is_done:
                infos.append(probe(job.source, stream=request.stream))
                ready.append(job)
        except StemtuneError as error:
            num_failed += 1
            print_error(str(error))
    cost = estimate_cost(
        separator,
        infos,
        num_stems=len(output_stems(separator.stems, request.two_stems)),
        options=request.options,
        encoding=request.encoding,
        clip_mode=request.clip_mode,
    )
    num_done = sum(job.is_done for job in planned)
    print_estimate(cost, ready, num_done=num_done, num_failed=num_failed, as_json=progress == "json")
    return num_failed


def _encoding(
    audio_format: str | None, *, flac: bool, mp3: bool, int24: bool, float32: bool, mp3_bitrate: int
) -> "Encoding":
    from stemtune.data.encoding import Encoding

    wanted = {name for name, given in (("flac", flac), ("mp3", mp3), (audio_format, True)) if given and name}
    if len(wanted) > 1:
        raise UsageError(f"one format at a time; {' and '.join(sorted(wanted))} were asked for")
    if int24 and float32:
        raise UsageError("--int24 and --float32 exclude each other; give one of them")
    container = wanted.pop() if wanted else "wav"
    if (int24 or float32) and container not in ("wav", "flac"):
        raise UsageError(f"--{'int24' if int24 else 'float32'} is for wav and flac; {container} has no sample format")
    sample_format = "int24" if int24 else "float32" if float32 else "int16"
    return Encoding(  # which checks what it is given
        container,  # pyright: ignore[reportArgumentType]
        sample_format,
        mp3_bitrate if container == "mp3" else None,
    )


@contextmanager
def _terminable() -> Generator[None, None, None]:
    """SIGTERM ends the command as Ctrl-C does: nothing half-written stays, and one line says so."""

    def stop(number: int, frame: object) -> None:
        del number, frame
        raise SystemExit(TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # only the main thread may listen to signals
        yield
        return
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        why = "interrupted" if isinstance(error, KeyboardInterrupt) else "terminated"
        print(f"error: {why}; finished tracks are kept, nothing else is left behind", file=sys.stderr)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
