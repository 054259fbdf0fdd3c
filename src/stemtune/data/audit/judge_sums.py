"""What is wrong with the stems of one track together: shifted, at another level, not adding up, copies, bleed.

The thresholds on what the stems leave of the mixture come from practice: rounding to 16 bits leaves about -80 dB,
lossy coding -20 to -40 dB, a mastered mixture -10 to -20 dB; above -6 dB the files hardly belong together:

    error > -6 dB,   warning > -15 dB,   note > -30 dB.
"""

import math
from collections.abc import Iterator

from stemtune.data.audit.examined import Examined
from stemtune.data.audit.judge_files import make_finding
from stemtune.data.audit.report import Finding, Severity

__all__ = ["judge_sums"]

_NULL_ERROR_DB, _NULL_WARNING_DB, _NULL_NOTE_DB = -6.0, -15.0, -30.0
_EXPLAINED_DB = -25.0
_SMALL_LAG_SAMPLES, _LAG_WARNING_SAMPLES = 0.1, 1.5
_GAIN_DB = 0.5
_BLEED_WARNING_DB = -15.0


def judge_sums(examined: Examined) -> Iterator[Finding]:
    """All findings about the stems of a track beside each other."""
    facts, item = examined.facts, examined.item
    if facts is None:
        return
    for first, second in facts.identical:
        message = f"{first} and {second} are the same sound"
        yield make_finding(item, Severity.ERROR, "identical_stems", message, stem=second)
    changes = list(_judge_fit(examined))
    yield from changes
    depth = examined.fit.null_depth_db if examined.fit and changes else facts.null_depth_db
    if depth is not None and depth > _NULL_NOTE_DB and not _is_explained(examined, bool(changes)):
        severity = Severity.NOTE
        if depth > _NULL_WARNING_DB:
            severity = Severity.ERROR if depth > _NULL_ERROR_DB else Severity.WARNING
        after = " after the changes above" if changes else ""
        message = f"the mixture without its stems is {depth:.1f} dB{after}, where silence was expected"
        yield make_finding(item, severity, "null_depth", message, path=item.track.mixture)
    for bleed in examined.bleed:
        if bleed.into in item.track.partial:
            continue  # the data set says so itself
        severity = Severity.WARNING if bleed.level_db > _BLEED_WARNING_DB else Severity.NOTE
        message = f"{bleed.source} is heard in {bleed.into} at {bleed.level_db:.0f} dB"
        yield make_finding(item, severity, "bleed", message, stem=bleed.into)


def _is_explained(examined: Examined, has_changes: bool) -> bool:
    """Whether the lags and gains that were found are the whole story."""
    return has_changes and examined.fit is not None and examined.fit.null_depth_db < _EXPLAINED_DB


def _judge_fit(examined: Examined) -> Iterator[Finding]:
    """Lags, and gains where these explain what the stems leave of the mixture."""
    fit, facts, item = examined.fit, examined.facts, examined.item
    if fit is None or facts is None or facts.null_depth_db is None:
        return
    for stem, lag in fit.lags.items():
        if abs(lag) < _SMALL_LAG_SAMPLES or facts.null_depth_db < fit.null_depth_db:
            continue
        path = item.track.stems[stem][0]
        rate = facts.files[path].sample_rate
        amount = f"{abs(lag):.0f}" if abs(lag - round(lag)) < _SMALL_LAG_SAMPLES else f"{abs(lag):.1f}"
        plural = "" if amount == "1" else "s"
        time = f"{abs(lag) / rate:.3f} s" if abs(lag) > rate else f"{1000 * abs(lag) / rate:.2f} ms"
        message = f"{amount} sample{plural} ({time}) too {'late' if lag > 0 else 'early'}"
        severity = Severity.ERROR if abs(lag) > _LAG_WARNING_SAMPLES else Severity.WARNING
        yield make_finding(item, severity, "lag", message, path=path)
    if fit.null_depth_db > _EXPLAINED_DB:
        return
    for stem, gain in fit.gains.items():
        if stem not in fit.lags:
            continue
        path = item.track.stems[stem][0]
        if gain < 0:
            yield make_finding(item, Severity.ERROR, "polarity", "has the opposite sign in the mixture", path=path)
        gain_db = 20 * math.log10(max(abs(gain), 1e-6))
        if abs(gain_db) > _GAIN_DB:
            message = f"{abs(gain_db):.1f} dB {'softer' if gain_db > 0 else 'louder'} than in the mixture"
            yield make_finding(item, Severity.WARNING, "gain", message, path=path)
