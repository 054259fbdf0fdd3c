"""``stemtune compare``: systems side by side on the same songs, as one page to decide from."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stemtune.errors import UsageError

__all__ = ["COMPARE_EXAMPLES", "compare"]

COMPARE_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune compare default runs/mine/model my_songs/ -o report/` — two models, and the mixture beside them\n\n"
    "`stemtune compare ours=default demucs=separated/htdemucs musdb18hq/ --split test -j 2 -o report/` — a model and "
    "the estimates of another tool\n\n"
    "`stemtune compare runs/mine/model scores/ my_songs/ --metrics sdr_global,bss_eval_v4 -o report/` — a model and "
    "what `stemtune evaluate -o scores/` found of another\n\n"
    "Each of A, B, ... is [NAME=] a model, a folder TRACK/STEM.wav, results (a folder, or CSV with "
    "track,stem,metric,value), or 'mixture'. Open report/index.html in any browser; it needs no network."
)


def compare(
    subjects: Annotated[
        list[str], typer.Argument(metavar="A B ...", help="Models, folders of estimates, results; see below.")
    ],
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Songs with their true stems.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The report's folder; what is in it is reused.")] = Path(
        "report"
    ),
    metrics: Annotated[
        str, typer.Option("--metrics", "--metric", help="Which, separated by commas; the first decides.")
    ] = "sdr_global,si_sdr",
    rule: Annotated[
        Literal["mdx", "museval"] | None,
        typer.Option(
            "--rule", help="How tracks are aggregated: mean, or median of medians; each metric's own if none."
        ),
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="train, valid or test; all if not given.")] = None,
    layout: Annotated[
        Literal["songs", "stems"] | None,
        typer.Option("--layout", help="What the data set's folders are, if it cannot be told from their names."),
    ] = None,
    pattern: Annotated[str, typer.Option("--pattern", help="Only tracks whose name fits, such as '[A-M]*'.")] = "*",
    fit: Annotated[
        bool, typer.Option("--fit", help="Take estimates of another rate, length or channel count and make them fit.")
    ] = False,
    logs: Annotated[
        list[str] | None,
        typer.Option("--log", metavar="NAME=FILE", help="A training log of one of them; may be repeated."),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Of the page.")] = None,
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Passages to listen to.")] = True,
    seconds: Annotated[int, typer.Option("--seconds", min=1, max=60, help="How long the passages are.")] = 10,
    max_megabytes: Annotated[
        float, typer.Option("--max-megabytes", min=1, help="About what the sounds may take in the page.")
    ] = 25,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Tracks at once, each in a process.")] = 1,
    segment: Annotated[float | None, typer.Option("--segment", help="Seconds that are separated at once.")] = None,
    overlap: Annotated[float, typer.Option("--overlap", help="Fraction that two segments share.")] = 0.25,
    shifts: Annotated[int, typer.Option("--shifts", help="Average so many shifted separations.")] = 0,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option("--precision", help="bfloat16: less exact, often faster."),
    ] = "float32",
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device", "-d", help="Where to compute.")
    ] = "auto",
) -> None:
    """Compare systems on the same songs, in one page: scores, significance, passages to listen to.

    The page holds everything, sounds included. Start the same command again to go on after an interruption.
    """
    from stemtune.cli.evaluate_progress import open_progress
    from stemtune.config import parse
    from stemtune.evaluation.contenders import open_contenders
    from stemtune.evaluation.report_build import BuildOptions, build_report
    from stemtune.evaluation.subjects import open_tracks
    from stemtune.separation.options import SeparationOptions

    _require_extra()
    options = parse(
        SeparationOptions,
        {"segment_seconds": segment, "overlap": overlap, "shifts": shifts, "precision": precision, "device": device},
    )
    build = parse(
        BuildOptions,
        {
            "metrics": [name.strip() for name in metrics.split(",") if name.strip()],
            "rule": rule,
            "sound": sound,
            "passage_seconds": seconds,
            "max_megabytes": max_megabytes,
            "jobs": jobs,
            "title": title or "",
            "command": _command(subjects, dataset, metrics=metrics, split=split, pattern=pattern, rule=rule),
        },
    )
    songs = open_tracks(dataset, split=split, layout=layout, pattern=pattern)
    contenders = open_contenders(subjects, options=options, fit=fit, logs=[_named(text) for text in logs or ()])
    with open_progress(songs, num_systems=sum(contender.system is not None for contender in contenders)) as progress:
        page = build_report(contenders, songs, out, build, on_event=progress.event, on_step=progress.step)
    print(f"{page} ({page.stat().st_size / 1e6:.1f} MB)")


def _require_extra() -> None:
    """Reports need packages that separating does not."""
    from importlib.util import find_spec

    missing = [name for name in ("jinja2", "matplotlib", "PIL", "scipy") if find_spec(name) is None]
    if missing:
        raise UsageError(f"reports need {', '.join(missing)}, which is not installed: pip install 'stemtune[report]'")


def _named(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not separator or not name or not path:
        raise UsageError(f"--log expects NAME=FILE (for example mine=runs/mine/1-learn/log.csv), got {text!r}")
    return name, Path(path)


def _command(subjects: list[str], dataset: Path, **given: str | None) -> str:
    """What to type to make the same numbers again."""
    import shlex

    defaults = {"metrics": "sdr_global,si_sdr", "pattern": "*"}
    options = [f"--{name}={value}" for name, value in given.items() if value and defaults.get(name) != value]
    return shlex.join(["stemtune", "compare", *subjects, str(dataset), *options])
