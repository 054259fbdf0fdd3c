"""Measure the bandwidths of a scale's corpora, to be written into `scales`.

    python -m stemtune.recipes.zai2022.bandwidths --data ../shared/data --work runs/zai2022-laptop

They are what the losses are divided by: the variance of the waveforms, and the mean norm of the spectra of one training
excerpt, of as many excerpts as ten minutes hold (`stemtune.objectives.quantisation.measure_bandwidths`).
"""

import argparse
from pathlib import Path

from stemtune.objectives.quantisation import Bandwidths, measure_bandwidths
from stemtune.recipes.zai2022.corpora import Corpora, hear_stem, laptop_corpora, paper_corpora
from stemtune.recipes.zai2022.scales import LAPTOP, PAPER, Scale

__all__ = ["bandwidths_of"]

_SECONDS = 600.0


def bandwidths_of(scale: Scale, corpora: Corpora, stem: str, *, seconds: float = _SECONDS) -> Bandwidths:
    """Of a stem, as it is drawn in training.

    Raises:
        InputError: if the stem is silent or absent.
    """
    mixer = hear_stem(scale, corpora, stem).build()
    count = max(1, round(seconds / scale.segment_seconds))
    return measure_bandwidths(mixer.example(seed=0, step=0, position=place)[0] for place in range(count))


def main() -> None:
    """Print a line for each stem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=("paper", "laptop"), default="laptop")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/zai2022-laptop"))
    options = parser.parse_args()
    paper = options.scale == "paper"
    scale = PAPER if paper else LAPTOP
    corpora = paper_corpora(options.data) if paper else laptop_corpora(options.work / "data")
    for stem in scale.bandwidths:
        found = bandwidths_of(scale, corpora, stem)
        print(f"{stem}: ({found.waveform:.3g}, {found.spectral:.3g})")  # noqa: T201


if __name__ == "__main__":
    main()
