"""The loop learns, freezes what must not move, goes through phases, and refuses what cannot work."""

from pathlib import Path

import pytest
import torch

from stemtune.errors import ConfigError
from stemtune.objectives.spectral import MagnitudeMSEConfig
from stemtune.training.phase import Execution, Experiment
from stemtune.training.run import train
from stemtune.training.schedule import Schedule
from stemtune.transfer.initialise import Initialise
from stemtune.transfer.trainable import Trainable
from tests.training.miniature import tiny_experiment, tiny_model, tiny_phase, tiny_validation

EXECUTION = Execution(device="cpu", num_workers=0, threads=1)


def test_training_makes_held_out_songs_better_than_silence(songs: Path, tmp_path: Path) -> None:
    """Silence scores 0 dB; the stems of the miniature lie in different bands, which sixty steps must find out."""
    experiment = tiny_experiment(songs, steps=60, validation=tiny_validation(songs, every_steps=60))
    result = train(experiment, tmp_path, execution=EXECUTION, quiet=True)
    assert result.finished
    assert result.best_score is not None
    assert result.best_score > 3.0


def test_frozen_parts_stay_bit_for_bit(songs: Path, tmp_path: Path) -> None:
    first, second = (
        tiny_phase(songs, steps=2),
        tiny_phase(
            songs,
            name="head-only",
            steps=3,
            initialise=Initialise(source="previous"),
            trainable=Trainable(patterns=("head.*",)),
        ),
    )
    experiment = Experiment(name="two", model=tiny_model(), phases=(first, second))
    result = train(experiment, tmp_path, execution=EXECUTION, quiet=True)
    before = train(
        Experiment(name="two", model=tiny_model(), phases=(first,)), tmp_path / "one", execution=EXECUTION, quiet=True
    ).separator.state_dict()
    after = result.separator.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head"}


def test_gradient_accumulation_equals_one_larger_batch_where_no_batch_norm_mixes_them(
    songs: Path, tmp_path: Path
) -> None:
    """With all batch norms frozen the mean of two half batches is the whole batch, to rounding."""
    trainable = Trainable(patterns=("head.maps.*",))
    whole = tiny_experiment(songs, steps=2, batch_size=4, trainable=trainable, clipping=None)
    halves = tiny_experiment(songs, steps=2, batch_size=2, accumulate_steps=2, trainable=trainable, clipping=None)
    one = train(whole, tmp_path / "a", execution=EXECUTION, quiet=True).separator.state_dict()
    two = train(halves, tmp_path / "b", execution=EXECUTION, quiet=True).separator.state_dict()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)


def test_early_stopping_ends_a_phase_that_no_longer_improves(songs: Path, tmp_path: Path) -> None:
    experiment = tiny_experiment(
        songs,
        steps=50,
        patience=2,
        validation=tiny_validation(songs, every_steps=1),
        trainable=Trainable(patterns=("split.maps.0.bias",)),
        optimiser={"learning_rate": 1e-12},
    )
    assert train(experiment, tmp_path, execution=EXECUTION, quiet=True).steps < 50


def test_plateau_on_the_training_loss_lowers_the_rate(songs: Path, tmp_path: Path) -> None:
    schedule = Schedule(kind="plateau", watch="training_loss", every_steps=1, patience=0, decay=0.5)
    train(tiny_experiment(songs, steps=8, schedule=schedule), tmp_path, execution=EXECUTION, quiet=True)
    rates = [line.split(",")[2] for line in (tmp_path / "1-learn" / "log.csv").read_text().splitlines()[1:]]
    assert float(rates[-1]) < float(rates[0])


def test_an_objective_that_needs_what_the_model_does_not_offer_is_refused(songs: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs Estimate\.magnitudes, which BandNet does not offer"):
        tiny_experiment(songs, objective=MagnitudeMSEConfig())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initialise": {"source": "previous"}}, "no previous phase"),
        ({"patience": 3}, "needs a validation set"),
        ({"schedule": {"kind": "plateau"}}, "needs a validation set"),
        ({"initialise": {"source": "model"}}, "name a model"),
    ],
)
def test_experiments_that_cannot_work_are_refused(songs: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=message):
        tiny_experiment(songs, **changes)


def test_data_that_do_not_fit_the_model_are_refused(songs: Path) -> None:
    experiment = tiny_experiment(songs)
    with pytest.raises(ConfigError, match="the model expects"):
        experiment.override({"phases.0.data.sample_rate": 16000})


def test_a_pattern_that_matches_nothing_is_refused(songs: Path, tmp_path: Path) -> None:
    experiment = tiny_experiment(songs, trainable=Trainable(patterns=("heads.*",)))
    with pytest.raises(ConfigError, match=r"no parameter matches 'heads\.\*'"):
        train(experiment, tmp_path, execution=EXECUTION, quiet=True)


def test_an_experiment_survives_json(songs: Path) -> None:
    experiment = tiny_experiment(songs, validation=tiny_validation(songs))
    assert Experiment.model_validate_json(experiment.model_dump_json()) == experiment
