"""Clusters get the names that fit them best; confusions are counted; silence has no clusters."""

import itertools
import sys

import numpy as np
import pytest
import torch

from stemtune.errors import InputError, UsageError
from stemtune.evaluation.latents import cluster_latents, draw_confusion, draw_projection, project_latents

STEMS = ("vocals", "drums", "bass", "other")


def blobs(num_items: int, *, spread: float, features: int = 16) -> tuple[torch.Tensor, list[str]]:
    generator = np.random.default_rng(0)
    centres = 4 * generator.standard_normal((len(STEMS), features))
    items = [centre + spread * generator.standard_normal((num_items, features)) for centre in centres]
    return torch.from_numpy(np.concatenate(items)).float(), [stem for stem in STEMS for _ in range(num_items)]


def test_stems_that_lie_apart_are_found_whatever_the_clusters_are_called():
    for seed in range(4):
        analysis = cluster_latents(*blobs(50, spread=0.5), seed=seed)
        assert analysis.accuracy == 1.0
        assert torch.equal(analysis.confusion, 50 * torch.eye(4, dtype=torch.int64))
        assert analysis.labels == ("bass", "drums", "other", "vocals")


def test_clusters_are_those_of_scikit_learn_and_named_as_no_other_naming_is_better():
    cluster, metrics = pytest.importorskip("sklearn.cluster"), pytest.importorskip("sklearn.metrics")
    items, labels = blobs(40, spread=6.0)
    analysis = cluster_latents(items, labels, seed=3)
    found = cluster.KMeans(4, n_init=10, random_state=3).fit_predict(items.double().numpy())
    truth = [sorted(STEMS).index(label) for label in labels]
    counts = metrics.confusion_matrix(truth, found)
    named = [counts[:, list(order)] for order in itertools.permutations(range(4))]
    best = max(named, key=np.trace)
    np.testing.assert_array_equal(analysis.confusion.numpy(), best)
    assert 0.3 < analysis.accuracy == np.trace(best) / 160 < 1


def test_chance_is_about_one_in_four():
    items, labels = blobs(500, spread=0.5)
    shuffled = np.random.default_rng(1).permutation(labels).tolist()
    assert 0.25 <= cluster_latents(items, shuffled).accuracy < 0.32


def test_a_confusion_is_counted_where_it_happens():
    items, labels = blobs(40, spread=0.3)
    labels[:5] = ["bass"] * 5  # five items at the place of the vocals
    analysis = cluster_latents(items, labels)
    bass, vocals = analysis.labels.index("bass"), analysis.labels.index("vocals")
    assert analysis.confusion[bass, vocals] == 5
    assert analysis.accuracy == pytest.approx(155 / 160)
    assert analysis.log_confusion[bass, vocals] == pytest.approx(np.log10(6))
    assert analysis.confusion.sum() == 160


def test_features_of_unlike_size_can_be_standardised():
    items, labels = blobs(60, spread=0.3, features=4)
    noise = 1e4 * torch.randn(len(items), 1, generator=torch.Generator().manual_seed(0))
    spoilt = torch.cat([items, noise, torch.ones(len(items), 1)], dim=1)
    assert cluster_latents(spoilt, labels).accuracy < 0.7
    assert cluster_latents(spoilt, labels, standardise=True).accuracy > 0.95


@pytest.mark.parametrize(
    ("latents", "labels", "message"),
    [
        (torch.zeros(8, 3), ["a", "b"] * 4, "all latents are equal, as those of silence"),
        (torch.eye(3)[[0, 1, 0, 1]], ["a", "b", "c", "c"], "3 clusters need as many different items, and there are 2"),
        (torch.randn(4, 3), ["a", "b"], "there are 4 items and 2 labels"),
        (torch.randn(4, 3), ["a"] * 4, "at least two stems; got a"),
        (torch.zeros(0, 3), [], "at least two stems; got none"),
        (torch.tensor([[0.0], [torch.nan]]), ["a", "b"], r"latent 1 \(b\) has values that are not finite"),
        (torch.zeros(4, 0), ["a", "b"] * 2, "all latents are equal"),
    ],
)
def test_what_has_no_clusters_is_an_error(latents: torch.Tensor, labels: list[str], message: str):
    with pytest.raises(InputError, match=message):
        cluster_latents(latents, labels)


def test_neighbours_stay_neighbours_in_the_plane():
    items, labels = blobs(25, spread=0.4)
    projection = project_latents(items, labels)
    places = projection.places
    assert places.shape == (100, 2)
    assert projection.labels == tuple(labels)
    distances = torch.cdist(places, places).fill_diagonal_(torch.inf)
    nearest = distances.argmin(dim=1)
    assert all(labels[int(n)] == label for n, label in zip(nearest, labels, strict=True))
    assert torch.equal(project_latents(items, labels).places, places)


def test_of_many_items_some_are_drawn():
    projection = project_latents(*blobs(30, spread=0.4), max_items=40)
    assert projection.places.shape == (40, 2)
    assert set(projection.labels) == set(STEMS)


def test_a_few_items_need_a_small_perplexity():
    projection = project_latents(torch.randn(5, 3), ["a", "b", "a", "b", "a"])
    assert torch.isfinite(projection.places).all()
    with pytest.raises(InputError, match="four items; there are 3"):
        project_latents(torch.randn(3, 3), ["a", "b", "a"])
    with pytest.raises(InputError, match="perplexity of 9"):
        project_latents(torch.randn(5, 3), ["a", "b", "a", "b", "a"], perplexity=9.0)


def test_pictures_show_names_numbers_and_every_item():
    items, labels = blobs(25, spread=0.4)
    figure = draw_confusion(cluster_latents(items, labels), title="X-UMX")
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["bass", "drums", "other", "vocals"]
    assert {text.get_text() for text in axes.texts} == {"25", "0"}
    assert "X-UMX · 100.0 %" in axes.get_title()
    figure = draw_projection(project_latents(items, labels), title="X-UMX")
    assert sum(len(group.get_offsets()) for group in figure.axes[0].collections) == 100


def test_what_must_be_installed_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(UsageError, match=r"pip install 'stemtune\[report\]'"):
        cluster_latents(torch.randn(4, 2), ["a", "b", "a", "b"])
