"""``stemtune codes``: stems as the codes of an Unmix model, in a tenth of the space, and back."""

from pathlib import Path
from typing import Annotated

import typer

from stemtune.errors import OutputError

__all__ = ["app"]

app = typer.Typer(
    help="Write stems down as codes, and play them.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Option("--name", "-n", help="An Unmix model or a stem's auto-encoder.")]


@app.command(epilog="**Examples**\n\n`stemtune codes encode song.mp3 -n unmix` — song.codes beside the song's name")
def encode(
    track: Annotated[Path, typer.Argument(metavar="TRACK", help="An audio file.", show_default=False)],
    *,
    name: Name,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file of codes.", show_default="TRACK.codes here")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Find the stems' codes in a song, and keep them."""
    from stemtune.data.codes import write_codes
    from stemtune.data.sound import Sound
    from stemtune.hub import load
    from stemtune.separation.codes import encode_stems

    path = out or Path(f"{track.stem}.codes")
    _refuse_existing(path, overwrite)
    sound = Sound.load(track)
    codes = encode_stems(load(name), sound)
    size = write_codes(path, codes)
    plain = 2 * sound.num_samples * sound.num_channels * len(codes.info.stems)
    print(f"{path}: {', '.join(codes.info.stems)}; {size:,} bytes, 16-bit samples would take {plain:,}")


@app.command(epilog="**Examples**\n\n`stemtune codes decode song.codes -n unmix -o stems/` — stems/STEM.wav")
def decode(
    codes: Annotated[Path, typer.Argument(metavar="CODES", help="What encode wrote.", show_default=False)],
    *,
    name: Name,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for the stems.")] = Path("decoded"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Play codes into one WAV file (32-bit floats) for each stem."""
    from stemtune.data.codes import read_codes
    from stemtune.data.encoding import Encoding
    from stemtune.hub import load
    from stemtune.separation.codes import decode_stems

    kept = read_codes(codes)
    paths = {stem: out / f"{stem}.wav" for stem in kept.info.stems}
    for path in paths.values():
        _refuse_existing(path, overwrite)
    for stem, sound in decode_stems(load(name), kept).items():
        print(sound.save(paths[stem], encoding=Encoding("wav", "float32")))


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; give --overwrite to replace it, or another --out")
