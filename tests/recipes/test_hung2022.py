"""The study of Con-Reg, Dis-Reg and Concat: its cells, a miniature of all of it, and its report."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.data.segments import Corpus
from stemtune.errors import InputError, UsageError
from stemtune.models.vggish import VGGishConfig
from stemtune.models.xumx import XUMXConfig
from stemtune.objectives.choice import WeightedSumConfig
from stemtune.objectives.latent import ConRegConfig, DisRegConfig
from stemtune.recipes import hung2022
from stemtune.recipes.hung2022 import make_study
from stemtune.recipes.hung2022.corpora import Songs
from stemtune.recipes.hung2022.experiments import METHODS
from stemtune.recipes.hung2022.reporting import Found, change
from stemtune.recipes.hung2022.scales import LAPTOP, PAPER, STEMS, Scale
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.results import read_record, read_scores
from stemtune.recipes.reproduce.running import Places, run_cells
from stemtune.recipes.reproduce.study import Cell, Study
from stemtune.training.phase import Execution, Experiment
from stemtune.training.run import train
from tests.hub.listeners import save_tiny_listener, tiny_listener_config

ROOTS = StudyRoots(data=Path("data"), corpora=Path("corpora"))
EXECUTION = Execution(device="cpu", num_workers=0, threads=1)
RATE = 8000


class TinyScale(Scale):
    """A scale whose listener lies in a folder."""

    @property
    def listener_config(self) -> VGGishConfig:
        return tiny_listener_config()


def write_songs(folder: Path, count: int, *, seconds: float = 3.0, stems: tuple[str, ...] = STEMS) -> None:
    generator = np.random.default_rng(0)
    time = np.arange(round(seconds * RATE)) / RATE
    for number in range(count):
        for place, stem in enumerate(stems):
            tone = np.sin(2 * np.pi * 200 * (place + 1) * time) + 0.3 * generator.standard_normal(time.size)
            path = folder / f"song {number}" / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, (0.1 * tone).astype(np.float32), RATE, subtype="FLOAT")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Places]:
    """All methods with one seed, two steps each, on noisy tones."""
    root = tmp_path_factory.mktemp("hung2022")
    for name, count in {"train": 2, "valid": 1, "test": 2}.items():
        write_songs(root / name, count)
    write_songs(root / "test" / "more", 1, stems=("drums", "bass"))
    (root / "test" / "more" / "song 0").rename(root / "test" / "song without vocals")
    (root / "test" / "more").rmdir()
    scale = TinyScale(
        **LAPTOP.model_dump(exclude={"model", "listener"})
        | {
            "model": XUMXConfig(
                sample_rate=RATE, channels=1, n_fft=256, hop_length=64, num_bins=100, hidden_size=8, num_layers=1
            ),
            "listener": str(save_tiny_listener(root / "ear")),
            "segment_seconds": 1.0,
            "batch_size": 2,
            "steps": 2,
            "epoch_steps": 1,
            "seeds": (0,),
            "precision": "float32",
            "frame_step": 20,
        }
    )
    paths = [Corpus(path=str(root / name)) for name in ("train", "valid", "test")]
    study = make_study(scale, Songs((paths[0],), paths[1], paths[2]))
    places = Places(root / "work", root / "results")
    assert run_cells(study, study.cells, places, execution=EXECUTION, say=lambda text: None)
    return study, places


@pytest.mark.parametrize("scale", hung2022.SCALES)
def test_the_cells_are_valid_begin_alike_and_survive_json(scale: str, tmp_path: Path) -> None:
    study = hung2022.study(scale, roots=ROOTS, places=Places(tmp_path, tmp_path))
    assert [cell.name for cell in study.cells][:4] == [f"{method}/seed-0" for method in METHODS]
    assert len(study.cells) == 4 * (1 if scale == "paper" else 3)
    for cell in study.cells:
        assert Experiment.model_validate_json(cell.experiment.model_dump_json()) == cell.experiment
    by_name: Mapping[str, Cell] = {cell.name: cell for cell in study.cells}
    plain = by_name["x-umx/seed-0"].experiment
    for method in ("con-reg", "dis-reg"):
        other = by_name[f"{method}/seed-0"].experiment
        assert other.model == plain.model
        (ours,), (theirs,) = other.phases, plain.phases
        assert ours.model_copy(update={"objective": theirs.objective}) == theirs
    (concat,) = by_name["concat/seed-0"].experiment.phases
    assert concat.model_copy(update={"initialise": plain.phases[0].initialise}) == plain.phases[0]
    with pytest.raises(UsageError, match="the scales are paper, laptop"):
        hung2022.study("large", roots=ROOTS, places=Places(tmp_path, tmp_path))


def test_the_papers_numbers() -> None:
    study = make_study(PAPER, hung2022.paper_songs(Path("data")))
    phases = {cell.name.split("/")[0]: cell.experiment.phases[0] for cell in study.cells}
    plain = phases["x-umx"]
    assert (plain.optimiser.learning_rate, plain.optimiser.weight_decay) == (1e-4, 1e-5)
    assert (plain.schedule.kind, plain.schedule.decay, plain.schedule.patience, plain.patience) == (
        "plateau",
        0.3,
        10,
        25,
    )
    assert plain.data.segment_seconds == 6.0
    assert (plain.data.augmentation.gain, plain.data.augmentation.swap_probability) == ((0.25, 1.25), 0.5)
    for method, weight, kind in (("con-reg", 1e-6, ConRegConfig), ("dis-reg", 1.0, DisRegConfig)):
        objective = phases[method].objective
        assert isinstance(objective, WeightedSumConfig)
        assert objective.parts[1].weight == weight
        pull = objective.parts[1].objective
        assert isinstance(pull, kind)
        assert (pull.margin if isinstance(pull, ConRegConfig) else pull.reading) in (0.2, "similarity")
    model = study["concat/seed-0"].experiment.model
    assert model.own_listener == VGGishConfig(whiten=True, quantise="bytes")


def test_a_miniature_runs_to_its_report(finished: tuple[Study, Places]) -> None:
    study, places = finished
    for cell in study.cells:
        folder = places.result(cell.name)
        assert read_record(folder) is not None
        scores = read_scores(folder)
        assert scores.columns[:5] == ("sdr_bass", "sdr_drums", "sdr_vocals", "sdr_other", "sir_bass")
        rows = dict(scores.rows)
        assert len(rows) == 3
        assert all(value is not None for value in rows["song 0"])
        lacking = dict(zip(scores.columns, rows["song without vocals"], strict=True))
        assert (lacking["sar_vocals"], lacking["sar_drums"] is None) == (None, False)
        with (folder / "latents.csv").open() as file:
            assert {row["stem"] for row in csv.DictReader(file)} == set(STEMS)
    assert (places.result("x-umx/seed-0") / "listener.json").exists()
    assert not (places.result("concat/seed-0") / "listener.json").exists()
    text = hung2022.report(study, places=places).read_text()
    assert "4 of 4 cells are done" in text
    for method in METHODS:
        assert f"| {method} | 1 |" in text
    assert text.count("] (") == 3 * 3 * 4, "an interval for each method, metric and stem"
    assert "| what the listener hears in the true stems |" in text
    assert all((places.results / f"figure-{number}.png").stat().st_size > 5000 for number in (4, 5, 6))


@pytest.mark.parametrize("method", METHODS)
def test_smoke_twins_of_the_paper_s_scale_run(method: str, tmp_path: Path) -> None:
    """Stereo, gains and swapped channels, so that the listener is asked in every step; only sizes differ."""
    write_songs(tmp_path / "songs", 1)
    scale = TinyScale(
        **PAPER.model_dump(exclude={"model", "listener", "segment_seconds", "batch_size", "steps", "epoch_steps"}),
        model=XUMXConfig(sample_rate=RATE, n_fft=256, hop_length=64, num_bins=100, hidden_size=8, num_layers=1),
        listener=str(save_tiny_listener(tmp_path / "ear")),
        segment_seconds=1.0,
        batch_size=2,
        steps=2,
        epoch_steps=2,
    )
    songs = Corpus(path=str(tmp_path / "songs"))
    (cell,) = (cell for cell in make_study(scale, Songs((songs,), songs, songs)).cells if cell.name.startswith(method))
    (phase,) = cell.experiment.phases
    assert phase.data.augmentation.gain == (0.25, 1.25)
    result = train(cell.experiment, tmp_path / "run", execution=EXECUTION, quiet=True)
    assert result.finished
    assert bool(result.learned) == (method in {"con-reg", "dis-reg"})


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "results")
    with pytest.raises(InputError, match="no cell is done yet"):
        hung2022.report(hung2022.study("laptop", roots=ROOTS, places=places), places=places)


def test_changes_are_of_shared_seeds_and_songs() -> None:
    theirs = Found((0, 1), {"sar_bass": np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]])})
    ours = Found((1, 2), {"sar_bass": np.array([[4.0, 5.5, 6.0], [0.0, 0.0, 0.0]])})
    found = change(ours, theirs, "sar_bass")
    assert found is not None
    assert found.by_seed == (pytest.approx((1.0 + 1.5 + 1.0) / 3),)
    assert found.interval.num_values == 3
    assert found.text.startswith("**+1.17**")
    assert change(Found((7,), ours.values), theirs, "sar_bass") is None


def test_the_laptop_s_songs_are_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stemtune.recipes.bugler2020.preparing import Part

    write_songs(tmp_path / "data" / "set", 2)
    sets = {name: (Part("data", "set", (None,), pattern="song 1"),) for name in ("train", "valid", "test")}
    monkeypatch.setattr(hung2022, "LAPTOP_SETS", sets)
    places, roots = Places(tmp_path / "work", tmp_path), StudyRoots(data=tmp_path / "data", corpora=tmp_path)
    said: list[str] = []
    for _ in range(2):
        hung2022.prepare("laptop", (), roots=roots, places=places, say=said.append)
    assert said == ["preparing train", "preparing valid", "preparing test"]
    (song,) = (tmp_path / "work" / "data" / "test").iterdir()
    info = soundfile.info(song / "bass.wav")
    assert (info.samplerate, info.channels) == (22050, 1)
