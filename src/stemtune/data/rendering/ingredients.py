"""What a song is made of, and what that allows: scores, soundfonts, samples and voices with their licences.

Weights that are published may have heard a corpus only if they may have heard all of it:

    may_train_released_weights(corpus) = and over songs, and over their ingredients.

Licences are read where they are stated: in the ``manifest.csv`` above a folder of samples, or in ``collections.json``
beside this file for the collections that the project knows. What is stated nowhere is "unknown", and allows research
only.
"""

import csv
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from stemtune.config import Frozen
from stemtune.data.rendering.soundfonts import known_soundfont
from stemtune.errors import InputError

__all__ = ["Ingredient", "Role", "digest_of", "of_samples", "of_scores", "of_soundfont", "releasable", "synthesised"]

Role = Literal["score", "soundfont", "samples", "voice", "synthesis"]

_LEVELS_UP = 3
_BLOCK_BYTES = 1 << 20


class Ingredient(Frozen):
    """Something that songs are made of."""

    name: str = Field(default=..., description="what it is called, such as FluidR3_GM.sf2")
    role: Role = Field(default=..., description="what it contributes")
    licence: str = Field(default="unknown", description="SPDX identifier, or several joined by AND")
    may_train_released_weights: bool = Field(default=False, description="whether published weights may hear it")
    origin: str = Field(default="", description="where it comes from")
    attribution: str = Field(default="", description="whom to name")

    def __hash__(self) -> int:
        return hash((self.name, self.role, self.licence, self.origin))


class KnownCollection(Frozen):
    """A collection of scores or samples that the project knows."""

    name: str = Field(default=..., description="of its folder or archive, without the endings")
    licence: str = Field(default=..., description="SPDX identifier")
    origin: str = Field(default="", description="where it comes from")
    attribution: str = Field(default="", description="whom to name")


def of_soundfont(path: Path) -> Ingredient:
    """A soundfont as an ingredient."""
    known = known_soundfont(path)
    return Ingredient(
        name=path.name,
        role="soundfont",
        licence=known.licence,
        may_train_released_weights=known.may_train_released_weights,
        origin=f"Debian package {known.package}" if known.package else "",
    )


def of_scores(path: Path, *, licence: str | None = None) -> Ingredient:
    """A collection of scores as an ingredient; ``licence`` is the user's word, which counts."""
    name = path.name.split(".")[0]
    known = _known_collections().get(name)
    if licence is not None:
        return Ingredient(name=name, role="score", licence=licence, may_train_released_weights=True)
    if known is None:
        return Ingredient(name=name, role="score")
    return Ingredient(
        name=name,
        role="score",
        licence=known.licence,
        may_train_released_weights=True,
        origin=known.origin,
        attribution=known.attribution,
    )


def of_samples(folder: Path, *, role: Role = "samples") -> Ingredient:
    """A folder of recordings as an ingredient, with what the ``manifest.csv`` above it says of all of them."""
    rows = _manifest_rows(folder.resolve())
    licences = sorted({row["licence"] for row in rows})
    known = _known_collections().get(folder.name)
    return Ingredient(
        name=folder.name,
        role=role,
        licence=" AND ".join(licences) or "unknown",
        may_train_released_weights=bool(rows) and all(row["may_train_released_weights"] == "yes" for row in rows),
        origin=known.origin if known else "",
        attribution=known.attribution if known else "",
    )


def synthesised(name: str) -> Ingredient:
    """Sound that this code makes by itself."""
    return Ingredient(name=name, role="synthesis", licence="CC0-1.0", may_train_released_weights=True)


def releasable(ingredients: Iterable[Ingredient]) -> bool:
    """Whether weights that heard all of these may be published."""
    return all(ingredient.may_train_released_weights for ingredient in ingredients)


def digest_of(path: Path) -> str:
    """Sixteen hexadecimal digits for the contents of a file, or of the files of a folder with their names."""
    digest = hashlib.sha256()
    files = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode())
        try:
            with file.open("rb") as opened:
                while block := opened.read(_BLOCK_BYTES):
                    digest.update(block)
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()[:16]


@cache
def _known_collections() -> dict[str, KnownCollection]:
    path = Path(__file__).with_name("collections.json")
    return {row.name: row for row in TypeAdapter(list[KnownCollection]).validate_json(path.read_bytes())}


def _manifest_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the nearest ``manifest.csv`` for files within a folder; none where nothing is stated."""
    for root in (folder, *folder.parents[:_LEVELS_UP]):
        manifest = root / "manifest.csv"
        if not manifest.is_file():
            continue
        prefix = "" if root == folder else folder.relative_to(root).as_posix() + "/"
        with manifest.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            wanted = {"path", "licence", "may_train_released_weights"}
            if not wanted <= set(reader.fieldnames or ()):
                names = ", ".join(sorted(wanted))
                raise InputError(f"{manifest}: expected the columns {names}; got {reader.fieldnames}")
            return [row for row in reader if row["path"].startswith(prefix)]
    return []
