"""Every recipe builds, says what it should, and its smoke twin runs for two steps."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.recipes import RECIPES, find_recipe
from stemtune.recipes.default_model.experiment import default_model, smoke
from stemtune.recipes.default_model.research import research_model
from stemtune.recipes.released.experiments import SPECIALITIES, small_model
from stemtune.training.phase import Execution, Experiment
from stemtune.training.run import train

SECTIONS = ("Paper:", "Expected:", "Cost:", "Run:", "Deviations:")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature with the folders and the names that the default model's corpus has."""
    root = tmp_path_factory.mktemp("corpus")
    generator = np.random.default_rng(0)
    songs = [f"songs/{song}/{stem}" for song in ("eir-a", "mma-b") for stem in ("vocals", "drums", "bass", "other")]
    pools = [f"pools/{stem}/{name}" for stem in ("vocals", "drums", "bass", "other") for name in ("eir-c", "made-1")]
    pools += [f"pools/vocals/{name}-1" for name in ("worded", "sung", "choir_female")]
    for name in songs + pools:
        path = root / "train" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * generator.standard_normal((2 * 44100, 2)), 44100, subtype="PCM_16")
    return root


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_say_what_to_expect(name: str) -> None:
    recipe = find_recipe(name)
    documentation = (recipe.__doc__ or "") + (sys.modules[recipe.__module__].__doc__ or "")
    assert [section for section in SECTIONS if section not in documentation] == []


@pytest.mark.parametrize(
    "make", [default_model, research_model, *(partial(small_model, name) for name in SPECIALITIES)]
)
def test_the_recipe_is_a_valid_experiment_that_survives_json(make: Callable[[], Experiment]) -> None:
    experiment = make()
    assert Experiment.model_validate_json(experiment.model_dump_json()) == experiment


def test_the_smoke_twin_of_the_default_recipe_runs(corpus: Path, tmp_path: Path) -> None:
    result = train(smoke(corpus), tmp_path, execution=Execution(device="cpu", num_workers=0, threads=1), quiet=True)
    assert result.finished
    assert result.steps == 2
    assert result.separator.stems == ("vocals", "drums", "bass", "other")


def test_bandnet_fits_itself_to_the_data(songs: Path) -> None:
    experiment = find_recipe("bandnet")(songs, None)
    assert experiment.model.sample_rate == 8000
    assert set(experiment.model.stems) == {"vocals", "drums"}
    assert experiment.model.channels == 1
