"""Stacked LSTMs whose gates of memory start open.

An LSTM keeps its state by the factor ``sigmoid(W_f x + U_f h + b_f + b'_f)`` from one frame to the next. Zero biases
would halve it at every frame of a fresh network; with both biases of the forget gate at one,

    sigmoid(0 + 1 + 1) = 0.88,

it remembers some ten frames before it has learnt anything, and gradients reach as far back.

References:
    Jozefowicz, Zaremba and Sutskever, "An empirical exploration of recurrent network architectures", 2015 (section 4).
    nussl 1.1.9, ``RecurrentStack``: weights by Glorot and Bengio's normal law, biases as above.

Deviations:
    None known.
"""

import torch
from torch import nn

__all__ = ["recurrent_stack"]


def recurrent_stack(
    num_features: int, hidden_size: int, num_layers: int, *, bidirectional: bool, dropout_probability: float
) -> nn.LSTM:
    """A freshly initialised stack over ``batch frame feature``.

    Args:
        num_features: of the input.
        hidden_size: of each direction.
        num_layers: one upon the other.
        bidirectional: whether every layer also hears the future; doubles what it answers.
        dropout_probability: between layers, while training.
    """
    stack = nn.LSTM(
        num_features,
        hidden_size,
        num_layers,
        batch_first=True,
        bidirectional=bidirectional,
        dropout=dropout_probability if num_layers > 1 else 0.0,
    )
    with torch.no_grad():
        for name, parameter in stack.named_parameters():
            if name.startswith("weight"):
                nn.init.xavier_normal_(parameter)
            else:
                parameter.zero_()
                parameter[hidden_size : 2 * hidden_size] = 1.0  # gates are ordered input, forget, cell, output
    return stack
