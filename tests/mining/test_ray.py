"""Mining through Ray gives the index that mining in this process gives."""

from pathlib import Path

import pytest

from stemtune.errors import UsageError
from stemtune.mining.detector import load_detector
from stemtune.mining.index import INDEX_FILE
from stemtune.mining.ray_runner import RayRunner
from stemtune.mining.run import mine, settings_for


def test_without_ray_a_runner_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UsageError, match="cluster"):
        RayRunner()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_gives_the_same_index(library: Path, detector: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed; pip install 'stemtune[cluster]'")
    settings = settings_for(load_detector(detector), library)
    mine(library, detector, tmp_path / "here", settings, pictures=False)
    try:
        mine(library, detector, tmp_path / "there", settings, pictures=False, runner=RayRunner(2))
    finally:
        ray.shutdown()
    assert (tmp_path / "here" / INDEX_FILE).read_bytes() == (tmp_path / "there" / INDEX_FILE).read_bytes()
