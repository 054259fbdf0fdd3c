"""Claim: Unmix's auto-encoder is at least twice as fast as transformers' Jukebox with the same weights, on two cores.

    python tests/parity/install_references.py
    python benchmarks/unmix_speed.py [--repeats 7] [--threads 2]     # seconds, with --out benchmarks also into files
    python benchmarks/unmix_speed.py --memory                        # peak memory for 3 and for 30 minutes

A chunk of 393,216 samples of music (8.9 s, the paper's) is encoded, quantised and decoded at full size (hop 8, width
64, 2048 codes). Every repetition times each contender once, in turn, so that what else the machine does falls on all
alike; ratios are medians over repetitions of the ratio within one. The whole model (four stems, a mixture encoder
each) goes through `separate_waveform`, as from the command line; its real-time factor is per stem, as the paper's.
With one thread, processor seconds are counted, which a busy machine disturbs least; otherwise wall clock.
"""

import argparse
import csv
import datetime as dt
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import soundfile
import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
SONG = HERE.parent / "demo/songs/lithium/mixture.flac"
CHUNK, SAMPLE_RATE, PAPER = 393_216, 44_100, 0.082
STEMS = ("vocals", "drums", "bass", "other")
REFERENCE = "transformers, float32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=CHUNK)
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    parser.add_argument("--out", type=Path, help="folder for the .md and the .csv")
    parser.add_argument("--inside", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the reference uses deprecated functions of torch
    torch.set_num_threads(options.threads)
    if options.inside is not None:
        memory_of(options.inside)
        return
    lines = memory_table() if options.memory else speed_table(options)
    print("\n".join(lines))
    if options.out:
        (
            options.out / f"{file_stem('unmix_memory' if options.memory else 'unmix_speed', options.threads)}.md"
        ).write_text("\n".join(lines) + "\n")


def speed_table(options: argparse.Namespace) -> list[str]:
    waveform = music(options.samples)
    contenders = make_contenders(waveform)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    with torch.inference_mode():
        outputs = {name: run() for name, run in contenders.items()}  # also warms up
        runs: list[dict[str, float]] = []
        for _ in range(options.repeats):
            runs.append({})
            for name, run in contenders.items():
                started = clock()
                run()
                runs[-1][name] = clock() - started
    if options.out:
        path = options.out / f"{file_stem('unmix_speed', options.threads)}.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(contenders), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: f"{seconds:.4f}" for name, seconds in run.items()} for run in runs)
    duration = options.samples / SAMPLE_RATE
    lines = [
        "# Unmix's auto-encoder beside transformers 4.46.3's Jukebox, the same weights",
        "",
        f"- Command: `python benchmarks/unmix_speed.py --repeats {options.repeats} --threads {options.threads} "
        f"--samples {options.samples}`",
        f"- Hardware: {processor()}, {options.threads} threads; torch {torch.__version__}, "
        f"Python {platform.python_version()}",
        f"- Audio: {options.samples:,} samples of mono at 44.1 kHz ({duration:.2f} s), `{SONG.name}` of the demo; "
        f"{options.repeats} runs of each, in turn; {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        f"- Clock: {'processor seconds' if options.threads == 1 else 'wall clock'}; load average "
        f"{os.getloadavg()[0]:.1f} at the end",
        "",
        "Faster: median over repetitions of the ratio within one. The real-time factor is seconds of computing per "
        f"second of audio and stem; the paper states {PAPER} for a CPU that it does not name.",
        "",
        "| | median s | fastest s | real-time factor per stem | faster | codes alike | signal to difference, dB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in contenders:
        seconds = [run[name] for run in runs]
        stems = len(STEMS) if "four stems" in name else 1
        ratio = "" if stems > 1 else f"{statistics.median(run[REFERENCE] / run[name] for run in runs):.2f}"
        factor = statistics.median(seconds) / duration / stems
        lines.append(
            f"| {name} | {statistics.median(seconds):.3f} | {min(seconds):.3f} | {factor:.3f} | {ratio} | "
            f"{likeness(outputs[name], outputs[REFERENCE])} |"
        )
    return lines


def file_stem(what: str, threads: int) -> str:
    """Named after the hardware and the month."""
    return f"{what}_2cores_{dt.datetime.now(dt.UTC):%Y%m}" + ("_1-thread" if threads == 1 else "")


def likeness(output: tuple[Tensor, Tensor] | None, reference: tuple[Tensor, Tensor] | None) -> str:
    """How many codes are the reference's, and how far the decoded waveform is from its own."""
    if output is None or reference is None or output is reference:
        return "|"
    (codes, waveform), (their_codes, theirs) = output, reference
    alike = (codes == their_codes).double().mean()
    error = (waveform.double() - theirs.double()).square().sum()
    decibels = 10 * torch.log10(theirs.double().square().sum() / error) if error > 0 else torch.tensor(float("inf"))
    return f"{alike:.2%} | {decibels:.1f}"


def make_contenders(waveform: Tensor) -> dict[str, Callable[[], tuple[Tensor, Tensor] | None]]:
    from stemtune.hub.convert.jukebox import from_jukebox
    from stemtune.models.vqvae import UnmixConfig
    from stemtune.separation.options import SeparationOptions
    from stemtune.separation.stream import separate_waveform
    from tests.golden import make_jukebox

    reference = make_jukebox.reference()
    ours = from_jukebox(reference.state_dict())
    whole = UnmixConfig(stems=STEMS).build().eval()
    for stem, encoder in zip(STEMS, whole.encoders, strict=True):
        whole.take_codec(stem, ours)
        encoder.load_state_dict(ours.encoder.state_dict())

    def theirs() -> tuple[Tensor, Tensor]:
        codes = reference.encode(waveform[..., None])[0]
        return codes, reference.decode([codes], start_level=0)[..., 0]

    def mine() -> tuple[Tensor, Tensor]:
        encoded = ours.encode(waveform[None])
        return encoded.codes, ours.decode(encoded.codes, num_samples=encoded.num_samples)[0]

    def low(run: Callable[[], tuple[Tensor, Tensor]]) -> Callable[[], tuple[Tensor, Tensor]]:
        def in_bfloat16() -> tuple[Tensor, Tensor]:
            with torch.autocast("cpu", torch.bfloat16):
                return run()

        return in_bfloat16

    def separated(precision: str) -> Callable[[], None]:
        chosen = SeparationOptions.model_validate({"precision": precision, "threads": torch.get_num_threads()})
        return lambda: void(separate_waveform(whole, waveform, sample_rate=SAMPLE_RATE, options=chosen))

    return {
        REFERENCE: theirs,
        "transformers, bfloat16": low(theirs),
        "ours, float32": mine,
        "ours, bfloat16": low(mine),
        "ours, four stems, float32": separated("float32"),
        "ours, four stems, bfloat16": separated("bfloat16"),
    }


def void(_: object) -> None:
    """Only the time counts."""


def music(num_samples: int) -> Tensor:
    """``1 time``, repeated where the song is shorter."""
    samples, rate = soundfile.read(SONG, dtype="float32", always_2d=True)
    assert rate == SAMPLE_RATE
    mono = torch.from_numpy(samples).mean(dim=1)
    return mono.repeat(-(-num_samples // mono.numel()))[None, :num_samples].contiguous()


def memory_table() -> list[str]:
    lines = [
        "# Memory of Unmix (one stem, full size), file to file, in a fresh process",
        "",
        f"- Command: `python benchmarks/unmix_speed.py --memory`; {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        f"- Hardware: {processor()}; torch {torch.__version__}; mono noise at 44.1 kHz, bfloat16, other work meanwhile",
        "",
        "| minutes of audio | peak resident memory, MB | seconds |",
        "|---|---|---|",
    ]
    for minutes in (3.0, 30.0):
        command = [sys.executable, __file__, "--inside", str(minutes), "--threads", "1"]
        done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        lines.append(f"| {minutes:g} | {done['peak_bytes'] / 1e6:.0f} | {done['seconds']:.0f} |")
    return lines


def memory_of(minutes: float) -> None:
    """Inside the fresh process: from a file to a file."""
    import tempfile

    import numpy as np

    from stemtune.data.encoding import Encoding
    from stemtune.models.vqvae import UnmixConfig
    from stemtune.separation.files import separate_file
    from stemtune.separation.options import SeparationOptions

    torch.manual_seed(0)
    network = UnmixConfig(stems=("drums",), complete=False).build().train()
    with torch.no_grad():
        network(0.1 * torch.randn(1, 1, 1 << 15))  # which fills the codebook
    network.eval()
    noise = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        with soundfile.SoundFile(song, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
            for _ in range(round(minutes * 60)):
                file.write(0.1 * noise.standard_normal(SAMPLE_RATE))
        started = time.perf_counter()
        separate_file(
            network,
            song,
            {"drums": Path(folder) / "drums.wav"},
            encoding=Encoding("wav", "int16"),
            options=SeparationOptions(precision="bfloat16", threads=1),
        )
        seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, "seconds": seconds}))


def processor() -> str:
    """As the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
