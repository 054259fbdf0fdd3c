"""Other stems out of those that a data set has: ``accompaniment`` out of bass, drums and other.

    new stem = sum over its old stems,

for tracks of any layout. Stems that no new one takes are left out, and with them the mixture's file, since it holds
them. What nobody took apart stays together: of ``bass+other`` becomes ``accompaniment`` if both belong there, and
otherwise it keeps a name that says what it holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stemtune.data.datasets.drafts import Contents, Draft, compound
from stemtune.data.tracks import MIXTURE
from stemtune.errors import UsageError

__all__ = ["StemGroups", "regroup"]

StemGroups = Mapping[str, Sequence[str]]
"""New stem to old stems."""


def regroup(contents: Contents, groups: StemGroups, *, origin: str) -> Contents:
    """The tracks with the new stems; those that have none of them are left out.

    Raises:
        UsageError: if an old stem goes to two new ones, or no track has it.
    """
    new_of = _owners(groups)
    there = {stem for draft in contents.drafts for stem in (*_with_parts(draft.stems), *draft.silent)}
    if unknown := [stem for stem in new_of if stem not in there]:
        raise UsageError(
            f"{origin}: no track has a stem {unknown[0]!r}, of which {new_of[unknown[0]]!r} is to be made; the stems "
            f"are: {', '.join(sorted(there))}"
        )
    drafts = tuple(_regroup(draft, new_of, groups) for draft in contents.drafts)
    return Contents(tuple(draft for draft in drafts if draft.stems), contents.problems)


def _owners(groups: StemGroups) -> dict[str, str]:
    owners: dict[str, str] = {}
    for new, olds in groups.items():
        if new == MIXTURE or not new or isinstance(olds, str) or not olds:
            raise UsageError(f"cannot make a stem {new!r} of {olds!r}; expected a name and a list of stems")
        for old in olds:
            if owners.setdefault(old, new) != new:
                raise UsageError(f"the stem {old!r} goes to two stems, {owners[old]} and {new}; expected one")
    return owners


def _with_parts(stems: Iterable[str]) -> set[str]:
    return {part for stem in stems for part in (stem, *stem.split("+"))}


def _regroup(draft: Draft, new_of: Mapping[str, str], groups: StemGroups) -> Draft:
    stems: dict[str, tuple[Path, ...]] = {}
    partial: set[str] = set()
    is_all = True
    for old, paths in draft.stems.items():
        new = _new_name(old, new_of)
        if new is None:
            is_all = False
            continue
        stems[new] = (*stems.get(new, ()), *paths)
        partial |= {new} if old in draft.partial else set()
    order = {name: number for number, name in enumerate(groups)}
    return replace(
        draft,
        stems=dict(sorted(stems.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))),
        mixture=draft.mixture if is_all else None,
        silent=tuple(new for new, olds in groups.items() if new not in stems and set(olds) <= set(draft.silent)),
        partial=tuple(stem for stem in stems if stem in partial),
    )


def _new_name(old: str, new_of: Mapping[str, str]) -> str | None:
    """What an old stem becomes; None if it is left out."""
    if old in new_of:
        return new_of[old]
    parts = old.split("+")
    if not any(part in new_of for part in parts):
        return None
    return compound(new_of.get(part, part) for part in parts)
