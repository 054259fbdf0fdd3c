"""The parts of the audit by themselves: cut-offs, lags, meters, worker processes, the explanations, the picture."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from stemtune.data.audio import open_audio
from stemtune.data.audit import KINDS, audit
from stemtune.data.audit.alignment import agree, refine_lag, shift
from stemtune.data.audit.markdown import to_markdown
from stemtune.data.audit.meter import FileFacts, Meter
from stemtune.data.audit.picture import draw_report
from stemtune.data.audit.sources import Source, parse_source
from stemtune.data.audit.spectrum import Spectrometer
from stemtune.data.audit.workers import Crashed, run_all
from tests.data.audit_songs import rhythm, song, total, write_song

RATE = 44100


def natural(seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    """Noise that falls by 60 dB towards 20 kHz, as natural sound does, with the noise of 16 bits."""
    generator = np.random.default_rng(seed)
    spectrum = np.fft.rfft(generator.standard_normal(round(seconds * RATE)))
    frequency = np.linspace(0, RATE / 2, len(spectrum))
    samples = np.fft.irfft(spectrum * 10 ** (-frequency / 20_000 * 60 / 20))
    return (np.rint(0.1 * samples / samples.std() * 32768) / 32768).astype(np.float32)


def cutoff(samples: np.ndarray, rate: int = RATE) -> int | None:
    meter = Spectrometer(rate)
    for start in range(0, samples.shape[0], 2 * rate):
        meter.add(samples[None, start : start + 2 * rate])
    return meter.cutoff_hz()


def test_natural_sound_has_no_cutoff() -> None:
    assert cutoff(natural()) is None
    assert cutoff(np.zeros(RATE, dtype=np.float32)) is None
    assert cutoff(np.ones(10, dtype=np.float32)) is None
    click = np.zeros(2 * RATE, dtype=np.float32)
    click[RATE] = 1
    assert cutoff(click) is None


@pytest.mark.parametrize("rate", [16000, 22050, 32000])
def test_what_came_from_a_low_rate_ends_there(rate: int) -> None:
    found = cutoff(soxr.resample(soxr.resample(natural(), RATE, rate), rate, RATE))
    assert found == pytest.approx(rate / 2, rel=0.06)


def test_low_bitrates_end_early(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, natural(), RATE, bitrate_mode="CONSTANT", compression_level=0.9)
    assert 5_000 < (cutoff(soundfile.read(path, dtype="float32")[0]) or 0) < 17_000


@pytest.mark.parametrize("lag", [-300.0, -0.5, 0.0, 0.25, 17.0, 441.7])
def test_lags_are_found_to_a_fraction_of_a_sample(lag: float) -> None:
    excerpts = [natural(0.5, seed=seed) for seed in range(4)]
    late = [-0.5 * shift(excerpt, lag) + 0.3 * natural(0.5, seed=99 + n) for n, excerpt in enumerate(excerpts)]
    found = agree(late, excerpts, max_lag=1000, whitening=0.5)
    assert found is not None
    assert found.is_inverted
    assert found.share == 1.0
    assert refine_lag(late, excerpts, found) == pytest.approx(lag, abs=0.03)
    assert found.clearness > 2


def test_the_lag_of_unrelated_sound_is_not_agreed_upon() -> None:
    first, second = ([natural(0.5, seed=10 * n + k) for k in range(8)] for n in (1, 2))
    found = agree(first, second, max_lag=1000, whitening=0.5)
    assert found is not None
    assert found.share < 0.4
    assert agree([np.zeros(1000, dtype=np.float32)], [natural(0.1)[:1000]], max_lag=100, whitening=0.5) is None
    assert agree([], [], max_lag=100, whitening=0.5) is None


def facts(path: Path, *, block: int | None = None) -> FileFacts:
    with open_audio(path) as reader:
        meter = Meter(reader.info)
        for samples in reader.blocks(block or meter.block_samples):
            meter.add(samples.numpy())
        return meter.facts()


def test_the_digest_is_that_of_the_samples_not_of_the_file(tmp_path: Path) -> None:
    samples = natural(1.0)
    for name in ("a.wav", "b.flac"):
        soundfile.write(tmp_path / name, samples, RATE, subtype="PCM_16")
    soundfile.write(tmp_path / "c.wav", 0.99 * samples, RATE, subtype="PCM_16")
    one, other, third = (facts(tmp_path / name) for name in ("a.wav", "b.flac", "c.wav"))
    assert one.digest == other.digest != third.digest
    assert one.seconds == 1.0
    assert one.rms_db == pytest.approx(-20, abs=0.1)


def test_an_odd_rate_and_an_odd_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", natural(1.0)[:12345], 11025)
    heard = facts(tmp_path / "a.wav")
    assert heard.info.num_samples == 12345
    assert len(heard.frame_powers) == 12
    assert heard.frame_powers.mean() == pytest.approx(heard.mean_power, rel=0.1)


def test_paths_may_name_their_split() -> None:
    assert parse_source("songs") == Source(Path("songs"), "")
    assert parse_source("test=songs") == Source(Path("songs"), "test")
    assert parse_source("my_songs/train") == Source(Path("my_songs/train"), "train")
    assert parse_source("a=b/songs") == Source(Path("a=b/songs"), "")


def square(number: int, *, on_seconds: Callable[[float], None]) -> int:
    on_seconds(1.0)
    if number == 3:
        os._exit(1)  # as a decoder does that writes beyond its memory
    return number * number


def test_a_crash_costs_one_item_only() -> None:
    heard: list[float] = []
    results = list(run_all(square, range(6), jobs=2, on_seconds=heard.append))
    assert [result for result in results if not isinstance(result, Crashed)] == [0, 1, 4, 16, 25]
    assert isinstance(results[3], Crashed)


def test_one_process_counts_its_seconds() -> None:
    heard: list[float] = []
    assert list(run_all(square, range(3), jobs=1, on_seconds=heard.append)) == [0, 1, 4]
    assert heard == [1.0, 2.0, 3.0]


def test_every_kind_is_explained() -> None:
    """Each kind that the code can find has an explanation, and the manual describes each."""
    source = "\n".join(path.read_text() for path in Path("src/stemtune/data/audit").glob("*.py"))
    found = set(re.findall(r'Severity\.\w+, "(\w+)"', source)) | set(re.findall(r'\bkind="(\w+)"', source))
    assert found - {"stable"} <= set(KINDS)  # which is a way of sorting
    manual = Path("docs/audit.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in manual] == []
    for explanation in KINDS.values():
        assert explanation.title[0].isupper()
        assert explanation.meaning.endswith(".")
        assert explanation.advice.endswith(".")


def test_a_page_and_a_picture(tmp_path: Path) -> None:
    stems = song(1)
    write_song(tmp_path / "train" / "a|b", stems, mixture=total(stems))
    write_song(tmp_path / "test" / "c", {**song(2), "drums": 0.5 * stems["drums"]})
    write_song(tmp_path / "test" / "d", {"vocals": rhythm(seed=9)})
    report = audit([tmp_path])
    page = to_markdown(report)
    assert "| train | drums | 1 | 0.1 |" in page
    assert "## Error: The same sound on both sides of a split (1)" in page
    assert "## Keep together (1 groups)" in page
    figure = draw_report(report)
    assert len(figure.axes) == 4
    assert draw_report(audit([tmp_path], is_quick=True)).axes
    (tmp_path / "empty").mkdir()
    assert draw_report(audit([tmp_path / "empty"])).axes
