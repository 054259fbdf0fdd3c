"""What may move, and where weights start."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from stemtune.errors import ConfigError
from stemtune.transfer.initialise import Initialise, Part, renamed, take_over
from stemtune.transfer.trainable import Trainable, freeze, set_training


def network() -> nn.Sequential:
    layers = {"trunk": nn.Linear(4, 4), "norm": nn.BatchNorm1d(4), "drop": nn.Dropout(), "head": nn.Linear(4, 2)}
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def test_only_what_matches_moves_and_the_rest_stays_in_evaluation_mode() -> None:
    model = network()
    moving = freeze(model, Trainable(patterns=("head.*",)))
    assert len(moving) == 2
    set_training(model, Trainable(patterns=("head.*",)))
    modes = {name: module.training for name, module in model.named_children()}
    assert modes == {"trunk": False, "norm": False, "drop": False, "head": True}


def test_statistics_may_drift_as_in_the_reference_framework() -> None:
    model = network()
    trainable = Trainable(patterns=("head.*",), freeze_statistics=False)
    freeze(model, trainable)
    set_training(model, trainable)
    assert all(module.training for module in model.children())


def test_dropout_stays_on_where_everything_moves() -> None:
    model = network()
    freeze(model, Trainable())
    set_training(model, Trainable())
    assert all(module.training for module in model.children())


def test_weights_are_taken_over_except_what_is_fresh() -> None:
    source, target = network(), network()
    before = target.get_submodule("head").state_dict()["weight"].clone()
    fresh = take_over(target, source.state_dict(), fresh=("head.*",))
    assert set(fresh) == {"head.weight", "head.bias"}
    assert torch.equal(target.state_dict()["trunk.weight"], source.state_dict()["trunk.weight"])
    assert torch.equal(target.state_dict()["head.weight"], before)


def test_what_does_not_fit_is_an_error_unless_it_is_fresh() -> None:
    state = dict(network().state_dict())
    state["head.weight"] = torch.zeros(5, 4)
    del state["trunk.bias"]
    with pytest.raises(ConfigError, match=r"trunk\.bias is missing; head\.weight is \(5, 4\), expected \(2, 4\)"):
        take_over(network(), state)


def test_tensors_go_by_other_names() -> None:
    state = {"encoder.a": torch.zeros(1), "decoder.a": torch.ones(1), "other": torch.ones(2)}
    taken = renamed(state, {"decoder.": "decoders.0.", "oth": "an"})
    assert set(taken) == {"decoders.0.a", "aner"}
    assert torch.equal(taken["decoders.0.a"], torch.ones(1))


@pytest.mark.parametrize(
    "settings",
    [
        {"source": "model"},
        {"source": "scratch", "model": "default"},
        {"source": "previous", "parts": ({"model": "default", "rename": {"a": "b"}},)},
        {"source": "model", "model": "default", "parts": (Part(model="default", rename={"a": "b"}),)},
    ],
)
def test_models_are_named_exactly_if_they_are_asked_for(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"name (a model|either one model)"):
        Initialise.model_validate(settings)
