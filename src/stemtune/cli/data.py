"""``stemtune data``: everything that is done to data sets; each command has a file of its own beside this one."""

import typer

from stemtune.cli.data_check import CHECK_EXAMPLES, check
from stemtune.cli.data_list import DESCRIBE_EXAMPLES, LIST_EXAMPLES, describe, list_datasets
from stemtune.cli.data_render import RENDER_EXAMPLES, render

__all__ = ["app"]

app = typer.Typer(
    help="List, describe, check and render data sets.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def data() -> None:
    """List, describe, check and render data sets."""


app.command("check", epilog=CHECK_EXAMPLES)(check)
app.command("describe", epilog=DESCRIBE_EXAMPLES)(describe)
app.command("list", epilog=LIST_EXAMPLES)(list_datasets)
app.command("render", epilog=RENDER_EXAMPLES)(render)
