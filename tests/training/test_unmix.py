"""Unmix in two phases: auto-encoders of stems, then an encoder of mixtures that finds their latents."""

from pathlib import Path

import pytest
import torch

from stemtune.errors import ConfigError
from stemtune.hub import ModelCard, save_model
from stemtune.models.vqvae import VQVAE, CodecConfig, Unmix, UnmixConfig, VQVAEConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig
from stemtune.objectives.quantisation import AutoEncodingConfig, LatentMatchConfig
from stemtune.training.phase import Execution, Experiment
from stemtune.training.run import train
from stemtune.transfer.initialise import Initialise, Part
from stemtune.transfer.trainable import Trainable
from tests.training.miniature import RATE, tiny_phase

EXECUTION = Execution(device="cpu", num_workers=0, threads=1)
CODEC = CodecConfig(stages=2, width=8, blocks=2, quantiser=VectorQuantiserConfig(num_codes=16, features=4))
STEM = "drums"


def auto_encoder(songs: Path, folder: Path, *, steps: int = 30) -> tuple[Path, VQVAE]:
    phase = tiny_phase(
        songs, steps=steps, objective=AutoEncodingConfig(waveform_bandwidth=0.01, spectral_bandwidth=1.0)
    ).override({"data.stems": [STEM], "data.coherent_probability": 0.0, "data.channels": 1})
    model = VQVAEConfig(stems=(STEM,), sample_rate=RATE, codec=CODEC)
    result = train(
        Experiment(name="codec", model=model, phases=(phase,)), folder / "run", execution=EXECUTION, quiet=True
    )
    separator = result.separator
    assert isinstance(separator, VQVAE)
    card = ModelCard(name="codec", licence="CC0-1.0", description="A test.")
    save_model(separator, folder / "codec", card)
    return folder / "codec", separator


def mixture_encoder(songs: Path, codec: Path, *, steps: int, **changes: object) -> Experiment:
    phase = tiny_phase(
        songs,
        steps=steps,
        objective=LatentMatchConfig(teachers={STEM: str(codec)}),
        initialise=Initialise(
            source="model",
            parts=(Part(model=str(codec), rename={"quantiser.": "quantisers.0.", "decoder.": "decoders.0."}),),
            fresh=("encoders.*",),
        ),
        trainable=Trainable(patterns=("encoders.*",)),
    ).override({"data.channels": 1})
    model = UnmixConfig(stems=(STEM,), sample_rate=RATE, codec=CODEC, complete=False, decode_in_training=False)
    return Experiment(name="mixture-encoder", model=model.override(changes), phases=(phase,))


def losses(folder: Path) -> list[float]:
    header, *rows = (folder / "1-learn" / "log.csv").read_text().splitlines()
    column = header.split(",").index("loss")
    return [float(row.split(",")[column]) for row in rows if row.split(",")[column]]


def test_both_phases_learn_and_only_the_mixture_encoder_moves_in_the_second(songs: Path, tmp_path: Path) -> None:
    folder, codec = auto_encoder(songs, tmp_path)
    first = losses(tmp_path / "run")
    assert sum(first[-5:]) < 0.8 * sum(first[:5])
    assert bool(codec.quantiser.filled)
    result = train(mixture_encoder(songs, folder, steps=40), tmp_path / "second", execution=EXECUTION, quiet=True)
    second = losses(tmp_path / "second")
    assert sum(second[-5:]) < 0.8 * sum(second[:5])
    unmix = result.separator
    assert isinstance(unmix, Unmix)
    assert unmix.stems == (STEM,), "one stem is learnt out of a mixture of all"
    for ours, theirs in ((unmix.decoders[0], codec.decoder), (unmix.quantisers[0], codec.quantiser)):
        assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())
    assert not torch.equal(unmix.encoders[0].out.weight, codec.encoder.out.weight)


def test_a_mixture_encoder_may_start_from_the_stems_own(songs: Path, tmp_path: Path) -> None:
    folder, codec = auto_encoder(songs, tmp_path, steps=2)
    rename = {"quantiser.": "quantisers.0.", "decoder.": "decoders.0.", "encoder.": "encoders.0."}
    experiment = mixture_encoder(songs, folder, steps=1)
    (phase,) = experiment.phases
    start = Initialise(source="model", parts=(Part(model=str(folder), rename=rename),))
    still = phase.model_copy(
        update={"initialise": start, "optimiser": phase.optimiser.override({"learning_rate": 1e-12})}
    )
    result = train(
        experiment.model_copy(update={"phases": (still,)}), tmp_path / "second", execution=EXECUTION, quiet=True
    )
    assert torch.allclose(result.separator.encoders[0].out.weight, codec.encoder.out.weight, atol=1e-6)


def test_teachers_must_be_auto_encoders_of_the_same_rate_and_sizes(songs: Path, tmp_path: Path) -> None:
    folder, codec = auto_encoder(songs, tmp_path, steps=1)
    other = codec.config.override({"sample_rate": 16000}).build()
    save_model(other, tmp_path / "fast", ModelCard(name="fast", licence="CC0-1.0", description="A test."))
    (phase,) = mixture_encoder(songs, folder, steps=1).phases
    for teacher, message in (
        (tmp_path / "fast", "hears at 16000 Hz, the pupil at 8000 Hz"),
        ("default", "expected a VQVAE"),
    ):
        wrong = phase.model_copy(update={"objective": LatentMatchConfig(teachers={STEM: str(teacher)})})
        experiment = mixture_encoder(songs, folder, steps=1).model_copy(update={"phases": (wrong,)})
        with pytest.raises(ConfigError, match=message):
            train(experiment, tmp_path / message[:5], execution=EXECUTION, quiet=True)
    with pytest.raises(ConfigError, match="do not fit the network"):
        train(
            mixture_encoder(songs, folder, steps=1, **{"codec.width": 6}),
            tmp_path / "narrow",
            execution=EXECUTION,
            quiet=True,
        )
