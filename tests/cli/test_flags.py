"""The commands and flags are those of the golden file."""

import difflib

import pytest

from tests.cli.freeze import GOLDEN, describe_commands


def test_the_flags_are_frozen():
    expected, found = GOLDEN.read_text(encoding="utf-8"), describe_commands()
    if expected != found:
        changes = difflib.unified_diff(expected.splitlines(), found.splitlines(), "frozen", "now", lineterm="", n=1)
        pytest.fail(
            "the command line has changed:\n\n" + "\n".join(changes) + "\n\n"
            "If that is meant, run `python -m tests.cli.freeze` and say so in CHANGELOG.md; scripts depend on flags.",
            pytrace=False,
        )


def test_every_flag_has_a_help_text():
    import typer

    from stemtune.cli.main import app

    def lacking(command, path):
        for parameter in command.params:
            if not getattr(parameter, "help", None):
                yield f"{path} {parameter.name}"
        for name, inner in getattr(command, "commands", {}).items():
            yield from lacking(inner, f"{path} {name}")

    assert list(lacking(typer.main.get_command(app), "stemtune")) == []
