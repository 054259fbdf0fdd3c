"""The frame of the command line: exit codes, one line per failure, quick help."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from stemtune.cli import main as frame
from stemtune.errors import InputError, UsageError, WeightsError
from tests.cli.signals import hear_interrupts

Run = Callable[..., object]


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make ``stemtune models list`` fail with ``error``."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("stemtune.hub.model_folders", fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError("no such file"), 1), (WeightsError("wrong hash"), 1), (UsageError("unknown stem"), 2)],
)
def test_a_deliberate_error_is_one_line_and_its_exit_code(stemtune, monkeypatch, error: Exception, code: int):
    broken(monkeypatch, error)
    outcome = stemtune("models", "list")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", f"error: {error}\n")


def test_an_unexpected_error_is_one_line_that_says_how_to_report_it(stemtune, monkeypatch):
    broken(monkeypatch, RuntimeError("two\nlines"))
    outcome = stemtune("models", "list")
    assert outcome.code == 1
    assert outcome.err == (
        "error: unexpected RuntimeError: two lines; this is a defect of stemtune; "
        "run with STEMTUNE_DEBUG=1 for the traceback\n"
    )


def test_debugging_shows_the_traceback(stemtune, monkeypatch):
    broken(monkeypatch, RuntimeError("oh"))
    monkeypatch.setenv("STEMTUNE_DEBUG", "1")
    outcome = stemtune("models", "list")
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.endswith("for the traceback\n")


def test_an_interruption_is_quiet_and_130(stemtune, monkeypatch):
    broken(monkeypatch, KeyboardInterrupt())
    outcome = stemtune("models", "list")
    assert (outcome.code, outcome.err) == (130, "")


def test_control_characters_in_messages_do_not_reach_the_terminal(stemtune, monkeypatch):
    broken(monkeypatch, InputError("bad \x1b[31mname\r\nhere"))
    assert stemtune("models", "list").err == "error: bad \\x1b[31mname here\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluat"], "No such command 'evaluat'. Did you mean 'evaluate'? see stemtune --help"),
        (["evaluate"], "Missing argument 'MODEL|ESTIMATES'; see stemtune evaluate --help"),
        (["models", "list", "--nonsense"], "No such option: --nonsense; see stemtune models list --help"),
        (["models", "import", "x", "--from", "spleeter", "--name", "x"], "'spleeter' is not one of"),
    ],
)
def test_wrong_usage_is_one_line_and_2(stemtune, arguments: list[str], message: str):
    outcome = stemtune(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_the_version(stemtune):
    from importlib.metadata import version

    assert stemtune("--version").out == f"stemtune {version('stemtune')}\n"


def test_nothing_at_all_shows_the_help(stemtune):
    outcome = stemtune()
    assert outcome.code == 2
    assert "Usage: stemtune" in outcome.out + outcome.err


def commands() -> list[list[str]]:
    import typer

    root = typer.main.get_command(frame.app)
    found = [[]]
    for name, command in root.commands.items():
        found.append([name])
        found.extend([name, inner] for inner in getattr(command, "commands", {}))
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_help_page_shows_examples(stemtune, command: list[str]):
    outcome = stemtune(*command, "--help")
    assert outcome.code == 0
    assert "Usage: stemtune" in outcome.out
    if command not in (["models"], ["data"], ["codes"]):  # groups; their commands have examples
        assert "Examples" in outcome.out
        assert f"stemtune {' '.join(command)}" in outcome.out.split("Examples")[1]


def test_help_does_not_import_torch():
    code = "import sys; from stemtune.cli.main import run; run(['--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: stemtune" in done.stdout


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_closed_pipe_is_quiet(option: str):
    code = f"import sys; from stemtune.cli.main import main; sys.argv = ['stemtune', '{option}']; main()"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False, text=True)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is a device of Linux")  # noqa: PTH110
def test_a_full_disk_behind_stdout_is_one_line():
    code = "import sys; from stemtune.cli.main import main; sys.argv = ['stemtune', '--version']; main()"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1
    assert "defect" not in done.stderr


def test_an_interrupt_from_outside_is_quiet_and_130():
    code = (
        "import os, signal, sys; from stemtune.cli import main as frame; import stemtune.hub;"
        "stemtune.hub.model_folders = lambda: os.kill(os.getpid(), signal.SIGINT);"
        "sys.argv = ['stemtune', 'models', 'list']; frame.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, text=True, preexec_fn=hear_interrupts
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
