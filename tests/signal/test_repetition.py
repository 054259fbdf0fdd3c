"""Long frames on the grid of short ones."""

import torch

from stemtune.signal.repetition import frame_index, repeat_frames


def test_six_seconds_of_x_umx_have_six_features_of_which_the_last_is_repeated() -> None:
    """41.34 frames of X-UMX in .96 s; 259 frames in 6 s, of which the last 11 begin after 5.76 s."""
    index = frame_index(
        259, hop_seconds=1024 / 44100, long_hop_seconds=0.96, num_long_frames=6, offset_seconds=torch.zeros(())
    )
    assert torch.bincount(index).tolist() == [42, 41, 42, 41, 41, 52]
    assert int((torch.arange(259) * 1024 / 44100 >= 5.76).sum()) == 10


def test_frames_that_begin_together_belong_together() -> None:
    """Frame 1323 of X-UMX begins exactly 32 features after the first, whatever rounding says."""
    index = frame_index(
        1325, hop_seconds=1024 / 44100, long_hop_seconds=0.96, num_long_frames=99, offset_seconds=torch.zeros(())
    )
    assert index[1321:].tolist() == [31, 31, 32, 32]


def test_offsets_are_each_example_s_own() -> None:
    offsets = torch.tensor([[0.0, 0.5], [0.9, 0.0]])
    index = frame_index(4, hop_seconds=0.3, long_hop_seconds=1.0, num_long_frames=2, offset_seconds=offsets)
    assert index.tolist() == [[[0, 0, 0, 0], [0, 0, 1, 1]], [[0, 1, 1, 1], [0, 0, 0, 0]]]
    features = torch.arange(2.0).expand(2, 2, 3, 2).contiguous()
    assert torch.equal(repeat_frames(features, index)[:, :, 1], index.float())
