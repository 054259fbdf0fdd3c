"""All commands with their flags as text, so that a change of the command line is seen and decided, never an accident.

Write the golden file again with ``python -m tests.cli.freeze`` in the repository's root.
"""

import enum
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

GOLDEN = Path(__file__).with_name("flags.txt")


def describe_commands() -> str:
    import typer

    from stemtune.cli.main import app

    return "\n".join(_lines(typer.main.get_command(app), "stemtune")) + "\n"


def _lines(command: Any, path: str) -> Iterator[str]:
    yield path
    hints = inspect.signature(command.callback).parameters if command.callback else {}
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]  # order matters
    options = [parameter for parameter in command.params if parameter.param_type_name != "argument"]
    for parameter in (*arguments, *sorted(options, key=lambda option: option.opts)):
        hint = hints[parameter.name].annotation if parameter.name in hints else None
        yield f"    {_parameter(parameter, _choices(hint))}"
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from ("", *_lines(inner, f"{path} {name}"))


def _parameter(parameter: Any, choices: tuple[str, ...]) -> str:
    """Names, choices, default: what scripts rely on; neither help texts nor typer's names of types."""
    is_argument = parameter.param_type_name == "argument"
    words = (
        [parameter.metavar or parameter.name.upper()] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    )
    if choices:
        words.append("|".join(choices))
    elif not is_argument and not getattr(parameter, "is_flag", False):
        words.append(parameter.metavar or "VALUE")
    if getattr(parameter, "multiple", False) or parameter.nargs == -1:
        words.append("(repeatable)")
    if parameter.required:
        words.append("(required)")
    elif parameter.default not in (None, False, (), []):
        words.append(f"= {getattr(parameter.default, 'value', parameter.default)}")
    return " ".join(words)


def _choices(hint: Any) -> tuple[str, ...]:
    """The values of a Literal or an Enum, however deep in the annotation."""
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return tuple(str(member.value) for member in hint)
    if get_origin(hint) is Literal:
        return tuple(str(value) for value in get_args(hint))
    return tuple(dict.fromkeys(choice for inner in get_args(hint) for choice in _choices(inner)))


if __name__ == "__main__":
    GOLDEN.write_text(describe_commands(), encoding="utf-8")
    print(f"wrote {GOLDEN}")
