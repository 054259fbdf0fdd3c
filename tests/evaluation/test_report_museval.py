"""museval's own tools read our files, and aggregate them to our numbers."""

import importlib
import json
import math
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from stemtune.evaluation.measures import MEASURES
from stemtune.evaluation.report import write_report
from stemtune.evaluation.report_museval import museval_files
from stemtune.evaluation.table import Evaluation, FrameScores, TrackScore


def evaluation(tracks: tuple[str, ...] = ("test/A [live]", "test/B", "test/C")) -> Evaluation:
    generator = np.random.default_rng(0)
    frames: list[FrameScores] = []
    rows: list[TrackScore] = []
    for track in tracks:
        for stem in ("vocals", "drums"):
            for metric in (column.name for column in MEASURES["bss_eval_v4"].columns):
                values = generator.normal(3, 4, 7)
                values[2] = math.nan
                values[3] = math.inf if metric.startswith("sir") else values[3]
                finite = values[np.isfinite(values)]
                frames.append(FrameScores(track, stem, metric, tuple(values.tolist()), 1.0, 1.0))
                rows.append(TrackScore(track, stem, metric, float(np.median(finite)), 0.0))
    return Evaluation("model", tuple(rows), frames=tuple(frames))


@pytest.fixture
def museval(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The package, without the decoder of MUSDB18's files that it imports but does not need here."""
    pytest.importorskip("pandas", reason="museval is not installed")
    if importlib.util.find_spec("museval") is None:
        pytest.skip("museval is not installed")
    if "museval" not in sys.modules:
        monkeypatch.setitem(sys.modules, "musdb", types.ModuleType("musdb"))
    return importlib.import_module("museval")


@pytest.mark.filterwarnings("ignore")
def test_museval_aggregates_our_files_to_our_numbers(museval: types.ModuleType, tmp_path: Path):
    found = evaluation()
    write_report(found, tmp_path)
    store = museval.EvalStore()
    store.add_eval_dir(tmp_path / "museval")
    theirs = store.agg_frames_tracks_scores()
    ours = {(mean.stem, mean.metric): mean for mean in found.means()}
    for stem in ("vocals", "drums"):
        for ratio in ("SDR", "ISR", "SIR", "SAR"):
            mean = ours[stem, f"{ratio.lower()}_bss_eval_v4"]
            assert theirs[stem, ratio] == pytest.approx(mean.value, abs=1e-5)
            assert (mean.rule, mean.num_tracks) == ("museval", 3)
    pooled = [row.value for row in found.rows if row.metric == "sar_bss_eval_v4"]
    assert ours["(all)", "sar_bss_eval_v4"].value == np.median(pooled)


@pytest.mark.filterwarnings("ignore")
def test_our_files_are_museval_s_to_the_letter(museval: types.ModuleType):
    found = evaluation(("A",))
    ((name, text),) = museval_files(found)
    store = museval.TrackStore("A")
    frames = {(item.stem, item.metric): item.values for item in found.frames}
    for stem in ("vocals", "drums"):
        ratios = ("SDR", "ISR", "SIR", "SAR")
        store.add_target(stem, {ratio: frames[stem, f"{ratio.lower()}_bss_eval_v4"] for ratio in ratios})
    assert repr(json.loads(text)["targets"]) == repr(
        [
            {**target, "frames": [{**f, "time": float(f["time"]), "duration": 1.0,
             "metrics": {ratio: f["metrics"][ratio] for ratio in ("SDR", "ISR", "SIR", "SAR")}}
            for f in target["frames"]]}
            for target in json.loads(store.json)["targets"]
        ]
    )  # fmt: skip
    assert name == "A.json"
    from jsonschema import validate

    validate(json.loads(text), store.schema)


def test_tracks_of_the_same_name_in_two_splits_stay_apart():
    names = [name for name, _ in museval_files(evaluation(("test/A", "train/A", "test/B")))]
    assert names == ["test%2fA.json", "train%2fA.json", "B.json"]


def test_without_all_four_ratios_there_is_no_file():
    found = evaluation(("A",))
    few = Evaluation("model", found.rows, frames=tuple(item for item in found.frames if item.metric[:3] != "sar"))
    assert list(museval_files(few)) == []
