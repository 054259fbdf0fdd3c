"""Claim: separating an hour takes no more memory than separating three minutes.

Separates files of noise in fresh processes and prints the peak memory of each:

    python benchmarks/peak_memory.py                    # a separator that does next to nothing: our own memory
    python benchmarks/peak_memory.py --model default    # with a real network
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

MINUTES = (3, 60)
SAMPLE_RATE = 44100


@dataclass(frozen=True)
class Measurement:
    """One run in its own process: peak resident memory, wall-clock and audio seconds."""

    minutes: float
    peak_bytes: int
    seconds: float

    @property
    def real_time_factor(self) -> float:
        return self.seconds / (60 * self.minutes)


def measure(minutes: float, *, model: str | None = None, flags: tuple[str, ...] = ()) -> Measurement:
    """Separate ``minutes`` of stereo noise at 44.1 kHz from file to files, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        write_noise(song, minutes=minutes)
        command = [sys.executable, __file__, "--inside", str(song), "--minutes", str(minutes), *flags]
        if model is not None:
            command += ["--model", model]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Measurement(**json.loads(done.stdout))


def write_noise(path: Path, *, minutes: float, sample_rate: int = SAMPLE_RATE) -> None:
    """A stereo file of noise whose level changes, written block by block."""
    import numpy as np
    import soundfile

    generator = np.random.default_rng(0)
    block = (3000 * generator.standard_normal((10 * sample_rate, 2))).clip(-32768, 32767).astype(np.int16)
    left = round(60 * minutes * sample_rate)
    with soundfile.SoundFile(path, "w", sample_rate, 2, subtype="PCM_16") as file:
        while left > 0:
            file.write(block[:left])
            left -= len(block)


def separate_and_report(song: Path, *, minutes: float, model: str | None, float32: bool, threads: int | None) -> None:
    """Inside the fresh process: separate, and print a `Measurement` as JSON."""
    from stemtune.data.encoding import Encoding
    from stemtune.hub import load
    from stemtune.separation.files import name_outputs, separate_file
    from stemtune.separation.options import SeparationOptions

    separator = load(model) if model else trivial_separator()
    encoding = Encoding("wav", "float32" if float32 else "int16")
    outputs = name_outputs(song.parent / "out", separator.stems, track="song", extension="wav")
    begin = time.perf_counter()
    separate_file(separator, song, outputs, encoding=encoding, options=SeparationOptions(threads=threads))
    seconds = time.perf_counter() - begin
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps(asdict(Measurement(minutes, peak, seconds))))


def trivial_separator():
    """Four stems, each a quarter of the mixture, in chunks of six seconds."""
    import torch

    from stemtune.models.base import Separator, SeparatorConfig
    from stemtune.types import Estimate

    class QuartersConfig(SeparatorConfig):
        kind: str = "quarters"
        stems: tuple[str, ...] = ("vocals", "drums", "bass", "other")
        sample_rate: int = SAMPLE_RATE
        channels: int = 2

        def build(self):
            return Quarters()

    class Quarters(Separator):
        config_type: ClassVar[type[SeparatorConfig]] = QuartersConfig
        offers: ClassVar[frozenset[str]] = frozenset({"sources"})
        config = QuartersConfig()
        chunk_samples = 6 * SAMPLE_RATE
        context_samples = 0

        def forward(self, mixture):
            return Estimate(torch.stack([0.25 * mixture] * 4, dim=1))

    return Quarters().eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a model's name or folder; a trivial separator if not given")
    parser.add_argument("--minutes", type=float, action="append", help="of each file (default: 3 and 60)")
    parser.add_argument("--float32", action="store_true", help="write floats, which need no temporary file")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        separate_and_report(
            arguments.inside,
            minutes=arguments.minutes[0],
            model=arguments.model,
            float32=arguments.float32,
            threads=arguments.threads,
        )
        return
    flags = ("--float32",) * arguments.float32 + (("--threads", str(arguments.threads)) if arguments.threads else ())
    print(f"{os.cpu_count()} cores, model {arguments.model or 'trivial'}, {' '.join(flags) or '16-bit wav'}")
    for minutes in arguments.minutes or MINUTES:
        result = measure(minutes, model=arguments.model, flags=flags)
        print(
            f"{minutes:6.1f} min: peak {result.peak_bytes / 1e6:7.1f} MB, {result.seconds:6.1f} s "
            f"(real-time factor {result.real_time_factor:.4f})"
        )


if __name__ == "__main__":
    main()
