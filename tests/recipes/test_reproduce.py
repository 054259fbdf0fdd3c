"""Studies: chosen by pattern, run once, resumed where they stopped, shared between processes."""

import fcntl
from pathlib import Path

import pytest

from stemtune.errors import ConfigError, InputError, UsageError
from stemtune.models import Separator
from stemtune.recipes.reproduce import find_study
from stemtune.recipes.reproduce.results import CurvePoint, mean_curve, read_curve, read_record, read_scores
from stemtune.recipes.reproduce.running import Places, run_cells, state_of
from stemtune.recipes.reproduce.study import Cell, Scores, Study, choose_cells
from stemtune.training.phase import Execution
from stemtune.transfer.initialise import Initialise
from tests.training.miniature import tiny_experiment

EXECUTION = Execution(device="cpu", num_workers=0, threads=1)


class Weighing:
    """Scores a model by its weights."""

    def __call__(self, separator: Separator) -> Scores:
        value = sum(float(p.detach().square().sum()) for p in separator.parameters())
        return Scores(columns=("left", "right"), rows=(("a", (value, None)), ("b", (2 * value, -1.5))))

    def glance(self, separator: Separator) -> float:
        return self(separator).rows[0][1][0] or 0.0


def study(songs: Path, places: Places, *, steps: int = 3) -> Study:
    """One cell to start from, two that start from it, and one by itself."""
    start = Initialise(source="model", model=places.model("start/seed-0").as_posix())
    cells = [Cell(name="start/seed-0", experiment=tiny_experiment(songs, steps=steps))]
    for name in ("fine/a", "fine/b"):
        experiment = tiny_experiment(songs, steps=2, initialise=start)
        cells.append(Cell(name, experiment, ("start/seed-0",), Weighing, glance_every_steps=1, steps_before=steps))
    cells.append(Cell("alone", tiny_experiment(songs, steps=4), (), Weighing, glance_every_steps=2))
    return Study(name="weighing", scale="tiny", cells=tuple(cells))


def run(table: Study, places: Places, *patterns: str, said: list[str] | None = None, **changes: object) -> bool:
    heard = said if said is not None else []
    execution = EXECUTION.model_copy(update=changes)
    return run_cells(table, choose_cells(table, patterns), places, execution=execution, say=heard.append)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(work=tmp_path / "work", results=tmp_path / "results")


def test_what_is_chosen_brings_what_it_needs(songs: Path, places: Places) -> None:
    table = study(songs, places)
    assert [cell.name for cell in choose_cells(table, ["fine/b"])] == ["start/seed-0", "fine/b"]
    assert [cell.name for cell in choose_cells(table, [])] == [cell.name for cell in table.cells]
    with pytest.raises(UsageError, match="no cell of weighing matches 'fien/"):
        choose_cells(table, ["fien/*"])


def test_cells_leave_small_files_and_are_not_run_twice(songs: Path, places: Places) -> None:
    table, said = study(songs, places), []
    assert run(table, places, said=said)
    assert [line.split(":")[0] for line in said[::2]] == ["start/seed-0", "fine/a", "fine/b", "alone"]
    result = places.result("fine/a")
    assert sorted(path.name for path in result.iterdir()) == ["cell.json", "curve.csv", "experiment.json", "scores.csv"]
    scores, record = read_scores(result), read_record(result)
    assert scores.columns == ("left", "right")
    assert [row[0] for row in scores.rows] == ["a", "b"]
    assert scores.rows[0][1][1] is None
    assert record is not None
    assert (record.steps, record.steps_before, record.seed, record.scale) == (2, 3, 3, "tiny")
    assert [point.step for point in read_curve(result)] == [4, 5]
    assert not places.run("fine/a").exists()
    assert places.model("start/seed-0").exists()
    assert not places.model("alone").exists()
    said.clear()
    assert run(table, places, said=said)
    assert said == []


def test_a_missing_model_is_made_again_only_if_it_is_needed(songs: Path, places: Places) -> None:
    import shutil

    table = study(songs, places)
    assert run(table, places, "start/*", "fine/a")
    before = read_scores(places.result("fine/a"))
    shutil.rmtree(places.work)
    said: list[str] = []
    assert run(table, places, "fine/a", said=said)
    assert said == []
    assert run(table, places, "fine/b", said=said)
    assert [line.split(":")[0] for line in said[::2]] == ["start/seed-0", "fine/b"]
    assert read_scores(places.result("fine/b")) == before  # the same experiment, from the same model


def test_a_stopped_cell_goes_on_where_it_was(songs: Path, tmp_path: Path) -> None:
    whole, parts = (Places(tmp_path / name / "work", tmp_path / name / "results") for name in ("whole", "parts"))
    assert run(study(songs, whole), whole, "alone")
    table = study(songs, parts)
    assert not run(table, parts, "alone", max_minutes=1e-9)
    assert state_of(table["alone"], parts) == "to do"
    said: list[str] = []
    seconds = 0.02
    for _ in range(50):
        if run(table, parts, "alone", said=said, max_minutes=seconds / 60):
            break
        seconds *= 1.5
    assert any("stopped at step" in line for line in said)
    assert read_scores(parts.result("alone")) == read_scores(whole.result("alone"))
    assert read_curve(parts.result("alone")) == read_curve(whole.result("alone"))


def test_curves_are_averaged_where_all_of_them_are() -> None:
    long = tuple(CurvePoint(step=step, score=score) for step, score in ((100, 1.0), (200, 2.0), (300, 3.0)))
    late = (CurvePoint(step=200, score=4.0), CurvePoint(step=300, score=5.0))
    assert mean_curve([long, late]) == (CurvePoint(step=200, score=3.0), CurvePoint(step=300, score=4.0))
    assert mean_curve([]) == ()


def test_results_of_another_experiment_are_refused(songs: Path, places: Places) -> None:
    assert run(study(songs, places), places, "start/*")
    changed = study(songs, places, steps=5)
    with pytest.raises(ConfigError, match="another experiment than 'start/seed-0' is now"):
        run(changed, places, "start/*")


def test_a_cell_that_another_process_runs_is_left_to_it(songs: Path, places: Places) -> None:
    table, said = study(songs, places), []
    lock = places.run("alone").with_name("lock")
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not run(table, places, said=said)
    assert not any(line.startswith("alone") for line in said)
    assert run(table, places, "alone")


def test_a_cell_must_stand_behind_what_it_needs(songs: Path, places: Places) -> None:
    cells = study(songs, places).cells
    with pytest.raises(ValueError, match="must stand before"):
        Study(name="x", scale="y", cells=cells[1:])
    with pytest.raises(ValueError, match="two cells"):
        Study(name="x", scale="y", cells=cells + cells[:1])


def test_damaged_scores_are_named(places: Places) -> None:
    folder = places.result("x")
    folder.mkdir(parents=True)
    (folder / "scores.csv").write_text("item,a\n0000,loud\n")
    with pytest.raises(InputError, match="remove the folder to run the cell again"):
        read_scores(folder)


def test_unknown_studies_are_named() -> None:
    with pytest.raises(UsageError, match="the studies are bugler2020"):
        find_study("bugler2021")
