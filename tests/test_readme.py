"""Every command that the README shows exists, with the options that it is shown with."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [match.strip() for match in re.findall(r"^(stemtune [^#\n]+)", README, flags=re.MULTILINE)]
TARGETS = re.findall(r"^make (\w+)", README, flags=re.MULTILINE)


def flags() -> dict[str, set[str]]:
    """The frozen flags: command -> its options."""
    known: dict[str, set[str]] = {}
    for block in (ROOT / "tests" / "cli" / "flags.txt").read_text(encoding="utf-8").split("\n\n"):
        name, *options = block.strip().splitlines()
        known[name] = {word for option in options for word in option.split() if word.startswith("-")}
    return known


def test_there_is_something_to_check() -> None:
    assert len(COMMANDS) >= 6
    assert set(TARGETS) >= {"demo", "test"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_exists_with_its_options(command: str) -> None:
    name = max((known for known in flags() if f"{command} ".startswith(f"{known} ")), key=len)
    assert name != "stemtune"
    assert {word for word in command.split() if word.startswith("-")} <= flags()[name]


@pytest.mark.parametrize("target", TARGETS)
def test_the_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_python_example_names_what_the_package_offers() -> None:
    import stemtune

    names = set(re.findall(r"stemtune\.(\w+)\(", README))
    assert names
    assert all(hasattr(stemtune, name) for name in names)
