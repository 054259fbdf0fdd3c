"""Low-rank adapters on the layers of every family."""

import copy

import pytest
import torch
from torch import nn

from stemtune.models import Separator
from stemtune.nn.lora import attach, factors_of, is_factor, matrix_shape, merge
from stemtune.transfer.trainable import Adapters, Trainable, attach_adapters, freeze, set_training
from tests.contracts.test_separators import SMALL, close, noise


@pytest.fixture(params=SMALL)
def separator(request: pytest.FixtureRequest) -> Separator:
    torch.manual_seed(0)
    separator = SMALL[request.param].build()
    with torch.no_grad():
        separator(noise(2, separator.channels, 3000))  # fills codebooks, which rest afterwards
    return separator.eval()


def adapted(separator: Separator, rank: int = 2) -> Separator:
    separator = copy.deepcopy(separator)
    attach_adapters(separator, Trainable(patterns=(), adapters=Adapters(rank=rank)), seed=1)
    return separator


def test_weights_are_laid_out_as_the_squarest_matrix() -> None:
    assert matrix_shape((6, 4)) == (6, 4)
    assert matrix_shape((64, 64, 3, 3)) == (64, 576)
    assert matrix_shape((8, 64, 128)) == (512, 128)
    assert matrix_shape((7,)) == (1, 7)


def test_fresh_adapters_change_nothing(separator: Separator) -> None:
    mixture = noise(2, separator.channels, 5000)
    with torch.no_grad():
        close(adapted(separator)(mixture).sources, separator(mixture).sources)


def test_every_adapter_learns_and_nothing_else_does(separator: Separator) -> None:
    network = adapted(separator)
    trainable = Trainable(patterns=(), adapters=Adapters(rank=2))
    moving = freeze(network, trainable)
    set_training(network, trainable)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.Adam(moving, lr=1e-2)
    for _ in range(2):  # the first step moves the left factors only, for these are zero
        optimiser.zero_grad()
        estimate = network(noise(2, network.channels, 3000))
        pull = estimate.sources.square().sum()
        if estimate.embedding is not None:
            pull = pull + estimate.embedding[..., 0].sum()
        pull.backward()
        optimiser.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if is_factor(name)}


def test_merging_gives_an_ordinary_network_that_answers_alike(separator: Separator) -> None:
    network = adapted(separator)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if is_factor(name):
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
        mixture = noise(1, separator.channels, 5000)
        merged = copy.deepcopy(separator)
        merged.load_state_dict(merge(network.state_dict()))
        close(merged(mixture).sources, network(mixture).sources)
        close(copy.deepcopy(network)(mixture).sources, network(mixture).sources)
        assert not torch.allclose(merged(mixture).sources, separator(mixture).sources)


def test_a_state_without_adapters_is_merged_already(separator: Separator) -> None:
    state = separator.state_dict()
    assert merge(state).keys() == state.keys()


def test_differences_of_low_rank_are_factored_and_others_are_not() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(20, 3, generator=generator), torch.randn(3, 40, generator=generator)
    found = factors_of((left @ right).view(20, 8, 5), rank=3, tolerance=1e-4)
    assert found is not None
    torch.testing.assert_close(found[0] @ found[1], left @ right, rtol=0, atol=1e-4)
    assert factors_of(left @ right, rank=2, tolerance=1e-4) is None
    assert factors_of(torch.ones(3, 40), rank=3, tolerance=1e-4) is None


def test_a_weight_smaller_than_the_rank_is_refused() -> None:
    network = nn.Sequential(nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"0\.weight of shape \(2, 4\) has no more than 2 rows or columns"):
        attach(network, ["0.weight"], rank=2)
