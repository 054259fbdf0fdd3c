"""Running the command line inside the test's process, and small things to run it on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from stemtune.cli.main import run
from stemtune.hub import ModelCard, Score, save_model
from stemtune.models.bandnet import BandNetConfig


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEMTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("STEMTUNE_DEBUG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def stemtune(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def stemtune(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return stemtune


@pytest.fixture
def kazoo(home: Path) -> Path:
    """A user's model called kazoo, of nobody's taste."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BandNetConfig(
            stems=("vocals", "other"), sample_rate=8000, n_fft=64, hop_length=16, bands=((4, 2), (3, 8), (1, 1)),
            width=8, dilations=(1,), mixing_groups=2, chunk_seconds=0.5,
        )  # fmt: skip
        separator = config.build().eval()
    card = ModelCard(
        name="kazoo",
        licence="CC0-1.0",
        description="Random numbers.",
        scores=(Score(stem="vocals", definition="sdr_global", value=-3.25, mixture_baseline=-1.0, data="nothing"),),
    )
    save_model(separator, home / "models" / "kazoo", card)
    return home / "models" / "kazoo"
