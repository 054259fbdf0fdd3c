"""Stems of the default corpus by FluidSynth: events in, stereo samples out, in the synthesiser's own room.

    rendering(events of all parts) = sum over parts of rendering(events of the part)

holds for everything linear in the synthesiser (its reverb is), which makes every rendered stem exact. The soundfont
is FluidR3 GM (MIT licence, Debian package ``fluid-soundfont-gm``); others may not shape the weights.
"""

import io
from collections.abc import Iterable
from pathlib import Path

from stemtune.data.rendering.fluidsynth import fluidsynth_is_installed, play_score
from stemtune.data.rendering.scores import Event
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.errors import InputError
from stemtune.recipes.default_model.scores import write_events

__all__ = ["SOUNDFONT", "render", "renderer_is_installed"]

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_ALL_SOUND_OFF, _SUSTAIN = 120, 64


def renderer_is_installed() -> bool:
    """Whether FluidSynth and its licence-clean soundfont are on this machine."""
    return fluidsynth_is_installed() and SOUNDFONT.is_file()


def render(events: Iterable[Event], *, num_samples: int, room: float = 0.0) -> Audio:
    """Play events on General MIDI instruments.

    Args:
        events: of one stem, in the order of time.
        num_samples: length of the result; what sounds beyond is cut.
        room: 0 for a dry sound; up to 1 for the synthesiser's reverberation with a large room.

    Returns:
        ``time channel``, stereo.

    Raises:
        InputError: if FluidSynth or the soundfont is missing.
    """
    if not renderer_is_installed():
        raise InputError(
            f"expected FluidSynth and {SOUNDFONT}; not both are there: "
            "install the packages fluidsynth and fluid-soundfont-gm"
        )
    score = io.BytesIO()
    write_events([*events, *_silence(num_samples / SAMPLE_RATE + 0.1)], score)
    room_size = float(f"{0.3 + 0.5 * room:.2f}") if room > 0 else None
    return play_score(score.getvalue(), soundfont=SOUNDFONT, num_samples=num_samples, room_size=room_size)


def _silence(seconds: float) -> list[Event]:
    """Stop everything: a note that nothing releases would sound for ever."""
    return [
        Event(seconds, "control_change", channel, control)
        for control in (_SUSTAIN, _ALL_SOUND_OFF)
        for channel in range(16)
    ]
