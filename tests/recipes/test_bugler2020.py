"""The study of Bugler, Pardo and Seetharaman: its table, its two scales in miniature, its report."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from stemtune.cli.main import run as run_command
from stemtune.data import datasets
from stemtune.errors import ConfigError, InputError
from stemtune.models import Separator
from stemtune.recipes import bugler2020
from stemtune.recipes.bugler2020.corpora import laptop_corpora, paper_corpora
from stemtune.recipes.bugler2020.evidence import steps_to_reach
from stemtune.recipes.bugler2020.examination import ExcerptExaminationConfig
from stemtune.recipes.bugler2020.grid import bugler2020 as make_study
from stemtune.recipes.bugler2020.preparing import LAPTOP_SETS, Part, prepare
from stemtune.recipes.bugler2020.reporting import write_report
from stemtune.recipes.bugler2020.scales import LAPTOP, PAPER
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.results import (
    CellRecord,
    CurvePoint,
    CurveWriter,
    read_record,
    read_scores,
    write_result,
)
from stemtune.recipes.reproduce.running import Places, run_cells
from stemtune.recipes.reproduce.study import Cell, Scores, Study, choose_cells
from stemtune.training.phase import Execution, Phase
from tests.recipes.miniature_study import tiny_scale, write_laptop_sets, write_song

EXECUTION = Execution(device="cpu", num_workers=0, threads=1)
ONE_OF_EACH = ("scratch/choir/*", "whole/chorales/both-none/*", "mask/drums/both-none/*")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(work=tmp_path / "work", results=tmp_path / "results")


@pytest.fixture
def miniature(places: Places) -> Study:
    write_laptop_sets(places.work / "data")
    return make_study(tiny_scale(), laptop_corpora(places.work / "data"), places)


def full(scale: str, places: Places) -> Study:
    return bugler2020.study(scale, roots=StudyRoots(data=Path("data"), corpora=Path("corpora")), places=places)


def test_the_docstring_says_what_a_recipe_must() -> None:
    sections = ("Paper:", "Expected:", "Cost:", "Run:", "Deviations:")
    assert [section for section in sections if section not in (bugler2020.__doc__ or "")] == []


@pytest.mark.parametrize("scale", ["paper", "laptop"])
def test_the_table_is_complete(scale: str, places: Places) -> None:
    names = [cell.name for cell in full(scale, places).cells]
    for kind, count in {"scratch": 9, "pretrain": 9 + 9, "whole": 27 + 27, "mask": 9 + 27}.items():
        assert sum(name.startswith(f"{kind}/") for name in names) == count, kind
    assert names[:3] == [f"scratch/{task}/seed-0" for task in ("drums", "choir", "chorales")]
    assert all("none" in name or "scratch" in name for name in names[:54])


def test_the_papers_sizes(places: Places) -> None:
    study = full("paper", places)
    steps = {cell.name.split("/")[0]: cell.steps for cell in study.cells}
    assert steps == {"scratch": 12_000, "pretrain": 10_000, "whole": 2_000, "mask": 2_000}
    phase = study["whole/chorales/musdb-none/seed-0"].experiment.phases[-1]
    assert (phase.batch_size, phase.data.segment_seconds, phase.optimiser.learning_rate) == (24, 10.0, 1e-3)
    assert phase.clipping is not None
    assert phase.clipping.percentile == 10
    assert (phase.schedule.kind, phase.schedule.every_steps, phase.schedule.patience) == ("plateau", 100, 5)
    network = study["pretrain/musdb-none/seed-0"].experiment.model.build()
    assert sum(parameter.numel() for parameter in network.parameters()) == 21_060_000 + 5_145_140 + 514_514 + 2


def test_iterations_are_equal_in_all(places: Places) -> None:
    for scale, times in ((PAPER, 5), (LAPTOP, 2)):
        assert scale.scratch_steps == scale.pretrain_steps + scale.finetune_steps
        assert scale.pretrain_steps == times * scale.finetune_steps


def test_what_moves_and_what_pulls(places: Places) -> None:
    study = full("laptop", places)

    def phase(name: str) -> Phase:
        return study[name].experiment.phases[-1]

    assert phase("pretrain/real-none/seed-0").objective.kind == "clustering"
    assert not any("mask" in pattern for pattern in phase("pretrain/real-none/seed-0").trainable.patterns)
    assert phase("mask/drums/real-none/seed-0").trainable.patterns == ("mask_head.*",)
    assert phase("mask/drums/real-none/seed-0").trainable.freeze_statistics
    assert phase("whole/drums/real-none/seed-0").initialise.fresh == ("mask_head.*",)
    assert [part.weight for part in phase("whole/drums/real-none/seed-0").objective.parts] == [0.01, 0.99]
    assert phase("pretrain/real-incoherent/seed-0").data.coherent_probability == 0
    assert phase("pretrain/real-pitch/seed-0").data.augmentation.pitch_semitones == (-3, 3)
    assert phase("pretrain/real-stretch/seed-0").data.augmentation.stretch == (0.8, 1.2)
    assert phase("whole/choir/real-none/seed-0").data.coherent_probability == 1


def test_one_cell_of_each_kind_runs(miniature: Study, places: Places) -> None:
    cells = choose_cells(miniature, ONE_OF_EACH)
    assert run_cells(miniature, cells, places, execution=EXECUTION, say=lambda _: None)
    scores = read_scores(places.result("whole/chorales/both-none/seed-0"))
    assert scores.columns == ("bassoon", "clarinet", "saxophone", "violin")
    assert len(scores.rows) == 3
    record = read_record(places.result("mask/drums/both-none/seed-0"))
    assert record is not None
    assert record.mean_score is not None
    assert write_report(miniature, places).read_text().startswith("# bugler2020")


def test_pretraining_leaves_the_mask_head_alone(miniature: Study, places: Places) -> None:
    from stemtune.hub import load
    from stemtune.training.loop import fresh_network, mix_seed

    cells = choose_cells(miniature, ["pretrain/both-none/seed-0", "mask/choir/both-none/seed-0"])
    cell = miniature["pretrain/both-none/seed-0"]
    assert run_cells(miniature, cells, places, execution=EXECUTION, say=lambda _: None)
    before = fresh_network(cell.experiment, seed=mix_seed(cell.experiment.seed, 0)).state_dict()
    after = load(places.model(cell.name)).state_dict()
    same = {name for name, value in after.items() if (value == before[name]).all()}
    assert same == {"mask_head.weight", "mask_head.bias"}


def test_the_papers_corpora_in_miniature(tmp_path: Path, places: Places) -> None:
    """Folders with the names and the layouts of the published data sets, and two steps of everything on them."""
    data = tmp_path / "data"
    known = Path(datasets.__file__).parent / "known" / "musdb18.yaml"
    validation = yaml.safe_load(known.read_text(encoding="utf-8"))["splits"]["valid"]
    for song in (*validation, "A Classic Education - NightOwl"):
        write_song(data / "musdb18" / "train" / song, ("mixture", "vocals", "drums", "bass", "other"), seconds=0.8)
    write_song(
        data / "musdb18" / "test" / "Al James - Schoolboy Facination", ("mixture", "vocals", "drums", "bass", "other")
    )
    for split, number in (("train", 1), ("test", 2)):
        track = data / "slakh2100" / split / f"Track0000{number}"
        write_song(track / "stems", ("S00", "S01", "S02", "S03"), suffix=".flac")
        write_song(track, ("mix",), suffix=".flac")
        stems = "".join(
            f"  S0{n}: {{inst_class: {kind}, is_drum: {str(kind == 'Drums').lower()}, audio_rendered: true}}\n"
            for n, kind in enumerate(("Piano", "Drums", "Bass", "Organ"))
        )
        (track / "metadata.yaml").write_text(f"UUID: song-{number}\nstems:\n{stems}")
    for number, name in ((1, "01-AchGottundHerr"), (10, "10-NunBitten")):
        parts = ("violin", "clarinet", "saxphone", "bassoon")
        write_song(data / "bach10" / name, [f"{name}-{part}" for part in parts], seed=number)
    takes = [
        f"DCS_{piece}_FullChoir_Take01_{voice}_DYN" for piece in ("LI", "TP") for voice in ("S1", "A1", "T1", "B1")
    ]
    write_song(data / "dagstuhl_choirset" / "audio_wav_22050_mono", takes)
    for split in ("train", "test"):
        for stem in ("kick", "snare", "cymbals"):
            write_song(data / "remixpacks" / split / stem, ("a", "b"))
    scale = tiny_scale(name="paper")
    study = make_study(scale, paper_corpora(data), places)
    patterns = ("scratch/*", "whole/chorales/both-none/*", "mask/choir/slakh-none/*", "whole/drums/musdb-incoherent/*")
    cells = choose_cells(study, patterns)
    assert run_cells(study, cells, places, execution=EXECUTION, say=lambda _: None)
    assert read_scores(places.result("scratch/choir/seed-0")).columns == ("female", "male")


def test_prepared_sets_are_mono_at_the_networks_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import soundfile

    from stemtune.recipes.bugler2020 import preparing as module

    generator = np.random.default_rng(0)
    for number in range(5):
        path = tmp_path / "corpora" / "toy" / "train" / f"song {number}" / "vocals.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, 0.1 * generator.standard_normal((44100 * 30, 2)), 44100)
        soundfile.write(path.with_name("drums.wav"), 0.1 * generator.standard_normal((44100 * 30, 2)), 44100)
    monkeypatch.setattr(module, "LAPTOP_SETS", {"toy": (Part("corpora", "toy", ("train",), minutes=1.0),)})
    prepare(["toy"], {"corpora": tmp_path / "corpora"}, tmp_path / "made", say=lambda _: None)
    songs = sorted((tmp_path / "made" / "toy").iterdir())
    assert len(songs) == 2  # a minute is enough
    info = soundfile.info(songs[0] / "vocals.wav")
    assert (info.samplerate, info.channels, info.frames) == (16000, 1, 480_000)


@pytest.mark.parametrize(("record", "complaint"), [(None, "no such corpus"), ('{"complete": false}', "to the end")])
def test_missing_and_unfinished_corpora_are_named(tmp_path: Path, record: str | None, complaint: str) -> None:
    if record:
        (tmp_path / "pop").mkdir()
        (tmp_path / "pop" / "corpus.json").write_text(record)
    with pytest.raises(InputError, match=complaint):
        prepare(["pop"], {"corpora": tmp_path}, tmp_path / "made", say=lambda _: None)
    assert "pop" in LAPTOP_SETS


def examination(study: Study, folder: Path, **changes: object) -> ExcerptExaminationConfig:
    data = laptop_corpora(folder).tasks["choir"].test.model_copy(update={"segment_seconds": 0.5} | changes)
    return ExcerptExaminationConfig(data=data, num_excerpts=4)


def chimera(study: Study, stems: tuple[str, ...]) -> Separator:
    return tiny_scale().network(stems).build().eval()


def test_more_stems_than_heads_are_refused(miniature: Study, places: Places) -> None:
    examine = examination(miniature, places.work / "data").build()
    with pytest.raises(InputError, match="no mask for male; it separates female, other"):
        examine(chimera(miniature, ("female", "other")))


def test_the_order_of_heads_does_not_matter(miniature: Study, places: Places) -> None:
    import torch

    examine = examination(miniature, places.work / "data").build()
    one = chimera(miniature, ("female", "male"))
    other = chimera(miniature, ("male", "female"))
    state = one.state_dict()
    for name in ("mask_head.weight", "mask_head.bias"):
        pairs = state[name].unflatten(0, (-1, 2))
        state[name] = torch.stack((pairs[:, 1], pairs[:, 0]), dim=1).flatten(0, 1)
    other.load_state_dict(state)
    for (_, mine), (_, theirs) in zip(examine(one).rows, examine(other).rows, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-3)


def test_fewer_seconds_than_one_excerpt_are_refused(miniature: Study, places: Places) -> None:
    with pytest.raises(ConfigError, match="segment"):
        examination(miniature, places.work / "data", segment_seconds=30.0).build()


def test_a_stem_that_is_silent_throughout_has_no_score(places: Places, tmp_path: Path) -> None:
    import soundfile

    folder = tmp_path / "data"
    write_laptop_sets(folder)
    for song in ("a", "b"):
        path = folder / "choir/test" / f"song-{song}" / "male.wav"
        samples, rate = soundfile.read(path)
        samples[: rate // 2] = 0
        soundfile.write(path, samples if song == "a" else 0 * samples, rate, subtype="FLOAT")
    study = make_study(tiny_scale(), laptop_corpora(folder), places)
    scores = examination(study, folder, min_active=0).build()(chimera(study, ("female", "male")))
    values = [row for _, row in scores.rows]
    assert any(row[1] is None for row in values)
    assert all(row[0] is not None and np.isfinite(row[0]) for row in values)


def fake(cell: Cell, study: Study, places: Places) -> None:
    """Results that a cell might have had: pre-training helps, masks lose, the rest is noise."""
    generator = np.random.default_rng(sum(cell.name.encode()))
    folder = places.result(cell.name)
    scores = None
    if cell.examination:
        level = {"scratch": 1.0, "whole": 3.0, "mask": 0.0}[cell.name.split("/")[0]]
        hard = np.random.default_rng(1).normal(0, 3, 60)
        values = level + hard + generator.normal(0, 0.5, 60)
        rows = tuple((f"{n:04d}", (float(value), None if n == 7 else float(value))) for n, value in enumerate(values))
        scores = Scores(columns=("a", "b"), rows=rows)
        curve = CurveWriter(folder)
        for step in range(1, 6):
            curve.add(cell.steps_before + step, level - 2 / step)
    record = CellRecord(
        study=study.name, scale=study.scale, cell=cell.name, seed=cell.experiment.seed, steps=cell.steps,
        steps_before=cell.steps_before, num_parameters=1, batch_size=1, segment_seconds=1.0, precision="float32",
        minutes=1.0, machine="none", threads=1,
    )  # fmt: skip
    write_result(folder, record, cell.experiment, scores)


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_the_report_tells_of_whatever_is_done(places: Places, share: float) -> None:
    study = full("laptop", places)
    for cell in study.cells[: round(share * len(study.cells))]:
        fake(cell, study, places)
    text = write_report(study, places).read_text()
    assert all((places.results / f"figure-{number}.png").stat().st_size > 5000 for number in (1, 2, 3))
    assert "| drums | (scratch) |" in text
    if share == 1.0:
        assert text.count("**+2.") >= 6
        assert text.count("_-3.") + text.count("_-2.") >= 30
        assert "| incoherent |" in text


def test_a_report_of_nothing_is_refused(places: Places) -> None:
    with pytest.raises(InputError, match="no cell is done yet"):
        write_report(full("laptop", places), places)


def test_steps_to_reach_a_level() -> None:
    curves = [[CurvePoint(step=110, score=1.0), CurvePoint(step=120, score=3.0)], [CurvePoint(step=110, score=2.5)]]
    assert steps_to_reach(curves, 2.0, steps_before=100) == 15
    assert steps_to_reach(curves, 2.8, steps_before=100) is None


def test_the_command_prints_plans_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path)]
    assert run_command(["reproduce", "bugler2020", "--plan", "--only", "mask/choir/*", *out]) == 0
    assert "pretrain/real-none/seed-0" in capsys.readouterr().out
    assert run_command(["reproduce", "bugler2020", "--report", *out]) == 1
    assert "no cell is done yet" in capsys.readouterr().err
    assert run_command(["reproduce", "--list"]) == 0
    assert "bugler2020: The study of Bugler" in capsys.readouterr().out
    assert run_command(["reproduce", *out]) == 2
    assert run_command(["reproduce", "bugler2020", "--corpora", str(tmp_path), "--only", "scratch/drums/*", *out]) == 1
    assert "no such corpus" in capsys.readouterr().err
