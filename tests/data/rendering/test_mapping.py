"""Which parts form which stem: every part to one stem or to none, and mappings that cannot work are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from stemtune.data.rendering.mapping import MAPPINGS, StemMapping, grouped, load_mapping, require
from stemtune.errors import ConfigError, InputError, UsageError


@pytest.mark.parametrize("name", MAPPINGS)
def test_mappings_of_the_package_are_valid(name: str) -> None:
    mapping = load_mapping(name)
    assert set(mapping.required) <= set(mapping.stems)
    by_name = any(rule.parts for rule in mapping.stems.values())
    if not by_name:
        stems = {mapping.stem_of_program(program, is_drums=False) for program in range(128)}
        assert None in stems  # sound effects and the like
        assert stems - {None} | {mapping.stem_of_program(0, is_drums=True)} == set(mapping.stems)


@pytest.mark.parametrize(
    ("program", "options", "stem"),
    [
        (0, {}, "other"),
        (33, {}, "bass"),
        (87, {}, "bass"),  # "bass and lead" before the family of leads
        (0, {"is_drums": True}, "drums"),
        (118, {}, "drums"),  # a synthesised drum on a channel of its own
        (112, {}, "other"),  # a bell of the percussive family
        (0, {"track_name": "Bass gtr", "pitch": 50.0}, "bass"),
        (0, {"track_name": "Bassoon", "pitch": 50.0}, "bass"),  # names that begin with it count while they are low
        (0, {"track_name": "Bass gtr", "pitch": 70.0}, "other"),
        (81, {"pitch": 38.0, "is_line": True}, "bass"),
        (81, {"pitch": 38.0, "is_line": False}, "other"),
        (122, {}, None),
    ],
)
def test_stems_of_programs(program: int, options: dict[str, object], stem: str | None) -> None:
    arguments: dict[str, object] = {"is_drums": False, **options}
    assert load_mapping("musdb").stem_of_program(program, **arguments) == stem  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stems", "reason"),
    [
        ({"a": {"parts": ["kick"]}, "b": {"parts": ["kick"]}}, "part 'kick' goes to two stems, 'a' and 'b'"),
        ({"a": {"classes": ["piano"]}, "b": {"classes": ["piano"]}}, "family 'piano' goes to two stems"),
        ({"a": {"programs": [3]}, "b": {"programs": [3]}}, "program 3 goes to two stems"),
        ({"a": {"drums": True}, "b": {"drums": True}}, "the drums goes to two stems"),
        ({"a": {"rest": True}, "b": {"rest": True}}, "the rest goes to two stems"),
        ({"a": {"classes": ["kazoo"]}}, "unknown instrument family 'kazoo'; expected some of: piano"),
        ({"a": {"programs": [128]}}, "from 0 to 127"),
        ({"a": {"names": "("}}, "not a regular expression"),
        ({"mixture": {"rest": True}}, "cannot be the name of a stem"),
        ({"../a": {"rest": True}}, "cannot be the name of a stem"),
        ({}, "at least 1"),
    ],
)
def test_mappings_that_cannot_work(stems: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        StemMapping.model_validate({"stems": stems})
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"stems": stems}), encoding="utf-8")
    with pytest.raises(ConfigError, match="not a mapping of stems") as raised:
        load_mapping(str(path))
    assert reason in str(raised.value)
    assert str(path) in str(raised.value)


def test_requirements_must_exist_and_sound() -> None:
    with pytest.raises(ValidationError, match="none of the stems"):
        StemMapping.model_validate({"stems": {"a": {"rest": True}}, "required": ["b"]})
    mapping = StemMapping.model_validate({"stems": {"a": {"parts": ["x"]}, "b": {"rest": True}}, "required": ["a"]})
    sound = np.ones((2, 4), dtype=np.float32)
    require("song", {"a": sound}, mapping)
    for stems in ({"b": sound}, {"a": 0 * sound}):
        with pytest.raises(InputError, match="song: expected the stems a; it has nothing for a"):
            require("song", stems, mapping)


def test_parts_are_added_and_none_is_lost() -> None:
    parts = {name: np.full((2, 3), value, dtype=np.float32) for name, value in (("x", 1), ("y", 2), ("z", 4))}
    mapping = StemMapping.model_validate({"stems": {"low": {"parts": ["x", "y"]}, "rest": {"rest": True}}})
    stems = grouped(parts, mapping)
    assert {name: float(sound[0, 0]) for name, sound in stems.items()} == {"low": 3.0, "rest": 4.0}
    assert grouped(parts, None).keys() == parts.keys()
    only = StemMapping.model_validate({"stems": {"low": {"parts": ["x"]}}})
    assert grouped(parts, only).keys() == {"low"}


def test_parts_that_a_kind_does_not_have() -> None:
    mapping = StemMapping.model_validate({"stems": {"a": {"parts": ["cowbell"]}}})
    with pytest.raises(ConfigError, match="a part 'cowbell'; the parts here are: kick, snare"):
        mapping.check_parts(("kick", "snare"))
    nothing = StemMapping.model_validate({"stems": {"a": {"drums": True}}})
    with pytest.raises(ConfigError, match="gives none of the parts kick, snare to a stem"):
        nothing.check_parts(("kick", "snare"))


def test_a_mapping_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no mapping 'mine'; expected a file, or one of: drums"):
        load_mapping("mine")
    (tmp_path / "mine.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.json: not a mapping of stems"):
        load_mapping(str(tmp_path / "mine.json"))
