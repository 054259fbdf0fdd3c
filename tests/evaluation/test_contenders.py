"""What a user may name, and what it is called then."""

from pathlib import Path

import pytest
import torch

from stemtune.data.datasets import open_dataset
from stemtune.errors import InputError, UsageError
from stemtune.evaluation.contenders import open_contenders
from stemtune.evaluation.model_systems import ModelSystem
from stemtune.evaluation.oracle import OracleSystem
from stemtune.evaluation.protocol import evaluate
from stemtune.evaluation.records import EvaluationRequest
from stemtune.evaluation.report import write_report
from stemtune.evaluation.report_results import read_results
from stemtune.evaluation.subjects import open_system, open_tracks
from stemtune.evaluation.systems import EstimatesSystem, MixtureSystem
from stemtune.hub import ModelCard, TrainingData, save_model
from stemtune.models.bandnet import BandNetConfig
from tests.evaluation.small_songs import noise, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run: a model, and the log of its training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        separator = BandNetConfig(
            stems=("vocals", "bass"), sample_rate=8000, n_fft=64, hop_length=16, bands=((4, 2), (3, 8), (1, 1)),
            width=8, dilations=(1,), mixing_groups=2, chunk_seconds=0.5,
        ).build()  # fmt: skip
    heard = (TrainingData(corpus="nothing", licence="CC0-1.0", minutes=3.2),)
    card = ModelCard(name="tiny", licence="CC0-1.0", description="Random.", training_data=heard)
    save_model(separator, tmp_path / "runs" / "mine" / "model", card)
    (tmp_path / "runs" / "mine" / "experiment.json").write_text("{}")
    (tmp_path / "runs" / "mine" / "1-learn").mkdir()
    (tmp_path / "runs" / "mine" / "1-learn" / "log.csv").write_text("step,loss,validation_sdr_global,parts\n1,2,,\n")
    return tmp_path / "runs" / "mine"


def test_names_lead_to_systems(run: Path, songs: Path):
    for text, kind in (
        ("mixture", MixtureSystem), ("oracle-irm", OracleSystem), ("oracle-mwf", OracleSystem),
        (str(run), ModelSystem), (str(run / "model"), ModelSystem), (str(songs), EstimatesSystem),
        ("default", ModelSystem),
    ):  # fmt: skip
        assert isinstance(open_system(text), kind)
        assert open_system(text).name == text
    with pytest.raises(UsageError, match="unknown model 'oracle-irn'"):
        open_system("oracle-irn")


def test_labels_come_from_the_name_the_card_or_the_run(run: Path, songs: Path):
    model = str(run / "model")
    found = open_contenders([model, f"again={model}", "default", str(songs), model, "oracle-irm"])
    assert [one.label for one in found] == [
        "mine", "again", "bandnet-4stem", "songs", "mine (2)", "oracle-irm", "mixture",
    ]  # fmt: skip
    assert [path.parent.name for path in found[0].logs] == ["1-learn"]
    assert found[0].about.startswith("model tiny, licence CC0-1.0, weights ")
    assert found[0].training_data == "nothing (3 min)"
    assert [one.label for one in found if one.is_oracle] == ["oracle-irm"]
    assert found[2].logs == ()
    (whole, _) = open_contenders([str(run)])
    assert (whole.label, whole.logs) == ("mine", found[0].logs)


def test_the_mixture_is_there_once(songs: Path):
    assert [one.label for one in open_contenders(["mixture", str(songs)])] == ["mixture", "songs"]


def test_oracles_are_above_models_and_the_mixture(run: Path, tmp_path: Path):
    for index, stem in enumerate(("vocals", "bass")):
        write(tmp_path / "songs" / "A" / f"{stem}.wav", noise(index, samples=24000))
        write(tmp_path / "songs" / "B" / f"{stem}.wav", noise(5 + index, samples=16000, channels=1))
    tracks = open_dataset(tmp_path / "songs")
    request = EvaluationRequest(metrics=("sdr_global",))
    means = {
        text: evaluate(open_system(text), tracks, request).means()[-1].value
        for text in ("oracle-irm", "oracle-mwf", "mixture", str(run / "model"))
    }
    assert means["oracle-irm"] > means["mixture"] + 2
    assert means["oracle-mwf"] > means["mixture"] + 2
    assert means["mixture"] == pytest.approx(0.0, abs=0.3)
    assert means[str(run / "model")] < means["oracle-irm"]


def test_results_are_read_back_from_folder_json_and_csv(run: Path, songs: Path, tmp_path: Path):
    tracks = open_dataset(songs)
    out = tmp_path / "scores"
    found = evaluate(open_system(str(run / "model")), tracks, folder=out / "tracks")
    write_report(found, out)
    assert read_results(out).rows == found.rows
    assert read_results(out).energies == found.energies
    assert read_results(out / "scores.json").rows == found.rows
    assert [row.value for row in read_results(out / "scores.csv").rows] == [row.value for row in found.rows]
    contenders = open_contenders([str(out), f"table={out / 'scores.csv'}"])
    assert [(one.label, one.system is None) for one in contenders] == [
        ("scores", True), ("table", True), ("mixture", False),
    ]  # fmt: skip
    for path in (out / "tracks").iterdir():
        path.unlink()
    assert read_results(out).rows == found.rows


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "track,stem,metric\n", "no column value"),
        ("a.csv", "track,stem,metric,value\n", "no rows"),
        ("a.csv", "track,stem,metric,value\na,b,c,many\n", "line 2: 'many' is not a number"),
        ("a.json", "{}", "not results of stemtune evaluate"),
        ("a.json", "[", "not results of stemtune evaluate"),
    ],
)
def test_what_is_no_result_is_one_line(tmp_path: Path, name: str, text: str, message: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_results(tmp_path / name)


def test_tracks_are_chosen_by_name(songs: Path):
    assert [track.name for track in open_tracks(songs, pattern="F*")] == ["First"]
    with pytest.raises(InputError, match=r"none of its 2 tracks fits the pattern 'X\*'; they are First, Second"):
        open_tracks(songs, pattern="X*")
