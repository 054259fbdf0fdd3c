"""A picture of a separation: the mixture and its stems as spectrograms, estimates beside references.

    brightness(band, frame) = 10 log10( mean power in the band ) - the loudest value of the mixture,

on a logarithmic frequency axis (as wide an octave in the bass as in the treble), all panels on one scale, so that a
stem that is too quiet looks too quiet, and what leaks into it can be seen where it comes from.

matplotlib draws; it comes with the ``train`` extra and is imported only when a picture is made.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.errors import UsageError
from stemtune.signal.stft import stft
from stemtune.types import StemSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_stems", "log_spectrogram"]

LOWEST_HZ = 32.0
HIGHEST_HZ = 20000.0
BANDS_PER_OCTAVE = 28
RANGE_DB = 80.0
MAX_FRAMES = 1400  # about the pixels that a panel has
WINDOW_SECONDS = 0.07  # at least; then up to the next power of two
TICKS_HZ = {
    50: "50",
    100: "100",
    200: "200",
    500: "500",
    1000: "1k",
    2000: "2k",
    5000: "5k",
    10000: "10k",
    20000: "20k",
}
COLOURS = "magma"
INK = "#23262d"
FAINT = "#868c98"


def draw_stems(
    *,
    mixture: Float[Tensor, "channel time"],
    estimates: StemSet[Tensor],
    sample_rate: int,
    references: StemSet[Tensor] | None = None,
    title: str = "",
    captions: Mapping[str, str] | None = None,
) -> "Figure":
    """One row for the mixture and one for each stem; with references, a second column for them.

    Args:
        mixture: what was heard.
        estimates: ``channel time`` each, as long as the mixture.
        sample_rate: of everything, in Hz.
        references: of the same stems, or of some of them.
        title: such as the track's and the model's name.
        captions: a few words in a stem's panel, such as its score with the definition's name.

    Returns:
        a matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    figure_type = _matplotlib_figure()
    num_rows, num_columns = 1 + len(estimates), 2 if references else 1
    height = 1.75 * num_rows + 1.15
    width = 6.6 * num_columns + 0.9
    figure: Any = figure_type(figsize=(width, height), dpi=130, facecolor="white")
    grid = figure.add_gridspec(
        num_rows, num_columns, hspace=0.17, wspace=0.075, left=0.98 / width, right=1 - 0.28 / width,
        top=1 - 0.62 / height, bottom=0.55 / height,
    )  # fmt: skip
    heard = log_spectrogram(mixture, sample_rate=sample_rate)
    loudest = float(heard.max())
    panels: list[Any] = []

    def panel(row: int, column: int, samples: Tensor | None, caption: str) -> None:
        axes = figure.add_subplot(grid[row, column])
        image = heard if samples is None else log_spectrogram(samples, sample_rate=sample_rate)
        panels.append(_paint(axes, image - loudest, duration=mixture.shape[-1] / sample_rate, sample_rate=sample_rate))
        _finish(axes, bottom=row == num_rows - 1, left=column == 0)
        if caption:
            axes.text(
                0.995, 0.95, caption, transform=axes.transAxes, ha="right", va="top", color="white", fontsize=8.5,
                bbox={"facecolor": "black", "alpha": 0.45, "edgecolor": "none", "pad": 2.5},
            )  # fmt: skip

    panel(0, 0, None, "")
    corner = grid[0, 0].get_position(figure)
    figure.text(corner.x0 - 0.1 / width, corner.y1 + 0.1 / height, "Hz", ha="right", fontsize=8, color=FAINT)
    _name(figure, grid[0, 0], "mixture")
    for row, stem in enumerate(estimates, start=1):
        panel(row, 0, estimates[stem], (captions or {}).get(stem, ""))
        _name(figure, grid[row, 0], stem)
        if references and stem in references:
            panel(row, 1, references[stem], "")
    _legend(figure, grid, panels[0], height=height, two_columns=num_columns == 2)
    if title:
        figure.text(grid[0, 0].get_position(figure).x0, 1 - 0.3 / height, title, fontsize=13, color=INK, weight="bold")
    return figure


