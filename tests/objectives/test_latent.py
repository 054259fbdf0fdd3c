"""Con-Reg and Dis-Reg against plain arithmetic; whom they move, and what they refuse."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stemtune.errors import ConfigError
from stemtune.models.chimeranet import ChimeraNetConfig
from stemtune.models.demucs import DemucsConfig
from stemtune.models.vggish import VGGishConfig
from stemtune.models.xumx import XUMXConfig
from stemtune.objectives.base import Objective, Teacher, fitted, learned, taught
from stemtune.objectives.choice import WeightedObjective, WeightedSumConfig
from stemtune.objectives.latent import ConRegConfig, DisRegConfig, LatentRegulariser
from stemtune.objectives.spectral import MagnitudeMSEConfig
from stemtune.types import Batch, Estimate, Heard, LatentGrid

RATE, STEMS = 8000, ("a", "b", "c")
GRID = LatentGrid(width=7, hop_seconds=0.1, num_latents=3)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Ear:
    """Says of each half second of a waveform what its first five samples are."""

    own_rate, sample_rate, hop_seconds, width = 16000, RATE, 0.5, 5

    def __init__(self) -> None:
        self.calls = 0
        self.weight = nn.Parameter(torch.ones(()))

    def __call__(self, waveform: Tensor) -> Tensor:
        self.calls += 1
        hop = round(self.hop_seconds * self.sample_rate)
        frames = waveform.mean(dim=1).unfold(-1, hop, hop)[..., : self.width]
        return (self.weight * frames).transpose(1, 2)


def prepare(config: ConRegConfig | DisRegConfig, ear: Teacher, grid: LatentGrid = GRID) -> LatentRegulariser:
    torch.manual_seed(0)
    objective = fitted(taught(config.build(), lambda name: ear), grid, num_stems=len(STEMS))
    assert isinstance(objective, LatentRegulariser)
    return objective


def batch(**changes: object) -> Batch:
    sources = noise(2, 3, 1, 2 * RATE)
    return Batch(
        **({"mixture": sources.sum(dim=1), "sources": sources, "stems": STEMS, "sample_rate": RATE} | changes)  # pyright: ignore[reportArgumentType]
    )


def estimate(latents: Tensor) -> Estimate:
    return Estimate(sources=torch.zeros(2, 3, 1, 2 * RATE), latents=latents)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))


def mapped(objective: LatentRegulariser, latents: Tensor) -> np.ndarray:
    """f of every latent: ``batch stem frame feature``."""
    module = learned(objective)
    weight, bias = (dict(module.named_parameters())[name].detach().numpy() for name in ("weight", "bias"))
    return np.einsum("fg,bsgt->bstf", weight[..., 0], latents.numpy()) + bias


@pytest.mark.parametrize("margin", [0.2, -0.5])
def test_con_reg_is_the_paper_s_sum_over_all_ordered_pairs(margin: float) -> None:
    objective, latents, examples = (
        prepare(ConRegConfig(listener="ear", margin=margin), Ear()),
        noise(2, 3, 7, 21),
        batch(),
    )
    f, v, losses = mapped(objective, latents), Ear()(examples.sources.flatten(0, 1)).detach().numpy(), []
    v = v.reshape(2, 3, 5, 4)
    for b in range(2):
        for t in range(21):
            heard = min(int(np.floor(round(t * 0.1 / 0.5, 9))), 3)
            for i in range(3):
                for j in range(3):
                    likeness = cosine(f[b, i, t], v[b, j, :, heard])
                    losses.append(1 - likeness if i == j else max(likeness - margin, 0.0))
    loss = objective(estimate(latents), examples)
    assert float(loss.total.detach()) == pytest.approx(np.mean(losses), rel=1e-5)
    assert loss.parts["con_reg"] == pytest.approx(float(loss.total.detach()))


@pytest.mark.parametrize("reading", ["similarity", "distance"])
def test_dis_reg_compares_pairs_of_stems(reading: str) -> None:
    config = DisRegConfig.model_validate({"listener": "ear", "reading": reading})
    objective, latents, examples = prepare(config, Ear()), noise(2, 3, 7, 20), batch()
    f, losses = mapped(objective, latents), []
    v = Ear()(examples.sources.flatten(0, 1)).detach().numpy().reshape(2, 3, 5, 4)
    for b in range(2):
        for t in range(20):
            for i in range(3):
                for j in range(i):
                    ours = cosine(f[b, i, t], f[b, j, t])
                    theirs = cosine(v[b, i, :, t // 5], v[b, j, :, t // 5])
                    losses.append(max(ours - theirs if reading == "similarity" else (1 - ours) - (1 - theirs), 0.0))
    assert float(objective(estimate(latents), examples).total.detach()) == pytest.approx(np.mean(losses), rel=1e-5)


def test_alike_latents_of_unlike_stems_cost_and_unlike_ones_do_not() -> None:
    ear = Ear()
    objective = prepare(DisRegConfig(listener="ear"), ear, LatentGrid(5, 0.1, 3))
    with torch.no_grad():
        module = learned(objective)
        assert isinstance(module, nn.Conv1d)
        module.weight.copy_(torch.eye(5)[..., None])
        module.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]
    heard = Heard(torch.eye(5)[None, :3, :, None].expand(2, 3, 5, 4).contiguous(), torch.zeros(2, 3))
    examples = batch(heard={"ear": heard})
    same = torch.ones(2, 3, 5, 20)
    apart = torch.eye(5)[None, :3, :, None].expand(2, 3, 5, 20).contiguous()
    assert float(objective(estimate(same), examples).total.detach()) == pytest.approx(1.0)
    assert float(objective(estimate(apart), examples).total.detach()) == pytest.approx(0.0)
    assert ear.calls == 0, "what was heard beforehand is not listened to again"


def test_what_was_heard_on_a_grid_is_shifted_to_the_segment() -> None:
    """A segment that begins .3 s into a frame reaches the next after .2 s."""
    objective = prepare(ConRegConfig(listener="ear"), Ear())
    features = noise(2, 3, 5, 6, seed=1)
    shifted = batch(heard={"ear": Heard(features, torch.full((2, 3), 0.3))})
    latents = noise(2, 3, 7, 8)
    index = [0, 0, 1, 1, 1, 1, 1, 2]
    plain = batch(heard={"ear": Heard(features[..., index], torch.zeros(2, 3))})
    by_frame = prepare(ConRegConfig(listener="ear"), _with_hop(0.1))
    learned(by_frame).load_state_dict(learned(objective).state_dict())
    one, two = objective(estimate(latents), shifted).total, by_frame(estimate(latents), plain).total
    assert float(one.detach()) == pytest.approx(float(two.detach()), rel=1e-6)


def _with_hop(seconds: float) -> Ear:
    ear = Ear()
    ear.hop_seconds = seconds
    return ear


@pytest.mark.parametrize("config", [ConRegConfig(listener="ear"), DisRegConfig(listener="ear")], ids=lambda c: c.kind)
def test_the_separator_and_the_map_learn_and_the_listener_does_not(config: ConRegConfig | DisRegConfig) -> None:
    ear = Ear()
    objective, latents = prepare(config, ear), noise(2, 3, 7, 20).requires_grad_()
    objective(estimate(latents), batch()).total.backward()
    assert ear.weight.grad is None
    assert latents.grad is not None
    assert latents.grad.abs().sum() > 0
    for parameter in learned(objective).parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("config", [ConRegConfig(listener="ear"), DisRegConfig(listener="ear")], ids=lambda c: c.kind)
def test_silent_stems_are_defined(config: ConRegConfig | DisRegConfig) -> None:
    """All stems silent: the listener says zero, whose cosine with anything is zero."""
    silent = torch.zeros(2, 3, 1, 2 * RATE)
    examples = batch(sources=silent, mixture=silent[:, 0], present=torch.zeros(2, 3, dtype=torch.bool))
    latents = noise(2, 3, 7, 20).requires_grad_()
    loss = prepare(config, Ear())(estimate(latents), examples).total
    loss.backward()
    assert torch.isfinite(loss)
    assert latents.grad is not None
    assert torch.isfinite(latents.grad).all()
    skipping = prepare(config.model_copy(update={"skip_silent": True}), Ear())
    assert float(skipping(estimate(noise(2, 3, 7, 20)), examples).total.detach()) == 0.0
    zeros = torch.zeros(2, 3, 7, 20).requires_grad_()
    prepare(config, Ear())(estimate(zeros), batch()).total.backward()
    assert zeros.grad is not None
    assert torch.isfinite(zeros.grad).all()


def test_skipped_stems_count_for_nothing() -> None:
    config = ConRegConfig(listener="ear", skip_silent=True)
    present = torch.tensor([[True, True, False], [True, True, False]])
    latents, other = noise(2, 3, 7, 20), noise(2, 3, 7, 20)
    other[:, 2] = 9 * noise(2, 7, 20, seed=5)
    one, two = (
        float(prepare(config, Ear())(estimate(x), batch(present=present)).total.detach()) for x in (latents, other)
    )
    assert one == pytest.approx(two, rel=1e-6)
    heard = float(prepare(ConRegConfig(listener="ear"), Ear())(estimate(latents), batch()).total.detach())
    assert one != pytest.approx(heard, rel=1e-3)


@pytest.mark.parametrize(
    "separator",
    [
        XUMXConfig(n_fft=256, hop_length=64, num_bins=50, hidden_size=16, num_layers=1, stems=STEMS, channels=1),
        ChimeraNetConfig(n_fft=64, hop_length=16, hidden_size=8, num_layers=1, embedding_size=4, stems=STEMS),
        DemucsConfig(width=4, depth=3, channels=1, stems=STEMS),
        DemucsConfig(width=4, depth=3, channels=1, stems=STEMS, resample=True),
    ],
    ids=["xumx", "chimeranet", "demucs", "demucs, resampling"],
)
def test_they_need_nothing_but_latents(separator: XUMXConfig | ChimeraNetConfig | DemucsConfig) -> None:
    network = separator.override({"sample_rate": RATE}).build()
    grid = network.latent_grid
    assert grid is not None
    examples = batch()
    answer = network(examples.mixture)
    assert answer.latents is not None
    assert answer.latents.shape[1:3] == (grid.num_latents, grid.width)
    assert answer.latents.shape[3] * grid.hop_seconds == pytest.approx(2.0, abs=3 * grid.hop_seconds)
    for config in (ConRegConfig(listener="ear"), DisRegConfig(listener="ear")):
        objective = prepare(config, Ear(), grid)
        assert objective.project(answer.latents).shape[:3] == (2, 3, Ear.width)
        network.zero_grad()
        objective(network(examples.mixture), examples).total.backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_a_sum_hands_everything_on() -> None:
    config = WeightedSumConfig(
        parts=(
            WeightedObjective(weight=1.0, objective=MagnitudeMSEConfig(n_fft=256, hop_length=64)),
            WeightedObjective(weight=0.5, objective=DisRegConfig(listener="ear")),
        )
    )
    total: Objective = fitted(taught(config.build(), lambda name: Ear()), GRID, num_stems=3)
    assert total.needs == {"magnitudes", "latents"}
    assert sum(parameter.numel() for parameter in learned(total).parameters()) == 7 * 5 + 5


def test_what_cannot_work_is_refused_when_it_is_built() -> None:
    config = ConRegConfig(listener="ear", resample=False)
    with pytest.raises(ConfigError, match="hears at 16000 Hz, the separator works at 8000 Hz; set resample"):
        taught(config.build(), lambda name: Ear())
    with pytest.raises(ConfigError, match="is no listener"):
        taught(config.build(), lambda name: lambda waveform: waveform)
    ready = taught(ConRegConfig(listener="ear").build(), lambda name: Ear())
    with pytest.raises(ConfigError, match="offers latents and states their sizes"):
        fitted(ready, None, num_stems=3)
    with pytest.raises(ConfigError, match="at least two; got 1"):
        fitted(ready, GRID, num_stems=1)
    with pytest.raises(ConfigError, match="has no listener yet"):
        fitted(config.build(), GRID, num_stems=3)
    with pytest.raises(ConfigError, match="before its first batch"):
        ready(estimate(noise(2, 3, 7, 20)), batch())
    with pytest.raises(ConfigError, match="estimate has none"):
        prepare(ConRegConfig(listener="ear"), Ear())(Estimate(sources=torch.zeros(2, 3, 1, 9)), batch())


def test_a_listener_of_ours_keeps_its_weights_still() -> None:
    from stemtune.training.teachers import ListenerTeacher

    torch.manual_seed(0)
    listener = VGGishConfig(channels=(2, 2, 2, 2, 2, 2), hidden_size=4, features=5).build()
    teacher = ListenerTeacher(listener, sample_rate=RATE)
    assert (teacher.own_rate, teacher.hop_seconds, teacher.width) == (16000, 0.96, 5)
    latents = noise(2, 3, 7, 20).requires_grad_()
    objective = prepare(ConRegConfig(listener="ear"), teacher)
    objective(estimate(latents), batch()).total.backward()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in listener.parameters())
    assert not listener.training
    assert teacher(noise(2, 1, 2 * RATE)).shape == (2, 5, 2)
