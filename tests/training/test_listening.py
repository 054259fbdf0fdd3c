"""Learning from a listener: the map that is learnt beside the network, its checkpoints, and what is refused at once."""

from pathlib import Path

import pytest
import torch

from stemtune.errors import ConfigError, UsageError
from stemtune.hub import ModelCard, load, save_model
from stemtune.hub.listeners import load_listener
from stemtune.models.xumx import XUMXConfig
from stemtune.objectives.choice import WeightedObjective, WeightedSumConfig
from stemtune.objectives.latent import ConRegConfig, DisRegConfig
from stemtune.objectives.spectral import MagnitudeMSEConfig
from stemtune.training.loop import fresh_network
from stemtune.training.phase import Execution, Experiment
from stemtune.training.run import train
from stemtune.training.teachers import ListenerTeacher
from stemtune.transfer.initialise import Initialise
from tests.hub.listeners import save_tiny_listener, tiny_listener_config
from tests.training.miniature import RATE, tiny_model, tiny_phase, tiny_validation

EXECUTION = Execution(device="cpu", num_workers=0, threads=1, checkpoint_every_steps=2)
MSE = MagnitudeMSEConfig(n_fft=256, hop_length=64)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_listener(tmp_path_factory.mktemp("listeners") / "tiny")


def experiment(songs: Path, objective: ConRegConfig | DisRegConfig | None, **changes: object) -> Experiment:
    parts = [WeightedObjective(weight=1.0, objective=MSE)]
    parts += [WeightedObjective(weight=0.1, objective=objective)] if objective else []
    model = XUMXConfig(
        stems=("vocals", "drums"), sample_rate=RATE, channels=1, n_fft=256, hop_length=64, num_bins=100, hidden_size=8,
        num_layers=1,
    )  # fmt: skip
    phase = tiny_phase(songs, **({"objective": WeightedSumConfig(parts=tuple(parts)), "steps": 4} | changes))
    return Experiment(name="listening", seed=3, model=model, phases=(phase,))


def test_the_map_learns_beside_the_network_and_stays_behind(songs: Path, listener: Path, tmp_path: Path) -> None:
    before = load_listener(listener).state_dict()
    short, long = (
        train(
            experiment(songs, ConRegConfig(listener=str(listener)), steps=steps),
            tmp_path / str(steps),
            execution=EXECUTION,
            quiet=True,
        )
        for steps in (1, 4)
    )
    assert set(long.learned) == {"1.weight", "1.bias"}
    assert long.learned["1.weight"].shape == (6, 16, 1)
    assert not torch.equal(short.learned["1.weight"], long.learned["1.weight"])
    assert not any("1.weight" in name for name in long.separator.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in load_listener(listener).state_dict().items())


def test_regularised_and_plain_networks_begin_alike(songs: Path, listener: Path, tmp_path: Path) -> None:
    still = {"steps": 1, "optimiser": {"learning_rate": 1e-12}}
    plain, taught = (
        train(experiment(songs, objective, **still), tmp_path / name, execution=EXECUTION, quiet=True)
        for name, objective in (("plain", None), ("taught", DisRegConfig(listener=str(listener))))
    )
    for name, value in plain.separator.state_dict().items():
        torch.testing.assert_close(taught.separator.state_dict()[name], value, rtol=0, atol=1e-6)


def test_a_resumed_run_equals_one_that_never_stopped(songs: Path, listener: Path, tmp_path: Path) -> None:
    whole = experiment(songs, DisRegConfig(listener=str(listener)), validation=tiny_validation(songs, 2))
    once = train(whole, tmp_path / "once", execution=EXECUTION, quiet=True)
    parts = train(whole, tmp_path / "parts", execution=EXECUTION.model_copy(update={"max_minutes": 1e-9}), quiet=True)
    assert not parts.finished
    parts = train(whole, tmp_path / "parts", execution=EXECUTION, quiet=True)
    assert parts.finished
    for ours, theirs in ((parts.separator.state_dict(), once.separator.state_dict()), (parts.learned, once.learned)):
        assert all(torch.equal(ours[name], value) for name, value in theirs.items())


