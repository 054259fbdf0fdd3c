"""A batch that serves several steps: its sources are dealt out anew, nothing is lost, and a resume goes on alike."""

from pathlib import Path

import torch

from stemtune.training.echo import echoed, exchange_sources
from stemtune.training.phase import Execution
from stemtune.training.run import train
from tests.training.miniature import tiny_experiment
from tests.training.test_resume import assert_equal_bits, weights

EXECUTION = Execution(device="cpu", num_workers=0, threads=1, checkpoint_every_steps=1)


def test_each_stem_keeps_its_sources_and_meets_others() -> None:
    sources = torch.arange(8 * 3).reshape(8, 3, 1, 1).float()
    dealt = exchange_sources(sources, seed=1)
    assert isinstance(dealt, torch.Tensor)
    for stem in range(3):
        assert sorted(dealt[:, stem].flatten().tolist()) == sources[:, stem].flatten().tolist()
    owners = dealt[:, :, 0, 0] // 3
    assert any(len(set(row.tolist())) > 1 for row in owners)
    assert not torch.equal(dealt, exchange_sources(sources, seed=2))


def test_what_was_heard_goes_with_its_source() -> None:
    sources, features = torch.randn(6, 2, 1, 5), torch.randn(6, 2, 4, 3)
    dealt, heard = exchange_sources((sources, features), seed=0)
    for example in range(6):
        for stem in range(2):
            owner = int((sources[:, stem] == dealt[example, stem]).all(dim=(1, 2)).nonzero())
            assert torch.equal(heard[example, stem], features[owner, stem])


def test_batches_are_repeated_and_only_the_repetitions_are_mixed_again() -> None:
    loaded = [torch.full((4, 2, 1, 1), float(number)) + torch.arange(4).reshape(4, 1, 1, 1) / 10 for number in range(3)]
    source = iter(loaded[1:])
    batches = echoed(lambda: next(source), repeats=3, first=4, seed=lambda number: number)
    found = [next(batches) for _ in range(3)]
    assert [int(batch[0, 0, 0, 0]) for batch in found] == [1, 1, 2]  # batches 4, 5 and 6 of a training
    assert not torch.equal(found[0], loaded[1])
    assert torch.equal(found[2], loaded[2])


def test_a_resumed_run_equals_one_that_never_stopped(songs: Path, tmp_path: Path) -> None:
    description = tiny_experiment(songs, steps=5, batch_size=3, echo=3)
    train(description, tmp_path / "whole", execution=EXECUTION, quiet=True)
    for _ in range(2):
        stopped = train(
            description, tmp_path / "parts", execution=EXECUTION.override({"max_minutes": 1e-9}), quiet=True
        )
        assert not stopped.finished
    train(description, tmp_path / "parts", execution=EXECUTION, quiet=True)
    assert_equal_bits(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    other = tiny_experiment(songs, steps=5, batch_size=3, echo=1)
    train(other, tmp_path / "other", execution=EXECUTION, quiet=True)
    assert any(
        not torch.equal(value, weights(tmp_path / "whole")[name]) for name, value in weights(tmp_path / "other").items()
    )
