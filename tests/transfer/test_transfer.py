"""What may move, and where weights start."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from stemtune.errors import ConfigError
from stemtune.transfer.initialise import Initialise, Part, renamed, take_over
from stemtune.transfer.trainable import Adapters, Trainable, attach_adapters, freeze, set_training


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


def test_adapters_go_where_weights_rest() -> None:
    model = network()
    trainable = Trainable(patterns=("head.*",), adapters=Adapters(rank=1))
    attach_adapters(model, trainable, seed=0)
    moving = freeze(model, trainable)
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    factors = {f"trunk.parametrizations.weight.0.{side}" for side in ("left", "right")}
    assert names == {"head.weight", "head.bias", *factors}
    assert len(moving) == 4


def test_adapters_are_the_same_for_the_same_seed() -> None:
    states = []
    for seed in (1, 1, 2):
        model = network()
        attach_adapters(model, Trainable(patterns=(), adapters=Adapters(rank=1)), seed=seed)
        states.append(model.state_dict()["trunk.parametrizations.weight.0.right"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_adapters_without_a_place_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no weight for adapters of rank 1: .* do not move as a whole \(\*\)"):
        attach_adapters(network(), Trainable(adapters=Adapters(rank=1)), seed=0)
    with pytest.raises(ConfigError, match=r"no weight for adapters of rank 4"):
        attach_adapters(network(), Trainable(patterns=(), adapters=Adapters(rank=4)), seed=0)


def test_something_must_move() -> None:
    with pytest.raises(ValidationError, match="nothing may move"):
        Trainable(patterns=())
