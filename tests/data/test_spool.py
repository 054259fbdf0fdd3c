from pathlib import Path

import pytest
import torch

from stemtune.data.spool import Spool
from stemtune.errors import OutputError


def test_blocks_come_back(tmp_path):
    blocks = [torch.randn(3, size, generator=torch.Generator().manual_seed(size)) for size in (5, 1, 1000)]
    with Spool(tmp_path) as spool:
        for block in blocks:
            spool.write(block)
        for _ in range(2):
            assert all(torch.equal(a, b) for a, b in zip(spool.blocks(), blocks, strict=True))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_one_clear_line(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        Spool(tmp_path / "absent")


def test_views_are_written_as_they_look(tmp_path):
    wide = torch.arange(20.0).reshape(2, 10)
    with Spool(tmp_path) as spool:
        spool.write(wide[:, 3:7])
        assert torch.equal(next(iter(spool.blocks())), wide[:, 3:7])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Path("/dev/full").open("wb"))  # noqa: SIM115
    with pytest.raises(OutputError, match="No space left"), Spool(tmp_path) as spool:
        spool.write(torch.zeros(1, 100_000))
