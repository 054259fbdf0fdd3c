"""The files of a report, and the picture."""

import csv
import json
import math
import struct
import sys
from pathlib import Path

import pytest
import torch

from stemtune.errors import OutputError, UsageError
from stemtune.evaluation.pictures import draw_stems, log_spectrogram
from stemtune.evaluation.report import render_report, save_picture, write_report
from stemtune.evaluation.table import Evaluation, FrameScores, TrackScore
from stemtune.types import StemSet

EVALUATION = Evaluation(
    "kazoo",
    (
        TrackScore("a, b", "vocals", "sdr_global", 1 / 3, -2.5),
        TrackScore("a, b", "drums", "sdr_global", 2.0, 0.5),
        TrackScore("a, b", "vocals", "si_sdr", -math.inf, 0.0),
    ),
    notes=("a, b: something",),
)


def test_csv_holds_every_value_at_full_precision(tmp_path: Path):
    write_report(EVALUATION, tmp_path / "new" / "folder")
    with (tmp_path / "new" / "folder" / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["track"] for row in rows] == ["a, b"] * 3
    assert float(rows[0]["value"]) == 1 / 3
    assert rows[2]["value"] == "-inf"


def test_json_is_strict_and_complete(tmp_path: Path):
    write_report(EVALUATION, tmp_path)
    tree = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)
    assert tree["rows"][0] == {
        "track": "a, b", "stem": "vocals", "metric": "sdr_global", "value": 1 / 3, "mixture_baseline": -2.5,
    }  # fmt: skip
    assert tree["rows"][2]["value"] is None
    assert tree["means"][2]["stem"] == "(mean)"
    assert tree["notes"] == ["a, b: something"]
    assert set(tree["definitions"]) == {"sdr_global", "si_sdr"}


def test_markdown_shows_the_mixture_beside_and_the_definition_below(tmp_path: Path):
    text = render_report(EVALUATION)
    assert "Aggregated: mean over tracks (rule mdx)." in text
    assert "| sdr_global | vocals | 0.33 | -2.50 | +2.83 | 1 |" in text
    assert text.index("| sdr_global | (mean) |") < text.index("- `sdr_global`: 10 log10")
    assert "- a, b: something" in text


def test_a_report_that_cannot_be_written_is_one_error(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="scores"):
        write_report(EVALUATION, tmp_path / "file")


def stems(num_samples: int, channels: int = 2) -> StemSet[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return StemSet({name: 0.1 * torch.randn(channels, num_samples, generator=generator) for name in ("kazoo", "rest")})


@pytest.mark.parametrize("num_samples", [1, 9000])
@pytest.mark.parametrize("with_references", [True, False])
def test_a_picture_is_drawn_of_any_length(tmp_path: Path, num_samples: int, with_references: bool):
    estimates = stems(num_samples)
    figure = draw_stems(
        mixture=estimates["kazoo"] + estimates["rest"],
        estimates=estimates,
        references=stems(num_samples) if with_references else None,
        sample_rate=8000,
        title="A title",
        captions={"kazoo": "sdr_global 3.0 dB"},
    )
    images = [axes for axes in figure.axes if axes.images]
    assert len(images) == (5 if with_references else 3)
    assert {image.get_clim() for axes in images for image in axes.images} == {(-80.0, 0.0)}
    path = save_picture(figure, tmp_path / "p.png")
    width, _ = struct.unpack(">II", path.read_bytes()[16:24])
    assert width > 900
    assert [item.name for item in tmp_path.iterdir()] == ["p.png"]


@pytest.mark.parametrize("hertz", [100.0, 440.0, 3000.0])
def test_a_tone_is_brightest_in_its_own_band(hertz: float):
    rate = 16000
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(rate) / rate)[None]
    decibels = log_spectrogram(tone, sample_rate=rate)
    band = int(decibels.mean(dim=1).argmax())
    num_bands = decibels.shape[0]
    centre = 32.0 * (8000 / 32.0) ** ((band + 0.5) / num_bands)
    assert abs(math.log2(centre / hertz)) < 0.15


def test_white_noise_is_equally_bright_everywhere():
    noise = torch.randn(1, 64000, generator=torch.Generator().manual_seed(0))
    power = 10 ** (log_spectrogram(noise, sample_rate=16000)[:, 5:-5] / 10)
    means = 10 * power.mean(dim=1).log10()
    assert (means.max() - means.min()).item() < 4


def test_silence_is_dark_and_not_an_error():
    silence = torch.zeros(2, 4000)
    figure = draw_stems(mixture=silence, estimates=StemSet({"a": silence}), sample_rate=8000)
    assert figure.axes


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"pip install 'stemtune\[train\]'"):
        draw_stems(mixture=torch.zeros(1, 10), estimates=StemSet({"a": torch.zeros(1, 10)}), sample_rate=8000)


def with_frames() -> Evaluation:
    rows = tuple(TrackScore(track, "vocals", "sdr_bss_eval_v4", 1.0, 0.5) for track in ("a", "b"))
    frames = (FrameScores("a", "vocals", "sdr_bss_eval_v4", (1.0, math.nan, 2.0), 1.0, 0.5),)
    return Evaluation("kazoo", rows, frames=frames)


def test_frames_are_a_table_of_their_own(tmp_path: Path):
    write_report(with_frames(), tmp_path)
    with (tmp_path / "frames.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["time_seconds"] for row in rows] == ["0.0", "0.5", "1.0"]
    assert [row["value"] for row in rows] == ["1.0", "nan", "2.0"]


def test_tables_can_be_parquet(tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    paths = write_report(with_frames(), tmp_path, table_format="parquet")
    assert [path.name for path in paths] == ["scores.parquet", "frames.parquet", "scores.json", "scores.md"]
    table = parquet.read_table(tmp_path / "frames.parquet")
    assert table.column("frame").to_pylist() == [0, 1, 2]
    assert math.isnan(table.column("value").to_pylist()[1])
    assert parquet.read_table(tmp_path / "scores.parquet").column_names[0] == "track"


def test_without_pyarrow_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'stemtune\[report\]'"):
        write_report(with_frames(), tmp_path, table_format="parquet")


def test_another_rule_is_another_number_and_is_named():
    rows = tuple(TrackScore(str(n), "vocals", "sdr_bss_eval_v4", value, 0.0) for n, value in enumerate((1.0, 2.0, 9.0)))
    evaluation = Evaluation("kazoo", rows)
    assert "2.00" in render_report(evaluation)
    assert "median over frames, then median over tracks (rule museval)" in render_report(evaluation)
    assert "4.00" in render_report(evaluation, rule="mdx")
    assert "mean over tracks (rule mdx)" in render_report(evaluation, rule="mdx")
