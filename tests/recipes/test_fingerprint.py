"""What the default model's corpus sounds like for a given seed: moving code about must not change it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mido", reason="the corpus recipe needs mido")
pytest.importorskip("scipy", reason="the corpus recipe needs scipy")

from stemtune.data.rendering.beats import pattern
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.singing import VOICES, sing
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.recipes.default_model.bands import make_band
from stemtune.recipes.default_model.drums import make_on_kit, play_on_hits
from stemtune.recipes.default_model.render import renderer_is_installed
from stemtune.recipes.default_model.synthesis import make_bass, make_other
from tests.recipes.test_corpus import band_score

needs_renderer = pytest.mark.skipif(
    not renderer_is_installed(), reason="fluidsynth with FluidR3_GM.sf2 is not installed here"
)


def levels(samples: np.ndarray) -> list[float]:
    """Root mean square in dB of the four quarters of the sum of both channels."""
    mono = samples.astype(np.float64).reshape(-1, samples.shape[-1]).mean(axis=0)
    return [float(10 * np.log10(np.mean(quarter**2) + 1e-12)) for quarter in np.array_split(mono, 4)]


def beat() -> Mapping[str, np.ndarray]:
    generator = generator_of(0, "x")
    return {"drums": play_on_hits(pattern(4.0, generator), {}, 4 * SAMPLE_RATE, generator)}


def voice() -> Mapping[str, np.ndarray]:
    return {"vocals": sing([Note(0.2, 1.6, 57, 100)], 2 * SAMPLE_RATE, VOICES["tenor"], np.random.default_rng(3))}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: make_bass(None, name="a", seed=0, seconds=2.0), {"bass": (-19.34, -19.32, -19.5, -19.57)}),
        (lambda: make_other(None, name="a", seed=0), {"other": (-16.89, -16.84, -16.83, -17.03)}),
        (beat, {"drums": (-11.64, -10.57, -13.2, -13.0)}),
        (voice, {"vocals": (-22.05, -19.74, -20.03, -22.48)}),
    ],
    ids=["bass", "other", "beat", "voice"],
)
def test_what_is_synthesised(
    make: Callable[[], Mapping[str, np.ndarray]], expected: Mapping[str, tuple[float, ...]]
) -> None:
    assert {stem: levels(samples) for stem, samples in make().items()} == {
        stem: pytest.approx(values, abs=0.02) for stem, values in expected.items()
    }


@needs_renderer
def test_what_is_rendered_from_a_score(tmp_path: Path) -> None:
    path = band_score(tmp_path / "band.mid")
    stems = make_band(path, name="band", duration_seconds=2.0, seed=0) | make_on_kit(path, name="kit", seed=0)
    expected = {
        "drums": (-20.45, -20.45, -20.7, -21.93),
        "bass": (-24.78, -24.36, -24.37, -24.38),
        "other": (-21.1, -20.73, -20.28, -21.02),
    }
    assert {stem: levels(samples) for stem, samples in stems.items()} == {
        stem: pytest.approx(values, abs=0.02) for stem, values in expected.items()
    }