@pytest.mark.parametrize("gains", [False, True])
def test_recordings_are_listened_to_once_where_nothing_audible_is_done_to_them(
    songs: Path, listener: Path, tmp_path: Path, gains: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    hear = ListenerTeacher.__call__

    def counting(self: ListenerTeacher, waveform: torch.Tensor) -> torch.Tensor:
        asked.append(waveform.shape[0])
        return hear(self, waveform)

    monkeypatch.setattr(ListenerTeacher, "__call__", counting)
    made = experiment(songs, DisRegConfig(listener=str(listener)))
    (phase,) = made.phases
    augmentation = {"gain": (0.5, 1.0)} if gains else {"swap_probability": 0.5}
    phase = phase.override({"data.augmentation": phase.data.augmentation.override(augmentation).model_dump()})
    train(made.model_copy(update={"phases": (phase,)}), tmp_path / "run", execution=EXECUTION, quiet=True)
    assert asked == ([4] * 4 if gains else [])
    assert len(list((tmp_path / "run" / "1-learn").glob("features/*.npy"))) == (0 if gains else 7)


def listening(songs: Path, listener: Path | None, **changes: object) -> Experiment:
    plain = experiment(songs, None, **changes)
    model = plain.model.override({"listener": tiny_listener_config().model_dump(mode="json")})
    (phase,) = plain.phases
    start = Initialise(listener=None if listener is None else str(listener))
    return Experiment(name="concat", seed=3, model=model, phases=(phase.model_copy(update={"initialise": start}),))


def test_concat_hears_through_the_trained_listener_and_leaves_it_alone(
    songs: Path, listener: Path, tmp_path: Path
) -> None:
    result = train(listening(songs, listener), tmp_path / "run", execution=EXECUTION, quiet=True)
    state, weights = result.separator.state_dict(), load_listener(listener).state_dict()
    assert all(torch.equal(state[f"ear.listener.{name}"], value) for name, value in weights.items())
    save_model(result.separator, tmp_path / "model", ModelCard(name="concat", licence="CC0-1.0", description="A test."))
    again, mixture = load(tmp_path / "model"), 0.1 * torch.randn(1, 1, 3 * RATE)
    with torch.no_grad():
        assert torch.equal(again(mixture).sources, result.separator(mixture).sources)
        before = again(mixture).sources
        again.ear.listener.layers[2].bias += 1.0
        assert not torch.allclose(again(mixture).sources, before)


def test_concat_begins_as_its_baseline(songs: Path, listener: Path) -> None:
    plain, concat = (
        fresh_network(made, seed=5).state_dict() for made in (experiment(songs, None), listening(songs, listener))
    )
    for name, value in plain.items():
        ours = concat[name][:, : value.shape[1]] if name.endswith("squeeze.linear.weight") else concat[name]
        assert torch.equal(ours, value), name
    assert concat["networks.0.squeeze.linear.weight"].shape == (8, 16 + 6)


def test_a_listener_that_does_not_fit_is_refused(songs: Path, listener: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has learnt nothing; name a trained one"):
        train(listening(songs, None), tmp_path / "a", execution=EXECUTION, quiet=True)
    other = save_tiny_listener(tmp_path / "other", features=5)
    with pytest.raises(ConfigError, match="the model hears through VGGishConfig"):
        train(listening(songs, other), tmp_path / "a", execution=EXECUTION, quiet=True)
    (phase,) = listening(songs, listener).phases
    deaf = experiment(songs, None).model_copy(update={"phases": (phase,)})
    with pytest.raises(ConfigError, match="hears through no listener"):
        train(deaf, tmp_path / "a", execution=EXECUTION, quiet=True)


def test_short_segments_and_strangers_are_refused_before_anything_is_written(
    songs: Path, listener: Path, tmp_path: Path
) -> None:
    taught = experiment(songs, ConRegConfig(listener=str(listener)))
    (phase,) = taught.phases
    short = phase.model_copy(update={"data": phase.data.model_copy(update={"segment_seconds": 0.9})})
    with pytest.raises(ConfigError, match=r"segments of 0.9 s are shorter than the 0.96 s"):
        train(taught.model_copy(update={"phases": (phase, short)}), tmp_path / "a", execution=EXECUTION, quiet=True)
    with pytest.raises(UsageError, match="unknown model 'nobody'"):
        train(experiment(songs, ConRegConfig(listener="nobody")), tmp_path / "a", execution=EXECUTION, quiet=True)
    with pytest.raises(ConfigError, match="default is no listener"):
        train(experiment(songs, ConRegConfig(listener="default")), tmp_path / "a", execution=EXECUTION, quiet=True)
    refusing = experiment(songs, ConRegConfig(listener=str(listener), resample=False))
    with pytest.raises(ConfigError, match="hears at 16000 Hz, the separator works at 8000 Hz"):
        train(refusing, tmp_path / "a", execution=EXECUTION, quiet=True)
    assert not (tmp_path / "a").exists()


def test_separators_without_latents_are_refused_when_the_experiment_is_built(songs: Path) -> None:
    phase = tiny_phase(songs, objective=DisRegConfig(listener="any"))
    with pytest.raises(ConfigError, match=r"needs Estimate.latents, which BandNet does not offer"):
        Experiment(name="x", model=tiny_model(), phases=(phase,))
