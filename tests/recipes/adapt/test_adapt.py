"""From a folder of stems to a model and a report, with a miniature network."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from stemtune.errors import ConfigError
from stemtune.evaluation.table import ALL_STEMS
from stemtune.hub import find_card, load
from stemtune.recipes.adapt import Adapted, AdaptRequest, Interruption, Progress, adapt
from tests.recipes.adapt.conftest import EXECUTION, Write, sounds


def request(stems: Path, base: Path, **changes: object) -> AdaptRequest:
    return AdaptRequest.model_validate({"stems": str(stems), "base": str(base), "steps": 4, "num_folds": 2} | changes)


@pytest.fixture(scope="module")
def stems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import numpy as np
    import soundfile

    root = tmp_path_factory.mktemp("adapted") / "stems"
    for number in range(4):
        for stem, samples in sounds(number).items():
            path = root / f"song {number}" / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples.astype(np.float32), 8000, subtype="FLOAT")
    return root


@pytest.fixture(scope="module")
def told() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def done(stems: Path, base: Path, tmp_path_factory: pytest.TempPathFactory, told: list[Progress]) -> Adapted:
    """One adaptation that all tests here look at."""
    folder = tmp_path_factory.mktemp("out") / "my-model"
    return adapt(request(stems, base), folder, execution=EXECUTION, tell=told.append, command="stemtune adapt x")


def test_what_is_left_is_a_model_and_its_report(done: Adapted) -> None:
    folder = done.report.parent
    there = {"audit.md", "comparison", "model", "outcome.json", "plan.json", "report.html", "report.md", "scores"}
    assert {path.name for path in folder.iterdir()} == there
    assert load(folder).stems == ("sitar", "tabla")
    page = done.report.read_text(encoding="utf-8")
    assert "my-model: sitar, tabla" in page
    assert 'href="comparison/index.html"' in page
    assert (folder / "comparison" / "index.html").is_file()
    assert "stemtune adapt x" in (folder / "report.md").read_text(encoding="utf-8")


def test_the_card_says_what_was_scored_and_where_it_comes_from(done: Adapted, base: Path) -> None:
    card = find_card(done.model)
    assert (card.name, card.base, card.base_sha256) == ("my-model", "tiny-base", find_card(base).weights_sha256)
    assert {score.stem: score.value for score in card.scores} == {
        stem.stem: round(stem.score, 2) for stem in done.outcome.stems if stem.stem != "all"
    }
    assert any("MIT" in limit for limit in card.limits)


def test_every_piece_is_scored_once_by_a_model_that_did_not_hear_it(done: Adapted) -> None:
    rows = json.loads((done.report.parent / "plan.json").read_text())
    assert rows["num_units"] == 4
    assert len(done.outcome.curves) == 2
    results = list((done.report.parent / "comparison" / "results").glob("my-model*/*.json"))
    assert len(results) == 4
    total = done.outcome.stems[-1]
    of_stems = [stem.score for stem in done.outcome.stems[:-1]]
    assert total.stem != ALL_STEMS
    assert total.score == pytest.approx(sum(of_stems) / len(of_stems))
    assert total.oracle > total.score


def test_progress_counts_up_and_says_what_was_found(done: Adapted, told: list[Progress]) -> None:
    counted = [event.done for event in told if event.total > 1]
    assert counted == sorted(counted)
    assert counted[-1] <= told[-1].total
    assert any("minutes in which each stem sounds: sitar 0.7" in event.message for event in told)
    assert any(event.seconds_left is not None for event in told)


def test_the_same_again_does_nothing(done: Adapted, stems: Path, base: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.report.parent.rglob("*") if path.is_file()}
    again = adapt(request(stems, base), done.report.parent, execution=EXECUTION, tell=lambda _: None)
    assert again.outcome == done.outcome
    assert before == {path: path.stat().st_mtime_ns for path in done.report.parent.rglob("*") if path.is_file()}


def test_something_else_in_the_same_folder_is_refused(done: Adapted, stems: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(done.report.parent / "plan.json", out)
    with pytest.raises(ConfigError, match=r"holds another adaptation \(steps was 4, is 6\); choose another --out"):
        adapt(request(stems, base, steps=6), out, execution=EXECUTION, tell=lambda _: None)
    copy = tmp_path / "stems"
    shutil.copytree(stems, copy)
    plan = json.loads((out / "plan.json").read_text())
    plan["request"]["stems"] = str(copy)
    (out / "plan.json").write_text(json.dumps(plan))
    shutil.copyfile(copy / "song 1" / "sitar.wav", copy / "song 0" / "sitar.wav")
    with pytest.raises(ConfigError, match="recordings have changed since this was begun"):
        adapt(request(copy, base), out, execution=EXECUTION, tell=lambda _: None)


def test_stopped_three_times_it_ends_with_the_same_bits(done: Adapted, stems: Path, base: Path, tmp_path: Path) -> None:
    impatient = EXECUTION.model_copy(update={"max_minutes": 1e-6})
    for _ in range(3):
        with pytest.raises(Interruption):
            adapt(request(stems, base), tmp_path / "my-model", execution=impatient, tell=lambda _: None)
    result = adapt(request(stems, base), tmp_path / "my-model", execution=EXECUTION, tell=lambda _: None)
    assert result.outcome.curves == done.outcome.curves
    whole, parts = load(done.model).state_dict(), load(result.model).state_dict()
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


def test_from_scratch_there_is_nothing_to_compare_with(write: Write, tmp_path: Path) -> None:
    """With the default network's sizes this would take minutes: only the plan is looked at."""
    from stemtune.recipes.adapt.plan import experiment_of
    from stemtune.recipes.adapt.planning import make_plan

    for number in range(2):
        root = write(f"song {number}", sounds(number, seconds=20.0))
    plan = make_plan(request(root, Path("scratch")), tmp_path / "out", execution=EXECUTION, say=lambda _: None)
    assert (plan.base_folder, plan.origins, plan.rule.strategy) == (None, None, "scratch")
    (phase,) = experiment_of(plan, plan.everything, name="final").phases
    assert phase.initialise.source == "scratch"
