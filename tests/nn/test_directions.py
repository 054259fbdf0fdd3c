"""Fused directions are the sigmoid and the normalisation one after the other, and so is their gradient."""

import pytest
import torch
from torch.nn import functional

from stemtune.nn import directions
from stemtune.nn.directions import Bounded, unit_directions


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("block_values", [1, 100, 1 << 17])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_fused_equals_separate(
    activation: Bounded, block_values: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directions, "_BLOCK_VALUES", block_values)
    generator = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(2, 7, 5 * 4, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()
    fused = unit_directions(logits, num_axes=4, activation=activation)
    pull = torch.randn(2, 7, 5, 4, generator=generator, dtype=torch.float64).to(fused.dtype)
    activated = getattr(torch, activation)(logits.to(pull.dtype).view(2, 7, 5, 4))
    plain = functional.normalize(activated, dim=-1)
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-12, torch.bfloat16: 1e-2}[dtype]
    torch.testing.assert_close(fused, plain, rtol=0, atol=tolerance)
    (gradient,) = torch.autograd.grad((fused * pull).sum(), logits)
    (expected,) = torch.autograd.grad((plain * pull).sum(), logits)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=3 * tolerance)


def test_logits_that_underflow_give_finite_directions() -> None:
    logits = torch.full((1, 1, 4), -200.0, requires_grad=True)
    directed = unit_directions(logits, num_axes=4, activation="sigmoid")
    directed.sum().backward()
    assert torch.isfinite(directed).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_views_of_a_larger_product_are_taken_as_they_are() -> None:
    both = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        unit_directions(both[..., :12], num_axes=4, activation="tanh"),
        unit_directions(both[..., :12].clone(), num_axes=4, activation="tanh"),
    )
