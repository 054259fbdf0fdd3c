"""Running an experiment: its phases one after the other, in a folder that remembers how far it came.

    FOLDER/experiment.json
           1-PHASE/log.csv  tensorboard/  checkpoints/step-00000100/  best/step-00000050/

Start it again to continue, after a kill, a Ctrl-C or a time limit. A folder belongs to one experiment for ever: what
would silently mix two is refused.
"""

import json
import math
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from stemtune.config import fingerprint, parse
from stemtune.data.files import write_text_atomically
from stemtune.data.memory import keep_freed_memory
from stemtune.errors import ConfigError, InputError, OutputError
from stemtune.models import Separator
from stemtune.training.loop import Interrupted, Observer, PhaseRun, fresh_network
from stemtune.training.phase import Execution, Experiment
from stemtune.training.preflight import check_data
from stemtune.training.teachers import check_listeners

__all__ = ["TrainingResult", "read_experiment", "train"]


@dataclass(frozen=True)
class TrainingResult:
    """Where training stands.

    Attributes:
        separator: in evaluation mode, with the weights that validated best in the last phase (or its last ones).
        finished: False if training was interrupted; start it again to go on.
        best_score: mean ``sdr_global`` in dB of the last phase's best validation, if it had one.
        steps: done in the phase where training stands.
        learned: what the last phase's objective learnt for itself, such as Con-Reg's map; empty for most objectives.
    """

    separator: Separator
    finished: bool
    best_score: float | None
    steps: int
    learned: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])


def train(
    experiment: Experiment,
    folder: Path,
    *,
    execution: Execution,
    quiet: bool = False,
    observer: Observer | None = None,
) -> TrainingResult:
    """Run or continue an experiment; ``observer`` may look at the network while it learns.

    Raises:
        ConfigError: if the folder holds another experiment.
        InputError: if data are missing or broken.
        OutputError: if the folder cannot be written.
    """
    check_listeners(experiment)
    _claim(folder, experiment)
    if execution.check_data:
        check_data(experiment, folder, quiet=quiet)
    keep_freed_memory()
    if execution.threads:
        torch.set_num_threads(execution.threads)
    accelerator = Accelerator(cpu=execution.device == "cpu")
    separator = fresh_network(experiment, seed=experiment.seed)
    weights: Mapping[str, Tensor] | None = None
    finished = True
    run: PhaseRun | None = None
    with _stop_signals(execution.max_minutes) as stopped:
        for number, phase in enumerate(experiment.phases):
            run = PhaseRun(
                experiment,
                number,
                folder / f"{number + 1}-{phase.name}",
                execution=execution,
                accelerator=accelerator,
                previous=weights,
            )
            try:
                run(stopped=stopped, quiet=quiet, observer=observer)
            except Interrupted:
                finished = False
            weights = run.best_weights()
            if not finished:
                break
    if weights is not None:
        separator.load_state_dict(weights)
    return TrainingResult(
        separator=separator.eval(),
        finished=finished,
        best_score=run.state.best_score if run else None,
        steps=run.state.step if run else 0,
        learned=run.learned_beside() if run else {},
    )


def read_experiment(path: Path) -> Experiment:
    """Read an experiment from a JSON file.

    Raises:
        InputError: if the file cannot be read or is not JSON.
        ConfigError: if it is not a valid experiment.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); expected an experiment file") from None
    return parse(Experiment, data, origin=str(path))


def _claim(folder: Path, experiment: Experiment) -> None:
    """Note the experiment in its folder, or check that the folder is already its own."""
    path = folder / "experiment.json"
    if path.exists():
        earlier = read_experiment(path)
        if fingerprint(earlier) != fingerprint(experiment):
            raise ConfigError(
                f"{folder}: holds another experiment ({earlier.name!r}, fingerprint {fingerprint(earlier)}; this is "
                f"{experiment.name!r}, {fingerprint(experiment)}); choose another folder or remove this one"
            )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error}); choose another folder") from None
    write_text_atomically(path, experiment.model_dump_json(indent=2) + "\n")


@contextmanager
def _stop_signals(max_minutes: float | None) -> Generator[Callable[[], bool]]:
    """Ask a function whether it is time to stop: after Ctrl-C, SIGTERM or the time limit. A second Ctrl-C is hard."""
    deadline = time.monotonic() + max_minutes * 60 if max_minutes else math.inf
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        del frame
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked or time.monotonic() > deadline
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
