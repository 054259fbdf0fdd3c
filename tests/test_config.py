"""Configurations: overriding, errors, fingerprints."""

import pytest

from stemtune.config import Frozen, fingerprint, parse
from stemtune.errors import ConfigError


class Inner(Frozen):
    size: int = 3


class Outer(Frozen):
    name: str = "a"
    inner: Inner = Inner()
    items: tuple[Inner, ...] = (Inner(), Inner(size=4))


def test_overrides_by_dotted_path_and_by_number() -> None:
    changed = Outer().override({"inner.size": 7, "items.1.size": 9, "name": "b"})
    assert (changed.inner.size, changed.items[1].size, changed.name) == (7, 9, "b")
    assert Outer().inner.size == 3


@pytest.mark.parametrize("path", ["size", "inner.sizes", "items.2.size", "items.x.size", "name.size"])
def test_overriding_what_does_not_exist_is_an_error_that_names_it(path: str) -> None:
    with pytest.raises(ConfigError, match=r"no setting"):
        Outer().override({path: 1})


def test_a_wrong_value_is_an_error_that_names_key_and_value() -> None:
    with pytest.raises(ConfigError, match=r"run\.json: not a valid Outer: inner\.size.*'many'"):
        parse(Outer, {"inner": {"size": "many"}}, origin="run.json")


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ConfigError, match="colour"):
        parse(Outer, {"colour": "red"})


def test_fingerprints_differ_exactly_when_values_do() -> None:
    assert fingerprint(Outer()) == fingerprint(parse(Outer, Outer().model_dump(mode="json")))
    assert fingerprint(Outer()) != fingerprint(Outer(name="b"))
