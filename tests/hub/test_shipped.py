"""Every model inside the package: it loads, it is small, and its card says enough to trust it."""

from pathlib import Path

import pytest
import torch

from stemtune.hub import find_card, load, registry

SHIPPED = sorted(path.parent for path in registry.SHIPPED_MODELS.glob("*/card.json"))
pytestmark = pytest.mark.skipif(not SHIPPED, reason="no model is shipped in this working tree yet")


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_it_loads_by_name_and_separates(folder: Path):
    separator = load(folder.name)
    mixture = 0.1 * torch.randn(1, separator.channels, 2 * separator.sample_rate)
    with torch.no_grad():
        sources = separator(mixture).sources
    assert sources.shape == (1, len(separator.stems), separator.channels, 2 * separator.sample_rate)
    assert sources.isfinite().all()


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_its_card_is_complete(folder: Path):
    card = find_card(folder.name)
    assert card.name == folder.name
    assert card.licence != "unknown"
    for field in ("description", "recipe", "commit", "created", "intended_use", "limits", "training_data"):
        assert getattr(card, field), f"{field} is empty"
    assert card.training_minutes > 0
    assert card.weights_bytes == (folder / "model.safetensors").stat().st_size
    assert sum(path.stat().st_size for path in folder.iterdir()) < 25e6


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_every_stem_beats_the_mixture_and_silence(folder: Path):
    card = find_card(folder.name)
    scores = {score.stem: score for score in card.headline("sdr_global")}
    assert set(scores) == set(card.stems)
    for score in scores.values():
        assert score.value > max(0.0, score.mixture_baseline), f"{score.stem}: {score}"
