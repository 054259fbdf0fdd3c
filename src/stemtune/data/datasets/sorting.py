"""From labelled files to the stems of tracks, by the rules of a mapping.

A reader of any format says of each file to which track it belongs and what it is labelled (by its name, by a
table, by metadata). The mapping says which labels make which stem:

    stem(file) = the stem one of whose labels is a label of the file, else the rest.

A file that two stems claim, or none, is an error: nothing is left out without being told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stemtune.data.datasets.description import Description, TrackRule
from stemtune.data.datasets.drafts import Contents, Draft, Problem
from stemtune.data.datasets.patterns import matches_any, unmatched
from stemtune.data.tracks import MIXTURE, Origin
from stemtune.errors import ConfigError, InputError

__all__ = ["LabelledFile", "Listing", "Song", "leakage", "sort_songs"]


@dataclass(frozen=True)
class LabelledFile:
    """A file and what it is called; several labels may say the same in other words."""

    path: Path
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Song:
    """The files of one track, as a reader found them.

    Attributes:
        name: of the track.
        files: with their labels.
        split: as the folder says, before the mapping's lists.
        split_key: what the mapping's lists of splits name; the name of the track as a rule.
        group: what it must not be divided from.
        partial: labels of which the data set itself says that they hold other sound, too.
        expected: label to the file that would have it, for messages.
    """

    name: str
    files: tuple[LabelledFile, ...]
    split: str | None = None
    split_key: str = ""
    group: str | None = None
    partial: tuple[str, ...] = ()
    expected: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Listing:
    """What a reader found: songs in any order, and metadata that could not be read."""

    songs: tuple[Song, ...]
    problems: tuple[Problem, ...] = ()


def sort_songs(description: Description, listing: Listing, *, origin: str) -> Contents:
    """The tracks of a data set.

    Args:
        description: the mapping.
        listing: all songs of the data set.
        origin: names the data set in messages.

    Raises:
        ConfigError: if the mapping sends a file to two stems, or a track to two splits.
        InputError: if two tracks have one name.
    """
    songs, problems = listing.songs, list(listing.problems)
    drafts: dict[str, Draft] = {}
    for song in sorted(songs, key=lambda song: song.name):
        if matches_any(song.name, tuple(description.exclude)):
            continue
        if song.name in drafts:
            raise InputError(f"{origin}: two tracks are called {song.name!r}; expected each name once: rename one")
        draft = _sort_song(description, song, problems)
        if draft is not None:
            drafts[song.name] = draft
    problems += _unknown_tracks(description, songs, origin)
    problems += leakage(drafts.values(), origin)
    return Contents(tuple(drafts.values()), tuple(problems))


def _sort_song(description: Description, song: Song, problems: list[Problem]) -> Draft | None:
    """One track; None if the mapping passes it over."""
    labels = {label for file in song.files for label in file.labels}
    if not all(any(matches_any(label, (wanted,)) for label in labels) for wanted in description.only_complete):
        return None
    rules = tuple(rule for rule in description.exceptions if matches_any(song.name, rule.tracks))
    stems: dict[str, tuple[Path, ...]] = {}
    partial = {stem for rule in rules for stem in rule.partial} | set(description.partial)
    mixture: Path | None = None
    for file in song.files:
        stem = _stem_of(description, rules, song, file, problems)
        if stem == MIXTURE and description.role != "unlabelled":
            if mixture is not None:
                message = f"{file.path}: a second mixture of {song.name!r}, beside {mixture}; expected one: remove one"
                problems.append(Problem("two_files", song.name, MIXTURE, message))
            mixture = mixture or file.path
        elif stem is not None:
            stems[stem] = (*stems.get(stem, ()), file.path)
            partial |= {stem for label in file.labels if label in song.partial}
    order = {name: number for number, name in enumerate(description.all_stems)}
    stems = dict(sorted(stems.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))
    present = {part for stem in stems for part in stem.split("+")}
    missing = [_missing_stem(description, song, stem) for stem in description.requires if stem not in present]
    problems += missing
    if not stems:
        if mixture is not None and not missing:
            problems.append(_no_stem(song, mixture))
        return None
    is_absence_silence = description.absent == "silent"
    return Draft(
        name=song.name,
        stems=stems,
        mixture=stems[MIXTURE][0] if MIXTURE in stems else mixture,
        silent=tuple(n for n in description.all_stems if n not in present and "+" not in n)
        if is_absence_silence
        else (),
        partial=tuple(stem for stem in stems if stem in partial),
        origin=_origin(description, rules, song),
        is_ragged=description.lengths == "any",
    )


def _stem_of(
    description: Description, rules: Sequence[TrackRule], song: Song, file: LabelledFile, problems: list[Problem]
) -> str | None:
    """The stem of a file: `MIXTURE` for the mixture, None for a file that is left out."""
    if description.role == "unlabelled":
        return MIXTURE
    if any(matches_any(label, description.mixture) for label in file.labels):
        return MIXTURE
    if any(matches_any(label, description.ignore) for label in file.labels):
        return None
    own = [rule.stems for rule in rules if rule.stems is not None]
    for stems in (*reversed(own), description.stems):
        claims = [stem for stem, wanted in stems.items() if any(matches_any(label, wanted) for label in file.labels)]
        if len(claims) > 1:
            raise ConfigError(
                f"{file.path}: the mapping of {description.name} sends it to two stems, {' and '.join(claims)} (its "
                f"labels are {', '.join(file.labels)}); expected one: make their labels differ"
            )
        if claims:
            return claims[0]
    if description.rest:
        return description.rest
    if not description.stems:
        return file.labels[0].lower()
    message = (
        f"{file.path}: the mapping of {description.name} names no stem for its label {' / '.join(file.labels)}; add it "
        "to a stem, to `ignore`, or give a stem for the `rest`"
    )
    problems.append(Problem("unsorted", song.name, "", message))
    return None


def _origin(description: Description, rules: Sequence[TrackRule], song: Song) -> Origin:
    licence, may_release, group = description.licence, description.may_release, song.group
    for rule in rules:
        licence = rule.licence or licence
        may_release = may_release if rule.may_release is None else rule.may_release
        group = rule.group or group
    return Origin(description.name, _split_of(description, song), group, licence, may_release)


def _split_of(description: Description, song: Song) -> str | None:
    key = song.split_key or song.name
    named = [split for split, names in description.splits.items() if matches_any(key, names)]
    if len(named) > 1:
        raise ConfigError(
            f"the mapping of {description.name} puts {key!r} into two splits, {' and '.join(named)}; expected one"
        )
    if named:
        return named[0]
    if song.split is not None:
        return description.split_names.get(song.split, song.split)
    return "train" if description.splits and "train" not in description.splits else None


def _missing_stem(description: Description, song: Song, stem: str) -> Problem:
    labels = description.stems.get(stem, (stem,))
    expected = song.expected.get(labels[0]) or f"a file labelled {' or '.join(labels)}"
    there = ", ".join(sorted({label for file in song.files for label in file.labels})) or "none"
    return Problem(
        "missing_stem", song.name, stem,
        f"{song.name}: the stem {stem} is missing; expected {expected}; there are {there}: add the file, silent if the "
        "song truly lacks the stem",
    )  # fmt: skip


def _no_stem(song: Song, mixture: Path) -> Problem:
    return Problem(
        "missing_stem", song.name, "",
        f"{mixture}: expected stems beside the mixture of {song.name!r}; there are none: add them, or describe the "
        "data as `role: unlabelled`",
    )  # fmt: skip


def _unknown_tracks(description: Description, songs: Sequence[Song], origin: str) -> Iterable[Problem]:
    """Names in the lists of the splits that no track has."""
    keys = sorted({song.split_key or song.name for song in songs})
    for name in unmatched((name for names in description.splits.values() for name in names), keys):
        split = next(split for split, names in description.splits.items() if name in names)
        near = [key for key in keys if key.lower()[:4] == name.lower()[:4]] or keys
        what = "track" if description.split_by == "track" else description.split_by
        there = ", ".join(near[:4]) + (", ..." if len(near) > 4 else "")
        yield Problem(
            "unknown_track", name, "",
            f"{origin}: the split {split} of {description.name} names the {what} {name!r}, and there is none; expected "
            f"one like {there or 'none at all'}: get the missing files, or correct the split",
            split,
        )  # fmt: skip


def leakage(drafts: Iterable[Draft], origin: str) -> Iterable[Problem]:
    """Groups that several splits share."""
    first: dict[str, Draft] = {}
    for draft in drafts:
        group, split = draft.origin.group, draft.origin.split
        if group is None or split is None or split == "omitted":
            continue
        other = first.setdefault(group, draft)
        if other.origin.split != split:
            yield Problem(
                "leakage", draft.name, "",
                f"{origin}: {draft.name} ({split}) and {other.name} ({other.origin.split}) both belong to {group!r}; "
                "expected one split for all that belong together: move one of them",
            )  # fmt: skip
