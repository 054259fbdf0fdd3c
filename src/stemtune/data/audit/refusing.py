"""Refusing data that cannot be learnt from, before a night is spent on them.

Everything is decoded once, without fingerprints (several hundred times faster than real time); what the audit calls an
error in a track is an error here:

    refuse  <=>  unreadable to the end | not finite | rates or lengths that differ | a silent mixture
                 | stems that are the same | a mixture that has little to do with its stems.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stemtune.data.audit.examined import Examined
from stemtune.data.audit.judge_dataset import judge_dataset
from stemtune.data.audit.judge_files import judge_files
from stemtune.data.audit.judge_sums import judge_sums
from stemtune.data.audit.kinds import KINDS
from stemtune.data.audit.listen import listen
from stemtune.data.audit.report import Finding, Severity
from stemtune.data.audit.sources import Item, Source
from stemtune.data.tracks import Track
from stemtune.errors import InputError

__all__ = ["refuse_broken", "songs_lacking_stems"]


def refuse_broken(tracks: Iterable[tuple[str, Track]], *, on_seconds: Callable[[float], None] | None = None) -> None:
    """Listen to all tracks to their ends.

    Args:
        tracks: each with the path of its data set.
        on_seconds: called with the seconds of sound that have just been heard.

    Raises:
        InputError: naming the first file that is broken, what is wrong, what to do, and how many others there are.
    """
    errors = [finding for dataset, track in tracks for finding in _errors(dataset, track, on_seconds)]
    if errors:
        first, others = errors[0], len(errors) - 1
        where = "/".join(word for word in (first.dataset, first.file or f"{first.track} ({first.stem})") if word)
        more = f" (and {others} more problems; `stemtune data check` lists them)" if others else ""
        advice = "" if first.kind == "unreadable" else f"; {_decapitalised(KINDS[first.kind].advice)}"
        raise InputError(f"{where}: {first.message}{advice}{more}")


def songs_lacking_stems(dataset: str, tracks: Sequence[Track]) -> tuple[str, ...]:
    """A line for each song that lacks a stem of the others, of which nothing says that it is silent there."""
    items = [_item(dataset, track) for track in tracks]
    return tuple(
        f"{dataset}/{finding.track}: {finding.message}; it counts as silent there: "
        f"{_decapitalised(KINDS[finding.kind].advice)}"
        for finding in judge_dataset(items, [])
    )


def _errors(dataset: str, track: Track, on_seconds: Callable[[float], None] | None) -> list[Finding]:
    item = _item(dataset, track)
    facts = listen(track, is_thorough=False, on_seconds=on_seconds)
    examined = Examined(item, {path: heard.info for path, heard in facts.files.items()}, facts.failures, facts)
    found = (*judge_files(examined), *judge_sums(examined))
    return [finding for finding in found if finding.severity is Severity.ERROR]


def _item(dataset: str, track: Track) -> Item:
    """Lengths were compared when the data set was opened, unless they may differ."""
    return Item(Source(Path(dataset)), track.origin.split or "", track, is_ragged=True)


def _decapitalised(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].rstrip(".")
