"""The study of Demucs: its cells are valid, its ablations differ in one thing, and its smoke twins run."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.data.datasets import open_dataset
from stemtune.data.segments import Corpus
from stemtune.mining.excerpts import Excerpt
from stemtune.mining.index import Index, MiningSettings, SongRecord
from stemtune.mining.run import walk
from stemtune.mining.thresholds import Threshold
from stemtune.recipes import defossez2019
from stemtune.recipes.defossez2019.experiments import ABLATIONS, LAPTOP, PAPER, demucs_experiment
from stemtune.recipes.defossez2019.library import make_library, true_excerpts
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.results import CellRecord, write_result
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Scores
from stemtune.training.phase import Execution, Experiment
from stemtune.training.run import train

ROOTS = StudyRoots(data=Path("data"), corpora=Path("corpora"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    generator = np.random.default_rng(0)
    for song in ("a", "b"):
        for stem in defossez2019.experiments.STEMS:
            path = root / song / f"{stem}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, 0.1 * generator.standard_normal((3 * 22050, 2)), 22050)
    return root


@pytest.fixture(scope="module")
def index(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mined")
    threshold = Threshold(probability=0.9, precision=1.0, recall=1.0, num_windows=1000, num_songs=2)
    settings = MiningSettings(
        library=str(corpus), detector="x", stems=("drums",), thresholds={"drums": threshold}, left_out=(),
        min_seconds=2.0,
    )  # fmt: skip
    excerpt = Excerpt(stem="drums", start_seconds=0.0, end_seconds=3.0, mean_probability=0.95)
    with Index(folder, settings) as mined:
        mined.append(SongRecord(path="a/bass.wav", status="mined", excerpts=(excerpt,)))
    return folder


@pytest.mark.parametrize("scale", defossez2019.SCALES)
def test_the_cells_are_valid_and_survive_json(scale: str, tmp_path: Path) -> None:
    study = defossez2019.study(scale, roots=ROOTS, places=Places(tmp_path, tmp_path))
    assert [cell.name for cell in study.cells][:2] == ["reference/seed-0", "no-remixed/seed-0"]
    for cell in study.cells:
        assert Experiment.model_validate_json(cell.experiment.model_dump_json()) == cell.experiment


def test_the_papers_numbers() -> None:
    experiment = demucs_experiment(PAPER, (Corpus(path="x"),), index=Path("y"))
    (phase,) = experiment.phases
    assert (phase.batch_size, phase.optimiser.learning_rate, phase.schedule.decay) == (128, 5e-4, 0.2)
    assert phase.data.segment_seconds == 5.0
    assert phase.remixing is not None
    assert (phase.remixing.probability, phase.remixing.others_weight, phase.remixing.rate_factor) == (0.25, 1e-6, 0.1)


@pytest.mark.parametrize("name", ["reference", *ABLATIONS])
def test_smoke_twins_run(name: str, corpus: Path, index: Path, tmp_path: Path) -> None:
    experiment = demucs_experiment(LAPTOP, (Corpus(path=str(corpus)),), index=index)
    twin = defossez2019.smoke(experiment.override(ABLATIONS.get(name, {})))
    result = train(twin, tmp_path, execution=Execution(device="cpu", num_workers=0, threads=1), quiet=True)
    assert result.finished


def test_the_report_is_of_what_is_done(tmp_path: Path) -> None:
    places = Places(tmp_path / "work", tmp_path / "results")
    study = defossez2019.study("laptop", roots=ROOTS, places=places)
    columns = tuple(f"{kind}_{stem}" for kind in ("sdr", "l1") for stem in defossez2019.experiments.STEMS)
    for number, name in enumerate(("reference/seed-0", "no-remixed/seed-0")):
        record = CellRecord(
            study=study.name, scale=study.scale, cell=name, seed=0, steps=1, num_parameters=1, batch_size=1,
            segment_seconds=1.0, precision="float32", minutes=1.0, machine="x", threads=1,
        )  # fmt: skip
        rows = (
            ("song", (3.0 - number, None, 2.0, 1.0, 0.1, 0.1, 0.1, 0.1)),
            ("b", (3.0, 1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0)),
        )
        write_result(places.result(name), record, study[name].experiment, Scores(columns, rows))
    text = defossez2019.report(study, places=places).read_text()
    assert "| reference | 1 | 3.00 | 1.00 | 2.00 | 1.00 | 1.75 |" in text
    assert "drums +0.50" in text


def test_a_library_hides_labels_and_the_truth_is_found_again(corpus: Path, tmp_path: Path) -> None:
    tracks = open_dataset(corpus)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "x.ogg").write_bytes(b"x")
    for _ in range(2):
        library = make_library(tmp_path / "library", tracks, tmp_path / "recordings", say=print)
    assert sorted(path.name for path in walk(library)) == ["a.flac", "b.flac", "x.ogg"]
    excerpts = tuple(
        Excerpt(stem=stem, start_seconds=0.5, end_seconds=2.5, mean_probability=1.0) for stem in ("drums", "flute")
    )
    found = list(
        true_excerpts(
            [SongRecord(path="hidden/a.flac", status="mined", excerpts=excerpts), SongRecord(path="x", status="mined")],
            {track.name: track for track in tracks},
        )
    )
    assert [item.volume_db for item in found] == [pytest.approx(-6.0, abs=0.5), -120.0]
