"""k-means finds clusters that are there, and ends gracefully where there are none."""

import torch

from stemtune.signal.k_means import k_means, nearest


def test_clusters_that_are_there_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    member = torch.randint(3, (300,), generator=generator)
    points = truth[member] + 0.3 * torch.randn(300, 2, generator=generator)
    centres = k_means(points, num_centres=3, generator=generator)
    order = nearest(truth, centres)
    assert sorted(order.tolist()) == [0, 1, 2]
    torch.testing.assert_close(centres[order], truth, rtol=0, atol=0.15)
    assert torch.equal(nearest(points, centres), order[member])


def test_the_same_seed_gives_the_same_centres() -> None:
    points = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    first, second = (k_means(points, num_centres=4, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)


def test_more_clusters_than_points() -> None:
    centres = k_means(torch.ones(2, 3), num_centres=4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(centres, torch.ones(4, 3))
