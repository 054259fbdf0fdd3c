"""The quicker LSTM is torch's LSTM."""

import pytest
import torch

from stemtune.nn.lstm import BidirectionalLSTM


def pair(num_layers: int) -> tuple[BidirectionalLSTM, torch.nn.LSTM]:
    torch.manual_seed(0)
    ours = BidirectionalLSTM(6, 5, num_layers)
    return ours, ours.weights


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("num_frames", [1, 2, 9])
@pytest.mark.parametrize("batch", [1, 3])
def test_outputs_and_gradients_are_those_of_torch(num_layers: int, num_frames: int, batch: int) -> None:
    ours, theirs = (module.double() for module in pair(num_layers))
    x = torch.randn(num_frames, batch, 6, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(num_frames, batch, 10, dtype=torch.float64)
    expected = theirs(x)[0]
    (expected * pull).sum().backward()
    gradients = [x.grad, *(p.grad for p in theirs.parameters())]
    x.grad = None
    ours.zero_grad()
    answer = ours(x)
    (answer * pull).sum().backward()
    torch.testing.assert_close(answer, expected)
    for found, wanted in zip([x.grad, *(p.grad for p in ours.parameters())], gradients, strict=True):
        torch.testing.assert_close(found, wanted)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), expected)


def test_two_cores_give_what_one_gives() -> None:
    ours, _ = pair(2)
    x = torch.randn(20, 2, 6)
    with torch.no_grad():
        one = ours(x)
        torch.set_num_threads(2)
        try:
            assert torch.equal(ours(x), one)
        finally:
            torch.set_num_threads(1)


def test_bfloat16_is_close_and_its_gradients_are_too() -> None:
    ours, _ = pair(2)
    x = torch.randn(12, 2, 6)
    ours(x).square().sum().backward()
    exact = [p.grad.clone() for p in ours.parameters() if p.grad is not None]
    ours.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        answer = ours(x)
    answer.float().square().sum().backward()
    for parameter, wanted in zip(ours.parameters(), exact, strict=True):
        assert parameter.grad is not None
        assert (parameter.grad - wanted).norm() < 0.05 * wanted.norm()


def test_dropout_is_between_layers_and_in_training_only() -> None:
    torch.manual_seed(0)
    ours = BidirectionalLSTM(6, 5, 2, dropout_probability=0.5)
    x = torch.randn(9, 2, 6)
    assert not torch.equal(ours(x), ours(x))
    ours.eval()
    assert torch.equal(ours(x), ours(x))
