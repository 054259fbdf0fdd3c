"""Activity for the eye: label tracks that Audacity opens beside the song, and a picture.

A label is ``start TAB end TAB text``, in seconds; the text says which stem is silent.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from stemtune.data.files import PendingFile, output_error, write_text_atomically
from stemtune.mining.excerpts import Excerpt
from stemtune.mining.listen import OUTPUT_SECONDS, Curves
from stemtune.mining.thresholds import Threshold

__all__ = ["draw_activity", "write_labels"]

_DOTS = 1400  # what a picture can show across


def write_labels(path: Path, excerpts: Sequence[Excerpt]) -> None:
    """A label track.

    Raises:
        OutputError: if it cannot be written.
    """
    lines = [
        f"{excerpt.start_seconds:.3f}\t{excerpt.end_seconds:.3f}\tno {excerpt.stem}\n"
        for excerpt in sorted(excerpts, key=lambda excerpt: (excerpt.start_seconds, excerpt.stem))
    ]
    write_text_atomically(path, "".join(lines))


def draw_activity(
    path: Path,
    curves: Curves,
    *,
    title: str,
    stems: Sequence[str],
    thresholds: Mapping[str, Threshold],
    excerpts: Sequence[Excerpt],
) -> None:
    """A PNG: for each stem the probability that it sounds, its threshold, and what is taken as silent.

    Raises:
        OutputError: if it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 0.6 + 0.9 * len(stems)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(stems), 1, sharex=True, squeeze=False)[:, 0]
    for axis, stem, silent in zip(axes, stems, curves.probabilities, strict=True):
        sounding = np.where(curves.audible, 1 - silent, 0.0)
        times, values = _thinned(sounding)
        axis.fill_between(times, values, color="#2a6f97", linewidth=0)
        for excerpt in excerpts:
            if excerpt.stem == stem:
                axis.axvspan(excerpt.start_seconds, excerpt.end_seconds, color="#f4a259", alpha=0.55, linewidth=0)
        if stem in thresholds:
            axis.axhline(1 - thresholds[stem].probability, color="black", linewidth=0.7, linestyle=":")
        note = "" if stem in thresholds else "\n(no threshold)"
        axis.set_ylabel(f"{stem}{note}", rotation=0, ha="right", va="center")
        axis.set_ylim(0, 1)
        axis.set_yticks([])
    axes[-1].set_xlim(0, max(OUTPUT_SECONDS, curves.audible.size * OUTPUT_SECONDS))
    axes[-1].set_xlabel("seconds")
    axes[0].set_title(f"{title}: probability of sounding; orange: taken as silent for long enough", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    with PendingFile(path) as pending:
        try:
            pending.path.write_bytes(buffer.getvalue())
        except OSError as error:
            raise output_error(pending.target, error) from None


def _thinned(values: Float[np.ndarray, "output"]) -> tuple[np.ndarray, np.ndarray]:
    """Means over as many windows as one dot stands for."""
    step = max(1, values.size // _DOTS)
    means = np.add.reduceat(values, np.arange(0, values.size, step)) / step
    return np.arange(means.size) * step * OUTPUT_SECONDS, means
