"""The filters that explain an estimate best, in the sense of least squares.

    sum over v, b of G[(u, a), (v, b)] h[(v, b)] = <x_u delayed by a, e>,
    G[(u, a), (v, b)] = <x_u delayed by a, x_v delayed by b>,

with one unknown for each channel of each reference and each of ``taps`` delays. All estimates share the matrix, so
it is factored once; the targets' own filters need only its diagonal blocks. A block depends on a - b alone (it is
Toeplitz), and G is symmetric.

References that hardly sound in some band make G nearly singular. Where Cholesky's method then meets a pivot that is
not positive, Gaussian elimination takes over, as in museval. Where references are the same on both channels, that
finds no pivot, either, and Cholesky's method begins again with the largest pivots first, and ends before they are
rounding errors: delayed references that others explain already are left out. What such filters do to the track as a
whole is still well determined, though their coefficients are not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import scipy.linalg
from jaxtyping import Float64
from scipy.linalg import lapack

from stemtune.evaluation.metrics.bss_eval.spectra import Reals

__all__ = ["Filters", "fit_filters"]

_SMALLEST_PIVOT = 16 * np.finfo(np.float64).eps  # of the largest one


@dataclass(frozen=True)
class Filters:
    """What turns references into the parts of an estimate; ``stem`` and ``channel`` are the estimate's.

    Attributes:
        own: from the channels ``input`` of the same stem's reference.
        every: from the channels ``input`` of all references.
    """

    own: Float64[np.ndarray, "stem channel input tap"]
    every: Float64[np.ndarray, "stem channel inputs tap"]

    @property
    def largest_coefficient(self) -> float:
        """In magnitude; large ones amplify what hardly sounds."""
        return float(max(np.abs(self.own).max(), np.abs(self.every).max()))


def fit_filters(correlations: Float64[np.ndarray, "earlier later lag"], num_stems: int) -> Filters:
    """Solve for all filters.

    Args:
        correlations: as `lag_correlations` returns them.
        num_stems: of the references, and of the estimates.
    """
    rows, _, taps = correlations.shape
    channels = rows // num_stems
    among, with_estimates = correlations[:, :rows], correlations[:, rows:].transpose(0, 2, 1)
    every = _solve(among, with_estimates).reshape(rows, taps, num_stems, channels).transpose(2, 3, 0, 1)
    own = np.stack(
        [
            _solve(among[part, part], with_estimates[part, :, part]).reshape(channels, taps, channels)
            for part in (slice(stem * channels, (stem + 1) * channels) for stem in range(num_stems))
        ]
    ).transpose(0, 3, 1, 2)
    return Filters(own=own, every=every)


def _solve(lags: Reals, right: Reals) -> Reals:
    """``(input lag) output`` from correlations ``input input lag`` and ``input lag output``."""
    outputs = right.reshape(lags.shape[0] * lags.shape[2], -1)
    try:
        factor = _in_place(cast("Any", scipy.linalg).cho_factor, _gram_matrix(lags), check_finite=False)
    except np.linalg.LinAlgError:
        matrix = _gram_matrix(lags)
    else:
        return cast("Reals", scipy.linalg.cho_solve(factor, outputs, check_finite=False))
    try:
        return np.linalg.solve(matrix, outputs).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        return _solve_singular(matrix, outputs)


def _solve_singular(matrix: Reals, outputs: Reals) -> Reals:
    """With those unknowns alone that are independent of each other; the others are zero."""
    smallest = _SMALLEST_PIVOT * float(matrix.diagonal().max())
    factor, order, rank, _ = _in_place(cast("Any", lapack).dpstrf, matrix, tol=smallest)
    chosen = order[:rank] - 1
    solution = np.zeros_like(outputs)
    solution[chosen] = scipy.linalg.cho_solve((factor[:rank, :rank], False), outputs[chosen], check_finite=False)
    return solution


def _in_place(function: Callable[..., Any], matrix: Reals, **options: object) -> Any:
    """The transpose is the same symmetric matrix, in the order of memory that LAPACK wants."""
    return function(matrix.T, lower=False, overwrite_a=True, **options)


def _gram_matrix(lags: Reals) -> Reals:
    """The symmetric matrix of all inner products, with museval's regularisation: one rounding step on the diagonal."""
    rows, _, taps = lags.shape
    matrix = np.empty((rows, taps, rows, taps))
    for u in range(rows):
        for v in range(u + 1):
            by_difference = np.concatenate([lags[v, u, :0:-1], lags[u, v]])  # a - b from 1 - taps to taps - 1
            block = np.lib.stride_tricks.sliding_window_view(by_difference, taps)[:, ::-1]
            matrix[u, :, v] = block
            matrix[v, :, u] = block.T
    matrix = matrix.reshape(rows * taps, rows * taps)
    matrix[np.diag_indices_from(matrix)] += np.finfo(np.float64).eps
    return matrix
