"""``stemtune data list`` and ``stemtune data describe``: which data sets are known, and what one holds."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from stemtune.data.datasets import DatasetScan
    from stemtune.data.datasets.mapping_files import AnyDescription
    from stemtune.data.datasets.summary import DatasetSummary

__all__ = ["DESCRIBE_EXAMPLES", "LIST_EXAMPLES", "describe", "list_datasets"]

LIST_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune data list` — names, stems, rates and licences\n\n"
    "`stemtune data list --json` — everything that is known of them, for a program"
)
DESCRIBE_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune data describe my_songs/` — tracks and minutes per split and stem, and files that are not used\n\n"
    "`stemtune data describe musdb18` — where to get it, how its folder looks, and what is wrong with it"
)
_SHOWN = 5


def list_datasets(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False
) -> None:
    """List the data sets that need no mapping of yours."""
    import json

    from rich.console import Console
    from rich.table import Table

    from stemtune.data.datasets import known_mappings

    known = known_mappings()
    if as_json:
        print(json.dumps({name: mapping.model_dump(mode="json") for name, mapping in known.items()}, indent=2))
        return
    table = Table("name", "data set")
    table.add_column("licence", overflow="fold")
    for name, mapping in known.items():
        table.add_row(name, mapping.name, mapping.licence or "")
    console = Console()
    console.print(table)
    console.print("`stemtune data describe NAME` says where to get one, and how its folder looks", highlight=False)


def describe(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A folder, table or mapping, or a known name.")],
    *,
    split: Annotated[str | None, typer.Option("--split", help="One split; all if not given.")] = None,
    layout: Annotated[
        Literal["songs", "stems", "csv", "unlabelled"] | None,
        typer.Option("--layout", help="What the folders are, if it cannot be told from their names."),
    ] = None,
    mapping: Annotated[str | None, typer.Option("--mapping", help="A mapping file or a known name.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what a data set holds, from the headers of its files; exit code 1 if anything is wrong with them."""
    import json

    from rich.console import Console

    from stemtune.data.datasets import known_mappings, scan_dataset
    from stemtune.data.datasets.summary import summarise

    console = Console()
    if not Path(dataset).exists() and dataset in known_mappings():
        known = known_mappings()[dataset]
        if as_json:
            print(known.model_dump_json(indent=2))
        else:
            _print_mapping(known, console)
            console.print(known.folder, markup=False, highlight=False, soft_wrap=True)
        return
    scan = scan_dataset(dataset, split=split, layout=layout, mapping=mapping)
    summary = summarise(scan)
    if as_json:
        problems = [asdict(problem) for problem in scan.problems]
        print(json.dumps({**asdict(summary), "problems": problems}, indent=2, default=str, ensure_ascii=False))
    else:
        if scan.mapping:
            _print_mapping(scan.mapping, console)
        _print_summary(summary, console)
        _print_problems(scan, summary, console)
    if scan.problems:
        raise typer.Exit(1)


def _print_mapping(mapping: "AnyDescription", console: "Console") -> None:
    console.print(mapping.name, style="bold", markup=False, highlight=False)
    rows = {"licence": mapping.licence, "source": mapping.source}
    for title, value in rows.items():
        if value:
            console.print(f"{title}: {value}", markup=False, highlight=False, soft_wrap=True)
    for defect in mapping.defects:
        console.print(f"beware: {defect}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _print_summary(summary: "DatasetSummary", console: "Console") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("split", "stem")
    for heading in ("tracks", "minutes", "Hz"):
        table.add_column(heading, justify="right")
    for split in summary.splits:
        rates = ", ".join(str(rate) for rate in split.sample_rates)
        table.add_row(escape(split.name or "-"), "all", str(split.num_tracks), f"{split.minutes:.1f}", rates)
        for stem, minutes in split.stem_minutes.items():
            table.add_row("", escape(stem), "", f"{minutes:.1f}", "")
    console.print(table)
    for licence, count in summary.licences.items():
        if licence:
            console.print(f"{licence}: {count} tracks", markup=False, highlight=False)
    if summary.num_releasable:
        console.print(f"weights that learnt from {summary.num_releasable} of them may be published", highlight=False)


def _print_problems(scan: "DatasetScan", summary: "DatasetSummary", console: "Console") -> None:
    for problem in scan.problems[:_SHOWN]:
        console.print(f"error: {problem.message}", style="red", markup=False, highlight=False, soft_wrap=True)
    if len(scan.problems) > _SHOWN:
        console.print(f"... and {len(scan.problems) - _SHOWN} more; --json lists them all", style="dim")
    if summary.unused:
        examples = ", ".join(str(path) for path in summary.unused[:3])
        console.print(
            f"{len(summary.unused)} audio files belong to no track, such as {examples}",
            style="dim",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
