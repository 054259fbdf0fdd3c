"""``stemtune reproduce``: a paper's whole study, cell by cell, resumable, with its report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from stemtune.recipes.reproduce.running import Places
    from stemtune.recipes.reproduce.study import Cell

__all__ = ["REPRODUCE_EXAMPLES", "reproduce"]

REPRODUCE_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune reproduce --list` — the studies, and what each of them shows\n\n"
    "`stemtune reproduce bugler2020 --plan` — the cells, their steps and their time\n\n"
    "`stemtune reproduce bugler2020 --max-minutes 60` — an hour of it; start again to go on\n\n"
    "`stemtune reproduce bugler2020 --only 'whole/choir/*'` — some cells, and what they start from\n\n"
    "`stemtune reproduce bugler2020 --report` — tables and figures of whatever is done"
)


def reproduce(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="A study's name; see --list.")] = None,
    *,
    scale: Annotated[str, typer.Option("--scale", help="paper, or a size that suits a laptop.")] = "laptop",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="PATTERN", help="Cells to run; may be repeated.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the cells and stop.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write tables and figures of what is done, and stop.")
    ] = False,
    list_studies: Annotated[bool, typer.Option("--list", help="Print the studies and stop.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where it works.", show_default="runs/STUDY-SCALE")
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="Where the small results go.", show_default="OUT/results")
    ] = None,
    data: Annotated[Path, typer.Option("--data", help="The folder of data sets.")] = Path("../shared/data"),
    corpora: Annotated[Path, typer.Option("--corpora", help="The folder of rendered corpora.")] = Path("corpora"),
    device: Annotated[str, typer.Option("--device", "-d", help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of the network.")] = 1,
    num_workers: Annotated[int, typer.Option("--num-workers", min=0, help="Processes that mix examples.")] = 1,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", min=0, help="Stop after so long, to be continued.")
    ] = None,
) -> None:
    """Run a paper's study, resumably: kill it at any moment, and start it again.

    Several processes may share OUT; each cell is run by one of them.
    """
    from stemtune.recipes.reproduce import STUDIES, StudyRoots, find_study
    from stemtune.recipes.reproduce.running import Places, run_cells
    from stemtune.recipes.reproduce.study import choose_cells
    from stemtune.training.phase import Execution

    if list_studies:
        for name in STUDIES:
            print(f"{name}: {(find_study(name).__doc__ or '').strip().splitlines()[0]}")
        return
    if study is None:
        raise UsageError("say which study: stemtune reproduce STUDY (see --list)")
    module = find_study(study)
    work = out or Path("runs") / f"{study}-{scale}"
    places = Places(work=work, results=results or work / "results")
    roots = StudyRoots(data=data, corpora=corpora)
    table = module.study(scale, roots=roots, places=places)
    cells = choose_cells(table, only or ())
    if plan:
        _print_plan(cells, places)
        return
    if report:
        print(f"written to {module.report(table, places=places)}")
        return
    module.prepare(scale, cells, roots=roots, places=places, say=_say)
    execution = Execution(device=device, num_workers=num_workers, threads=threads, max_minutes=max_minutes)
    done = run_cells(table, cells, places, execution=execution, say=_say)
    print("all cells are done" if done else "not all cells are done; start the same command again to go on")


def _say(text: str) -> None:
    """A line with the time."""
    import sys
    from datetime import datetime

    print(f"{datetime.now().astimezone():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def _print_plan(cells: tuple["Cell", ...], places: "Places") -> None:
    """One line for each cell, and the sums."""
    from stemtune.recipes.reproduce.running import state_of

    left = 0.0
    for cell in cells:
        state = state_of(cell, places)
        left += 0.0 if state == "done" else cell.minutes
        print(f"{cell.name:<44} {cell.steps:>6} steps {cell.minutes:>7.1f} min  {state}")
    total = sum(cell.minutes for cell in cells)
    steps = sum(cell.steps for cell in cells)
    print(f"{len(cells)} cells, {steps:,} steps, about {total / 60:.1f} h; {left / 60:.1f} h to do")
