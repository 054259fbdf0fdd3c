"""Files whose names say everything: the format ``files`` of a mapping.

    {split}/{track}/{stem}.wav        one file per stem
    {split}/{track}.stem.mp4          one file per track, its audio streams labelled by `streams`
    {stem}/{take}.flac                one file per recording

What the pattern finds in a name, the mapping's templates put together again: the name of a track is

    track = fill_in(template, match(pattern, file)).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from stemtune.data.audio_streams import stream_path
from stemtune.data.datasets.description import Description
from stemtune.data.datasets.patterns import Pattern, fill_in, find_audio
from stemtune.data.datasets.sorting import LabelledFile, Listing, Song
from stemtune.errors import ConfigError, InputError

__all__ = ["read_mapped_files"]


@dataclass(frozen=True)
class _Found:
    path: Path
    pattern: str
    fields: dict[str, str]


def read_mapped_files(description: Description, root: Path) -> Listing:
    """The songs whose files fit the patterns of a mapping.

    Raises:
        InputError: if no file fits any of them.
        ConfigError: if a file fits two of them.
    """
    songs: dict[str, Song] = {}
    for found in _find(description, root):
        name = fill_in(description.track, found.fields)
        if name in songs and description.role != "songs":
            raise InputError(
                f"{found.path}: a second file called {name!r}, beside {songs[name].files[0].path}; expected a name for "
                "each: put what tells them apart into the pattern and into the `track` of the mapping"
            )
        song = songs.get(name) or Song(
            name=name,
            files=(),
            split=found.fields.get("split"),
            split_key=name if description.split_by == "track" else found.fields.get(description.split_by, ""),
            group=None if description.group is None else fill_in(description.group, found.fields),
            expected=_expected(description, root, found.fields),
        )
        if song.split != found.fields.get("split"):
            raise InputError(
                f"{found.path}: the track {name!r} is already in the folder of the split {song.split}; expected each "
                "track in one split: rename it, or put {split} into the `track` of the mapping"
            )
        songs[name] = replace(song, files=(*song.files, *_labelled(description, found)))
    return Listing(tuple(songs.values()))


def _find(description: Description, root: Path) -> Iterator[_Found]:
    patterns = [(Pattern(item.pattern), item.stem) for item in description.files]
    depths = [pattern.depth for pattern, _ in patterns]
    depth = None if None in depths else max(depth for depth in depths if depth is not None)
    is_any = False
    for relative, path in find_audio(root, depth=depth):
        fits = [(p, stem, values) for p, stem in patterns if (values := p.match(relative)) is not None]
        if len(fits) > 1:
            raise ConfigError(
                f"{path}: fits two patterns of the mapping of {description.name}, {fits[0][0].text} and "
                f"{fits[1][0].text}; expected one, or it would go to two stems: make them exclude each other"
            )
        for pattern, stem, values in fits:
            is_any = True
            yield _Found(path, pattern.text, values if stem is None else {**values, "stem": stem})
    if not is_any:
        raise InputError(
            f"{root}: no audio file fits the mapping of {description.name}; expected files like "
            f"{' or '.join(pattern.text for pattern, _ in patterns)} in it: check the folder, or correct the pattern"
        )


def _labelled(description: Description, found: _Found) -> tuple[LabelledFile, ...]:
    if description.streams:
        return tuple(
            LabelledFile(stream_path(found.path, number), (label,)) for number, label in enumerate(description.streams)
        )
    return (LabelledFile(found.path, (found.fields.get("stem", ""),)),)


def _expected(description: Description, root: Path, fields: dict[str, str]) -> dict[str, str]:
    """For each label that is a plain word, the file that the first pattern expects."""
    pattern = next((item for item in description.files if item.stem is None), None)
    if pattern is None or description.streams:
        return {}
    labels = [label for labels in description.stems.values() for label in labels if not set(label) & set("*?[")]
    return {label: str(root / fill_in(pattern.pattern, {**fields, "stem": label})) for label in labels}
