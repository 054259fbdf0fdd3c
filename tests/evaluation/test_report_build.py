"""A whole report: built, built again, opened in a browser, listened to."""

import base64
import csv
import io
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.data.datasets import open_dataset
from stemtune.errors import InputError, UsageError
from stemtune.evaluation.contenders import Contender, open_contenders
from stemtune.evaluation.report_build import BuildOptions, build_report
from tests.evaluation.browser import PLAY, PROBE, open_browser
from tests.evaluation.small_songs import RATE, noise, write

SECONDS = 13
STEMS = ("vocals", "drums")
OPTIONS = BuildOptions(metrics=("sdr_global", "sdr_bss_eval_v4"), passage_seconds=4, command="stemtune compare <a> & b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six songs, two tools of unlike skill, and a training log."""
    root = tmp_path_factory.mktemp("report")
    for number in range(6):
        name = f'Song <{number}> & "co"'
        for index, stem in enumerate(STEMS):
            true = noise(10 * number + index, samples=SECONDS * RATE)
            true *= np.repeat(0.3 + np.arange(SECONDS) % 3, RATE)[:, None]
            write(root / "songs" / name / f"{stem}.wav", true)
            for skill, tool in enumerate(("good", "bad")):
                wrong = noise(99 + 10 * number + index, samples=SECONDS * RATE) * (0.3 + 0.4 * skill)
                write(root / tool / name / f"{stem}.wav", true + wrong)
    log = root / "log.csv"
    log.write_text(
        "step,loss,learning_rate,gradient_norm,examples_per_second,validation_sdr_global,parts\n"
        "1,-1.5,,,,,vocals=-1\n2,-2.5,,,,,\n2,,,,,3.25,vocals=3.000 drums=3.500\n"
        "4,-3,,,,,\n4,,,,,4.25,vocals=4 drums=4.5\n5,-"
    )
    return root


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    contenders = open_contenders([str(folder / "good"), str(folder / "bad")], logs=[("good", folder / "log.csv")])
    return build_report(contenders, open_dataset(folder / "songs"), folder / "out", OPTIONS)


def test_the_page_needs_nothing_from_outside(page: Path):
    text = page.read_text(encoding="utf-8")
    for pattern in (r'(?:src|href)="(?!data:|#)[^"]*"', r"url\((?!data:)", "@import", r"https?://(?!www\.w3\.org)"):
        assert not re.findall(pattern, text), pattern
    assert "default-src 'none'" in text


def test_names_of_songs_cannot_break_the_page(page: Path):
    text = page.read_text(encoding="utf-8")
    assert "Song <" not in text
    assert "Song &lt;0&gt; &amp; " in text
    assert "stemtune compare &lt;a&gt; &amp; b" in text


def test_the_page_says_what_a_reader_must_know(page: Path):
    text = unescape(page.read_text(encoding="utf-8"))
    for words in (
        "good scores", "dB above bad", "dB above mixture", "too few to be sure", "6 tracks only",
        "smallest p-value that the signed-rank test can give is 0.016", "10 log10 of the stem's energy",
        "median over frames, then median over tracks", "both directions", "Holm's correction", "6 of 6",
        "cannot be, with 6 tracks", "bootstrap intervals over songs", "and needs no network",
    ):  # fmt: skip
        assert words in text, words
    assert f"{page.stat().st_size / 1e6:.1f} MB" in text


@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_and_plays_all_of_it_without_a_complaint(page: Path, tmp_path: Path, dark: bool):
    with open_browser(tmp_path / "profile") as browser:
        browser.open(page, dark=dark)
        found = browser.run(PROBE)
        played = browser.run(PLAY)
        assert browser.complaints() == []
        assert browser.requests() == []
    clips = 2 * 3 * 4  # stems, ranks, and: mixture, reference, two systems
    assert (found["images"], found["broken"], found["undecodable"]) == (clips, [], [])
    assert len(found["seconds"]) == clips
    assert all(3.99 < seconds < 4.2 for seconds in found["seconds"])
    assert found["charts"] == 2 * 2 + 2  # boxes and differences of each metric, two learning curves
    assert (found["unnamed"], found["repeated"], found["dangling"]) == (0, [], 0)
    assert len(found["tables"]) == 1 + 2 + 2 * 2 + 2
    assert all(table["caption"] and table["heads"] and not table["unequal"] for table in found["tables"])
    assert played["stopped"]
    assert played["right"] >= played["left"] - 0.1


def test_a_small_screen_scrolls_inside_tables_only(page: Path, tmp_path: Path):
    with open_browser(tmp_path / "profile") as browser:
        browser.open(page, width=390)
        assert browser.run(PROBE)["overflow"] <= 0


def test_what_is_heard_is_what_was_scored(page: Path, folder: Path):
    """The first passage, decoded, is its place in the song, all clips with one gain."""
    text = page.read_text(encoding="utf-8")
    article = re.search(r'<article class="passage".*?</article>', text, re.DOTALL)
    assert article
    place = re.search(r"<h4>Song &lt;(\d)&gt; .*?, (\d+):(\d\d)–", article.group(0))
    assert place
    number, start = int(place.group(1)), 60 * int(place.group(2)) + int(place.group(3))
    sounds = re.findall(r'<audio[^>]*src="data:audio/mpeg;base64,([^"]+)"', article.group(0))
    mixture, reference, good, bad = (soundfile.read(io.BytesIO(base64.b64decode(sound)))[0] for sound in sounds)
    (song,) = [track for track in open_dataset(folder / "songs") if f"<{number}>" in track.name]
    true = soundfile.read(song.stems["drums"][0])[0]
    expected = true[start * RATE : (start + 4) * RATE]
    rate = len(reference) / 4
    heard = reference[(np.arange(len(expected)) * rate / RATE).round().astype(int)]
    correlation = np.corrcoef(heard[2000:-2000, 0], expected[2000:-2000, 0])[0, 1]
    assert correlation > 0.9
    gains = [np.abs(sound).max() for sound in (mixture, reference, good, bad)]
    assert max(gains) == pytest.approx(0.9, abs=0.08)
    assert np.abs(good - reference).std() < np.abs(bad - reference).std()


def test_tables_beside_the_page_hold_everything(page: Path):
    with (page.parent / "scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    assert len(scores) == 3 * 6 * 2 * 2
    with (page.parent / "pairs.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    assert len(pairs) == 2 * (2 + 1) * 6
    best = next(pair for pair in pairs if (pair["stem"], pair["better"], pair["worse"]) == ("drums", "good", "bad"))
    assert float(best["p_value"]) == 1 / 64
    assert float(best["p_value_holm"]) == pytest.approx(18 / 64)


def test_the_summary_is_the_page_s_tables_as_markdown(page: Path):
    text = (page.parent / "summary.md").read_text(encoding="utf-8")
    assert "good scores" in text.splitlines()[2]
    assert "| system | drums | vocals | mean of stems |" in text
    assert "| drums | good | bad |" in text
    assert "(rule mdx)" in text
    assert "Made by `stemtune compare <a> & b`." in text


def test_a_second_report_reuses_the_scores_and_may_be_silent(page: Path, folder: Path):
    kinds: list[str] = []
    contenders = open_contenders([str(folder / "good"), str(folder / "bad")])
    again = build_report(
        contenders, open_dataset(folder / "songs"), folder / "out",
        OPTIONS.model_copy(update={"sound": False, "title": "Quiet"}),
        on_event=lambda _, event: kinds.append(event.kind),
    )  # fmt: skip
    assert set(kinds) == {"kept"}
    assert len(kinds) == 18
    text = again.read_text(encoding="utf-8")
    assert "<audio" not in text
    assert "<title>Quiet</title>" in text
    assert "Learning curves" not in text


def test_results_can_be_compared_with_systems(folder: Path, tmp_path: Path):
    rows = ["track,stem,metric,value"]
    rows += [
        f'"{track.name.replace(chr(34), chr(34) * 2)}",{stem},sdr_global,{number}.5'
        for number, track in enumerate(open_dataset(folder / "songs"))
        for stem in STEMS
    ]
    (tmp_path / "paper.csv").write_text("\n".join(rows))
    contenders = open_contenders([f"theirs={tmp_path / 'paper.csv'}", str(folder / "good")])
    assert [contender.label for contender in contenders] == ["theirs", "good", "mixture"]
    options = BuildOptions(metrics=("sdr_global",), passage_seconds=4)
    page = build_report(contenders, open_dataset(folder / "songs"), tmp_path / "out", options)
    text = page.read_text(encoding="utf-8")
    assert "no sound, for there are only numbers" in text
    assert "worst passage of good" in text
    alone = build_report(contenders[:1] * 2 + contenders[:1], (), tmp_path / "numbers", options)
    assert "<audio" not in alone.read_text(encoding="utf-8")


def test_what_cannot_be_compared_is_one_line(folder: Path, tmp_path: Path):
    with pytest.raises(
        UsageError, match="a training log of 'nobody', who takes no part; those who do are good, mixture"
    ):
        open_contenders([str(folder / "good")], logs=[("nobody", tmp_path / "log.csv")])
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    contenders = open_contenders([str(folder / "good")], logs=[("good", tmp_path / "log.csv")])
    with pytest.raises(InputError, match="not a training log"):
        build_report(contenders, open_dataset(folder / "songs")[:1], tmp_path / "out", OPTIONS)
    with pytest.raises(InputError, match="neither a system nor results"):
        build_report([Contender("x", "y")] * 2, (), tmp_path / "out", OPTIONS)
