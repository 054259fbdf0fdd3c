"""How fast we separate, beside openunmix 1.3.0 and asteroid's X-UMX with the same weights, on this machine.

    python tests/parity/install_references.py
    python benchmarks/separation_speed.py [--seconds 60] [--repeats 7] [--references .references] [--audio FILE]

All contenders separate the same stereo audio in one process, in turn, so that whatever else the machine does hits
all of them alike; each with the number of threads that PyTorch chooses by default. On a busy machine seconds say
little, and OpenMP's threads stall when they wait for each other; processor seconds with ``--threads 1`` still count.
Every run goes into a CSV file, the medians into a Markdown table; both are named after the hardware and the month, in
this folder unless ``--out`` says otherwise. Weights are random, with input scales and batch-norm statistics of the
audio, as a trained network has them.
"""

import argparse
import csv
import datetime as dt
import gc
import os
import platform
import shlex
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
STEMS = ("bass", "drums", "vocals", "other")
NUM_BINS, SAMPLE_RATE = 1487, 44100


@dataclass(frozen=True)
class Contender:
    name: str
    run: Callable[[Tensor], Tensor]
    reference: str  # the contender whose time and output this one is compared with; its own name for a reference
    exact: bool  # whether the output must be the reference's


def main() -> None:
    options = parse_arguments()
    if options.references:
        os.environ["STEMTUNE_REFERENCES"] = str(options.references)
    if options.threads:
        torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")  # the references use deprecated functions of torch
    mixture = load_audio(options.audio, options.seconds)
    contenders = [contender for family in options.families for contender in FAMILIES[family](mixture)]
    with torch.inference_mode():
        outputs = {contender.name: contender.run(mixture) for contender in contenders}  # also warms up
        runs = measure(contenders, mixture, options.repeats)
    lines = report(contenders, outputs, runs, options)
    keep("separation_speed", lines, runs, options)


def keep(name: str, lines: Sequence[str], runs: Sequence[dict[str, object]], options: argparse.Namespace) -> None:
    """Write a table and the runs behind it to ``options.out``, and show the table."""
    stem = f"{name}_{hardware_slug()}_{dt.datetime.now(dt.UTC):%Y%m}{options.suffix}"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{stem}.md").write_text("\n".join(lines) + "\n")
    with (options.out / f"{stem}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(runs[0]))
        writer.writeheader()
        writer.writerows(runs)
    print("\n".join(lines))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, help="for all contenders; PyTorch's own choice if not given")
    parser.add_argument("--references", type=Path, help="where install_references.py put them")
    parser.add_argument("--audio", type=Path, help="a stereo file at 44.1 kHz, repeated to the length; else made up")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--suffix", default="", help="appended to the names of the result files")
    return parser.parse_args()


def xumx_contenders(mixture: Tensor) -> list[Contender]:
    """X-UMX: masked magnitudes alone (all that asteroid 0.6.0 computes on a current torch), and waveforms."""
    from stemtune.hub.convert import from_asteroid_xumx
    from tests.parity.references import asteroid_xumx

    reference = asteroid_xumx()(list(STEMS), max_bin=NUM_BINS, return_time_signals=True)
    # asteroid's inverse transform fails since torch 2.0, which wants complex numbers; this is what it means
    reference.decoder = AsteroidInverse()
    calibrate(reference, reference, mixture)
    ours = from_asteroid_xumx(reference.state_dict())

    def magnitudes(x: Tensor) -> Tensor:
        reference._return_time_signals = False
        try:
            return reference(x)[0].permute(2, 0, 3, 4, 1)
        finally:
            reference._return_time_signals = True

    whole = "asteroid X-UMX, waveforms"
    return [
        Contender("asteroid X-UMX, magnitudes only", magnitudes, "asteroid X-UMX, magnitudes only", True),
        Contender(whole, lambda x: reference(x)[1].transpose(0, 1), whole, True),
        Contender(
            "ours, X-UMX, magnitudes (and waveforms)",
            lambda x: ours(x).magnitudes,
            "asteroid X-UMX, magnitudes only",
            True,
        ),
        Contender("ours, X-UMX, waveforms", lambda x: ours(x).sources, whole, True),
        Contender("ours, X-UMX, waveforms, bfloat16", in_bfloat16(lambda x: ours(x).sources), whole, False),
        *through_separation("X-UMX", ours, whole),
    ]


