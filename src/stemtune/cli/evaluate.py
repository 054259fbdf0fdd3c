"""``stemtune evaluate``: a model, or a folder of estimates, against the true stems."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stemtune.data.tracks import Track
    from stemtune.evaluation.protocol import Heard
    from stemtune.evaluation.table import Evaluation
    from stemtune.separation.options import SeparationOptions

__all__ = ["EVALUATE_EXAMPLES", "evaluate"]

EVALUATE_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune evaluate default musdb18hq/ --split test` — a model on the songs of a split\n\n"
    "`stemtune evaluate separated/bandnet-4stem my_songs/` — estimates of any tool, TRACK/STEM.wav\n\n"
    "`stemtune evaluate runs/tabla/model my_songs/ --out scores/ --pictures` — CSV, JSON, Markdown, spectrograms\n\n"
    "A data set is a folder SONG/STEM.wav or STEM/*.wav, or a CSV with the columns stem and path."
)


def evaluate(
    subject: Annotated[
        str, typer.Argument(metavar="MODEL|ESTIMATES", help="A model's name or folder, or a folder TRACK/STEM.wav.")
    ],
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Songs with their true stems.")],
    *,
    metrics: Annotated[str, typer.Option("--metrics", help="Which, separated by commas.")] = "sdr_global,si_sdr",
    split: Annotated[str | None, typer.Option("--split", help="train, valid or test; all if not given.")] = None,
    layout: Annotated[
        Literal["songs", "stems"] | None,
        typer.Option("--layout", help="What the data set's folders are, if it cannot be told from their names."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write scores.csv, .json and .md into this folder.")
    ] = None,
    tracks: Annotated[bool, typer.Option("--tracks", help="Print every track's scores, too.")] = False,
    pictures: Annotated[bool, typer.Option("--pictures", help="Draw every track's stems into --out.")] = False,
    segment: Annotated[float | None, typer.Option("--segment", help="Seconds that are separated at once.")] = None,
    overlap: Annotated[float, typer.Option("--overlap", help="Fraction that two segments share.")] = 0.25,
    shifts: Annotated[int, typer.Option("--shifts", help="Average so many shifted separations.")] = 0,
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option("--precision", help="bfloat16 is faster and less exact.")
    ] = "float32",
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device", "-d", help="Where to compute.")
    ] = "auto",
) -> None:
    """Score a model, or estimates made by any tool, against the true stems.

    Every score is printed with its definition and beside what the unprocessed mixture scores.
    """
    from stemtune.config import parse
    from stemtune.data.datasets import open_dataset
    from stemtune.separation.options import SeparationOptions

    if pictures and out is None:
        raise UsageError("--pictures needs a folder to draw into: add --out FOLDER")
    chosen = [name.strip() for name in metrics.split(",") if name.strip()]
    options = parse(
        SeparationOptions,
        {"segment_seconds": segment, "overlap": overlap, "shifts": shifts, "precision": precision, "device": device},
    )
    songs = open_dataset(dataset, split=split, layout=layout)
    result = _evaluate(subject, songs, chosen, options, _on_track(subject, out if pictures else None))
    _print_tables(result, with_tracks=tracks)
    if out is not None:
        from stemtune.evaluation.report import write_report

        for path in write_report(result, out):
            print(path)


def _evaluate(
    subject: str,
    songs: "Sequence[Track]",
    metrics: "Sequence[str]",
    options: "SeparationOptions",
    on_track: "Callable[[Heard], None]",
) -> "Evaluation":
    from stemtune.evaluation.protocol import evaluate_estimates, evaluate_model
    from stemtune.hub import load, model_folders
    from stemtune.hub.registry import CARD_FILE
    from stemtune.separation.options import choose_device

    folder = Path(subject).expanduser()
    if subject not in model_folders() and folder.is_dir() and not (folder / CARD_FILE).is_file():
        return evaluate_estimates(folder, songs, metrics=metrics, on_track=on_track)
    separator = load(subject).to(choose_device(options.device))
    return evaluate_model(separator, songs, subject=subject, metrics=metrics, options=options, on_track=on_track)


def _on_track(subject: str, pictures: Path | None) -> "Callable[[Heard], None]":
    """Says on stderr how far it is, and draws."""
    from rich.console import Console

    console = Console(stderr=True)

    def on_track(heard: "Heard") -> None:
        console.print(
            f"{heard.number}/{heard.num_tracks} {heard.track.name}", style="dim", markup=False, highlight=False
        )
        if pictures is not None:
            from stemtune.evaluation.report import draw_track, save_picture

            name = heard.track.name.replace("/", "_")
            save_picture(draw_track(heard, subject=subject), pictures / f"{name}.png")

    return on_track


def _print_tables(result: "Evaluation", *, with_tracks: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if with_tracks:
        table = Table("track", "stem", "metric", title="Every track", title_justify="left")
        for heading in ("dB", "mixture, dB", "gain, dB"):
            table.add_column(heading, justify="right")
        for row in result.rows:
            gain = row.value - row.mixture_baseline
            table.add_row(
                escape(row.track),
                escape(row.stem),
                row.metric,
                f"{row.value:.2f}",
                f"{row.mixture_baseline:.2f}",
                f"{gain:+.2f}",
            )
        console.print(table)
        console.print()
    table = Table("metric", "stem", title=f"Scores of {escape(result.subject)}", title_justify="left")
    for heading in ("dB", "mixture, dB", "gain, dB", "tracks"):
        table.add_column(heading, justify="right")
    for mean in result.means():
        table.add_row(
            mean.metric, escape(mean.stem), f"{mean.value:.2f}", f"{mean.mixture_baseline:.2f}",
            f"{mean.improvement:+.2f}", str(mean.num_tracks),
        )  # fmt: skip
    console.print(table)
    for name, definition in result.definitions().items():
        console.print(f"{name}: {definition}.", markup=False, highlight=False)
    console.print("mixture: what the unprocessed mixture scores. Higher is better.", highlight=False)
    for note in result.notes:
        console.print(f"note: {note}", markup=False, highlight=False)
