"""ChimeraNet beyond the common examination: its sizes, its two heads, what may move, whole tracks."""

import pytest
import torch
from torch import Tensor

from stemtune.config import parse
from stemtune.errors import ConfigError
from stemtune.models.chimeranet import ChimeraNet, ChimeraNetConfig
from stemtune.separation.stream import separate_waveform
from stemtune.transfer.initialise import take_over
from stemtune.transfer.trainable import Trainable, freeze, set_training


def small(**changes: object) -> ChimeraNet:
    torch.manual_seed(0)
    sizes = {"n_fft": 128, "hop_length": 32, "hidden_size": 8, "num_layers": 2, "embedding_size": 4}
    return parse(ChimeraNetConfig, sizes | changes).build().eval()


def noise(*shape: int) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_the_papers_size() -> None:
    model = ChimeraNetConfig().build()
    assert sum(parameter.numel() for parameter in model.recurrent.parameters()) == 21_060_000
    assert sum(parameter.numel() for parameter in model.embedding_head.parameters()) == 5_145_140
    bias = model.recurrent.bias_ih_l2_reverse.detach()
    assert bias[:500].abs().sum() == 0
    assert (bias[500:1000] == 1).all()
    assert bias[1000:].abs().sum() == 0


def test_what_is_offered_fits_together() -> None:
    model, mixture = small(stems=("a", "b", "c")), noise(2, 1, 3001)
    with torch.no_grad():
        estimate = model(mixture)
    assert estimate.masks is not None
    assert estimate.embedding is not None
    spectrogram = model.spectrogram(mixture)
    torch.testing.assert_close(estimate.magnitudes, estimate.masks * spectrogram.abs().unsqueeze(1))
    assert estimate.embedding.shape == (2, 1, 65, 95, 4)
    torch.testing.assert_close(estimate.embedding.norm(dim=-1), torch.ones(2, 1, 65, 95))
    assert (estimate.masks > 0).all()
    assert (estimate.masks < 1).all()


def test_masks_of_one_are_the_identity() -> None:
    model, mixture = small(), noise(1, 1, 5001)
    with torch.no_grad():
        model.mask_head.weight.zero_()
        model.mask_head.bias.fill_(40.0)
        sources = model(mixture).sources
    torch.testing.assert_close(sources, mixture.unsqueeze(1).expand_as(sources), rtol=0, atol=1e-6)


def test_softmax_masks_sum_to_one() -> None:
    with torch.no_grad():
        masks = small(mask_activation="softmax", stems=("a", "b", "c"))(noise(1, 1, 2000)).masks
    assert masks is not None
    torch.testing.assert_close(masks.sum(dim=1), torch.ones_like(masks[:, 0]))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "none"])
@pytest.mark.parametrize("unit_norm", [True, False])
def test_embeddings_of_every_kind(activation: str, unit_norm: bool) -> None:
    model = small(embedding_activation=activation, unit_norm=unit_norm)
    embedding = model(noise(1, 1, 1000)).embedding
    assert embedding is not None
    embedding[..., 0].sum().backward()
    assert model.embedding_head.weight.grad is not None
    assert (embedding.norm(dim=-1).sub(1).abs().max() < 1e-5) == unit_norm
    assert activation != "sigmoid" or (embedding >= 0).all()


def test_one_product_for_both_heads_is_two_products() -> None:
    model, mixture = small(), noise(2, 1, 2000)
    together = model(mixture)
    model.embedding_head.requires_grad_(False)
    apart = model(mixture)
    torch.testing.assert_close(together.masks, apart.masks)
    torch.testing.assert_close(together.embedding, apart.embedding)


def test_a_new_mask_head_for_other_stems() -> None:
    torch.manual_seed(3)
    trained, fresh = small(), small(stems=("kick", "snare", "cymbals"))
    head = fresh.mask_head.weight.detach().clone()
    assert set(take_over(fresh, trained.state_dict(), fresh=("mask_head.*",))) == {"mask_head.weight", "mask_head.bias"}
    assert torch.equal(fresh.mask_head.weight, head)
    assert torch.equal(fresh.recurrent.weight_hh_l1, trained.recurrent.weight_hh_l1)
    mixture = noise(1, 1, 2000)
    with torch.no_grad():
        torch.testing.assert_close(fresh(mixture).embedding, trained(mixture).embedding)


def test_a_mask_model_moves_its_masks_and_nothing_else() -> None:
    """Weights and statistics rest, and dropout is off; with ``freeze_statistics=False`` statistics follow."""
    model, mixture = small(dropout_probability=0.5), noise(2, 1, 3000)
    trainable = Trainable(patterns=("mask_head.*",))
    assert {tuple(p.shape) for p in freeze(model, trainable)} == {(130, 16), (130,)}
    set_training(model, trainable)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = model(mixture), model(mixture)
    assert torch.equal(first.sources, second.sources)
    first.sources.square().sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        "mask_head.weight",
        "mask_head.bias",
    }
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    set_training(model, Trainable(patterns=("mask_head.*",), freeze_statistics=False))
    model(mixture)
    assert not torch.equal(model.norm.running_mean, before["norm.running_mean"])


def test_whole_tracks_in_stereo_at_another_rate() -> None:
    model = small(chunk_seconds=0.5)
    mixture = noise(2, 44100)
    estimate = separate_waveform(model, mixture, sample_rate=22050)
    assert estimate.shape == (2, 2, 44100)
    assert torch.isfinite(estimate).all()


def test_wide_layers_learn_in_float32_under_autocast() -> None:
    model = small(hidden_size=257, num_layers=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(noise(1, 1, 500)).sources.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hop_length": 50}, "multiple"),
        ({"hop_length": 128}, "twice"),
        ({"n_fft": 129}, "even"),
        ({"stems": ("bass", "bass")}, "distinct"),
        ({"stems": ()}, "stems"),
        ({"channels": 2}, "channels"),
        ({"embedding_size": 0}, "embedding_size"),
    ],
)
def test_configurations_that_make_no_network_are_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        small(**changes)
