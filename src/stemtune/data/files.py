"""Files that appear all at once: written under a hidden name beside the target, then renamed.

Whoever looks at the target sees the old file or the whole new one, never a part:

    write(hidden), fsync(hidden), rename(hidden -> target).
"""

import errno
import itertools
import json
import os
from pathlib import Path
from types import TracebackType

from stemtune.errors import OutputError

__all__ = ["PendingFile", "output_error", "write_json_atomically", "write_text_atomically"]

_COUNTER = itertools.count()
_MAX_NAME_CHARACTERS = 50  # up to 200 of the 255 bytes that a name may have


class PendingFile:
    """A file that is being written. As a context manager it commits on success and aborts on any exception.

    Attributes:
        target: the name that the file gets by `commit`.
        path: its hidden name until then, ``.NAME.partial-<process>-<number>`` in the same folder; it exists, empty.
    """

    def __init__(self, target: Path | str) -> None:
        """Make the folder and the hidden file.

        Raises:
            OutputError: if that is impossible, or if the target is a folder.
        """
        self.target = Path(target)
        self.path = self.target
        self._is_open = False
        try:
            if self.target.is_symlink():
                self.target = self.target.resolve()
            if self.target.is_dir():
                raise OutputError(f"{self.target}: is a folder, where a file is to be written; choose another name")
            if self.target.exists() and not self.target.is_file():
                raise OutputError(f"{self.target}: is not a regular file; choose another name")
            name = f".{self.target.name[:_MAX_NAME_CHARACTERS]}.partial-{os.getpid()}-{next(_COUNTER)}"
            self.path = self.target.with_name(name)
            self.target.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except OSError as error:
            raise output_error(self.target, error) from None
        self._is_open = True

    def __enter__(self) -> "PendingFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()

    def commit(self) -> Path:
        """Put the file on the disk and give it its name.

        Raises:
            OutputError: if that fails; the hidden file is removed then.
        """
        if not self._is_open:
            return self.target
        try:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.path.replace(self.target)
        except OSError as error:
            self.abort()
            raise output_error(self.target, error) from None
        except BaseException:
            self.abort()
            raise
        self._is_open = False
        return self.target

    def abort(self) -> None:
        """Remove the hidden file, if it is still there; the target stays as it was."""
        if self._is_open:
            self._is_open = False
            self.path.unlink(missing_ok=True)


def write_text_atomically(path: Path | str, text: str) -> Path:
    """Write a text file in UTF-8, whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    with PendingFile(path) as pending:
        try:
            pending.path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise output_error(pending.target, error) from None
    return pending.target


def write_json_atomically(path: Path | str, obj: object) -> Path:
    """Write ``obj`` as indented JSON with a final newline, whole or not at all.

    Raises:
        OutputError: if it cannot be written.
        ValueError: if ``obj`` holds a NaN or an infinity, which JSON has no word for.
    """
    return write_text_atomically(path, json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def output_error(path: Path, error: OSError) -> OutputError:
    """The one-line error for a failure of the operating system to write ``path``."""
    what = error.strerror or type(error).__name__
    advice = {
        errno.ENOSPC: "free some space or choose another disk",
        errno.EDQUOT: "free some space or choose another disk",
        errno.EFBIG: "this disk does not take files of that size; choose another one",
        errno.EACCES: "check the permissions of the folder or choose another one",
        errno.EPERM: "check the permissions of the folder or choose another one",
        errno.EROFS: "the disk is read-only; choose another one",
        errno.ENOTDIR: "part of the path is a file, not a folder; choose another folder",
        errno.EEXIST: "part of the path is a file, not a folder; choose another folder",
        errno.ENAMETOOLONG: "choose a shorter name",
    }.get(error.errno or 0, "choose another place")
    return OutputError(f"{path}: cannot be written ({what}); {advice}")
