"""Large zeros are on the disk, without a name; a full disk is an error, not a crash."""

import tempfile
from pathlib import Path

import pytest
import torch

from stemtune.data import mapped
from stemtune.data.mapped import zeros_on_disk
from stemtune.errors import OutputError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("mapped_bytes", [0, 1 << 20])
def test_zeros_can_be_written_sliced_and_read(folder: Path, mapped_bytes: int):
    tensor = zeros_on_disk(2, 3, 500, mapped_bytes=mapped_bytes)
    assert tensor.shape == (2, 3, 500)
    assert tensor.count_nonzero() == 0
    tensor[1, :, 100:200] = torch.ones(3, 100)
    assert tensor.sum() == 300
    assert tensor[1, 2, 99:101].tolist() == [0.0, 1.0]
    assert list(folder.iterdir()) == []


def test_two_of_them_are_two(folder: Path):
    first, second = (zeros_on_disk(10, mapped_bytes=0) for _ in range(2))
    first += 1
    assert second.sum() == 0


def test_a_full_disk_is_one_error(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(file: int, num_bytes: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped, "_reserve", refuse)
    with pytest.raises(OutputError, match="space"):
        zeros_on_disk(10, mapped_bytes=0)
    assert list(folder.iterdir()) == []
