"""``stemtune train``: run a recipe or an experiment file, and continue it after any interruption."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from stemtune.training.phase import Experiment
    from stemtune.training.run import TrainingResult

__all__ = ["TRAIN_EXAMPLES", "train"]

TRAIN_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune train bandnet --data my_music/train --validation my_music/valid --out runs/mine` — from scratch\n\n"
    "`stemtune train bandnet --data my_music --set phases.0.steps=500 --out runs/short` — change any setting\n\n"
    "`stemtune train runs/mine/experiment.json --out runs/again` — the same once more\n\n"
    "`stemtune train default-model --out runs/default --max-minutes 10` — ten minutes of our own\n\n"
    "Start the same command again to continue where it stopped. Settings are shown by `--show`."
)


def train(
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE|EXPERIMENT.json", help="A recipe's name or an experiment file.")
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The run's folder, new or to be continued.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="What to learn from; see the recipe.")] = None,
    validation: Annotated[Path | None, typer.Option("--validation", help="Held-out songs with their stems.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    device: Annotated[str, typer.Option("--device", "-d", help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of the network.")] = None,
    num_workers: Annotated[int, typer.Option("--num-workers", min=0, help="Processes that mix examples.")] = 1,
    checkpoint_every: Annotated[int, typer.Option("--checkpoint-every", min=1, help="Steps between saves.")] = 100,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", min=0, help="Stop after so long, to be continued.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder for decoded copies of compressed audio, which are read quicker."),
    ] = None,
    check_data: Annotated[
        bool,
        typer.Option("--check-data/--no-check-data", help="Decode all data once before the first step."),
    ] = True,
    show: Annotated[bool, typer.Option("--show", help="Print the experiment as JSON and stop.")] = False,
    list_recipes: Annotated[bool, typer.Option("--list-recipes", help="Print the recipes and stop.")] = False,
) -> None:
    """Train a separator, resumably.

    Kill it at any moment and start it again: it continues from the last checkpoint as if nothing had happened. The
    finished model is written to OUT/model, ready for ``stemtune separate -n OUT/model``.
    """
    if list_recipes:
        _list_recipes()
        return
    _require_extra()
    if recipe is None:
        raise UsageError("say what to train: a recipe's name (see --list-recipes) or an experiment file")
    experiment = _experiment(recipe, data, validation).override(dict(_parse_change(change) for change in changes or ()))
    if show:
        print(experiment.model_dump_json(indent=2))
        return
    if out is None:
        raise UsageError("say where the run is kept: add --out FOLDER")
    from stemtune.training.phase import Execution
    from stemtune.training.run import train as run

    execution = Execution(
        device=device,
        num_workers=num_workers,
        threads=threads,
        checkpoint_every_steps=checkpoint_every,
        max_minutes=max_minutes,
        cache=cache,
        check_data=check_data,
    )
    result = run(experiment, out, execution=execution)
    _report(result, experiment, out, recipe)


def _require_extra() -> None:
    """Training needs packages that separating does not."""
    from importlib.util import find_spec

    if find_spec("accelerate") is None:
        raise UsageError('training needs more packages than separating: pip install "stemtune[train]"')


def _experiment(recipe: str, data: Path | None, validation: Path | None) -> "Experiment":
    from stemtune.recipes import find_recipe
    from stemtune.training.run import read_experiment

    if recipe.endswith(".json"):
        if data or validation:
            raise UsageError("an experiment file names its own data; use --set phases.0.data.corpora.0.path=FOLDER")
        return read_experiment(Path(recipe))
    return find_recipe(recipe)(data, validation)


def _parse_change(change: str) -> tuple[str, object]:
    import json

    path, separator, value = change.partition("=")
    if not separator or not path:
        raise UsageError(f"--set expects PATH=VALUE (for example phases.0.steps=500), got {change!r}")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value


def _list_recipes() -> None:
    from stemtune.recipes import RECIPES

    for name, recipe in RECIPES.items():
        print(f"{name}: {(recipe.__doc__ or '').strip().splitlines()[0]}")


def _report(result: "TrainingResult", experiment: "Experiment", out: Path, recipe: str) -> None:
    """Say where training stands, and keep the model if it is finished."""
    from stemtune.hub import ModelCard, save_model

    score = "" if result.best_score is None else f", best validation sdr_global {result.best_score:.2f} dB"
    if not result.finished:
        print(f"stopped at step {result.steps}{score}; start the same command again to continue")
        return
    card = ModelCard(
        name=f"{experiment.name}-{out.resolve().name}",
        licence="not stated; ask who trained it",
        description=f"{experiment.model.build().__class__.__name__} trained by the recipe {recipe}.",
        recipe=f"stemtune train {recipe} --out {out.name}",
    )
    save_model(result.separator, out / "model", card)
    print(f"finished after {result.steps} steps{score}; the model is in {out / 'model'}")
