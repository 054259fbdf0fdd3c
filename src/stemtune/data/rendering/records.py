"""What is remembered of a corpus: its settings, its songs, its licences, in ``corpus.json`` at its root.

Every song's folder holds a record of its own, ``song.json``, which appears with its audio or not at all. The corpus's
record is their sum, so it can be made again at any time, and a crash loses nothing:

    corpus.json = settings + union over songs of song.json + verdict on what may be done with weights that hear it.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from stemtune.config import Frozen, fingerprint
from stemtune.data.datasets.recognising import CORPUS_FILE
from stemtune.data.files import write_text_atomically
from stemtune.data.rendering.ingredients import Ingredient, releasable
from stemtune.data.rendering.plans import SPLITS, RenderConfig, Split
from stemtune.errors import OutputError

__all__ = [
    "CORPUS_FILE",
    "RENDERER",
    "SONG_FILE",
    "CorpusRecord",
    "LicenceRecord",
    "Skipped",
    "SongRecord",
    "StemRecord",
    "claim_folder",
    "corpus_record",
    "identity_of",
    "read_corpus",
    "read_song",
    "write_corpus",
]

SONG_FILE = "song.json"
RENDERER = 2
"""Raised whenever the same settings begin to sound otherwise."""

_FORMAT = 1


class StemRecord(Frozen):
    """One stem of a song."""

    file: str = Field(default=..., description="name within the song's folder")
    bytes: int = Field(default=..., ge=0, description="its size, by which damage is noticed")
    level_db: float = Field(default=..., description="root mean square over the whole song")
    active_level_db: float = Field(default=..., description="the same where it sounds")
    active_seconds: float = Field(default=..., ge=0, description="how long it sounds")
    peak: float = Field(default=..., ge=0)


class SongRecord(Frozen):
    """One song."""

    name: str
    split: Split
    seconds: float
    source: str = Field(default=..., description="its score: collection and place in it")
    stems: dict[str, StemRecord]
    silent: tuple[str, ...] = Field(default=(), description="stems that have nothing to play, and so no file")
    mixture: StemRecord | None = None
    ingredients: tuple[Ingredient, ...]
    details: dict[str, str | float | int] = Field(default_factory=dict[str, str | float | int])


class Skipped(Frozen):
    """A score that could not be used, and why."""

    name: str
    reason: str


class LicenceRecord(Frozen):
    """What may be done with a part of a corpus."""

    may_train_released_weights: bool
    licences: tuple[str, ...]
    attribution: tuple[str, ...]


class SplitRecord(Frozen):
    """How much a split holds."""

    songs: int
    seconds: float
    licence: LicenceRecord


class CorpusRecord(Frozen):
    """A corpus."""

    format: int = _FORMAT
    kind: str
    seed: int
    identity: str = Field(default=..., description="of everything that its sound depends on")
    renderer: int = RENDERER
    complete: bool = Field(default=False, description="whether everything that was asked for is there")
    versions: dict[str, str] = Field(default_factory=dict[str, str], description="of the programs that made it")
    settings: dict[str, object]
    licence: LicenceRecord
    splits: dict[str, SplitRecord] = Field(default_factory=dict[str, SplitRecord])
    songs: tuple[SongRecord, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def identity_of(config: RenderConfig) -> str:
    """Sixteen digits that two corpora share exactly if the same song sounds the same in both."""
    return f"{RENDERER}-{fingerprint(config)}"


def corpus_record(
    config: RenderConfig,
    songs: Sequence[SongRecord],
    skipped: Sequence[Skipped],
    *,
    versions: dict[str, str],
    complete: bool,
) -> CorpusRecord:
    """The record of a corpus that holds these songs."""
    ordered = sorted(songs, key=lambda song: (SPLITS.index(song.split), song.name))
    splits = {
        split: SplitRecord(
            songs=sum(song.split == split for song in ordered),
            seconds=round(sum(song.seconds for song in ordered if song.split == split), 3),
            licence=_licence([song for song in ordered if song.split == split]),
        )
        for split in SPLITS
        if any(song.split == split for song in ordered)
    }
    return CorpusRecord(
        kind=config.kind,
        seed=config.seed,
        identity=identity_of(config),
        complete=complete,
        versions=versions,
        settings=config.model_dump(mode="json"),
        licence=_licence([song for song in ordered if song.split != "test"]),
        splits=splits,
        songs=tuple(ordered),
        skipped=tuple(sorted(skipped, key=lambda skip: skip.name)),
    )


def claim_folder(out: Path, config: RenderConfig) -> CorpusRecord | None:
    """Make sure that a folder is empty or holds this very corpus.

    Returns:
        the earlier record of it, if there is one.

    Raises:
        OutputError: if something else is there, or it cannot be made.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file, where a folder for the corpus is to be; choose another name")
    earlier = read_corpus(out)
    if earlier is None:
        strangers = sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) if out.is_dir() else []
        if strangers:
            raise OutputError(
                f"{out}: holds other files ({', '.join(strangers[:3])}) and no {CORPUS_FILE}; choose a new folder"
            )
        return None
    if earlier.identity != identity_of(config):
        differing = _differences(earlier, config)
        raise OutputError(
            f"{out}: holds another corpus ({differing}); choose another folder, or delete it to render it anew"
        )
    return earlier


def read_corpus(out: Path) -> CorpusRecord | None:
    """The record of the corpus in a folder; None if there is none.

    Raises:
        OutputError: if there is a file of that name which is no such record.
    """
    path = out / CORPUS_FILE
    if not path.is_file():
        return None
    try:
        return CorpusRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise OutputError(f"{path}: expected the record of a corpus; it is not ({reason}); move it away") from None


def write_corpus(out: Path, record: CorpusRecord) -> None:
    """Store the record, whole or not at all."""
    write_text_atomically(out / CORPUS_FILE, record.model_dump_json(indent=1) + "\n")


def read_song(folder: Path) -> SongRecord | None:
    """The record of a finished song; None if the folder is not one, or a file of it is missing or cut short."""
    try:
        record = SongRecord.model_validate_json((folder / SONG_FILE).read_bytes())
        stems = [*record.stems.values(), *([record.mixture] if record.mixture else [])]
        intact = all((folder / stem.file).stat().st_size == stem.bytes for stem in stems)
    except (OSError, ValidationError):
        return None
    return record if intact and record.name == folder.name else None


def _licence(songs: Sequence[SongRecord]) -> LicenceRecord:
    ingredients = {ingredient for song in songs for ingredient in song.ingredients}
    return LicenceRecord(
        may_train_released_weights=bool(songs) and releasable(ingredients),
        licences=tuple(sorted({ingredient.licence for ingredient in ingredients})),
        attribution=tuple(sorted({ingredient.attribution for ingredient in ingredients if ingredient.attribution})),
    )


def _differences(earlier: CorpusRecord, config: RenderConfig) -> str:
    """In which settings two corpora differ, in words."""
    if earlier.renderer != RENDERER:
        return f"made by renderer {earlier.renderer}, this is {RENDERER}"
    before = earlier.settings
    now: dict[str, object] = config.model_dump(mode="json")
    changed = [key for key in now if before.get(key) != now[key]]
    shown = [
        f"{key} {before.get(key)!r} instead of {now[key]!r}" if isinstance(now[key], int | str | float) else key
        for key in changed
    ]
    return ", ".join(shown) or "other settings"
