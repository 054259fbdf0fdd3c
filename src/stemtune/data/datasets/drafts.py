"""What the readers of layouts deliver: tracks as far as folders and tables tell, and what is wrong with them.

Readers look at names only. Which files exist, how long they are and whether they fit together is read afterwards,
for all layouts alike (see `headers`):

    draft + headers of its files = track.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stemtune.data.tracks import Origin

__all__ = ["Contents", "Draft", "Problem", "compound"]


@dataclass(frozen=True)
class Problem:
    """Something wrong with a data set, told so that it can be put right.

    Attributes:
        kind: ``unreadable``, ``sample_rate``, ``length``, ``two_files``, ``missing_stem``, ``unsorted``,
            ``unknown_track`` or ``leakage``.
        track: the name of the track concerned; empty if it is none in particular.
        stem: likewise.
        message: one line that names the file, what was expected, what came and what to do.
        split: the split concerned, where no track is.
    """

    kind: str
    track: str
    stem: str
    message: str
    split: str | None = None


@dataclass(frozen=True)
class Draft:
    """A track whose files have not been opened yet; the fields are those of `Track`.

    Attributes:
        is_ragged: whether its files may differ in length, which is the rule where they are takes, not stems.
    """

    name: str
    stems: Mapping[str, tuple[Path, ...]]
    mixture: Path | None = None
    silent: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)
    is_ragged: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """All its files, the mixture first."""
        paths = ((self.mixture,) if self.mixture else ()) + tuple(p for part in self.stems.values() for p in part)
        return tuple(dict.fromkeys(paths))


@dataclass(frozen=True)
class Contents:
    """All tracks of a data set, of every split, and the problems that their names and tables show."""

    drafts: tuple[Draft, ...]
    problems: tuple[Problem, ...] = ()

    @staticmethod
    def joined(parts: Sequence["Contents"]) -> "Contents":
        """The tracks and problems of several, one after the other."""
        return Contents(
            tuple(draft for part in parts for draft in part.drafts),
            tuple(problem for part in parts for problem in part.problems),
        )


def compound(names: Iterable[str]) -> str:
    """The name of a stem that holds several others, ``bass+other``."""
    return "+".join(sorted({part for name in names for part in name.split("+")}))
