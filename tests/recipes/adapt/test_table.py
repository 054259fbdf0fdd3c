"""Every strategy on every model: what the table calls possible runs for two steps, what it does not is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.hub import ModelCard, save_model
from stemtune.mining.excerpts import Excerpt
from stemtune.mining.index import Index, MiningSettings, SongRecord
from stemtune.models import SeparatorConfig
from stemtune.recipes.adapt.strategies import STRATEGIES
from stemtune.recipes.adapt.table import cell, render, task_for
from stemtune.training.run import train
from tests.contracts.test_separators import SMALL
from tests.hub.listeners import save_tiny_listener
from tests.recipes.adapt.conftest import EXECUTION
from tests.training.miniature import RATE
from tests.training.test_remixing import THRESHOLD

FAMILIES = {kind: SMALL[kind] for kind in ("xumx", "bandnet", "chimeranet", "vqvae", "unmix", "demucs")}
REFUSED = {(kind, "clustering") for kind in FAMILIES if kind != "chimeranet"} | {
    ("bandnet", "dis-reg"),
    ("vqvae", "dis-reg"),
}


def config_of(kind: str) -> SeparatorConfig:
    """At the songs' rate, for the songs' stems."""
    stems = ["drums"] if kind == "vqvae" else ["vocals", "drums"]
    return FAMILIES[kind].override({"sample_rate": RATE, "channels": 1, "stems": stems})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of each family, a listener, and excerpts without drums."""
    root = tmp_path_factory.mktemp("table")
    for kind in FAMILIES:
        save_model(config_of(kind).build(), root / kind, ModelCard(name=kind, licence="MIT", description="Fresh."))
    save_tiny_listener(root / "listener")
    (root / "library").mkdir()
    soundfile.write(root / "library" / "ramp.wav", np.linspace(0, 1, 8 * RATE, dtype=np.float32), RATE, subtype="FLOAT")
    settings = MiningSettings(
        library=str(root / "library"), detector="x", stems=("vocals", "drums"), left_out=("vocals",),
        thresholds={"drums": THRESHOLD},
    )  # fmt: skip
    excerpt = Excerpt(stem="drums", start_seconds=0.0, end_seconds=8.0, mean_probability=0.95)
    with Index(root / "index", settings) as mined:
        mined.append(SongRecord(path="ramp.wav", status="mined", excerpts=(excerpt,)))
    return root


def test_the_document_is_what_the_code_says() -> None:
    assert Path("docs/strategies.md").read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_cell_runs_or_names_what_is_missing(
    kind: str, strategy: str, songs: Path, place: Path, tmp_path: Path
) -> None:
    task = task_for(
        config_of(kind),
        str(songs),
        base=str(place / kind),
        index=str(place / "index"),
        listener=str(place / "listener"),
    )
    made = cell(strategy, task)
    if (kind, strategy) in REFUSED:
        assert isinstance(made, str)
        assert "needs Estimate." in made or made == "dis-reg compares latents of stems, and this vqvae has a single one"
    else:
        assert not isinstance(made, str), made
        assert train(made, tmp_path, execution=EXECUTION, quiet=True).finished
