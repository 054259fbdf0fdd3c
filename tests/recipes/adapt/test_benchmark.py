"""The benchmark of strategies builds its cells, runs one of them, and reports what is done."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from stemtune.recipes.reproduce.running import Places, run_cells
from tests.recipes.adapt.conftest import EXECUTION, Write, sounds


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("adapt_strategies", Path("benchmarks/adapt_strategies.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_cells_are_built_run_and_reported(benchmark: ModuleType, write: Write, base: Path, tmp_path: Path) -> None:
    for number in range(6):
        root = write(f"song {number}", sounds(number, seconds=6.0))
    tasks = {
        "pair": benchmark.Material(root, ("sitar", "tabla")),
        "gone": benchmark.Material(tmp_path / "gone", ("a", "b")),
    }
    learnt, asked = tasks["pair"].tracks()
    assert {track.name for track in asked} == {"song 0", "song 3"}
    assert not {track.name for track in asked} & {track.name for track in learnt}
    (tmp_path / "work").mkdir()
    options = benchmark.Options(tmp_path / "work", str(base), steps=2, segment_seconds=1.0)
    study = benchmark.study_of(options, tasks, (0.3, 0.5), ("head", "adapters", "clustering"), 2)
    assert len(study.cells) == 2 * 2 * 2
    assert "is not there" in study.facts["gone"]
    assert "needs Estimate.embedding" in study.facts["clustering"]
    places = Places(tmp_path / "work", tmp_path / "results")
    assert run_cells(study, study.cells[:1], places, execution=EXECUTION, say=lambda _: None)
    lines = benchmark.report(study, places)
    assert lines[2].startswith("| pair | 0.3 | head | 1 |")
    assert not any(line.startswith("| pair | 0.5") for line in lines)
