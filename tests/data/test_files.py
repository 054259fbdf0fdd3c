"""A file appears whole or not at all, and nothing is left behind."""

import errno
import json
import math
import os
from pathlib import Path

import pytest

from stemtune.data.files import PendingFile, write_json_atomically, write_text_atomically
from stemtune.errors import OutputError


def test_text_and_json(tmp_path: Path) -> None:
    path = write_text_atomically(tmp_path / "new" / "folder" / "ä.txt", "zwölf\nline")
    assert path.read_bytes() == "zwölf\nline".encode()
    path = write_json_atomically(tmp_path / "a.json", {"name": "ä", "numbers": [1, 2.5]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "ä", "numbers": [1, 2.5]}
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.json", "new"]


def test_what_was_there_stays_until_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with PendingFile(target) as pending:
        pending.path.write_text("new")
        assert pending.path.parent == tmp_path
        assert pending.path.name.startswith(f".a.txt.partial-{os.getpid()}-")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert pending.commit() == target  # once more is no harm
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def write_half() -> None:
        with PendingFile(tmp_path / "a.txt") as pending:
            pending.path.write_text("new")
            raise error

    with pytest.raises(error):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    with PendingFile(tmp_path / "a") as first, PendingFile(tmp_path / "a") as second:
        assert first.path != second.path


def test_a_file_has_the_usual_permissions(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert write_text_atomically(tmp_path / "a", "").stat().st_mode == ordinary.stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").write_text("old")
    write_text_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_long_names(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / ("x" * 255), "")
    with pytest.raises(OutputError, match="choose a shorter name"):
        write_text_atomically(tmp_path / ("x" * 256), "")
    assert len(list(tmp_path.iterdir())) == 1


def test_folder_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"is a folder.*choose another name"):
        write_text_atomically(tmp_path, "")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="part of the path is a file"):
        write_text_atomically(tmp_path / "file" / "a.txt", "")


def test_device(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OutputError, match="not a regular file"):
        write_text_atomically("/dev/full", "")


def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("permissions do not bind this user")
    with pytest.raises(OutputError, match="check the permissions"):
        write_text_atomically(tmp_path / "a.txt", "")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "free some space"), (errno.EACCES, "check the permissions"), (errno.EROFS, "read-only")],
)
def test_the_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match=words) as caught:
        write_text_atomically(tmp_path / "a.txt", "text")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_json_has_no_word_for_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json_atomically(tmp_path / "a.json", math.nan)
    assert list(tmp_path.iterdir()) == []
