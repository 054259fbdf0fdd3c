"""Many tracks: each by itself, resumable, with a report for every one.

A track that fails is reported and the others go on. After each one a manifest in the output folder is brought up to
date, so that the same command, given again, does what is missing and nothing else:

    run(run(inputs)) = run(inputs).
"""

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stemtune.config import Frozen, fingerprint
from stemtune.data.audio import probe
from stemtune.data.encoding import Encoding
from stemtune.errors import OutputError, StemtuneError, UsageError
from stemtune.models.base import Separator
from stemtune.separation.files import FileResult, name_outputs, output_stems, separate_file
from stemtune.separation.inputs import Found, find_inputs, name_tracks
from stemtune.separation.manifest import (
    MANIFEST_FILE,
    Manifest,
    ManifestEntry,
    load_manifest,
    model_fingerprint,
    save_manifest,
)
from stemtune.separation.network import available_cores
from stemtune.separation.options import SeparationOptions
from stemtune.separation.writing import ClipMode
from stemtune.types import StemSet

__all__ = ["BatchRequest", "Job", "JobEvent", "plan_batch", "run_batch"]


class BatchRequest(Frozen):
    """All that is asked for, but the inputs and the model."""

    folder: Path
    pattern: str = "{track}/{stem}.{ext}"
    extension: str = "wav"
    encoding: Encoding = Encoding("wav")
    clip_mode: ClipMode = "rescale"
    two_stems: str | None = None
    stream: int = 0
    options: SeparationOptions = SeparationOptions()
    overwrite: bool = False

    def fingerprint(self) -> str:
        """Of what changes the samples that are written; not of where, how fast and how often."""
        speed = SeparationOptions()
        options = self.options.model_copy(
            update={name: getattr(speed, name) for name in ("batch_size", "threads", "device")}
        )
        return fingerprint(self.model_copy(update={"folder": Path(), "overwrite": False, "options": options}))


@dataclass(frozen=True)
class Job:
    """One track of a batch.

    Attributes:
        source: the input, absolute.
        track: the name that its outputs have in common.
        folder: that all outputs of the batch lie in.
        outputs: where its stems go.
        is_done: whether an earlier run has made just these.
        problem: why it cannot be separated, as far as that is known before.
    """

    source: Path
    track: str
    folder: Path
    outputs: StemSet[Path]
    is_done: bool = False
    problem: StemtuneError | None = None


@dataclass(frozen=True)
class JobEvent:
    """Something happened to a track.

    Attributes:
        kind: what; every track ends in one of "done", "skipped" and "failed".
        job: which track.
        seconds_done: how much of the track is separated.
        seconds_total: how long the track is, or is thought to be; None if unknown.
        result: of a track that is done.
        error: of a track that failed.
    """

    kind: Literal["start", "progress", "done", "skipped", "failed"]
    job: Job
    seconds_done: float = 0.0
    seconds_total: float | None = None
    result: FileResult | None = None
    error: StemtuneError | None = None


OnEvent = Callable[[JobEvent], None]


def _ignore(event: JobEvent) -> None:
    del event


def plan_batch(separator: Separator, inputs: Sequence[Path], request: BatchRequest) -> list[Job]:
    """What there is to do, without doing it.

    Raises:
        UsageError: for an unknown stem, an unusable pattern, or a manifest that is none.
    """
    stems = output_stems(separator.stems, request.two_stems)
    manifest = load_manifest(request.folder)
    found = find_inputs(inputs)
    known = {Path(source): entry.track for source, entry in manifest.inputs.items()}
    names = name_tracks(found, known)
    owners = {output: source for source, entry in manifest.inputs.items() for output in entry.outputs.values()}
    planned: dict[str, Path] = {}
    options, model = request.fingerprint(), model_fingerprint(separator)

    def plan(item: Found) -> Job:
        track = names[item.path]
        outputs = name_outputs(request.folder, stems, track=track, extension=request.extension, pattern=request.pattern)
        for output in outputs.values():
            other = planned.setdefault(str(output).casefold(), item.path)
            if other != item.path:
                raise UsageError(
                    f"{item.path} and {other} would both be written to {output}; add {{track}} to --filename"
                )
        entry = manifest.inputs.get(str(item.path))
        is_done = (
            not request.overwrite
            and entry is not None
            and entry.is_current(request.folder, source=item.path, options=options, model=model)
        )
        problem: StemtuneError | None = item.problem
        if not is_done and not request.overwrite and problem is None:
            problem = _foreign(outputs, request.folder, owners, item.path)
        return Job(item.path, track, request.folder, outputs, is_done=is_done, problem=problem)

    return [plan(item) for item in found]


