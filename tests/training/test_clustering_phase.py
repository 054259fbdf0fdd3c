"""A network pre-trained on some stems by clustering goes on to other stems, within one experiment or from a folder."""

from pathlib import Path

import pytest
import torch

from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.errors import ConfigError
from stemtune.models.chimeranet import ChimeraNetConfig
from stemtune.objectives.clustering import ClusteringConfig
from stemtune.objectives.spectral import MagnitudeL1Config
from stemtune.training.phase import Execution, Experiment, Phase
from stemtune.training.run import train
from stemtune.transfer.initialise import Initialise
from stemtune.transfer.trainable import Trainable
from tests.training.miniature import RATE

TRANSFORM = {"n_fft": 64, "hop_length": 16}


def data(songs: Path, stems: tuple[str, ...]) -> MixingConfig:
    return MixingConfig(
        corpora=(Corpus(path=str(songs)),), stems=stems, sample_rate=RATE, channels=1, segment_seconds=0.3,
        coherent_probability=float(len(stems) > 1),
    )  # fmt: skip


def experiment(songs: Path, *, pretraining: object) -> Experiment:
    """Pre-train on both stems, fine-tune the masks of a network for one of them."""
    model = ChimeraNetConfig(
        **TRANSFORM, stems=("drums",), sample_rate=RATE, hidden_size=4, num_layers=1, embedding_size=3
    )
    learn = Phase(
        name="pretrain",
        objective=pretraining,
        data=data(songs, ("vocals", "drums")),
        trainable=Trainable(patterns=("norm.*", "recurrent.*", "embedding_head.*")),
        steps=2,
        batch_size=2,
    )
    masks = Phase(
        name="finetune",
        initialise=Initialise(source="previous"),
        objective=MagnitudeL1Config(**TRANSFORM),
        data=data(songs, ("drums",)),
        trainable=Trainable(patterns=("mask_head.*",)),
        steps=2,
        batch_size=2,
    )
    return Experiment(name="two", model=model, phases=(learn, masks))


def test_clustering_hears_stems_that_the_model_does_not_have(songs: Path, tmp_path: Path) -> None:
    made = experiment(songs, pretraining=ClusteringConfig(**TRANSFORM))
    result = train(made, tmp_path, execution=Execution(device="cpu", num_workers=0, threads=1), quiet=True)
    assert result.finished
    assert result.separator.stems == ("drums",)
    with torch.no_grad():
        assert result.separator(torch.zeros(1, 1, 900)).sources.shape == (1, 1, 1, 900)


def test_what_names_stems_needs_the_models(songs: Path) -> None:
    with pytest.raises(ConfigError, match="pretrain"):
        experiment(songs, pretraining=MagnitudeL1Config(**TRANSFORM)).override({"model.stems": ["bass"]})
