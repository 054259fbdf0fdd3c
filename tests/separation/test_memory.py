"""Peak memory, measured in fresh processes by the benchmark of that name."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak memory of a process this way")
def test_a_longer_song_takes_no_more_memory(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    from peak_memory import measure

    short, long = (measure(minutes).peak_bytes for minutes in (1, 3))
    assert long - short < 50e6
