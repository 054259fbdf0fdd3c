"""Make the golden file of BSSEval with museval 0.4.1.

    python tests/parity/install_references.py && python -m tests.golden.make_museval [--check]

For each case what museval says of it, and by how much museval contradicts itself: its scores of the same sounds with
the stems in reverse order, and after a hop of silence, differ by rounding alone. Sounds are made anew from seeds
(numpy's ``RandomState``, which is frozen), so the file holds no more than numbers.
``tests/parity/test_metrics_museval.py`` checks that the quick cases of the file are what this makes; ``--check``,
which CI runs, checks all of them in some minutes and writes nothing.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import torch
from safetensors.torch import load_file, save_file

from tests.parity.museval import Version, bss_eval

FILE = Path(__file__).parent / "museval.safetensors"
TOLERANCE_DB = 1e-9
RATE = 1000  # seconds in what follows are counted at this rate


@dataclass(frozen=True)
class Case:
    """What museval is asked; window and hop in samples.

    Attributes:
        is_quick: whether museval takes a second or two, so that every run of the tests may ask it again.
    """

    estimate: np.ndarray
    reference: np.ndarray
    window: float = 1000
    hop: float = 1000
    version: Version = "v4"
    is_quick: bool = True

    def ask(self) -> np.ndarray:
        """``ratio stem frame``."""
        options = {"window": self.window, "hop": self.hop, "version": self.version}
        return bss_eval(self.estimate, self.reference, **options)

    def ask_again(self) -> list[np.ndarray]:
        """The same, computed otherwise."""
        options = {"window": self.window, "hop": self.hop, "version": self.version}
        again = [bss_eval(self.estimate[::-1], self.reference[::-1], **options)[:, ::-1]]
        if self.window <= self.hop < self.reference.shape[-1]:
            later = [np.pad(x, ((0, 0), (0, 0), (int(self.hop), 0))) for x in (self.estimate, self.reference)]
            again.append(bss_eval(*later, **options)[..., 1:])
        return again


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-0.5, 0.5, shape)


def music(seed: int, stems: int, channels: int, num_samples: int) -> np.ndarray:
    """Stems of different colours, levels and places between the channels."""
    dry = noise(seed, stems, 1, num_samples)
    wet = noise(seed + 1, stems, channels, num_samples)
    places = 0.2 + np.abs(noise(seed + 2, stems, channels, 1))
    sound = places * dry + 0.2 * wet
    poles = np.linspace(-0.6, 0.8, stems)
    return np.stack([scipy.signal.lfilter([1.0], [1.0, -pole], stem) for stem, pole in zip(sound, poles, strict=True)])


def separated(reference: np.ndarray, seed: int, *, leak: float = 0.2, artefacts: float = 0.05) -> np.ndarray:
    """Estimates that are filtered, leak into each other, and hold something of their own."""
    filtered = reference.copy()
    filtered[..., 3:] += 0.3 * reference[..., :-3]
    others = reference.sum(axis=0) - reference
    return 0.9 * filtered + leak * others + artefacts * noise(seed, *reference.shape)


def plain(stems: int, channels: int, num_samples: int, **options: object) -> Case:
    reference = music(10 * stems + channels, stems, channels, num_samples)
    return Case(separated(reference, 7), reference, **options)


def with_silence() -> Case:
    """A stem that pauses, an estimate that pauses elsewhere, and opposite channels in a third place."""
    case = plain(3, 2, 7700)
    case.reference[1, :, 900:3100] = 0
    case.estimate[2, :, 4000:5000] = 0
    case.reference[0, 1, 6000:7000] = -case.reference[0, 0, 6000:7000]
    return case


def with_silent_ends() -> Case:
    """Silence that is shorter than a frame, and one that fills the incomplete frame at the end."""
    case = plain(2, 2, 5600)
    case.reference[0, :, 100:900] = 0
    case.reference[1, :, 5000:] = 0
    case.estimate[0, :, 5000:] = 0
    return case


def with_dead_channel() -> Case:
    case = plain(2, 2, 5000)
    case.reference[1, 0] = 0
    return case


def with_twin_channels() -> Case:
    reference = np.repeat(music(77, 2, 1, 6000), 2, axis=1)
    return Case(separated(reference, 8), reference)


def with_hardly_any_treble() -> Case:
    """As lossy codecs leave it: the filters are nearly indeterminate."""
    low = scipy.signal.firwin(255, 0.6)
    case = plain(2, 2, 8000)
    reference = scipy.signal.lfilter(low, [1.0], case.reference) + 1e-5 * noise(55, 2, 2, 8000)
    return Case(separated(reference, 8, artefacts=0.01), reference)


def in_16_bits() -> Case:
    case = plain(2, 2, 6000)
    return Case(*(np.round(x * 8192).astype(np.float32) / np.float32(32768) for x in (case.estimate, case.reference)))


def with_offset() -> Case:
    case = plain(2, 1, 6000)
    return Case(case.estimate + 0.3, case.reference - 0.2)


def nearly_perfect() -> Case:
    reference = music(5, 3, 2, 6000)
    return Case(reference + 1e-3 * noise(6, 3, 2, 6000), reference, is_quick=False)


def upside_down() -> Case:
    case = plain(2, 2, 6000)
    return Case(-2 * case.estimate, case.reference)


def exchanged() -> Case:
    case = plain(3, 1, 6000)
    return Case(case.estimate[[1, 2, 0]], case.reference)


def mixture_for_every_stem() -> Case:
    reference = music(9, 4, 2, 6000)
    return Case(np.repeat(reference.sum(axis=0, keepdims=True), 4, axis=0), reference, is_quick=False)


def as_version_3(version: Version, window: float, hop: float, channels: int = 1) -> Case:
    case = plain(3, channels, 9001, version=version, window=window, hop=hop)
    case.reference[1, :, :3000] = 0
    return case


CASES: dict[str, Callable[[], Case]] = {
    "2 stems, mono": lambda: plain(2, 1, 6000),
    "3 stems, mono, odd length": lambda: plain(3, 1, 6543),
    "4 stems, mono": lambda: plain(4, 1, 6000, is_quick=False),
    "5 stems, mono": lambda: plain(5, 1, 6000, is_quick=False),
    "6 stems, mono": lambda: plain(6, 1, 6001, is_quick=False),
    "2 stems, stereo": lambda: plain(2, 2, 6999),
    "3 stems, stereo": lambda: plain(3, 2, 6000, is_quick=False),
    "4 stems, stereo": lambda: plain(4, 2, 9111, is_quick=False),
    "5 stems, stereo": lambda: plain(5, 2, 11000, is_quick=False),
    "6 stems, stereo": lambda: plain(6, 2, 13001, is_quick=False),
    "one stem alone": lambda: plain(1, 2, 5000),
    "three channels": lambda: plain(2, 3, 5000),
    "silent frames, opposite channels": with_silence,
    "silent ends": with_silent_ends,
    "a dead channel": with_dead_channel,
    "twin channels": with_twin_channels,
    "hardly any treble": with_hardly_any_treble,
    "shorter than a frame": lambda: plain(2, 2, 4700, window=6000, hop=6000),
    "as long as a frame": lambda: plain(2, 1, 1000),
    "a sample longer than a frame": lambda: plain(2, 1, 1001),
    "overlapping frames": lambda: plain(2, 1, 5000, window=1500, hop=400),
    "frames with gaps": lambda: plain(2, 1, 8000, window=1000, hop=2500),
    "frames shorter than filters": lambda: plain(2, 1, 4000, window=300, hop=300),
    "one frame for all": lambda: plain(2, 2, 6000, window=np.inf, hop=np.inf),
    "16 bits, single precision": in_16_bits,
    "offset": with_offset,
    "nearly perfect": nearly_perfect,
    "upside down": upside_down,
    "exchanged": exchanged,
    "the mixture": mixture_for_every_stem,
    "version 3, images": lambda: as_version_3("v3_images", 3000, 2000),
    "version 3, sources": lambda: as_version_3("v3_sources", np.inf, np.inf),
    "version 3, sources, stereo": lambda: as_version_3("v3_sources", np.inf, np.inf, channels=2),
    "version 3, sources, framewise": lambda: as_version_3("v3_sources", 3000, 1500),
}


def make(names: tuple[str, ...] = tuple(CASES)) -> dict[str, torch.Tensor]:
    """Scores, ``ratio stem frame``, and the largest contradiction of each ratio."""
    tensors: dict[str, torch.Tensor] = {}
    for name in names:
        case = CASES[name]()
        scores = case.ask()
        contradictions = np.max([differences(again, scores) for again in case.ask_again()], axis=0)
        tensors[f"scores/{name}"] = torch.from_numpy(scores)
        tensors[f"contradiction/{name}"] = torch.from_numpy(contradictions)
        print(name, scores.shape, contradictions)
    return tensors


def differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The largest of each ratio, in dB; the same infinity or no number in both is no difference."""
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    return np.nan_to_num(apart, nan=np.inf).max(axis=(1, 2))


def tolerances(contradiction: np.ndarray) -> np.ndarray:
    """Of each ratio: 1e-9 dB, or ten times what museval contradicts itself by."""
    sdr, isr, sir, sar = contradiction
    own = max(isr, sir)  # a target's own filter does not change with the order of stems
    return np.maximum(TOLERANCE_DB, 10 * np.array([sdr, own, sir, sar]))


def check() -> list[str]:
    """The cases of which museval says something else than the file."""
    golden = {name: tensor.numpy() for name, tensor in load_file(FILE).items()}
    changed: list[str] = []
    for name, case in CASES.items():
        apart = differences(case().ask(), golden[f"scores/{name}"])
        print(name, apart, flush=True)
        if (apart > tolerances(golden[f"contradiction/{name}"])).any():
            changed.append(name)
    return changed


if __name__ == "__main__":
    if "--check" not in sys.argv:
        save_file(make(), FILE)
    elif changed := check():
        sys.exit(f"museval does not say what {FILE.name} holds of {', '.join(changed)}")
