"""Shifted products are convolutions, forwards and backwards."""

import pytest
import torch
from torch.nn import functional

from stemtune.nn.scaled_conv import shifted_products


@pytest.mark.parametrize("gain", [1.0, 0.3])
@pytest.mark.parametrize("shifts", [(0, 1, 2), (0, -1), (-1, 0, 1), (2,), (0, 40)])
def test_products_and_gradients_are_those_of_the_sum(shifts: tuple[int, ...], gain: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(12, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(len(shifts), 3, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, dtype=torch.float64, requires_grad=True)

    def plain(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(x, (0, 0, 50, 50))
        return bias + gain * sum(padded[50 + s : 62 + s] @ w for s, w in zip(shifts, weight, strict=True))

    def ours(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return shifted_products([(x, s) for s in shifts], weight=weight, bias=bias, gain=gain)

    torch.testing.assert_close(ours(x, weight, bias), plain(x, weight, bias))
    assert torch.autograd.gradcheck(ours, (x, weight, bias))


def test_different_inputs_may_be_longer_than_the_result() -> None:
    x, longer = torch.randn(4, 3), torch.randn(9, 3)
    weight = torch.randn(2, 3, 5)
    y = shifted_products([(x, 0), (longer, 3)], weight=weight, bias=torch.zeros(5), gain=1.0)
    torch.testing.assert_close(y, x @ weight[0] + longer[3:7] @ weight[1])
    y = shifted_products([(x, 0), (longer, 7)], weight=weight, bias=torch.zeros(5), gain=1.0)
    torch.testing.assert_close(y[2:], x[2:] @ weight[0])


def test_autocast_decides_the_precision() -> None:
    x, weight = torch.randn(9, 3), torch.randn(1, 3, 5)
    with torch.autocast("cpu", torch.bfloat16):
        low = shifted_products([(x, 0)], weight=weight, bias=torch.ones(5), gain=2.0)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), 1 + 2 * x @ weight[0], rtol=0.03, atol=0.03)
