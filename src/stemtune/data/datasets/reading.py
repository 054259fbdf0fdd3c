"""From a folder or a table to the drafts of its tracks, whatever its kind: by layout, by mapping, or joined.

    contents(join) = contents of all parts, each with its stems grouped into the common ones.

A join puts several data sets together as one, MUSDB18 and Slakh2100 say, on the stems that they have in common. Tracks
get their part's name as a prefix; a singer or a score that is in the training part of one data set and in the
test part of another is reported.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from stemtune.data.datasets.csv_table import read_csv_table
from stemtune.data.datasets.description import Description, JoinedDescription, Part
from stemtune.data.datasets.drafts import Contents
from stemtune.data.datasets.mapped_files import read_mapped_files
from stemtune.data.datasets.mapping_files import MAPPING_NAMES, AnyDescription, read_mapping
from stemtune.data.datasets.moisesdb import read_moisesdb
from stemtune.data.datasets.recognising import find_mapping, recognise_layout
from stemtune.data.datasets.regrouping import regroup
from stemtune.data.datasets.slakh import read_slakh
from stemtune.data.datasets.song_folders import read_song_folders
from stemtune.data.datasets.sorting import leakage, sort_songs
from stemtune.data.datasets.stem_folders import read_stem_folders
from stemtune.data.datasets.unlabelled import read_unlabelled
from stemtune.errors import InputError, UsageError

__all__ = ["SPLITS", "Layout", "choose_mapping", "read_contents"]

Layout = Literal["songs", "stems", "csv", "unlabelled"]
SPLITS = ("train", "valid", "test")
_SPLIT_OF = {**{name: name for name in SPLITS}, "validation": "valid", "val": "valid"}
"""What folders called like this are."""
_READERS = {"songs": read_song_folders, "stems": read_stem_folders, "unlabelled": read_unlabelled}
_MAPPING_ENDINGS = {Path(name).suffix for name in MAPPING_NAMES}


def choose_mapping(root: Path, *, layout: Layout | None, mapping: str | Path | None) -> AnyDescription | None:
    """The mapping by which to read a data set: as asked for, beside the data, or known; None for the plain layouts."""
    if mapping is not None:
        return read_mapping(mapping)
    if root.is_file():
        return read_mapping(root) if root.suffix.lower() in _MAPPING_ENDINGS else None
    where = None if layout is not None else find_mapping(root)
    return None if where is None else read_mapping(where)


def read_contents(
    root: Path, mapping: AnyDescription | None, *, layout: Layout | None, split: str | None = None
) -> Contents:
    """All tracks of a data set; of a plain layout only those of ``split``, whose names then are not prefixed by it."""
    folder = root.parent if root.is_file() else root
    match mapping:
        case None:
            return _read_layout(root, layout, split)
        case Description():
            return _read_described(mapping, folder)
        case JoinedDescription():
            return _read_joined(mapping, folder)


def _read_layout(root: Path, layout: Layout | None, split: str | None) -> Contents:
    """A table, or folders of songs or stems, with or without a folder for each split."""
    if root.is_file():
        return read_csv_table(root)
    if layout == "csv":
        raise UsageError(f"{root}: is a folder, where the layout csv expects a table; give the file")
    present = {name: root / name for name in _SPLIT_OF if (root / name).is_dir()}
    splits = [_SPLIT_OF[name] for name in present]
    if len(set(splits)) < len(splits):
        both = ", ".join(name for name in present if _SPLIT_OF[name] == "valid")
        raise InputError(f"{root}: two folders for the split valid, {both}; expected one: join them")
    if split is not None and split not in splits:
        there = ", ".join(splits) or "none"
        raise UsageError(f"{root}: no split {split!r} there; the splits are: {there}")
    parts: list[Contents] = []
    for name, folder in present.items() or [(None, root)]:
        own = None if name is None else _SPLIT_OF[name]
        if split in (None, own):
            read = _READERS[layout if layout in _READERS else recognise_layout(folder)]
            prefix = f"{name}/" if name is not None and split is None else ""
            parts.append(read(folder, prefix=prefix, split=own))
    return Contents.joined(parts)


def _read_described(description: Description, root: Path) -> Contents:
    match description.format:
        case "slakh":
            listing = read_slakh(root)
        case "moisesdb":
            listing = read_moisesdb(root)
        case "files":
            listing = read_mapped_files(description, root)
    return sort_songs(description, listing, origin=str(root))


def _read_joined(description: JoinedDescription, root: Path) -> Contents:
    contents = Contents.joined([_read_part(part, root, description.name) for part in description.join])
    return replace(contents, problems=(*contents.problems, *leakage(contents.drafts, str(root))))


def _read_part(part: Part, root: Path, joined: str) -> Contents:
    """One data set of a join, on the common stems."""
    found = sorted(root.glob(part.path)) if set(part.path) & set("*?[") else [root / part.path]
    if len(found) != 1 or not found[0].exists():
        there = ", ".join(path.name for path in found if path.exists()) or "none"
        raise InputError(f"{root / part.path}: expected one data set there, a part of {joined}; there is {there}")
    beside = None if part.mapping is None else root / part.mapping
    mapping = choose_mapping(
        found[0],
        layout=part.layout,
        mapping=beside if beside is not None and beside.is_file() else part.mapping,
    )
    contents = read_contents(found[0], mapping, layout=part.layout)
    prefix = part.prefix if part.prefix is not None else found[0].stem
    drafts = tuple(
        replace(draft, name=f"{prefix}/{draft.name}" if prefix else draft.name)
        for draft in regroup(contents, part.stems, origin=str(found[0])).drafts
    )
    problems = tuple(
        replace(problem, track=f"{prefix}/{problem.track}" if prefix and problem.track else problem.track)
        for problem in contents.problems
    )
    return Contents(drafts, problems)
