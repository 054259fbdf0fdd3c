"""``stemtune models``: which models there are, what they are, and how they come in and go out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stemtune.errors import StemtuneError, UsageError

if TYPE_CHECKING:
    from stemtune.hub import ModelCard

__all__ = ["app"]

app = typer.Typer(
    help="List, describe, import and export models.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, or its folder.", show_default=False)]


@app.command(
    "list",
    epilog="**Examples**\n\n`stemtune models list`\n\n`stemtune models list --json | jq '.[].name'`",
)
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="Print all cards as JSON.")] = False,
) -> None:
    """List the models that can be used by name, with their scores and licences."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from stemtune.hub import find_card, model_folders

    cards: dict[str, "ModelCard"] = {}
    damaged: dict[str, StemtuneError] = {}
    for name, folder in model_folders().items():
        try:
            cards[name] = find_card(folder)
        except StemtuneError as error:
            damaged[name] = error
    if as_json:
        _print_json([card.model_dump(mode="json") for card in cards.values()])
    elif cards:
        table = Table("name", "stems", "mean sdr_global, dB", "MB", "licence", "description")
        for name, card in cards.items():
            stems, size = ", ".join(card.stems), f"{card.weights_bytes / 1e6:.1f}"
            table.add_row(*(escape(cell) for cell in (name, stems, _score(card), size, card.licence, card.description)))
        Console().print(table)
    else:
        print("no models yet; import one with: stemtune models import --help")
    if damaged:
        raise next(iter(damaged.values()))


@app.command(
    epilog="**Examples**\n\n`stemtune models info default`\n\n`stemtune models info runs/tabla/model --json`",
)
def info(
    model: Model,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Print a model's card: stems, scores with their definitions, training data, licences, limits."""
    import sys

    from rich.console import Console
    from rich.markdown import Markdown

    from stemtune.hub import find_card, render_card

    card = find_card(model)
    if as_json:
        _print_json(card.model_dump(mode="json"))
    elif sys.stdout.isatty():
        Console().print(Markdown(render_card(card)))
    else:
        print(render_card(card), end="")


@app.command(
    "import",
    epilog=(
        "**Examples**\n\n"
        "`stemtune models import --from open-unmix --name umxhq ~/umxhq/` — a folder with one .pth per target\n\n"
        "`stemtune models import --from open-unmix --name voice --target vocals=best.pth`\n\n"
        "`stemtune models import --from asteroid-xumx --name xumx xumx.pth --licence CC-BY-NC-SA-4.0`\n\n"
        "`stemtune models import --from nussl-chimera --name voice --stem accompaniment --stem vocals best.pth`\n\n"
        "`stemtune models import --from demucs-v2 --name demucs demucs-e07c671f.th` — releases 2 and 3 of Demucs\n\n"
        "`stemtune models import --from jukebox --name music vqvae.pth.tar` — Jukebox's auto-encoder, for Unmix\n\n"
        "`stemtune models import --from unmix --name unmix --target drums.codec=a.tar --target drums.mixture=b.tar`\n\n"
        "`stemtune models import --from stemtune --name tabla tabla.zip` — what `models export` wrote"
    ),
)
def import_model(
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="The checkpoint, or a folder of them.", show_default=False)
    ] = None,
    *,
    source: Annotated[
        Literal[
            "open-unmix", "asteroid-xumx", "nussl-chimera", "demucs-v1", "demucs-v2", "jukebox", "unmix", "stemtune"
        ],
        typer.Option("--from", help="Which tool wrote it.", show_default=False),
    ],
    name: Annotated[str, typer.Option("--name", "-n", help="What to call the model.", show_default=False)],
    target: Annotated[
        list[str] | None,
        typer.Option("--target", metavar="STEM=PATH", help="One target's checkpoint; may be repeated."),
    ] = None,
    stem: Annotated[
        list[str] | None,
        typer.Option("--stem", help="A stem's name, for nussl-chimera, demucs and jukebox, in order; may be repeated."),
    ] = None,
    licence: Annotated[str, typer.Option("--licence", help="Of the weights; checkpoints do not say.")] = "unknown",
    sample_rate: Annotated[
        int | None,
        typer.Option("--sample-rate", help="In Hz, if not stated and not 44100 (nussl: 16000).", min=8000, max=192000),
    ] = None,
    hop_length: Annotated[
        int | None, typer.Option("--hop-length", help="In samples, if not a quarter of the window.", min=1)
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an earlier model of that name.")] = False,
) -> None:
    """Convert another tool's checkpoint into a model; nothing in the checkpoint is executed."""
    from stemtune.hub import import_checkpoint, user_models

    if bool(target) == (path is not None):
        raise UsageError("give either a PATH, or one --target STEM=PATH for each target")
    paths = path if path is not None else _targets(target or [])
    card = import_checkpoint(
        source,
        paths,
        name=name,
        licence=licence,
        sample_rate=sample_rate,
        hop_length=hop_length,
        stems=stem or (),
        replace=replace,
    )
    print(f"{card.name}: {', '.join(card.stems)}; {card.num_parameters:,} parameters; in {user_models() / card.name}")


@app.command(
    epilog=(
        "**Examples**\n\n"
        "`stemtune models export tabla tabla/` — model.safetensors, config.json, card.json\n\n"
        "`stemtune models export tabla tabla.zip` — the same in one file\n\n"
        "`stemtune models export tabla tabla.zip --whole` — an adapter together with its base"
    ),
)
def export(
    model: Model,
    destination: Annotated[Path, typer.Argument(help="A new folder, or a .zip file.", show_default=False)],
    *,
    whole: Annotated[bool, typer.Option("--whole", help="Put an adapter and its base together.")] = False,
) -> None:
    """Copy a model, verified, into a folder or zip of safetensors and JSON."""
    from stemtune.hub import export_model

    print(export_model(model, destination, whole=whole))


def _targets(pairs: list[str]) -> dict[str, Path]:
    targets: dict[str, Path] = {}
    for pair in pairs:
        stem, equals, path = pair.partition("=")
        if not (stem and equals and path):
            raise UsageError(f"--target {pair!r}: expected STEM=PATH, such as vocals=vocals.pth")
        if stem in targets:
            raise UsageError(f"--target {stem!r} is given twice; each target has one checkpoint")
        targets[stem] = Path(path)
    return targets


def _score(card: "ModelCard") -> str:
    """The mean over stems, on all tracks that the card tells of."""
    values = [score.value for score in card.headline("sdr_global")]
    return f"{sum(values) / len(values):.1f}" if values else "not measured"


def _print_json(tree: object) -> None:
    import json

    print(json.dumps(tree, indent=2, ensure_ascii=False))
