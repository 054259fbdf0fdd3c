"""Do a network's latents of different stems lie apart?

All latents, of all stems and frames, are clustered without their labels, as many clusters as stems. Clusters have no
names, so each is given to the stem with which the matching is best (the Hungarian method), and then

    accuracy = items whose cluster belongs to their stem / all items.

The confusion matrix shows which stems share clusters, on a logarithmic scale so that rare confusions are seen, too;
t-SNE draws items that are close to each other close to each other, and nothing else: neither distances between groups
nor their sizes mean anything.

References:
    Hung and Lerch, "Feature-informed latent space regularization for music source separation", 2022, sections 4.2 and
    4.3: k-means with four clusters over the latents of all test frames, the logarithm of its confusion matrix, t-SNE.
    Kuhn, "The Hungarian method for the assignment problem", 1955.

Deviations:
    The paper does not say how clusters get their names, nor what becomes of zeros under the logarithm: here
    log10(1 + count). Features are standardised only on request.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from stemtune.errors import InputError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "LatentAnalysis",
    "LatentProjection",
    "cluster_latents",
    "draw_confusion",
    "draw_projection",
    "project_latents",
]

_COLOURS = ("#3b78c9", "#d1495b", "#3a9d5d", "#e0a526", "#7a5ab8", "#1fa3a8", "#b3562b", "#6b7280")
_MAX_ITEMS = 5000  # that t-SNE draws: more take minutes and hide each other
_PERPLEXITY = 30.0


@dataclass(frozen=True)
class LatentAnalysis:
    """How well clusters and stems agree.

    Attributes:
        labels: the stems' names, along both axes of the confusion matrix.
        accuracy: fraction of the items whose cluster belongs to their stem; of random clusters about 1 / stems.
        confusion: how many items of a stem (row) are in the cluster that belongs to a stem (column).
    """

    labels: tuple[str, ...]
    accuracy: float
    confusion: Int[Tensor, "stem cluster"]

    @property
    def log_confusion(self) -> Float64[Tensor, "stem cluster"]:
        """log10(1 + count)."""
        return torch.log10(1 + self.confusion.double())


@dataclass(frozen=True)
class LatentProjection:
    """Latents as places in the plane.

    Attributes:
        places: of the items that were drawn; only who is near whom has a meaning.
        labels: their stems.
    """

    places: Float[Tensor, "place 2"]
    labels: tuple[str, ...]


def cluster_latents(
    latents: Float[Tensor, "item feature"],
    labels: Sequence[str],
    *,
    standardise: bool = False,
    seed: int = 0,
    num_starts: int = 10,
) -> LatentAnalysis:
    """Cluster latents by k-means, as many clusters as there are labels, and see what they have to do with the labels.

    Args:
        latents: of all stems and frames.
        labels: the stem of each item.
        standardise: scale every feature to unit variance first.
        seed: of the starting points.
        num_starts: how many of them; the tightest clusters win.

    Raises:
        InputError: if labels and items differ in number, fewer items (or different items) than stems are there, there
            is only one stem, or features are not finite or all constant, as those of silence.
        UsageError: if scikit-learn is not installed.
    """
    names, features = _checked(latents, labels)
    if standardise:
        spread = features.std(axis=0)
        features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    different = len(np.unique(features, axis=0))
    if different < len(names):
        raise InputError(
            f"{len(names)} clusters need as many different items, and there are {different}; "
            "are these the latents of silence?"
        )
    kmeans = _sklearn("cluster").KMeans(len(names), n_init=num_starts, random_state=seed)
    clusters = kmeans.fit_predict(features)
    truth = np.array([names.index(label) for label in labels])
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (truth, clusters), 1)
    counts = counts[:, _assign(counts)]
    return LatentAnalysis(names, float(np.trace(counts) / len(labels)), torch.from_numpy(counts))


def project_latents(
    latents: Float[Tensor, "item feature"],
    labels: Sequence[str],
    *,
    perplexity: float | None = None,
    max_items: int = _MAX_ITEMS,
    seed: int = 0,
) -> LatentProjection:
    """Places in the plane by t-SNE.

    Args:
        latents: of all stems and frames.
        labels: the stem of each item.
        perplexity: how many neighbours count, about; 30, or less for few items, if None.
        max_items: of more, so many are drawn, evenly by chance.
        seed: of the choice and of the projection.

    Raises:
        InputError: as `cluster_latents`, or for fewer than four items.
        UsageError: if scikit-learn is not installed.
    """
    _, features = _checked(latents, labels)
    if len(features) < 4:
        raise InputError(f"a picture needs at least four items; there are {len(features)}")
    chosen: Any = np.arange(len(features))
    if len(features) > max_items:
        chosen = np.sort(np.random.default_rng(seed).choice(len(features), max_items, replace=False))
    neighbours = perplexity or min(_PERPLEXITY, (len(chosen) - 1) / 3)
    if neighbours >= len(chosen):
        raise InputError(f"a perplexity of {neighbours} needs more items than {len(chosen)}; give a smaller one")
    tsne = _sklearn("manifold").TSNE(2, perplexity=neighbours, init="pca", random_state=seed)
    places = np.asarray(tsne.fit_transform(features[chosen]), dtype=np.float32)
    return LatentProjection(torch.from_numpy(places), tuple(labels[int(index)] for index in chosen))


def draw_confusion(analysis: LatentAnalysis, *, title: str = "") -> "Figure":
    """The confusion matrix as a picture: colours logarithmic, numbers plain.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    shade = analysis.log_confusion.numpy()
    count = len(analysis.labels)
    figure: Any = _figure()(figsize=(1.6 + 0.95 * count, 1.2 + 0.8 * count), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shade, cmap="Blues", vmin=0)
    axes.set_xticks(range(count), analysis.labels)
    axes.set_yticks(range(count), analysis.labels)
    axes.set_xlabel("cluster, by the stem that it was given")
    axes.set_ylabel("stem")
    axes.tick_params(length=0)
    for row, column in np.ndindex(count, count):
        ink = "white" if shade[row, column] > 0.6 * shade.max() else "#23262d"
        axes.text(column, row, f"{int(analysis.confusion[row, column]):,}", ha="center", va="center", color=ink)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"{title}{' · ' if title else ''}{100 * analysis.accuracy:.1f} % in their own cluster", fontsize=11)
    return figure


