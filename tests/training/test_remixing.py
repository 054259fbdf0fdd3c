"""Mined excerpts as a second stream of data: what is heard, what moves, and that stopping changes nothing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.errors import ConfigError, InputError
from stemtune.mining.excerpts import Excerpt
from stemtune.mining.index import Index, MiningSettings, SongRecord
from stemtune.mining.thresholds import Threshold
from stemtune.objectives.remix import remix_loss
from stemtune.training import checkpoint
from stemtune.training.phase import Execution, Experiment
from stemtune.training.remixing import MinedExcerpts, Remixing
from stemtune.training.run import train
from stemtune.types import Estimate
from tests.training.miniature import RATE, tiny_experiment

EXECUTION = Execution(device="cpu", num_workers=0, threads=1, checkpoint_every_steps=2)
THRESHOLD = Threshold(probability=0.9, precision=1.0, recall=1.0, num_windows=1000, num_songs=2)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A song of a ramp, without drums from 2 to 10 s."""
    library = tmp_path / "library"
    library.mkdir()
    ramp = np.arange(12 * RATE, dtype=np.float32) / (12 * RATE)
    soundfile.write(library / "ramp.wav", ramp, RATE, subtype="FLOAT")
    settings = MiningSettings(
        library=str(library), detector="x", stems=("vocals", "drums"), left_out=("vocals",),
        thresholds={"drums": THRESHOLD},
    )  # fmt: skip
    excerpt = Excerpt(stem="drums", start_seconds=2.0, end_seconds=10.0, mean_probability=0.95)
    with Index(tmp_path / "mined", settings) as mined:
        mined.append(SongRecord(path="ramp.wav", status="mined", excerpts=(excerpt,)))
        mined.append(SongRecord(path="other.wav", status="skipped", reason="is silent throughout"))
    return tmp_path / "mined"


def mixing(songs: Path, seconds: float = 1.0) -> MixingConfig:
    return MixingConfig(
        corpora=(Corpus(path=str(songs)),),
        stems=("vocals", "drums"),
        sample_rate=RATE,
        channels=1,
        segment_seconds=seconds,
    )


def remixed(songs: Path, index: Path, **changes: object) -> Experiment:
    settings = {"index": str(index), "probability": 0.5} | changes
    return tiny_experiment(songs, steps=6, remixing=settings)


def test_the_loss_is_equation_3() -> None:
    sources = torch.randn(2, 3, 1, 50)
    source, excerpt = torch.randn(2, 1, 50), torch.randn(2, 1, 50)
    loss = remix_loss(estimate=Estimate(sources), source=source, excerpt=excerpt, stem=1, others_weight=0.5)
    expected = (sources[:, 1] - source).abs().mean()
    expected = expected + 0.5 * (sources[:, 0] + sources[:, 2] - excerpt).abs().mean()
    torch.testing.assert_close(loss.total, expected)


def test_excerpts_stay_within_where_the_stem_is_silent(songs: Path, index: Path) -> None:
    mined = MinedExcerpts(Remixing(index=str(index)), mixing(songs), batch_size=4)
    assert mined.stems == ("drums",)
    for step in range(20):
        batch = mined.batch(seed=1, step=step)
        assert batch.stem == 1
        assert batch.source.shape == batch.excerpt.shape == (4, 1, RATE)
        assert batch.excerpt.min() >= 2 / 12 - 1e-3
        assert batch.excerpt.max() <= 10 / 12 + 1e-3
        assert batch.source.abs().max() > 0
        again = mined.batch(seed=1, step=step)
        assert torch.equal(batch.source, again.source)
        assert torch.equal(batch.excerpt, again.excerpt)


def test_it_happens_as_often_as_it_should(songs: Path, index: Path) -> None:
    mined = MinedExcerpts(Remixing(index=str(index)), mixing(songs), batch_size=1)
    assert sum(mined.happens(seed=7, step=step) for step in range(2000)) == pytest.approx(500, abs=60)


def state(folder: Path) -> dict[str, torch.Tensor]:
    last = checkpoint.latest(folder / "1-learn" / "checkpoints")
    assert last is not None
    return {f"{file.stem}.{k}": v for file in last.glob("*.safetensors") for k, v in load_file(file).items()}


def test_stopping_and_going_on_changes_nothing(songs: Path, index: Path, tmp_path: Path) -> None:
    experiment = remixed(songs, index)
    train(experiment, tmp_path / "whole", execution=EXECUTION, quiet=True)
    for _ in range(8):
        stopping = EXECUTION.model_copy(update={"max_minutes": 1e-9})
        train(experiment, tmp_path / "pieces", execution=stopping, quiet=True)
    whole, pieces = state(tmp_path / "whole"), state(tmp_path / "pieces")
    assert any(name.startswith("optimiser.remix.") for name in whole)
    assert whole.keys() == pieces.keys()
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)


def test_remixing_moves_the_weights_and_is_logged(songs: Path, index: Path, tmp_path: Path) -> None:
    train(remixed(songs, index), tmp_path / "with", execution=EXECUTION, quiet=True)
    train(tiny_experiment(songs, steps=6), tmp_path / "without", execution=EXECUTION, quiet=True)
    one, other = state(tmp_path / "with"), state(tmp_path / "without")
    assert any(not torch.equal(one[name], other[name]) for name in other if name.startswith("network."))
    assert "remix_known=" in (tmp_path / "with" / "1-learn" / "log.csv").read_text()


@pytest.mark.parametrize(
    ("changes", "seconds", "error", "complaint"),
    [
        ({}, 6.0, ConfigError, "do not fit"),
        ({"stems": ("bass",)}, 1.0, ConfigError, "'bass'"),
        ({"stems": ("vocals",)}, 1.0, InputError, "no excerpt without vocals"),
    ],
)
def test_what_cannot_work_is_refused(
    songs: Path, index: Path, changes: dict[str, object], seconds: float, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        MinedExcerpts(Remixing.model_validate({"index": str(index), **changes}), mixing(songs, seconds), batch_size=1)


def test_there_must_be_an_index(songs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stemtune mine"):
        MinedExcerpts(Remixing(index=str(tmp_path)), mixing(songs), batch_size=1)
