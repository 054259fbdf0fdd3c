"""What an audit listens to: the tracks of one or several data sets, and what is wrong before a sample was read.

    PATH            a data set, whose splits are its folders train, valid and test, or the column of a table
    SPLIT=PATH      a data set that is one split of the whole
    .../train       likewise, by its own name

A folder that is no data set is not the end: its audio files are listened to one by one, and the error stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stemtune.data.audit.report import Finding, Severity
from stemtune.data.datasets import SPLITS, DatasetScan, Layout, scan_dataset
from stemtune.data.datasets.description import Description
from stemtune.data.tracks import Track
from stemtune.errors import InputError

__all__ = ["Item", "Source", "Sources", "collect", "parse_source"]

_KNOWN_LATER = {"sample_rate", "length"}
"""Problems that listening tells more exactly."""


@dataclass(frozen=True)
class Source:
    """One data set as the user named it; ``split`` is what all of it belongs to, empty if its own folders say."""

    path: Path
    split: str = ""

    @property
    def name(self) -> str:
        """What findings and reports call it."""
        return self.path.as_posix()


@dataclass(frozen=True)
class Item:
    """One track to be listened to.

    Attributes:
        source: the data set.
        split: empty if it belongs to none.
        track: with the files of its stems. If only its mixture is known, that is its single stem.
        is_recording: whether it is known to be one recording of one stem, that belongs to no song.
        is_ragged: whether its files may differ in length, as takes do.
    """

    source: Source
    split: str
    track: Track
    is_recording: bool = False
    is_ragged: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """All its files, each once."""
        stems = [path for paths in self.track.stems.values() for path in paths]
        return tuple(dict.fromkeys([*stems, *([self.track.mixture] if self.track.mixture else [])]))

    @property
    def seconds(self) -> float:
        """Of all its files together, about."""
        return len(self.paths) * self.track.duration_seconds

    def stem_of(self, path: Path) -> str:
        """The stem that a file belongs to, or ``mixture``."""
        return next((stem for stem, paths in self.track.stems.items() if path in paths), "mixture")

    def label(self, path: Path) -> str:
        """A file's name as findings show it: relative to the data set."""
        return label(self.source, path)


@dataclass(frozen=True)
class Sources:
    """All tracks, and what is wrong already."""

    items: tuple[Item, ...]
    findings: tuple[Finding, ...]


def parse_source(text: str) -> Source:
    """``PATH`` or ``SPLIT=PATH``; a folder called like a split is one."""
    name, separator, rest = text.partition("=")
    if separator and name in SPLITS:
        return Source(Path(rest), name)
    path = Path(text)
    return Source(path, path.name if path.name in SPLITS else "")


def label(source: Source, path: Path) -> str:
    """A file's name relative to its data set, or as it is if it lies elsewhere."""
    root = source.path if source.path.is_dir() else source.path.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def collect(
    sources: Sequence[Source], *, split: str | None = None, layout: Layout | None = None, mapping: str | None = None
) -> Sources:
    """Open every data set, whatever is wrong with its files.

    Raises:
        InputError: if there is nothing at a path.
        UsageError: if a split does not exist, or a layout cannot be recognised.
    """
    items: list[Item] = []
    findings: list[Finding] = []
    for source in sources:
        try:
            scan = scan_dataset(source.path, split=split, layout=layout, mapping=mapping)
        except InputError as error:
            if not source.path.exists():
                raise
            findings.append(_finding(source, "dataset", str(error)))
            scan = scan_dataset(source.path, layout="unlabelled") if source.path.is_dir() else None
        if scan is None:
            continue
        opened = [_item(source, split, scan, track) for track in scan.tracks]
        items += opened
        findings += _problems(source, scan, opened)
        if not opened and not findings:
            findings.append(_finding(source, "dataset", f"{source.name}: no audio file found in it"))
    return Sources(tuple(items), tuple(findings))


def _item(source: Source, split: str | None, scan: DatasetScan, track: Track) -> Item:
    described = scan.mapping if isinstance(scan.mapping, Description) else None
    return Item(
        source,
        source.split or track.origin.split or split or "",
        track if track.is_labelled else replace(track, mixture=None),
        is_recording=not track.is_labelled or (described is not None and described.role != "songs"),
        is_ragged=described is not None and described.lengths == "any",
    )


def _problems(source: Source, scan: DatasetScan, opened: Sequence[Item]) -> list[Finding]:
    """The problems of the scan that listening will not find by itself."""
    listened = {item.track.name for item in opened}
    return [
        Finding(
            severity=Severity.ERROR,
            kind=problem.kind,
            dataset=source.name,
            track=problem.track,
            stem=problem.stem,
            message=problem.message,
        )
        for problem in scan.problems
        if not (problem.track in listened and problem.kind in _KNOWN_LATER | {"unreadable"})
    ]


def _finding(source: Source, kind: str, message: str) -> Finding:
    return Finding(severity=Severity.ERROR, kind=kind, dataset=source.name, message=message)
