"""The codebook follows as plain arithmetic says, and is the same in every process."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from stemtune.nn.vector_quantiser import VectorQuantiser, VectorQuantiserConfig

CONFIG = VectorQuantiserConfig(num_codes=8, features=3, decay=0.9, threshold=0.5)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def filled(config: VectorQuantiserConfig = CONFIG) -> VectorQuantiser:
    quantiser = config.build()
    torch.manual_seed(0)
    quantiser.train()(noise(2, config.features, 50))
    return quantiser


def test_the_nearest_code_is_chosen_and_gradients_pass_straight_through() -> None:
    quantiser = filled().eval()
    latents = noise(2, 3, 20, seed=1).requires_grad_()
    answer = quantiser(latents)
    distances = (latents.detach().permute(0, 2, 1)[:, :, None] - quantiser.codebook).square().sum(-1)
    assert torch.equal(answer.codes, distances.argmin(-1))
    assert torch.allclose(answer.vectors, quantiser.decode(answer.codes), atol=1e-6)
    weights = noise(2, 3, 20, seed=2)
    (answer.vectors * weights).sum().backward()
    assert latents.grad is not None
    assert torch.equal(latents.grad, weights)


def test_the_commitment_pulls_latents_to_their_codes() -> None:
    quantiser = filled().eval()
    latents = noise(1, 3, 20, seed=1).requires_grad_()
    answer = quantiser(latents)
    answer.commitment.backward()
    difference = latents.detach() - quantiser.decode(answer.codes)
    assert answer.commitment.item() == pytest.approx(float(difference.square().mean()))
    assert torch.allclose(latents.grad, 2 * difference / difference.numel())


def test_the_codebook_follows_as_arithmetic_says() -> None:
    quantiser = filled()
    book, sums, counts = (t.numpy().copy() for t in (quantiser.codebook, quantiser.sums, quantiser.counts))
    latents = noise(2, 3, 60, seed=4)
    answer = quantiser.train()(latents)
    vectors = latents.permute(0, 2, 1).reshape(-1, 3).numpy()
    chosen = ((vectors[:, None] - book) ** 2).sum(-1).argmin(-1)
    assert np.array_equal(answer.codes.flatten().numpy(), chosen)
    for code in range(8):
        sums[code] = 0.9 * sums[code] + 0.1 * vectors[chosen == code].sum(0)
        counts[code] = 0.9 * counts[code] + 0.1 * (chosen == code).sum()
    assert np.allclose(quantiser.sums, sums, atol=1e-5)
    assert np.allclose(quantiser.counts, counts, atol=1e-5)
    alive = counts >= 0.5
    assert np.allclose(quantiser.codebook.numpy()[alive], (sums / counts[:, None])[alive], atol=1e-5)
    for code in quantiser.codebook.numpy()[~alive]:
        assert np.isclose(vectors, code, atol=1e-6).all(-1).any(), "restarted codes are vectors of the batch"


def test_codes_that_nobody_chooses_start_again() -> None:
    quantiser = filled(CONFIG.override({"threshold": 0.95}))
    quantiser.codebook[0] = 1e3
    for step in range(20):
        quantiser.train()(noise(1, 3, 100, seed=step))
    assert float(quantiser.codebook.abs().max()) < 10
    latents = noise(1, 3, 1000, seed=99)
    assert quantiser.use_of(quantiser.encode(latents)).used == 1.0


def test_a_collapsed_codebook_comes_to_life_again() -> None:
    """All codes in one place, which one code wins: the others start again at what is heard."""
    quantiser = filled(CONFIG.override({"threshold": 0.95}))
    for buffer in (quantiser.codebook, quantiser.sums):
        buffer.zero_()
    latents = noise(1, 3, 1000, seed=99)
    before = quantiser.use_of(quantiser.eval().encode(latents))
    assert before.perplexity == pytest.approx(1.0)
    for step in range(30):
        quantiser.train()(noise(1, 3, 100, seed=step))
    after = quantiser.use_of(quantiser.eval().encode(latents))
    assert after.used == 1.0
    assert after.perplexity > 4


def test_what_is_not_a_number_teaches_nothing() -> None:
    quantiser, twin = filled(), filled()
    latents = noise(1, 3, 100, seed=3)
    spoilt = torch.cat([latents, torch.full((1, 3, 2), float("nan"))], dim=2)
    spoilt[0, 1, -1] = 0.0
    torch.manual_seed(0)
    quantiser.train()(spoilt)
    torch.manual_seed(0)
    twin.train()(latents)
    for name, value in quantiser.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name
    quantiser.train()(spoilt[:, :, -2:])
    assert quantiser.codebook.isfinite().all()
    empty = VectorQuantiserConfig(num_codes=32, features=3).build()
    empty.train()(spoilt[:, :, -2:])
    assert not bool(empty.filled)


def test_few_vectors_fill_a_large_codebook() -> None:
    quantiser = VectorQuantiserConfig(num_codes=32, features=3).build()
    quantiser.train()(noise(1, 3, 5))
    assert bool(quantiser.filled)
    assert torch.unique(quantiser.codebook, dim=0).shape[0] == 32


def test_evaluation_learns_nothing_and_everything_is_saved() -> None:
    quantiser = filled()
    before = {name: value.clone() for name, value in quantiser.state_dict().items()}
    quantiser.eval()(noise(2, 3, 50, seed=5))
    assert set(before) == {"codebook", "sums", "counts", "filled"}
    assert all(torch.equal(value, before[name]) for name, value in quantiser.state_dict().items())


def test_use_is_counted() -> None:
    quantiser = filled().eval()
    use = quantiser.use_of(torch.tensor([[0, 0, 1, 1]]))
    assert use.used == 2 / 8
    assert use.perplexity == pytest.approx(2.0)


@pytest.mark.parametrize("code", [-1, 8])
def test_codes_outside_of_the_codebook_are_refused(code: int) -> None:
    with pytest.raises(IndexError, match=r"0 \.\.\. 7"):
        filled().decode(torch.tensor([[0, code]]))


def follow_in_process(rank: int, port: int, folder: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(rank)  # processes that draw differently must still agree
    quantiser = CONFIG.build().train()
    for step in range(3):
        quantiser(noise(1, 3, 40, seed=10 * step + rank))
    torch.save(quantiser.state_dict(), Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_all_processes_keep_the_same_codebook(tmp_path: Path) -> None:
    port = 29500 + os.getpid() % 2000
    multiprocessing.spawn(follow_in_process, args=(port, str(tmp_path)), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    alone = CONFIG.build().train()
    torch.manual_seed(0)
    alone(noise(1, 3, 40, seed=0))
    assert not torch.equal(alone.sums, one["sums"]), "the other process's vectors were not counted"