def log_spectrogram(samples: Float[Tensor, "channel time"], *, sample_rate: int) -> Float[Tensor, "frequency frame"]:
    """Mean power over channels, in dB, in bands that are equally wide in octaves, from 32 Hz up.

    Bands that are narrower than the transform's resolution are interpolated between its bins.
    """
    n_fft = max(256, 2 ** math.ceil(math.log2(WINDOW_SECONDS * sample_rate)))
    hop_length = max(1, min(n_fft // 4, -(-samples.shape[-1] // MAX_FRAMES)))
    spectrogram = stft(
        samples.detach().float().cpu(), n_fft=n_fft, hop_length=hop_length, window=torch.hann_window(n_fft)
    )
    power = spectrogram.abs().square().mean(dim=0)
    edges = _band_edges(sample_rate) * n_fft / sample_rate
    total = torch.cat([torch.zeros(1, power.shape[1]), power.double().cumsum(0)])
    below = edges.clamp(0, power.shape[0] - 1e-3) + 0.5  # bin k covers [k - .5, k + .5]
    whole = below.floor().long().clamp(max=power.shape[0] - 1)
    part = (below - whole).unsqueeze(1)
    summed = total[whole] + part * power[whole]
    banded = (summed[1:] - summed[:-1]) / (below[1:] - below[:-1]).clamp(min=1e-6).unsqueeze(1)
    return (10 * torch.log10(banded.clamp(min=1e-12))).float()


def _band_edges(sample_rate: int) -> Tensor:
    highest = min(HIGHEST_HZ, sample_rate / 2)
    num_bands = max(8, round(BANDS_PER_OCTAVE * math.log2(highest / LOWEST_HZ)))
    return torch.logspace(
        math.log10(LOWEST_HZ), math.log10(highest), num_bands + 1,
        dtype=torch.float64,
    )  # fmt: skip


def _paint(axes: Any, decibels: Tensor, *, duration: float, sample_rate: int) -> Any:
    edges = _band_edges(sample_rate)
    lowest, highest = float(edges[0].log10()), float(edges[-1].log10())
    image = axes.imshow(
        decibels.numpy(), origin="lower", aspect="auto", extent=(0, duration, lowest, highest), cmap=COLOURS,
        vmin=-RANGE_DB, vmax=0, interpolation="antialiased",
    )  # fmt: skip
    ticks = {hertz: label for hertz, label in TICKS_HZ.items() if 10**lowest <= hertz <= 10**highest}
    axes.set_yticks([math.log10(hertz) for hertz in ticks], list(ticks.values()))
    return image


def _finish(axes: Any, *, bottom: bool, left: bool) -> None:
    axes.tick_params(length=2.5, color=FAINT, labelcolor=FAINT, labelsize=8, labelbottom=bottom, labelleft=left)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if bottom:
        axes.xaxis.set_major_formatter(_clock)
        axes.set_xlabel("time, minutes:seconds", fontsize=8.5, color=FAINT)


def _clock(seconds: float, _: object = None) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}".removesuffix(".0") if seconds >= 0 else ""


def _name(figure: Any, cell: Any, name: str) -> None:
    place = cell.get_position(figure)
    figure.text(
        place.x0 * 0.3, (place.y0 + place.y1) / 2, name, rotation=90, ha="center", va="center", fontsize=11.5,
        color=INK, weight="bold",
    )  # fmt: skip


def _legend(figure: Any, grid: Any, image: Any, *, height: float, two_columns: bool) -> None:
    """A colour bar: in the free cell beside the mixture if there is one, else above on the right."""
    if two_columns:
        place = grid[0, 1].get_position(figure)
        box = (place.x0 + 0.12 * place.width, place.y0 + 0.5 * place.height, 0.76 * place.width, 0.13 / height)
        for column, text in enumerate(("estimate", "reference")):
            cell = grid[1, column].get_position(figure)
            figure.text(cell.x1, cell.y1 + 0.05 / height, text, ha="right", va="bottom", fontsize=9.5, color=FAINT)
    else:
        place = grid[0, 0].get_position(figure)
        box = (place.x1 - 0.34 * place.width, 1 - 0.3 / height, 0.34 * place.width, 0.1 / height)
    bar = figure.colorbar(image, cax=figure.add_axes(box), orientation="horizontal", ticks=[-80, -60, -40, -20, 0])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=FAINT)
    bar.ax.set_xticklabels(["-80", "-60", "-40", "-20", "0 dB"])
    if two_columns:
        bar.ax.set_title("power relative to the loudest moment of the mixture", fontsize=9, color=FAINT, pad=6)


def _matplotlib_figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("pictures need matplotlib, which is not installed: pip install 'stemtune[train]'") from None
    return Figure