def open_unmix_contenders(mixture: Tensor) -> list[Contender]:
    """Open-Unmix: four targets with the mixture's phase, and with one Wiener iteration."""
    from stemtune.hub.convert import from_open_unmix
    from tests.parity.references import open_unmix

    package = open_unmix()
    targets = {stem: package.OpenUnmix(2049, 2, 512, max_bin=NUM_BINS) for stem in STEMS}
    plain, filtered = package.Separator(targets, niter=0).eval(), package.Separator(targets, niter=1).eval()
    calibrate(nn.ModuleList(targets.values()), plain, mixture)
    ours = from_open_unmix({stem: target.state_dict() for stem, target in targets.items()})
    ours_filtered = ours.config.override({"wiener_iterations": 1}).build().eval()
    ours_filtered.load_state_dict(ours.state_dict())
    first, second = "openunmix, 4 targets", "openunmix, 4 targets, 1 Wiener iteration"
    return [
        Contender(first, lambda x: plain(x.clone()), first, True),
        Contender("ours, Open-Unmix", lambda x: ours(x).sources, first, True),
        Contender("ours, Open-Unmix, bfloat16", in_bfloat16(lambda x: ours(x).sources), first, False),
        *through_separation("Open-Unmix", ours, first),
        Contender(second, lambda x: filtered(x.clone()), second, True),
        Contender("ours, Open-Unmix, 1 Wiener iteration", lambda x: ours_filtered(x).sources, second, False),
        Contender(
            "ours, Open-Unmix, 1 Wiener iteration, bfloat16",
            in_bfloat16(lambda x: ours_filtered(x).sources),
            second,
            False,
        ),
    ]


FAMILIES: dict[str, Callable[[Tensor], list[Contender]]] = {
    "xumx": xumx_contenders,
    "open-unmix": open_unmix_contenders,
}


def through_separation(family: str, separator: nn.Module, reference: str) -> list[Contender]:
    """The way of `stemtune separate`: overlapping chunks, cross-faded, stems made to sum to the mixture."""
    from stemtune.separation.options import SeparationOptions
    from stemtune.separation.stream import separate_waveform

    def contender(precision: str) -> Contender:
        options = SeparationOptions(precision=precision)

        def run(x: Tensor) -> Tensor:
            return separate_waveform(separator, x[0], sample_rate=SAMPLE_RATE, options=options).unsqueeze(0)

        return Contender(f"ours, {family}, `separate_waveform`, {precision}", run, reference, False)

    return [contender("float32"), contender("bfloat16")]


