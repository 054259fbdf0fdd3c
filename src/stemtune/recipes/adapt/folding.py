"""Holding out: which pieces are learnt from, and which tell how well, in k folds.

    every piece is held out in exactly one fold;  pieces of one group, in the same one.

Songs are held out whole. Where there are fewer than two groups of them (one song, or takes that share sound), they are
cut in time, and a guard is dropped between neighbours, so that what a model heard does not ring on in what it is asked:

    song = piece | guard | piece | guard | ... | piece.

Pieces of one song are more alike than songs are, so scores on them promise too much for others; the report says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Fold", "assign", "cut_in_time", "join_groups"]

GUARD_SECONDS = 1.0
_SHORTEST_SECONDS = 3.0


@dataclass(frozen=True)
class Fold:
    """What is held out and what is learnt from, by the names of pieces."""

    held_out: tuple[str, ...]
    heard: tuple[str, ...]


def join_groups(names: Sequence[str], groups: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The names, each with all that it may not be divided from, directly or through others."""
    root = {name: name for name in names}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for group in groups:
        members = [name for name in group if name in root]
        for other in members[1:]:
            root[find(other)] = find(members[0])
    joined: dict[str, list[str]] = {}
    for name in names:
        joined.setdefault(find(name), []).append(name)
    return tuple(tuple(members) for members in joined.values())


def assign(groups: Sequence[Sequence[str]], seconds: Mapping[str, float], *, num_folds: int) -> tuple[Fold, ...]:
    """Deal groups to folds, the longest first, each to the fold that holds least so far.

    Args:
        groups: of names; at least as many as folds.
        seconds: how long each name's piece is.
        num_folds: at least two.
    """
    dealt: list[list[str]] = [[] for _ in range(num_folds)]
    lengths = [0.0] * num_folds
    for group in sorted(groups, key=lambda names: (-sum(seconds[name] for name in names), names[0])):
        place = lengths.index(min(lengths))
        dealt[place] += group
        lengths[place] += sum(seconds[name] for name in group)
    names = [name for group in groups for name in group]
    return tuple(
        Fold(tuple(name for name in names if name in own), tuple(name for name in names if name not in own))
        for own in map(set, dealt)
    )


def cut_in_time(duration_seconds: float, *, num_pieces: int) -> tuple[tuple[float, float], ...]:
    """Begin and end of pieces with guards between them; fewer pieces if they would be very short."""
    while num_pieces > 1 and (duration_seconds - (num_pieces - 1) * GUARD_SECONDS) / num_pieces < _SHORTEST_SECONDS:
        num_pieces -= 1
    length = (duration_seconds - (num_pieces - 1) * GUARD_SECONDS) / num_pieces
    return tuple(
        (number * (length + GUARD_SECONDS), number * (length + GUARD_SECONDS) + length) for number in range(num_pieces)
    )
