"""The command line: ``stemtune COMMAND ...``, and what happens when a command fails.

A failure is one line on stderr that says what is wrong and what to do; a traceback never reaches a user unasked:

    exit code = 0 done | 1 failed | 2 wrong usage | 130 interrupted.

This module and the commands import nothing heavy before they run, so that ``--help`` is quick.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer

from stemtune.cli import codes, data, models
from stemtune.cli.adapt import ADAPT_EXAMPLES, adapt
from stemtune.cli.compare import COMPARE_EXAMPLES, compare
from stemtune.cli.evaluate import EVALUATE_EXAMPLES, evaluate
from stemtune.cli.mine import MINE_EXAMPLES, TRAIN_DETECTOR_EXAMPLES, mine, train_detector
from stemtune.cli.reproduce import REPRODUCE_EXAMPLES, reproduce
from stemtune.cli.separate import SEPARATE_EXAMPLES, separate
from stemtune.cli.train import TRAIN_EXAMPLES, train
from stemtune.errors import StemtuneError

__all__ = ["app", "main", "run"]

INTERRUPTED = 130
EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune separate song.mp3` — four stems into separated/\n\n"
    "`stemtune separate album/ --two-stems vocals -o karaoke/` — every song of a folder\n\n"
    "`stemtune adapt my_stems/ -o my-model` — teach it your instrument, from minutes of recordings\n\n"
    "`stemtune evaluate default my_songs/` — how good the model is on songs whose stems you have\n\n"
    "`stemtune data check my_songs/` — what is wrong with a data set, before it costs a night\n\n"
    "`stemtune COMMAND --help` — the options and more examples"
)

app = typer.Typer(
    name="stemtune",
    help="Teach music separators new instruments, honestly scored, on the machine that you own.",
    epilog=EXAMPLES,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(f"stemtune {version('stemtune')}")
        raise typer.Exit
    return wanted


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Teach music separators new instruments, honestly scored, on the machine that you own."""


app.command("separate", epilog=SEPARATE_EXAMPLES)(separate)
app.command("adapt", epilog=ADAPT_EXAMPLES)(adapt)
app.command("train", epilog=TRAIN_EXAMPLES)(train)
app.command("reproduce", epilog=REPRODUCE_EXAMPLES)(reproduce)
app.command("evaluate", epilog=EVALUATE_EXAMPLES)(evaluate)
app.command("compare", epilog=COMPARE_EXAMPLES)(compare)
app.command("train-detector", epilog=TRAIN_DETECTOR_EXAMPLES)(train_detector)
app.command("mine", epilog=MINE_EXAMPLES)(mine)
app.add_typer(codes.app, name="codes")
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")


def main() -> None:
    """Run the command line and exit; the console script ``stemtune``."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain once more, at exit
        if not isinstance(error, BrokenPipeError):  # whoever closed the pipe knows that the rest is not read
            code = _fail(f"cannot write to standard output: {error.strerror}", error, code=1)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors go to stderr as one line each."""
    try:
        code: Any = typer.main.get_command(app).main(list(arguments), prog_name="stemtune", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except StemtuneError as error:
        return _fail(str(error), error, code=error.exit_code)
    except OSError as error:
        return _fail(f"the system refused what stemtune asked for: {error}", error, code=1)
    except typer.Abort as error:
        return _fail("interrupted", error, code=INTERRUPTED)
    except Exception as error:
        if isinstance(error, _usage_errors()):
            return _explain_usage(error)
        return _fail(
            f"unexpected {type(error).__name__}: {error}; this is a defect of stemtune; "
            "run with STEMTUNE_DEBUG=1 for the traceback",
            error,
            code=1,
        )
    return code if isinstance(code, int) else 0


def _fail(message: str, error: BaseException, *, code: int) -> int:
    if os.environ.get("STEMTUNE_DEBUG", "0") not in ("", "0"):
        traceback.print_exception(error)
    print(f"error: {_one_line(message)}", file=sys.stderr)
    return code


def _explain_usage(error: Any) -> int:
    """A wrong command or option, as the option parser found it."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return int(error.exit_code)
    context = error.ctx
    command = context.command_path if context else "stemtune"
    message = str(error.format_message()).rstrip(".")
    joint = " " if message.endswith("?") else "; "
    return _fail(f"{message}{joint}see {command} --help", error, code=int(error.exit_code))


def _usage_errors() -> type[Exception]:
    """The base of the option parser's errors, which typer does not export."""
    return next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def _one_line(text: str) -> str:
    """Without line breaks, and without control characters that a file name may smuggle into the terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in " ".join(text.split()))
