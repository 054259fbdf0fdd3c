"""Opening a data set of any kind: its tracks, and all that is wrong with it.

    folder or table --layout or mapping--> drafts --split, stems--> drafts --headers--> tracks + problems.

A whole data set is listed before anything is said of it, so that one damaged file among thousands is named beside
all others, and not one a run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from stemtune.data.datasets.drafts import Draft, Problem
from stemtune.data.datasets.headers import read_headers
from stemtune.data.datasets.mapping_files import AnyDescription
from stemtune.data.datasets.reading import Layout, choose_mapping, read_contents
from stemtune.data.datasets.regrouping import StemGroups, regroup
from stemtune.data.datasets.slakh import OMITTED
from stemtune.data.tracks import Track
from stemtune.errors import InputError, UsageError

__all__ = ["DatasetScan", "scan_dataset"]


@dataclass(frozen=True)
class DatasetScan:
    """A data set as it is.

    Attributes:
        root: the folder or file.
        mapping: how it was read; None for the plain layouts, which need none.
        tracks: all of which at least one file can be read, sorted by name, also those with problems.
        problems: in the order in which they were met.
    """

    root: Path
    mapping: AnyDescription | None
    tracks: tuple[Track, ...]
    problems: tuple[Problem, ...]

    @property
    def sound_tracks(self) -> tuple[Track, ...]:
        """The tracks about which there is no problem."""
        wrong = {problem.track for problem in self.problems}
        return tuple(track for track in self.tracks if track.name not in wrong)


def scan_dataset(
    path: str | Path,
    *,
    split: str | None = None,
    layout: Layout | None = None,
    mapping: str | Path | None = None,
    stems: StemGroups | None = None,
) -> DatasetScan:
    """Everything that `open_dataset` finds, and everything that is wrong; the arguments are the same.

    Raises:
        InputError: if nothing is there, or two tracks have one name.
        UsageError: if the split or a stem does not exist, or the layout cannot be recognised.
        ConfigError: if the mapping is not valid, or sends a file to two stems.
    """
    root = Path(path)
    if not root.exists():
        raise InputError(f"{root}: no such file or folder; expected a data set (a folder of songs or stems, or a CSV)")
    if layout is not None and layout not in get_args(Layout):
        raise UsageError(f"{root}: unknown layout {layout!r}; expected one of {', '.join(get_args(Layout))}")
    described = choose_mapping(root, layout=layout, mapping=mapping)
    contents = read_contents(root, described, layout=layout, split=split)
    if stems is not None:
        contents = regroup(contents, stems, origin=str(root))
    _refuse_repeated(contents.drafts, root)
    chosen = _of_split(contents.drafts, split, root)
    names = {draft.name for draft in chosen}
    elsewhere = {draft.name for draft in contents.drafts} - names
    known = [
        problem
        for problem in contents.problems
        if problem.track not in elsewhere and (split is None or problem.split in (None, split))
    ]
    told = {(problem.track, problem.stem) for problem in known}
    opened = read_headers(sorted(chosen, key=lambda draft: draft.name))
    return DatasetScan(
        root=root,
        mapping=described,
        tracks=tuple(item.track for item in opened if item.track is not None),
        problems=(*known, *(p for item in opened for p in item.problems if (p.track, p.stem) not in told)),
    )


def _refuse_repeated(drafts: Iterable[Draft], root: Path) -> None:
    seen: dict[str, Draft] = {}
    for draft in drafts:
        if (other := seen.setdefault(draft.name, draft)) is not draft:
            raise InputError(
                f"{root}: two tracks are called {draft.name!r}, with {other.files[0]} and {draft.files[0]}; expected "
                "each name once: rename one"
            )


def _of_split(drafts: tuple[Draft, ...], split: str | None, root: Path) -> tuple[Draft, ...]:
    """The tracks of a split; of all splits but the one of what was omitted, if None."""
    if split is None:
        chosen = tuple(draft for draft in drafts if draft.origin.split != OMITTED)
    else:
        chosen = tuple(draft for draft in drafts if draft.origin.split == split)
    if not chosen and split is not None:
        there = ", ".join(sorted({draft.origin.split for draft in drafts if draft.origin.split})) or "none"
        raise UsageError(f"{root}: no split {split!r} there; the splits are: {there}")
    return chosen
