"""What every metric asks of what it is given: two arrays of the same stems, channels and samples, all finite.

    estimate, reference: stem channel time, floating point, at one sample rate.

Tensors and numpy arrays are taken alike and neither is changed; what cannot be scored is refused with an `InputError`
that says what was expected, what came and what to do, since a score of the wrong thing looks like any other number.
"""

from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.errors import InputError

__all__ = ["Samples", "checked_pair", "checked_rate", "require_equal_shapes", "require_finite"]

Samples = Float[Tensor, "stem channel time"] | Float[np.ndarray, "stem channel time"]


def checked_pair(*, estimate: object, reference: object) -> tuple[Tensor, Tensor]:
    """Both as tensors where they were, sharing memory with what came; the estimate first.

    Raises:
        InputError: if they are no floating-point arrays ``stem channel time``, or their shapes differ.
    """
    pair = _as_tensor(estimate, "estimate"), _as_tensor(reference, "reference")
    require_equal_shapes(estimate=pair[0], reference=pair[1])
    return pair


def require_equal_shapes(*, estimate: Tensor, reference: Tensor) -> None:
    """Refuse what would broadcast.

    Raises:
        InputError: if the shapes differ.
    """
    if estimate.shape != reference.shape:
        raise InputError(
            f"an estimate of shape {tuple(estimate.shape)} cannot be scored against a reference of shape "
            f"{tuple(reference.shape)}; both must be the same stems, channels and samples"
        )


def require_finite(*, estimate: Tensor, reference: Tensor) -> None:
    """Refuse NaN and infinite samples.

    Raises:
        InputError: naming the first stem that has some.
    """
    for name, samples in (("estimate", estimate), ("reference", reference)):
        if not bool(torch.isfinite(samples.sum(dtype=torch.float64))):  # far cheaper than a look at every sample
            broken = ~torch.isfinite(samples).all(dim=2).all(dim=1)
            if bool(broken.any()):
                stem = int(broken.nonzero()[0])
                raise InputError(
                    f"the {name} of stem {stem} holds samples that are not finite; every sample must be a number: "
                    "see where the NaN or infinity comes from"
                )


def checked_rate(sample_rate: int) -> int:
    """The rate itself.

    Raises:
        InputError: unless it is positive.
    """
    if sample_rate <= 0:
        raise InputError(f"a sample rate must be positive, in Hz; it is {sample_rate}")
    return sample_rate


def _as_tensor(samples: object, name: str) -> Tensor:
    if isinstance(samples, np.ndarray):
        array = cast("np.ndarray[tuple[int, ...], np.dtype[np.float64]]", samples)
        if array.dtype.kind != "f":
            raise InputError(f"the {name} must hold floating-point samples; it holds {array.dtype}: divide it first")
        native = array if array.dtype.str in ("<f4", "<f8") else array.astype(np.float64)
        plain = native if native.flags.writeable and min(native.strides, default=0) >= 0 else native.copy()
        tensor = torch.from_numpy(plain)
    elif isinstance(samples, Tensor):
        tensor = samples.detach()
        if not tensor.is_floating_point():
            raise InputError(f"the {name} must hold floating-point samples; it holds {tensor.dtype}: divide it first")
    else:
        raise InputError(f"the {name} must be a tensor or a numpy array; it is a {type(samples).__name__}")
    if tensor.ndim != 3:
        raise InputError(f"the {name} must have the axes stem, channel, time; its shape is {tuple(tensor.shape)}")
    return tensor
