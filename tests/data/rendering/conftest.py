"""Sounds that all tests of rendering share; made once."""

from pathlib import Path

import pytest

from stemtune.data.rendering.fluidsynth import fluidsynth_is_installed
from tests.data.rendering.tiny import write_soundfont

needs_fluidsynth = pytest.mark.skipif(not fluidsynth_is_installed(), reason="FluidSynth is not installed here")


@pytest.fixture(scope="session")
def soundfont(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soundfont(tmp_path_factory.mktemp("fonts") / "learn.sf2")


@pytest.fixture(scope="session")
def other_soundfont(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soundfont(tmp_path_factory.mktemp("fonts") / "judge.sf2", partials=(1.0, 0.0, 0.7, 0.0, 0.5))
