"""The folded layer equals the layer, step by step."""

import pytest
import torch

from stemtune.nn.normalisation import NormalisedLinear


def layer(input_bins: int | None, output_bins: int | None) -> NormalisedLinear:
    torch.manual_seed(0)
    made = NormalisedLinear(6, 8, input_bins=input_bins, output_bins=output_bins)
    for _ in range(3):
        made.train()(torch.randn(2, 5, 6))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return made.eval()


@pytest.mark.parametrize("input_bins", [None, 3, 6])
@pytest.mark.parametrize("output_bins", [None, 4, 8])
def test_folding_changes_nothing(input_bins: int | None, output_bins: int | None) -> None:
    made = layer(input_bins, output_bins)
    x = torch.randn(2, 5, 6)
    expected = x
    if made.input_mean is not None and made.input_scale is not None:
        expected = (expected + made.input_mean.repeat(6 // input_bins)) * made.input_scale.repeat(6 // input_bins)
    expected = made.norm((expected @ made.linear.weight.T).reshape(10, 8)).reshape(2, 5, 8)
    if made.output_mean is not None and made.output_scale is not None:
        expected = expected * made.output_scale.repeat(8 // output_bins) + made.output_mean.repeat(8 // output_bins)
    torch.testing.assert_close(made(x), expected)
    torch.testing.assert_close(made.folded()(x), expected)


def test_training_normalises_over_all_frames_of_the_batch() -> None:
    y = layer(3, None).train()(torch.randn(4, 50, 6))
    made = layer(3, None)
    torch.testing.assert_close(y.mean(dim=(0, 1)), made.norm.bias.detach(), atol=1e-5, rtol=1e-5)


def test_folding_follows_autocast() -> None:
    made = layer(3, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert made.folded().weight.dtype == torch.bfloat16
    assert made.folded().weight.dtype == torch.float32
