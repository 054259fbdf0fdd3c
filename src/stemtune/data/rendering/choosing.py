"""Which songs a corpus holds: a split for every candidate, an order within it, and as many as were asked for.

A collection that names its own splits keeps them. The songs of others are put in a random order that depends on the
seed only, and cut by the shares. Asking for more songs later adds some and changes none:

    songs(split, n) is a prefix of songs(split, n + 1).
"""

from collections.abc import Callable, Mapping, Sequence

from pydantic import Field, model_validator

from stemtune.config import Frozen
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.plans import SPLITS, Candidate, Producer, RenderConfig, SongPlan, Split
from stemtune.data.rendering.records import Skipped, SongRecord
from stemtune.errors import InputError

__all__ = ["Amount", "choose_songs", "ordered_candidates"]


class Amount(Frozen):
    """How much is wanted: a number of songs, or hours, or everything."""

    songs: int | None = Field(default=None, ge=1)
    hours: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> "Amount":
        if self.songs is not None and self.hours is not None:
            raise ValueError("give a number of songs or of hours, not both")
        return self


def choose_songs(
    producer: Producer,
    config: RenderConfig,
    amount: Amount,
    *,
    finished: Mapping[str, SongRecord],
    on_plan: Callable[[str], None] = lambda _: None,
) -> tuple[list[SongPlan], list[Skipped]]:
    """The plans of a corpus, and the scores that could not be used on the way.

    Args:
        producer: knows the candidates and their lengths.
        config: seed and shares.
        amount: of all splits together.
        finished: songs by name whose length need not be found out again.
        on_plan: hears of every score that is looked at.

    Raises:
        InputError: if nothing usable is there.
    """
    plans: list[SongPlan] = []
    skipped: list[Skipped] = []
    for split, candidates in ordered_candidates(producer.candidates(), config).items():
        share = config.shares[SPLITS.index(split)] / sum(config.shares)
        most_songs = _songs_of(split, amount.songs, config) if amount.songs else len(candidates)
        most_seconds = amount.hours * 3600 * share if amount.hours else float("inf")
        chosen: list[SongPlan] = []
        for candidate in candidates if share > 0 else ():
            if len(chosen) >= most_songs or sum(plan.seconds for plan in chosen) >= most_seconds:
                break
            on_plan(candidate.name)
            record = finished.get(candidate.name)
            if record is not None and record.split == split:
                chosen.append(
                    SongPlan(
                        name=record.name, split=split, source=candidate.source, locator=candidate.locator,
                        seconds=record.seconds,
                    )
                )  # fmt: skip
                continue
            try:
                chosen.append(producer.plan(candidate, split))
            except InputError as error:
                skipped.append(Skipped(name=candidate.name, reason=str(error)))
        plans += chosen
    if not plans:
        why = f": {skipped[0].reason}" if skipped else "; give more songs or other shares of the splits"
        raise InputError(f"{config.sources[0].path}: no song of it can be rendered{why}")
    return plans, skipped


def _songs_of(split: Split, total: int, config: RenderConfig) -> int:
    """How many of so many songs belong to a split; over all splits they add up to the total."""
    ends = [round(total * sum(config.shares[: i + 1]) / sum(config.shares)) for i in range(len(SPLITS))]
    number = SPLITS.index(split)
    return ends[number] - (ends[number - 1] if number else 0)


def ordered_candidates(candidates: Sequence[Candidate], config: RenderConfig) -> dict[Split, list[Candidate]]:
    """Every candidate in its split, in the order in which they are taken."""
    order = generator_of(config.seed, "order").permutation(len(candidates))
    shuffled = [candidates[int(index)] for index in order]
    named = any(candidate.split is not None for candidate in candidates)
    if named:
        return {split: [c for c in shuffled if (c.split or "train") == split] for split in SPLITS}
    total = sum(config.shares)
    ends = [round(len(shuffled) * sum(config.shares[: i + 1]) / total) for i in range(len(SPLITS))]
    starts = [0, *ends[:-1]]
    return {split: shuffled[a:b] for split, a, b in zip(SPLITS, starts, ends, strict=True)}
