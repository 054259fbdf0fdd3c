"""An observer sees the network while it learns, in evaluation mode, and changes nothing."""

from pathlib import Path

import torch

from stemtune.models import Separator
from stemtune.training.loop import Observer
from stemtune.training.phase import Execution
from stemtune.training.run import train
from tests.training.miniature import tiny_experiment

EXECUTION = Execution(device="cpu", num_workers=0, threads=1)


def test_an_observer_sees_every_so_many_steps_and_changes_nothing(songs: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, bool]] = []

    def look(number: int, step: int, separator: Separator) -> None:
        seen.append((number, step, separator.training))
        torch.rand(1)

    experiment = tiny_experiment(songs, steps=5)
    watched = train(experiment, tmp_path / "a", execution=EXECUTION, quiet=True, observer=Observer(2, look))
    alone = train(experiment, tmp_path / "b", execution=EXECUTION, quiet=True)
    assert seen == [(0, 2, False), (0, 4, False), (0, 5, False)]
    for name, value in alone.separator.state_dict().items():
        assert torch.equal(watched.separator.state_dict()[name], value), name


def test_an_observer_may_end_a_phase_and_that_is_remembered(songs: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    watch = Observer(2, lambda _, step, __: seen.append(step), enough=lambda: len(seen) >= 2)
    first = train(tiny_experiment(songs, steps=9), tmp_path, execution=EXECUTION, quiet=True, observer=watch)
    assert (first.finished, first.steps, seen) == (True, 4, [2, 4])
    again = train(tiny_experiment(songs, steps=9), tmp_path, execution=EXECUTION, quiet=True, observer=watch)
    assert (again.finished, again.steps, seen) == (True, 4, [2, 4])