class AsteroidInverse(nn.Module):
    """asteroid's ``_ISTFT`` for a torch that wants complex numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.window = nn.Parameter(torch.hann_window(4096), requires_grad=False)

    def forward(self, magnitude: Tensor, angle: Tensor) -> Tensor:
        shape = magnitude.shape
        pairs = torch.stack([magnitude * torch.cos(angle), magnitude * torch.sin(angle)], dim=-1)
        complex_numbers = torch.view_as_complex(pairs.view(-1, *shape[-2:], 2))
        waveform = torch.istft(complex_numbers, n_fft=4096, hop_length=1024, window=self.window, center=True)
        return waveform.view(*shape[:3], -1)


def calibrate(weights: nn.Module, network: nn.Module, mixture: Tensor) -> None:
    """Random weights as PyTorch draws them, with input scales and batch-norm statistics of the audio."""
    torch.manual_seed(0)
    excerpt = mixture[..., : 12 * SAMPLE_RATE]
    spectra = torch.stft(excerpt[0], 4096, 1024, window=torch.hann_window(4096), return_complex=True).abs()
    mean, deviation = spectra.mean(dim=(0, 2)), spectra.std(dim=(0, 2))
    with torch.no_grad():
        for name, value in weights.named_parameters():
            if "input_mean" in name:
                value.copy_(-mean[:NUM_BINS])
            elif "input_scale" in name:
                value.copy_(1 / deviation.clamp(min=1e-4 * float(deviation.max()))[:NUM_BINS])
            elif "output_" in name:
                value.mul_(0.5)  # masks around one half
        for module in weights.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = None  # the mean over all batches
        weights.train()
        network(excerpt)
        weights.eval()


def in_bfloat16(run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def low(x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return run(x)

    return low


def load_audio(path: Path | None, seconds: float) -> Tensor:
    """``1 2 time``, repeated or cut to the length."""
    num_samples = round(seconds * SAMPLE_RATE)
    if path is None:
        return made_up_song(num_samples)
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != SAMPLE_RATE or samples.shape[1] != 2:
        raise SystemExit(f"{path} must be stereo at {SAMPLE_RATE} Hz")
    return torch.from_numpy(repeated(samples.T, num_samples))[None]


def repeated(samples: np.ndarray, num_samples: int) -> np.ndarray:
    times = -(-num_samples // samples.shape[1])
    return np.ascontiguousarray(np.tile(samples, (1, times))[:, :num_samples])


def made_up_song(num_samples: int) -> Tensor:
    """Bass notes, chords, a gliding voice and noise bursts, each at its place between the channels."""
    generator = np.random.default_rng(0)
    time_seconds = np.arange(num_samples) / SAMPLE_RATE
    beat = (time_seconds * 2) % 1
    notes = 55 * 2 ** (generator.integers(0, 12, 1024) / 12)
    pitch = notes[(time_seconds * 2).astype(int) % 1024]
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    bass = np.exp(-3 * beat) * sum(np.sin(k * phase) / k for k in range(1, 6))
    chords = sum(np.sin(2 * np.pi * f * time_seconds) / 8 for f in (261.6, 329.6, 392.0, 523.3, 659.3))
    glide = 2 * np.pi * np.cumsum(300 + 80 * np.sin(2 * np.pi * 0.3 * time_seconds)) / SAMPLE_RATE
    voice = (np.sin(time_seconds) > 0) * sum(np.sin(k * glide) / k for k in range(1, 12))
    drums = generator.standard_normal(num_samples) * np.exp(-20 * ((time_seconds * 4) % 1))
    left = 0.2 * bass + 0.15 * chords + 0.1 * voice + 0.10 * drums
    right = 0.2 * bass + 0.05 * chords + 0.1 * voice + 0.14 * drums
    hiss = 1e-3 * generator.standard_normal((2, num_samples))
    return torch.from_numpy(0.5 * (np.stack([left, right]) + hiss)).float()[None]


def measure(contenders: list[Contender], mixture: Tensor, repeats: int) -> list[dict[str, object]]:
    runs: list[dict[str, object]] = []
    for repeat in range(repeats):
        for contender in contenders:
            gc.collect()
            load, processor, begin = os.getloadavg()[0], time.process_time(), time.perf_counter()
            contender.run(mixture)
            seconds = time.perf_counter() - begin
            runs.append(
                {
                    "contender": contender.name,
                    "repeat": repeat,
                    "seconds": f"{seconds:.4f}",
                    "processor_seconds": f"{time.process_time() - processor:.4f}",
                    "load_average_before": f"{load:.2f}",
                }
            )
            print(f"{repeat} {contender.name}: {seconds:.2f} s (load {load:.1f})", file=sys.stderr, flush=True)
    return runs


def report(
    contenders: list[Contender], outputs: dict[str, Tensor], runs: list[dict[str, object]], options: argparse.Namespace
) -> list[str]:
    seconds = gather(runs, "seconds")
    processor = gather(runs, "processor_seconds")
    median = {name: statistics.median(values) for name, values in seconds.items()}
    loads = [float(str(run["load_average_before"])) for run in runs]
    kind = f"`{options.audio.name}`, repeated" if options.audio else "made up by the script"
    lines = [
        "# Separation speed beside openunmix 1.3.0 and asteroid 0.6.0, the same weights",
        "",
        f"- Command: `{shlex.join(['python', 'benchmarks/' + Path(sys.argv[0]).name, *sys.argv[1:]])}`",
        f"- Hardware: {hardware()}; torch {torch.__version__} with {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}; load average {min(loads):.1f} to {max(loads):.1f}",
        f"- Audio: {options.seconds:g} s stereo at 44.1 kHz, {kind}; {options.repeats} runs of each, in turn",
        f"- Date: {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "",
        "Ratios are of the reference's seconds to ours: by medians, by fastest runs, by the least processor seconds. "
        "The difference is the norm of the difference over the norm of the reference; for bfloat16 and a single way of "
        "computing, it is to our own float32 output, and stated as a signal-to-noise ratio, too.",
        "",
        "| | median s | fastest s | processor s | real-time factor "
        "| faster: median | fastest | processor | difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for contender in contenders:
        name, reference = contender.name, contender.reference
        figures = [median[name], min(seconds[name]), min(processor[name]), median[name] / options.seconds]
        ratios = [""] * 4
        if name != reference:
            pairs = [median, *({key: min(values) for key, values in table.items()} for table in (seconds, processor))]
            ratios = [f"{table[reference] / table[name]:.2f}" for table in pairs] + [difference(outputs, contender)]
        lines.append("| " + " | ".join([name, *(f"{figure:.3f}" for figure in figures), *ratios]) + " |")
    worst = [
        contender.name
        for contender in contenders
        if contender.exact and relative(outputs[contender.name], outputs[contender.reference]) > 1e-5
    ]
    lines += ["", f"Equal within 1e-5 where equality is claimed: {'no: ' + ', '.join(worst) if worst else 'yes'}."]
    return lines


def gather(runs: list[dict[str, object]], column: str) -> dict[str, list[float]]:
    """The column's values for each contender."""
    values: dict[str, list[float]] = {}
    for run in runs:
        values.setdefault(str(run["contender"]), []).append(float(str(run[column])))
    return values


