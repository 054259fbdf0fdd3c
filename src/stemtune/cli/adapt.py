"""``stemtune adapt``: minutes of stems in, a separator for them out, with a report on how far to trust it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from stemtune.recipes.adapt import Adapted

__all__ = ["ADAPT_EXAMPLES", "adapt"]

ADAPT_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune adapt my_stems/ -o my-model` — SONG/STEM.wav, any stems; then `stemtune separate -n my-model`\n\n"
    "`stemtune adapt my_stems/ --from choir -o my-model` — start from another model\n\n"
    "`stemtune adapt my_stems/ --from scratch -o alone` — what the recordings can do without a starting model\n\n"
    "`stemtune adapt my_stems/ --budget 60 -o better` — an hour instead of ten minutes\n\n"
    "`stemtune adapt my_stems/ --save adapter -o small` — only what was learnt, in a small file\n\n"
    "Start the same command again to continue where it stopped."
)
INTERRUPTED = 130


def adapt(
    stems: Annotated[
        Path | None,
        typer.Argument(
            metavar="STEMS", help="A folder of songs with stems, or of stems; or a table.", show_default=False
        ),
    ] = None,
    *,
    base: Annotated[
        str, typer.Option("--from", help="The model to start from: name or folder; or 'scratch'.")
    ] = "default",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The new model's folder; named after STEMS if not given.")
    ] = None,
    budget: Annotated[
        float, typer.Option("--budget", metavar="MINUTES", help="How long it may take, about.", min=0.1)
    ] = 10.0,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", help="What moves: head, adapters, all, ...; chosen from the data if not given."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=2, help="Of each training at most, instead of what the budget allows.")
    ] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, max=10, help="How often a part is held out.")] = 3,
    save: Annotated[
        Literal["model", "adapter"], typer.Option("--save", help="The whole model, or only what differs from its base.")
    ] = "model",
    licence: Annotated[
        str, typer.Option("--licence", help="Of the new weights, for the card.")
    ] = "not stated; ask who trained it",
    split: Annotated[
        str | None, typer.Option("--split", help="Which split of STEMS; train where there is one.")
    ] = None,
    layout: Annotated[
        Literal["songs", "stems", "csv"] | None,
        typer.Option("--layout", help="What STEMS holds, if its names do not say."),
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="Excerpts mined from unlabelled recordings, for remixing.")
    ] = None,
    listener: Annotated[
        str | None, typer.Option("--listener", help="A listener's name or folder, for dis-reg.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of everything that is drawn.")] = 0,
    device: Annotated[str, typer.Option("--device", "-d", help="auto, cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of the network.")] = None,
    progress: Annotated[
        Literal["bar", "json", "none"],
        typer.Option("--progress", help="A bar on stderr, one JSON object per line on stdout, or nothing."),
    ] = "bar",
    list_strategies: Annotated[bool, typer.Option("--list-strategies", help="Print the strategies and stop.")] = False,
) -> None:
    """Teach a separator your instrument, from minutes of its recordings.

    Listens to everything, says what it found, chooses what may move, holds out songs to see how well it does, stops by
    itself, and writes OUT/model, OUT/report.html and OUT/comparison. Ctrl-C keeps what is done.
    """
    if list_strategies:
        return _list_strategies()
    if stems is None:
        raise UsageError("no recordings; name a folder of songs with stems, such as: stemtune adapt my_stems/")
    _require_extra()
    from stemtune.cli.adapt_progress import open_progress
    from stemtune.config import parse
    from stemtune.recipes.adapt import AdaptRequest, Interruption
    from stemtune.recipes.adapt import adapt as run
    from stemtune.training.phase import Execution

    request = parse(
        AdaptRequest,
        {
            "stems": str(stems),
            "base": base,
            "split": split,
            "layout": layout,
            "strategy": strategy,
            "budget_minutes": budget,
            "steps": steps,
            "num_folds": folds,
            "seed": seed,
            "index": None if index is None else str(index),
            "listener": listener,
            "save": save,
            "licence": licence,
        },
    )
    folder = out or Path(f"{stems.resolve().stem}-model")
    execution = Execution(device=device, threads=threads, num_workers=0, checkpoint_every_steps=20)
    with open_progress(progress) as display:
        try:
            done = run(request, folder, execution=execution, tell=display.show, command=_command(stems, folder))
        except (Interruption, KeyboardInterrupt):
            print("stopped; start the same command again to continue", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
    _conclude(done, folder, as_json=progress == "json")
    return None


def _conclude(done: "Adapted", folder: Path, *, as_json: bool) -> None:
    from stemtune.recipes.adapt.report import growth_text, longer_text
    from stemtune.recipes.adapt.results import verdict

    if as_json:
        print(done.outcome.model_dump_json())
        return
    print(verdict(done.outcome, base=done.plan.base_name))
    print(growth_text(done.outcome))
    if longer := longer_text(done.outcome, done.plan):
        print(longer)
    print(f"report: {done.report}\nmodel:  stemtune separate -n {folder} song.mp3")


def _require_extra() -> None:
    """Training and reports need packages that separating does not."""
    from importlib.util import find_spec

    missing = [name for name in ("accelerate", "jinja2", "matplotlib", "PIL") if find_spec(name) is None]
    if missing:
        raise UsageError(f"adapting needs {', '.join(missing)}, too: pip install 'stemtune[train,report]'")


def _command(stems: Path, folder: Path) -> str:
    """What to type to make the same again; as it was typed, where that is known."""
    import shlex

    given = sys.argv[1:]
    return shlex.join(["stemtune", *given]) if given[:1] == ["adapt"] else f"stemtune adapt {stems} -o {folder}"


def _list_strategies() -> None:
    from stemtune.recipes.adapt import STRATEGIES

    for name, strategy in STRATEGIES.items():
        print(f"{name}: {strategy.summary}")
