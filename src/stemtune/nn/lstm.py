"""A bidirectional LSTM that learns several times faster on processors.

    i, f, o = sigmoid(W x_t + U h_{t-1} + b),  g = tanh(...),  c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)

PyTorch adds every step's outer product to the gradient of ``U``, which at 1536 units writes 38 MB per step. Here each
direction keeps the gradients of all gates and makes one product of them,

    dU = sum over t of  dgates_t h_{t-1}^T  =  dGates^T H,

and on processors the two directions run on cores of their own. bfloat16 (autocast) is for the products; gates and
cells stay in float32.

References: Hochreiter and Schmidhuber, "Long short-term memory", 1997. Equal to `torch.nn.LSTM`, whose parameters it
keeps under their names (``tests/nn/test_lstm.py``).
Deviations: none known.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from stemtune.nn.parallel import map_on_cores

__all__ = ["BidirectionalLSTM"]


class BidirectionalLSTM(nn.Module):
    """Layers of two LSTMs each, one of which hears time backwards.

    Args:
        input_size: features per frame.
        hidden_size: of each direction.
        num_layers: each hears both directions of the one below.
        dropout_probability: between layers.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, *, dropout_probability: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout_probability if num_layers > 1 else 0.0
        self.weights = nn.LSTM(input_size, hidden_size, num_layers, bidirectional=True, dropout=self.dropout)

    def forward(self, x: Float[Tensor, "frame batch feature"]) -> Float[Tensor, "frame batch both_directions"]:
        """Both directions' outputs, side by side."""
        if x.device.type != "cpu":
            return self.weights(x)[0]
        device = x.device.type
        low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        for layer in range(self.weights.num_layers):
            if layer and self.dropout and self.training:
                x = functional.dropout(x, self.dropout)
            directions = [(x, self._parameters_of(layer, suffix), bool(suffix), low) for suffix in ("", "_reverse")]
            x = torch.cat(map_on_cores(_run, directions), dim=-1)
        return x

    def _parameters_of(self, layer: int, suffix: str) -> Sequence[Tensor]:
        names = (f"{kind}_l{layer}{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        return [cast("Tensor", getattr(self.weights, name)) for name in names]


def _run(direction: tuple[Tensor, Sequence[Tensor], bool, torch.dtype | None]) -> Tensor:
    x, (weight_ih, weight_hh, bias_ih, bias_hh), backwards, low = direction
    with torch.autocast("cpu", enabled=False):
        if low is not None:
            x, weight_ih, weight_hh = x.to(low), weight_ih.to(low), weight_hh.to(low)
        if x.shape[1] == 1 and low is None and not torch.is_grad_enabled():  # where torch's own is the quickest
            return _run_by_torch(x, weight_ih, weight_hh, bias_ih, bias_hh, backwards=backwards)
        frames = x.shape[:2]
        heard = functional.linear(x.flatten(0, 1), weight_ih).to(bias_ih.dtype).add_(bias_ih + bias_hh)
        return cast("Tensor", _Recurrence.apply(heard.unflatten(0, frames), weight_hh, backwards))


def _run_by_torch(x: Tensor, *parameters: Tensor, backwards: bool) -> Tensor:
    start = x.new_zeros(1, x.shape[1], parameters[1].shape[1])
    sequence = x.flip(0) if backwards else x
    outputs, _, _ = torch.lstm(
        sequence, (start, start), parameters, True, num_layers=1, dropout=0.0, train=False, bidirectional=False,
        batch_first=False,
    )  # fmt: skip
    return outputs.flip(0) if backwards else outputs


class _Recurrence(torch.autograd.Function):
    """From what the gates hear of the input, ``frame batch (gate unit)``, to the outputs of one direction."""

    @staticmethod
    def forward(ctx: Any, heard: Tensor, weight_hh: Tensor, backwards: bool) -> Tensor:
        """Step by step; keeps gates and cells for the gradient."""
        num_frames, batch, width = heard.shape
        units, low = width // 4, weight_hh.dtype
        keeps = any(ctx.needs_input_grad)
        outputs = heard.new_empty(num_frames, batch, units)
        gates = heard.clone() if keeps else heard  # ours alone otherwise
        cells = heard.new_zeros(num_frames if keeps else 1, batch, units)
        weight = weight_hh if low == torch.bfloat16 else weight_hh.t()  # what its products are quickest with
        cell, hidden = heard.new_zeros(batch, units), heard.new_zeros(batch, units)
        for position in range(num_frames):
            frame = num_frames - 1 - position if backwards else position
            gate = gates[frame]
            if position:
                if low == torch.bfloat16:
                    gate += functional.linear(hidden.to(low), weight)
                else:
                    gate.addmm_(hidden, weight)
            gate[:, : 2 * units].sigmoid_()
            gate[:, 2 * units : 3 * units].tanh_()
            gate[:, 3 * units :].sigmoid_()
            into, forget, new, out = gate.chunk(4, dim=1)
            cell = torch.addcmul(into * new, forget, cell)
            if keeps:
                cells[frame] = cell
            hidden = outputs[frame]
            torch.mul(out, torch.tanh(cell), out=hidden)
        if keeps:
            ctx.save_for_backward(gates, cells, outputs, weight_hh)
            ctx.backwards = backwards
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """Back through time for the gates, then one product for the weights."""
        gates, cells, outputs, weight_hh = cast("tuple[Tensor, ...]", ctx.saved_tensors)
        (gradient,) = gradients
        num_frames = outputs.shape[0]
        low = weight_hh.dtype
        weight = weight_hh.t().contiguous() if low == torch.bfloat16 else weight_hh
        at_gates = torch.empty_like(gates)
        at_hidden: Tensor | None = None
        at_cell = torch.zeros_like(cells[0])
        order = range(num_frames) if ctx.backwards else range(num_frames - 1, -1, -1)  # the last step first
        before = 1 if ctx.backwards else -1  # where the step before this one is
        for position, frame in enumerate(order):
            into, forget, new, out = gates[frame].chunk(4, dim=1)
            d_hidden = gradient[frame] if at_hidden is None else gradient[frame] + at_hidden
            squashed = torch.tanh(cells[frame])
            at_cell = at_cell + d_hidden * out * (1 - squashed * squashed)
            here = at_gates[frame]
            d_into, d_forget, d_new, d_out = here.chunk(4, dim=1)
            torch.mul(at_cell * new, into * (1 - into), out=d_into)
            torch.mul(at_cell * into, 1 - new * new, out=d_new)
            torch.mul(d_hidden * squashed, out * (1 - out), out=d_out)
            if position == num_frames - 1:
                d_forget.zero_()
                break
            torch.mul(at_cell * cells[frame + before], forget * (1 - forget), out=d_forget)
            at_cell = at_cell * forget
            if low == torch.bfloat16:
                at_hidden = functional.linear(here.to(low), weight).to(here.dtype)
            else:
                at_hidden = here @ weight
        later, earlier = (at_gates[:-1], outputs[1:]) if ctx.backwards else (at_gates[1:], outputs[:-1])
        d_weight = later.flatten(0, 1).to(low).t() @ earlier.flatten(0, 1).to(low)
        return at_gates, d_weight, None
