"""Work on several cores: the same results, and nothing left behind."""

import threading

import pytest
import torch

from stemtune.nn.parallel import map_on_cores


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_results_come_in_order_and_on_cores_of_their_own(two_threads: None) -> None:
    barrier = threading.Barrier(2, timeout=10)

    def work(item: int) -> tuple[int, int]:
        if item < 2:
            barrier.wait()
        return item, torch.get_num_threads()

    with torch.no_grad():
        assert map_on_cores(work, range(5)) == [(item, 1) for item in range(5)]
    assert torch.get_num_threads() == 2


def test_workers_see_the_callers_modes(two_threads: None) -> None:
    def modes(_: int) -> tuple[bool, bool, bool]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")

    with torch.no_grad():
        assert map_on_cores(modes, range(2)) == [(False, False, False)] * 2
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert map_on_cores(modes, range(2)) == [(False, True, True)] * 2


def test_gradients_are_recorded_by_the_caller(two_threads: None) -> None:
    x = torch.ones(2, requires_grad=True)
    first, second = map_on_cores(lambda factor: factor * x, [2, 3])
    (first.sum() + second.sum()).backward()
    assert torch.equal(x.grad, torch.tensor([5.0, 5.0]))


def test_errors_come_through_and_threads_are_restored(two_threads: None) -> None:
    def fail(item: int) -> int:
        raise ValueError(item)

    with torch.no_grad(), pytest.raises(ValueError, match="0"):
        map_on_cores(fail, range(4))
    assert torch.get_num_threads() == 2
