"""From what a network believes about each stem to stems that explain the mixture.

A ratio mask shares every bin of the mixture among the stems. The multichannel Wiener filter goes further: it takes
stem ``j`` as Gaussian with power ``v_j`` at each bin and one spatial covariance ``R_j`` per frequency, and computes

    y_j = v_j R_j (sum_k v_k R_k + sqrt(eps) I)^-1 x,

re-estimating ``v`` and ``R`` from ``y`` in every iteration of an EM-like scheme. Mixture consistency spreads what
the stems do not explain, so that they sum to the mixture.

References: Nugraha, Liutkus & Vincent, "Multichannel audio source separation with deep neural networks", 2016,
eqs. (9)-(13), in the variant of norbert 0.2 and openunmix 1.3 (empirical covariances); Wisdom et al.,
"Differentiable consistency constraints for improved deep speech enhancement", 2019 (mixture consistency).
Deviations: covariances and inverse in double precision, because nearly mono music makes the 2x2 matrix singular in
single precision; ``sum_k v_k R_k`` is inverted once and applied to the mixture before the stems' ``R_j``; ``eps`` is
scaled to the mixture's level, where norbert scales the mixture.
"""

from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor

__all__ = ["mixture_consistency", "ratio_mask", "wiener_em"]

_BINS_AT_ONCE = 64


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
    """EM over frames that share their covariances.

    ``eps`` supposes magnitudes up to ten, so it grows with the square of louder ones. Frequencies are independent of
    each other; few at a time stay within a processor's caches.
    """
    level = (mixture.detach().abs().amax(dim=(-3, -2, -1)).to(torch.float64) / 10).clamp(min=1)[..., None, None]
    step = _stereo_step if mixture.shape[-3] == 2 else _step
    bands: list[Tensor] = []
    for low in range(0, mixture.shape[-2], _BINS_AT_ONCE):
        heard, band = mixture[..., low : low + _BINS_AT_ONCE, :], estimate[..., low : low + _BINS_AT_ONCE, :]
        for _ in range(iterations):
            band = step(band, heard, eps * level.square(), eps**0.5 * level.square())
        bands.append(band)
    return torch.cat(bands, dim=-2)


def _step(y: Tensor, x: Tensor, eps: Tensor, noise: Tensor) -> Tensor:
    """One iteration: powers and covariances from ``y``, then the stems by their Wiener filters from ``x``."""
    precision = y.dtype
    y, x = y.to(torch.complex128), x.to(torch.complex128)
    power = (y.real.square() + y.imag.square()).mean(dim=-3)
    weight = eps + power.sum(dim=-1)
    covariance = torch.einsum("...cfn,...dfn->...fcd", y, y.conj()) / weight[..., None, None]
    mixed = torch.einsum("...jfn,...jfcd->...fncd", power.to(y.dtype), covariance)
    mixed = mixed + noise[..., None, None] * torch.eye(x.shape[-3], dtype=y.dtype, device=y.device)
    vectors = torch.einsum("...cfn->...fnc", x).unsqueeze(-1)
    whitened = cast("Tensor", torch.linalg.solve(mixed, vectors)).squeeze(-1)
    return (power.unsqueeze(-3) * torch.einsum("...jfcd,...fnd->...jcfn", covariance, whitened)).to(precision)


def _stereo_step(y: Tensor, x: Tensor, eps: Tensor, noise: Tensor) -> Tensor:
    """The same for two channels, in real numbers and with the Hermitian 2x2 inverse written out.

    Only what cancels is in double precision: the covariances, their sum, its determinant and its inverse.
    """
    single, double = y.real.dtype, torch.float64
    (y0, y1), (z0, z1) = y.real.clone().unbind(dim=-3), y.imag.clone().unbind(dim=-3)
    left, right = y0.square().addcmul(z0, z0), y1.square().addcmul(z1, z1)
    power = (left + right) / 2

    weight = eps + power.sum(dim=-1, dtype=double)
    a, b, c, d = (
        (products.sum(dim=-1, dtype=double) / weight).unsqueeze(-1)
        for products in (left, right, (y0 * y1).addcmul(z0, z1), (z0 * y1).addcmul(y0, z1, value=-1))
    )  # each stem's covariance, [[a, c + i d], [c - i d, b]]

    powers = power.to(double).unbind(dim=-3)
    mixed = [noise.expand_as(powers[0]), noise.expand_as(powers[0]), torch.zeros_like(noise), torch.zeros_like(noise)]
    for index, entries in enumerate((a, b, c, d)):
        for stem, entry in zip(powers, entries.unbind(dim=-3), strict=True):
            mixed[index] = mixed[index].addcmul(stem, entry)
    m_a, m_b, m_c, m_d = mixed
    scale = (m_a * m_b).addcmul(m_c, m_c, value=-1).addcmul(m_d, m_d, value=-1).reciprocal()

    (x0, x1), (t0, t1) = x.real.to(double).unbind(dim=-3), x.imag.to(double).unbind(dim=-3)
    w0, v0, w1, v1 = (
        (whitened * scale).to(single).unsqueeze(-3)
        for whitened in (
            (m_b * x0).addcmul(m_c, x1, value=-1).addcmul(m_d, t1),
            (m_b * t0).addcmul(m_c, t1, value=-1).addcmul(m_d, x1, value=-1),
            (m_a * x1).addcmul(m_c, x0, value=-1).addcmul(m_d, t0, value=-1),
            (m_a * t1).addcmul(m_c, t0, value=-1).addcmul(m_d, x0),
        )
    )  # the inverse times the mixture, real and imaginary parts of its left and right

    a, b, c, d = a.to(single), b.to(single), c.to(single), d.to(single)
    real = ((a * w0).addcmul(c, w1).addcmul(d, v1, value=-1), (b * w1).addcmul(c, w0).addcmul(d, v0))
    imag = ((a * v0).addcmul(c, v1).addcmul(d, w1), (b * v1).addcmul(c, v0).addcmul(d, w0, value=-1))
    return torch.stack([torch.complex(power * re, power * im) for re, im in zip(real, imag, strict=True)], dim=-3)