def run_batch(
    separator: Separator,
    jobs: Sequence[Job],
    request: BatchRequest,
    *,
    num_workers: int = 1,
    on_event: OnEvent | None = None,
) -> int:
    """Separate every track that is not done yet.

    Args:
        separator: in evaluation mode, on the device where it shall compute.
        jobs: from `plan_batch`.
        request: the one that was planned for.
        num_workers: tracks at once; they share the cores.
        on_event: is told what happens, in the calling thread for all but "start" and "progress".

    Returns:
        how many tracks failed.
    """
    tell = on_event or _ignore
    manifest, num_failed = load_manifest(request.folder), 0
    options, model = request.fingerprint(), model_fingerprint(separator)
    for job in jobs:
        if job.is_done:
            tell(JobEvent("skipped", job))
    todo = [job for job in jobs if not job.is_done]
    with closing(_outcomes(separator, todo, request, num_workers, tell)) as outcomes:
        for event, seconds in outcomes:
            num_failed += event.kind == "failed"
            if event.job.source.is_file():
                before = manifest.inputs.get(str(event.job.source))
                entry = _entry(event, before, options=options, model=model, seconds=seconds)
                manifest = manifest.with_entry(event.job.source, entry)
                _remember(manifest, request.folder, failed=event.kind == "failed")
            tell(event)
    return num_failed


class _Cancelled(BaseException):
    """Stops a track in another thread, through its progress report."""


def _outcomes(
    separator: Separator, jobs: list[Job], request: BatchRequest, num_workers: int, tell: OnEvent
) -> Generator[tuple[JobEvent, float], None, None]:
    """The last event of each job, with the seconds that it took, as they are finished."""
    if num_workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield _separate(separator, job, request, tell)
        return
    share = request.options.threads or max(1, available_cores() // num_workers)
    options = request.options.model_copy(update={"threads": share})
    request = request.model_copy(update={"options": options})
    cancelled = threading.Event()

    def tell_or_stop(event: JobEvent) -> None:
        if cancelled.is_set():
            raise _Cancelled
        tell(event)

    with ThreadPoolExecutor(num_workers, thread_name_prefix="track") as pool:
        futures = [pool.submit(_separate, separator, job, request, tell_or_stop) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _separate(separator: Separator, job: Job, request: BatchRequest, tell: OnEvent) -> tuple[JobEvent, float]:
    begin = time.perf_counter()
    if job.problem is not None:
        return JobEvent("failed", job, error=job.problem), 0.0
    try:
        info = probe(job.source, stream=request.stream)
        tell(JobEvent("start", job, 0.0, info.duration_seconds))
        result = separate_file(
            separator,
            job.source,
            job.outputs,
            options=request.options,
            encoding=request.encoding,
            clip_mode=request.clip_mode,
            two_stems=request.two_stems,
            stream=request.stream,
            on_progress=lambda samples: tell(
                JobEvent("progress", job, samples / info.sample_rate, info.duration_seconds)
            ),
        )
    except StemtuneError as error:
        return JobEvent("failed", job, error=error), time.perf_counter() - begin
    except Exception as unexpected:  # one track must not cost the others, whatever is wrong with it
        error = StemtuneError(f"{job.source}: unexpected {type(unexpected).__name__}: {unexpected}")
        error.__cause__ = unexpected
        return JobEvent("failed", job, error=error), time.perf_counter() - begin
    duration = result.num_samples / result.sample_rate
    return JobEvent("done", job, duration, duration, result=result), result.seconds


def _entry(event: JobEvent, before: ManifestEntry | None, *, options: str, model: str, seconds: float) -> ManifestEntry:
    job, result = event.job, event.result
    state = job.source.stat()
    outputs = before.outputs if before else {}
    if result is not None:
        outputs = {stem: path.relative_to(job.folder).as_posix() for stem, path in result.outputs.items()}
    return ManifestEntry(
        status="done" if result else "failed",
        reason=None if event.error is None else str(event.error),
        track=job.track,
        outputs=outputs,
        input_bytes=state.st_size,
        input_mtime_ns=state.st_mtime_ns,
        options=options,
        model=model,
        duration_seconds=event.seconds_done if result else None,
        gain=result.gain if result else None,
        seconds=round(seconds, 3),
    )


def _remember(manifest: Manifest, folder: Path, *, failed: bool) -> None:
    if failed and not folder.is_dir():
        return  # no folder only to say that nothing is in it
    try:
        save_manifest(manifest, folder)
    except OutputError:
        if not failed:  # a folder that cannot be written is what the failure itself is about
            raise


def _foreign(outputs: StemSet[Path], folder: Path, owners: Mapping[str, str], source: Path) -> OutputError | None:
    """Files that were not made from the same input are not overwritten unasked."""
    for path in outputs.values():
        if path.exists() and owners.get(path.relative_to(folder).as_posix()) != str(source):
            return OutputError(
                f"{path} exists, and was not made from {source}, says {MANIFEST_FILE}; "
                "give --overwrite to replace it, or choose another output folder"
            )
    return None
