"""One track, examined: what each worker process does, and all that it sends back.

examined = listened to once, then the lags, the gains and the bleed where something does not fit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.audio import AudioInfo, open_audio
from stemtune.data.audit.bleed import Bleed, find_bleed
from stemtune.data.audit.listen import TrackFacts, listen
from stemtune.data.audit.sources import Item
from stemtune.data.audit.sums import SumFit, fit_sum
from stemtune.errors import InputError

__all__ = ["Examined", "examine", "examine_headers"]


@dataclass(frozen=True)
class Examined:
    """What is known about one track.

    Attributes:
        item: the track and its place.
        infos: of every readable file; after listening, with the number of samples that were decoded.
        failures: why the other files cannot be read.
        facts: what was heard; None if only the headers were read.
        fit: how the stems would add up to the mixture; None if they do, or nothing can be told.
        bleed: stems that are heard in other stems.
    """

    item: Item
    infos: dict[Path, AudioInfo]
    failures: dict[Path, str]
    facts: TrackFacts | None = None
    fit: SumFit | None = None
    bleed: tuple[Bleed, ...] = ()


def examine(item: Item, *, on_seconds: Callable[[float], None] | None = None) -> Examined:
    """Listen to a track."""
    facts = listen(item.track, on_seconds=on_seconds)
    infos = {path: heard.info for path, heard in facts.files.items()}
    try:
        fit, bleed = fit_sum(facts), find_bleed(facts)
    except InputError:  # the file was changed or removed since it was listened to
        fit, bleed = None, ()
    return Examined(item, infos, facts.failures, facts, fit, bleed)


def examine_headers(item: Item, *, on_seconds: Callable[[float], None] | None = None) -> Examined:
    """Read what the files of a track state about themselves."""
    infos: dict[Path, AudioInfo] = {}
    failures: dict[Path, str] = {}
    for path in item.paths:
        try:
            with open_audio(path) as reader:
                infos[path] = reader.info
        except InputError as error:
            failures[path] = str(error)
    if on_seconds:
        on_seconds(item.seconds)
    return Examined(item, infos, failures)
