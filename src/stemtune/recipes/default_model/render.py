"""FluidSynth as a function: events in, stereo samples out, at a fixed gain so that renderings add up.

    rendering(events of all parts) = sum over parts of rendering(events of the part)

holds for everything linear in the synthesiser (its reverb and chorus are), which makes every rendered stem exact.
The soundfont is FluidR3 GM (MIT licence, Debian package ``fluid-soundfont-gm``); others may not shape the weights.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from stemtune.errors import InputError
from stemtune.recipes.default_model.pieces import SAMPLE_RATE, Audio
from stemtune.recipes.default_model.scores import Event, write_events

__all__ = ["SOUNDFONT", "render", "renderer_is_installed"]

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_GAIN = 0.4
_LIMIT_SECONDS = 120
_ALL_SOUND_OFF, _SUSTAIN = 120, 64


def renderer_is_installed() -> bool:
    """Whether FluidSynth and its licence-clean soundfont are on this machine."""
    return shutil.which("fluidsynth") is not None and SOUNDFONT.is_file()


def render(events: Iterable[Event], *, num_samples: int, room: float = 0.0) -> Audio:
    """Play events on General MIDI instruments.

    Args:
        events: of one stem, in the order of time.
        num_samples: length of the result; what sounds beyond is cut.
        room: 0 for a dry sound; up to 1 for the synthesiser's reverberation with a large room.

    Returns:
        ``time channel``, stereo.

    Raises:
        InputError: if FluidSynth or the soundfont is missing, or if FluidSynth fails.
    """
    program = shutil.which("fluidsynth")
    if program is None or not SOUNDFONT.is_file():
        raise InputError(
            f"expected fluidsynth and {SOUNDFONT}; not both are there: "
            "install the packages fluidsynth and fluid-soundfont-gm"
        )
    with tempfile.TemporaryDirectory() as folder:
        score, wave = Path(folder) / "part.mid", Path(folder) / "part.wav"
        write_events([*events, *_silence(num_samples / SAMPLE_RATE + 0.1)], score)
        options = ["-ni", "-q", "-r", str(SAMPLE_RATE), "-g", str(_GAIN), "-C", "0", "-T", "wav", "-O", "float"]
        options += ["-o", "synth.dynamic-sample-loading=1", "-R", "1" if room > 0 else "0"]
        if room > 0:
            options += ["-o", f"synth.reverb.room-size={0.3 + 0.5 * room:.2f}", "-o", "synth.reverb.level=0.6"]
        command = [program, *options, "-F", str(wave), str(SOUNDFONT), str(score)]
        result = subprocess.run(command, capture_output=True, check=False, timeout=_LIMIT_SECONDS)  # noqa: S603
        if result.returncode != 0 or not wave.is_file():
            raise InputError(f"fluidsynth failed ({result.returncode}): {result.stderr.decode(errors='replace')[:200]}")
        samples, _ = soundfile.read(str(wave), dtype="float32", always_2d=True)
    fitted = np.zeros((num_samples, 2), dtype=np.float32)
    fitted[: len(samples)] = samples[:num_samples]
    return fitted


def _silence(seconds: float) -> list[Event]:
    """Stop everything: FluidSynth goes on for as long as a note is held, for ever if nothing releases it."""
    return [
        Event(seconds, "control_change", channel, control)
        for control in (_SUSTAIN, _ALL_SOUND_OFF)
        for channel in range(16)
    ]
