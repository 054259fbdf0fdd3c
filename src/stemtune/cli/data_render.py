"""``stemtune data render``: scores in, a corpus of songs with their stems out."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from stemtune.data.rendering.choosing import Amount
    from stemtune.data.rendering.records import CorpusRecord
    from stemtune.data.rendering.requests import RenderRequest

__all__ = ["RENDER_EXAMPLES", "render"]

RENDER_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune data render bands my_midi/ -o corpora/bands` — any folder of General MIDI files: drums, bass, other\n\n"
    "`stemtune data render chorales --data ../shared/data -o corpora/chorales --songs 120` — violin, clarinet, "
    "saxophone, bassoon\n\n"
    "`stemtune data render choir --data ../shared/data -o corpora/choir --stems male-female` — two groups of voices\n\n"
    "`stemtune data render drums --data ../shared/data -o corpora/drums --hours 1` — kick, snare, cymbals, toms\n\n"
    "`stemtune data render pop --data ../shared/data -o corpora/pop --hours 4 -j 2` — vocals, drums, bass, other; "
    "run it again to go on where it stopped"
)
_SHOWN = 5


def render(
    kind: Annotated[
        Literal["chorales", "choir", "drums", "bands", "pop"],
        typer.Argument(metavar="KIND", help="What is made: chorales, choir, drums, bands or pop."),
    ],
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SOURCE", help="Scores: folders or archives of MIDI files.", show_default=False),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The corpus: a new folder, or one to go on with.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="A folder with manifest.csv, midi/, drum_oneshots/, instruments/.")
    ] = None,
    songs: Annotated[int | None, typer.Option("--songs", min=1, help="How many songs; 100 if not given.")] = None,
    hours: Annotated[float | None, typer.Option("--hours", help="How much instead, in hours of songs.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn.")] = 0,
    workers: Annotated[int, typer.Option("--workers", "-j", min=0, help="Processes at once; 0: one per core.")] = 0,
    splits: Annotated[str, typer.Option("--splits", help="Shares of train/valid/test.")] = "80/5/15",
    soundfont: Annotated[
        list[str] | None, typer.Option("--soundfont", help="For train and valid; several: one is drawn per song.")
    ] = None,
    test_soundfont: Annotated[
        list[str] | None, typer.Option("--test-soundfont", help="For test: another timbre.")
    ] = None,
    kits: Annotated[
        list[str] | None, typer.Option("--kits", help="Drums: a folder of one-shots, or a soundfont of drums.")
    ] = None,
    test_kits: Annotated[list[str] | None, typer.Option("--test-kits", help="The same for test.")] = None,
    voices: Annotated[
        list[Path] | None, typer.Option("--voices", help="A folder of sung notes with their pitch in the name.")
    ] = None,
    test_voices: Annotated[list[Path] | None, typer.Option("--test-voices", help="The same for test.")] = None,
    drums: Annotated[Path | None, typer.Option("--drums", help="Drum performances for pop songs.")] = None,
    stems: Annotated[
        str | None,
        typer.Option("--stems", metavar="MAPPING", help="Which parts form which stem: a JSON file, or a name."),
    ] = None,
    instruments: Annotated[
        str | None, typer.Option("--instruments", help="Of chorales: four names, from soprano to bass.")
    ] = None,
    singer: Annotated[
        Literal["any", "vowels", "words", "choir"], typer.Option("--singer", help="Who sings pop songs.")
    ] = "any",
    style: Annotated[
        Literal["any", "band", "electronic"], typer.Option("--style", help="Of bands and pop songs.")
    ] = "any",
    seconds: Annotated[float | None, typer.Option("--seconds", help="Longest excerpt of a song.")] = None,
    mono: Annotated[bool, typer.Option("--mono", help="One channel instead of two.")] = False,
    int24: Annotated[bool, typer.Option("--int24", help="24 bits for each sample instead of 16.")] = False,
    mixture: Annotated[bool, typer.Option("--mixture", help="Write mixture.flac, too: the exact sum.")] = False,
    licence: Annotated[
        str | None, typer.Option("--licence", help="Of your scores (SPDX); without it: research only.")
    ] = None,
) -> None:
    """Make a corpus of multitrack songs out of scores, by FluidSynth, samples and voices by rule.

    OUT/{train,valid,test}/SONG/STEM.flac, and what it is made of in OUT/corpus.json. Test songs use soundfonts and kits
    that no training song uses. Everything follows from the seed, whatever the number of workers.
    """
    from stemtune.config import parse
    from stemtune.data.rendering.choosing import Amount
    from stemtune.data.rendering.requests import RenderRequest

    settings: dict[str, object] = {
        "kind": kind, "sources": tuple(sources or ()), "data": data, "seed": seed, "splits": _shares(splits),
        "kits": tuple(kits or ()), "test_kits": tuple(test_kits or ()), "voices": tuple(voices or ()),
        "test_voices": tuple(test_voices or ()), "drum_scores": drums, "mapping": stems,
        "instruments": tuple(name.strip() for name in instruments.split(",")) if instruments else (),
        "singer": None if singer == "any" else singer, "style": style, "max_seconds": seconds, "mono": mono,
        "int24": int24, "mixture": mixture, "licence": licence,
    }  # fmt: skip
    settings |= {"soundfonts": tuple(soundfont)} if soundfont else {}
    settings |= {"test_soundfonts": tuple(test_soundfont)} if test_soundfont else {}
    request = parse(RenderRequest, settings)
    amount = parse(Amount, {"songs": songs if songs or hours else 100, "hours": hours})
    _print_summary(_render(request, out, amount, workers or os.cpu_count() or 1), out)


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in text.replace(",", "/").split("/"))
    except ValueError:
        shares = ()
    if len(shares) != 3:
        raise UsageError(f"--splits {text!r}: expected the shares of train/valid/test, such as 80/5/15")
    return shares


def _render(request: "RenderRequest", out: Path, amount: "Amount", num_workers: int) -> "CorpusRecord":
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from stemtune.data.rendering.plans import SongPlan
    from stemtune.data.rendering.requests import render as render_request

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def on_plan(name: str) -> None:
            progress.update(task, description=f"reading {escape(name)}")

        def on_song(plan: SongPlan, done: int, total: int) -> None:
            progress.update(task, description=escape(plan.name), completed=done, total=total)

        return render_request(request, out, amount=amount, num_workers=num_workers, on_plan=on_plan, on_song=on_song)


def _print_summary(record: "CorpusRecord", out: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    stems = sorted({stem for song in record.songs for stem in song.stems})
    table = Table("split", title=f"{escape(str(out))}: {escape(', '.join(stems))}", title_justify="left")
    for heading in ("songs", "minutes", "released weights may hear it"):
        table.add_column(heading, justify="right")
    for name, split in record.splits.items():
        allowed = "yes" if split.licence.may_train_released_weights else "no"
        table.add_row(name, str(split.songs), f"{split.seconds / 60:.1f}", allowed)
    console.print(table)
    console.print(f"licences: {'; '.join(record.licence.licences)}", highlight=False, markup=False)
    if record.licence.attribution:
        console.print(f"to be named: {'; '.join(record.licence.attribution)}", highlight=False, markup=False)
    for skipped in record.skipped[:_SHOWN]:
        console.print(f"skipped: {skipped.name}: {skipped.reason}", highlight=False, markup=False, soft_wrap=True)
    if len(record.skipped) > _SHOWN:
        console.print(f"... and {len(record.skipped) - _SHOWN} more, all in corpus.json", markup=False)
