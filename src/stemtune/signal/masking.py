"""From what a network believes about each stem to stems that explain the mixture.

A ratio mask shares every bin of the mixture among the stems. The multichannel Wiener filter goes further: it takes
stem ``j`` as Gaussian with power ``v_j`` at each bin and one spatial covariance ``R_j`` per frequency, and computes

    y_j = v_j R_j (sum_k v_k R_k + sqrt(eps) I)^-1 x,

re-estimating ``v`` and ``R`` from ``y`` in every iteration of an EM-like scheme. Mixture consistency spreads what
the stems do not explain, so that they sum to the mixture.

References: Nugraha, Liutkus & Vincent, "Multichannel audio source separation with deep neural networks", 2016,
eqs. (9)-(13), in the variant of norbert 0.2 and openunmix 1.3 (empirical covariances); Wisdom et al.,
"Differentiable consistency constraints for improved deep speech enhancement", 2019 (mixture consistency).
Deviations: statistics and inverse in double precision, because nearly mono music makes the 2x2 matrix singular in
single precision; ``sum_k v_k R_k`` is inverted once and applied to the mixture before the stems' ``R_j``.
"""

from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor

__all__ = ["mixture_consistency", "ratio_mask", "wiener_em"]


def ratio_mask(
    *, magnitudes: Float[Tensor, "*axes stem channel frequency frame"], power: float = 1.0, eps: float = 1e-10
) -> Float[Tensor, "*axes stem channel frequency frame"]:
    """Each stem's share of every bin: non-negative, and at most one in sum over the stems.

    Args:
        magnitudes: of the stems, non-negative.
        power: the exponent that shares follow; 1 for magnitudes, 2 for powers.
        eps: added to the sum, so that silence has no share.
    """
    powers = magnitudes if power == 1.0 else magnitudes**power
    return powers / (eps + powers.sum(dim=-4, keepdim=True))


def mixture_consistency(
    *, estimate: Float[Tensor, "*axes stem channel time"], mixture: Float[Tensor, "*axes channel time"]
) -> Float[Tensor, "*axes stem channel time"]:
    """The nearest stems that sum to the mixture: each takes an equal part of the residual."""
    residual = mixture - estimate.sum(dim=-3)
    return estimate + residual.unsqueeze(-3) / estimate.shape[-3]


def wiener_em(
    *,
    estimate: Complex[Tensor, "*axes stem channel frequency frame"],
    mixture: Complex[Tensor, "*axes channel frequency frame"],
    iterations: int = 1,
    eps: float = 1e-10,
    window_frames: int | None = None,
) -> Complex[Tensor, "*axes stem channel frequency frame"]:
    """Refine estimated stems so that they fit the mixture in level, phase and position between the channels.

    Args:
        estimate: first estimates of the stems, such as masked mixture spectrograms.
        mixture: what they should explain.
        iterations: how often powers and covariances are re-estimated; 0 returns the estimate.
        eps: the energy below which a bin counts as noise.
        window_frames: covariances are constant over so many frames; None for all frames.

    Returns:
        the refined stems; the arguments stay as they are.
    """
    if iterations == 0:
        return estimate
    num_frames = mixture.shape[-1]
    step = window_frames or num_frames
    windows = [
        _refine(estimate[..., start : start + step], mixture[..., start : start + step], iterations, eps)
        for start in range(0, num_frames, step)
    ]
    return windows[0] if len(windows) == 1 else torch.cat(windows, dim=-1)


def _refine(estimate: Tensor, mixture: Tensor, iterations: int, eps: float) -> Tensor:
    """EM over frames that share their covariances; levels are brought into the range that ``eps`` supposes."""
    level = (mixture.detach().abs().amax(dim=(-3, -2, -1), keepdim=True) / 10).clamp(min=1).to(torch.float64)
    x = mixture.to(torch.complex128) / level
    y = estimate.to(torch.complex128) / level.unsqueeze(-4)
    for _ in range(iterations):
        y = _maximise_and_expect(y, x, eps)
    return (y * level.unsqueeze(-4)).to(estimate.dtype)


def _maximise_and_expect(y: Tensor, x: Tensor, eps: float) -> Tensor:
    """One iteration: powers and covariances from ``y``, then the stems by their Wiener filters from ``x``."""
    power = (y.real.square() + y.imag.square()).mean(dim=-3)
    weight = eps + power.sum(dim=-1)
    if x.shape[-3] == 2:
        return _filter_stereo(y, x, power, weight, eps)
    covariance = torch.einsum("...cfn,...dfn->...fcd", y, y.conj()) / weight[..., None, None]
    mixed = torch.einsum("...jfn,...jfcd->...fncd", power.to(y.dtype), covariance)
    noise = eps**0.5 * torch.eye(x.shape[-3], dtype=y.dtype, device=y.device)
    vectors = torch.einsum("...cfn->...fnc", x).unsqueeze(-1)
    whitened = cast("Tensor", torch.linalg.solve(mixed + noise, vectors)).squeeze(-1)
    return power.unsqueeze(-3) * torch.einsum("...jfcd,...fnd->...jcfn", covariance, whitened)


def _filter_stereo(y: Tensor, x: Tensor, power: Tensor, weight: Tensor, eps: float) -> Tensor:
    """The same for two channels, with the Hermitian 2x2 inverse written out."""
    left, right = y.unbind(dim=-3)
    r_left = (left.real.square() + left.imag.square()).sum(dim=-1) / weight
    r_right = (right.real.square() + right.imag.square()).sum(dim=-1) / weight
    r_cross = (left * right.conj()).sum(dim=-1) / weight

    c_left = torch.einsum("...jfn,...jf->...fn", power, r_left) + eps**0.5
    c_right = torch.einsum("...jfn,...jf->...fn", power, r_right) + eps**0.5
    c_real = torch.einsum("...jfn,...jf->...fn", power, r_cross.real)
    c_imag = torch.einsum("...jfn,...jf->...fn", power, r_cross.imag)
    c_cross = torch.complex(c_real, c_imag)
    determinant = c_left * c_right - c_real.square() - c_imag.square()

    x_left, x_right = x.unbind(dim=-3)
    w_left = ((c_right * x_left - c_cross * x_right) / determinant).unsqueeze(-3)
    w_right = ((c_left * x_right - c_cross.conj() * x_left) / determinant).unsqueeze(-3)

    r_left, r_right, r_cross = r_left.unsqueeze(-1), r_right.unsqueeze(-1), r_cross.unsqueeze(-1)
    return torch.stack(
        (power * (r_left * w_left + r_cross * w_right), power * (r_cross.conj() * w_left + r_right * w_right)), dim=-3
    )