def draw_projection(projection: LatentProjection, *, title: str = "") -> "Figure":
    """The plane as a picture, one colour for each stem.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    figure: Any = _figure()(figsize=(5.6, 5), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    size = min(24.0, 400 / math.sqrt(len(projection.labels)))
    for number, name in enumerate(dict.fromkeys(projection.labels)):
        chosen = torch.tensor([label == name for label in projection.labels])
        x, y = projection.places[chosen].T.numpy()
        axes.scatter(x, y, s=size, color=_COLOURS[number % len(_COLOURS)], alpha=0.7, linewidths=0, label=name)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#d4d7dd")
    axes.legend(frameon=False, markerscale=max(1.0, 6 / size**0.5), loc="upper left", bbox_to_anchor=(1, 1))
    axes.set_title(title, fontsize=11)
    return figure


def _checked(latents: Tensor, labels: Sequence[str]) -> tuple[tuple[str, ...], Any]:
    names = tuple(sorted(set(labels)))
    if len(labels) != latents.shape[0]:
        raise InputError(f"every item needs a label: there are {latents.shape[0]} items and {len(labels)} labels")
    if len(names) < 2:
        raise InputError(f"expected items of at least two stems; got {', '.join(names) or 'none'}")
    if len(labels) < len(names):
        raise InputError(f"{len(names)} clusters need as many items; there are {len(labels)}")
    broken = (~torch.isfinite(latents)).any(dim=1)
    if broken.any():
        item = int(broken.nonzero()[0])
        raise InputError(f"latent {item} ({labels[item]}) has values that are not finite; look where they come from")
    features: Any = latents.detach().cpu().double().numpy()
    if features.shape[1] == 0 or (features == features[:1]).all():
        raise InputError("all latents are equal, as those of silence or of a dead layer; there is nothing to cluster")
    return names, features


def _assign(counts: Any) -> Any:
    """For each stem, the cluster that it gets: the matching with the most items in their own."""
    try:
        from scipy import optimize
    except ImportError:
        raise UsageError("clustering needs SciPy: pip install 'stemtune[report]'") from None
    _, clusters = cast("Any", optimize).linear_sum_assignment(counts, maximize=True)
    return clusters


def _sklearn(module: str) -> Any:
    try:
        from importlib import import_module

        return import_module(f"sklearn.{module}")
    except ImportError:
        raise UsageError("clustering needs scikit-learn: pip install 'stemtune[report]'") from None


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("pictures need matplotlib: pip install 'stemtune[report]'") from None
    return Figure