def difference(outputs: dict[str, Tensor], contender: Contender) -> str:
    if "separate_waveform" in contender.name and "float32" in contender.name:
        return "by design: chunks, mixture consistency"
    exact = contender.name.replace(", bfloat16", "").replace("`separate_waveform`", "`separate_waveform`, float32")
    text = f"{relative(outputs[contender.name], outputs[contender.reference]):.1e}"
    if not contender.exact and exact != contender.name and exact in outputs:
        ours, low = outputs[exact], outputs[contender.name]
        per_stem = [-20 * np.log10(relative(low[:, stem], ours[:, stem])) for stem in range(ours.shape[1])]
        total = -20 * np.log10(relative(low, ours))
        text = f"{relative(low, ours):.1e} ({total:.1f} dB; worst stem {min(per_stem):.1f} dB)"
    return text


def relative(estimate: Tensor, reference: Tensor) -> float:
    length = min(estimate.shape[-1], reference.shape[-1])  # asteroid's waveforms lack the last incomplete hop
    estimate, reference = estimate[..., :length].double(), reference[..., :length].double()
    return float((estimate - reference).norm() / reference.norm())


def hardware() -> str:
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return f"{name}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"


def hardware_slug() -> str:
    return "-".join("".join(c.lower() if c.isalnum() else " " for c in hardware()).split())


if __name__ == "__main__":
    main()
