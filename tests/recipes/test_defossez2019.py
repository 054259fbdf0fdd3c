"""The study of Demucs: its cells are valid, its ablations differ in one thing, and its smoke twins run."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.data.datasets import open_dataset
from stemtune.data.segments import Corpus
from stemtune.data.tracks import read_excerpt
from stemtune.errors import InputError
from stemtune.evaluation.metrics.si_sdr import si_sdr
from stemtune.mining.excerpts import Excerpt
from stemtune.mining.features import TrackTask, prepare
from stemtune.mining.index import Index, MiningSettings, SongRecord, copy_index, read_index, read_settings
from stemtune.mining.run import walk
from stemtune.mining.thresholds import Threshold
from stemtune.models.demucs import DemucsConfig
from stemtune.models.silence_detector import SilenceDetectorConfig
from stemtune.recipes import defossez2019
from stemtune.recipes.defossez2019.corpora import Songs
from stemtune.recipes.defossez2019.evidence import (
    DetectorEvidence,
    _ranking,
    examine_detector,
    read_evidence,
    write_evidence,
)
from stemtune.recipes.defossez2019.examination import COLUMNS, SongExaminationConfig
from stemtune.recipes.defossez2019.experiments import ABLATIONS, LAPTOP, PAPER, demucs_experiment
from stemtune.recipes.defossez2019.library import make_library, true_excerpts
from stemtune.recipes.defossez2019.mining import DETECTOR_RESULT, INDEX_RESULT, index_folder, prepare_index
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.results import CellRecord, write_result
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Scores, Study
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


def record_of(study: Study, name: str) -> CellRecord:
    return CellRecord(
        study=study.name, scale=study.scale, cell=name, seed=0, steps=1, num_parameters=1, batch_size=1,
        segment_seconds=1.0, precision="float32", minutes=1.0, machine="x", threads=1,
    )  # fmt: skip


def row(sdr: tuple[float | None, ...], l1: float, median: float) -> tuple[float | None, ...]:
    return (*sdr, *[l1] * 4, *[median + place for place in range(16)])


def test_the_report_is_of_what_is_done(tmp_path: Path) -> None:
    places = Places(tmp_path / "work", tmp_path / "results")
    study = defossez2019.study("laptop", roots=ROOTS, places=places)
    for number, name in enumerate(("reference/seed-0", "no-remixed/seed-0")):
        rows = (
            ("song", row((3.0 - number, None, 2.0, 1.0), 0.1, 1.0)),
            ("b", row((3.0, 1.0, 2.0, 1.0), 0.2, 2.0)),
            ("train/c", row((9.0, 9.0, 9.0, 9.0), 0.05, 9.0)),
        )
        write_result(places.result(name), record_of(study, name), study[name].experiment, Scores(COLUMNS, rows))
    text = defossez2019.report(study, places=places).read_text()
    assert "| Demucs, remixed | 1 | 3.00 | 1.50 | 2.50 | 3.50 | 4.50 | 5.09, 5.79, 6.23, 3.45, 5.51 |" in text
    assert (
        "| reference | 1 | 0.050 | 9.00 | 0.150 | 1.75 | 3.00 | 1.00 | 2.00 | 1.00 | 0.090, 8.82; 0.169, 5.09 |" in text
    )
    assert "| 0 | +0.50 | +0.00 | +0.00 | +0.00 | +0.12 |" in text
    assert "Over 7 pairs of song and stem" in text
    assert (tmp_path / "results" / "appendix-b.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_of_the_mining_alone(tmp_path: Path) -> None:
    places = Places(tmp_path / "work", tmp_path / "results")
    study = defossez2019.study("laptop", roots=ROOTS, places=places)
    with pytest.raises(InputError, match="no cell is done"):
        defossez2019.report(study, places=places)
    evidence = [
        DetectorEvidence(
            stem="drums", threshold=0.9, stem_set_precision=0.95, stem_set_recall=0.5, songs=2, minutes=3.0,
            silent_share=0.25, ranking=0.875, precision=0.9, recall=0.4, percentile_db=-19.5, run_minutes=1.5,
            run_precision=1.0, run_recall=0.2, run_percentile_db=-32.1,
        ),
        DetectorEvidence(
            stem="other", threshold=None, stem_set_precision=None, stem_set_recall=None, songs=0, minutes=0.0,
            silent_share=None,
        ),
    ]  # fmt: skip
    write_evidence(places.results / DETECTOR_RESULT, evidence)
    assert read_evidence(places.results / DETECTOR_RESULT) == evidence
    text = defossez2019.report(study, places=places).read_text()
    assert (
        "| drums | 0.900 | 95 %, 50 % | 2 | 3.0 | 25 % | 0.875 | 90 % / 100 % | 40 % / 20 % | -19.5 / -32.1 | 1.5 |"
        in text
    )
    assert "| other | none |" in text


def test_an_examination_scores_tests_and_some_of_what_was_learnt(corpus: Path) -> None:
    separator = DemucsConfig(sample_rate=22050, width=2, depth=3).build().eval()
    config = SongExaminationConfig(
        corpora=(Corpus(path=str(corpus), pattern="a"),), learnt=(Corpus(path=str(corpus)),), max_seconds=2.0,
        max_learnt=1,
    )  # fmt: skip
    scores = config.build()(separator)
    assert [item for item, _ in scores.rows] == ["a", "train/a"]
    assert scores.columns == COLUMNS
    (_, values), _ = scores.rows
    assert all(value is not None for value in values)
    assert scores.mean == pytest.approx(np.mean([row[:4] for _, row in scores.rows]))
    truth = open_dataset(corpus)[0]
    own = read_excerpt(truth.stems["drums"], start_seconds=0.0, num_samples=44100, sample_rate=22050, channels=2)
    estimate = separator(
        torch.stack([
            read_excerpt(files, start_seconds=0.0, num_samples=44100, sample_rate=22050, channels=2)
            for files in truth.stems.values()
        ]).sum(dim=0)[None]
    ).sources[0, separator.stems.index("drums")]  # fmt: skip
    expected = si_sdr(estimate=estimate[None].detach(), reference=own[None], zero_mean=False)
    assert values[0] == pytest.approx(float(expected[0]), abs=0.5)


def test_an_index_among_the_results_is_taken_over(corpus: Path, index: Path, tmp_path: Path) -> None:
    """On a machine that has the songs and neither detector nor index."""
    places = Places(tmp_path / "work", tmp_path / "results")
    copy_index(index, places.results / INDEX_RESULT, library="the library")
    songs = Songs(
        labelled=(), singers=(), stem_set=(), hidden=(Corpus(path=str(corpus)),), recordings=tmp_path / "none", test=()
    )
    said = list[str]()
    for _ in range(2):
        prepare_index(LAPTOP, songs, places, say=said.append)
    assert said[0] == "the results hold what was mined before: no detector is trained"
    library = places.work / "mined" / "library"
    assert {path.name for path in (library / "hidden").iterdir()} == {"a.flac", "b.flac"}
    assert read_settings(index_folder(places)).library == str(library.resolve())
    assert list(read_index(index_folder(places))) == list(read_index(index))


def test_a_detector_is_compared_with_hidden_labels(corpus: Path, tmp_path: Path) -> None:
    """One that calls everything silent is right as often as that is true."""
    torch.manual_seed(0)
    network = SilenceDetectorConfig(stems=("drums", "flute"), width=2, hidden_size=4, lstm_layers=1).build().eval()
    torch.nn.init.constant_(network.decide.bias, 9.0)
    folder = tmp_path / "song"
    noise = 0.1 * np.random.default_rng(0).standard_normal((12 * 16000, 1))
    for stem, gain in {"bass": np.ones(12 * 16000), "drums": np.arange(12 * 16000) < 3 * 16000}.items():
        folder.mkdir(exist_ok=True)
        soundfile.write(folder / f"{stem}.wav", noise * gain[:, None], 16000)
    paths = prepare([TrackTask(track, ("drums", "flute")) for track in open_dataset(tmp_path)], tmp_path / "prepared")
    threshold = Threshold(probability=0.5, precision=1.0, recall=1.0, num_windows=1, num_songs=1)
    drums, flute = examine_detector(network, {"drums": threshold, "flute": None}, paths)
    assert drums.silent_share == pytest.approx(0.72, abs=0.04)
    assert drums.precision == drums.run_precision == drums.silent_share
    assert drums.recall == drums.run_recall == 1.0
    assert drums.ranking is not None
    assert (flute.songs, flute.silent_share, flute.threshold) == (0, None, None)


def test_ranking_counts_pairs_and_halves_of_ties() -> None:
    scores, silent = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, False, True, False])
    assert _ranking(scores, silent) == pytest.approx((2 + 1.5) / 4)
    assert _ranking(scores, np.ones(4, dtype=bool)) is None


def test_a_library_hides_labels_and_the_truth_is_found_again(corpus: Path, tmp_path: Path) -> None:
    tracks = open_dataset(corpus)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "x.ogg").write_bytes(b"x")
    for _ in range(2):
        library = make_library(tmp_path / "library", tracks, tmp_path / "recordings", say=print)
    assert sorted(path.name for path in walk(library)) == ["a.flac", "b.flac", "x.ogg"]
    excerpts = tuple(
        Excerpt(stem=stem, start_seconds=0.5, end_seconds=2.5, mean_probability=1.0) for stem in ("drums", "flute")
    )  # nothing is known of a flute
    found = list(
        true_excerpts(
            [SongRecord(path="hidden/a.flac", status="mined", excerpts=excerpts), SongRecord(path="x", status="mined")],
            {track.name: track for track in tracks},
        )
    )
    assert [item.volume_db for item in found] == [pytest.approx(-6.0, abs=0.5)]
