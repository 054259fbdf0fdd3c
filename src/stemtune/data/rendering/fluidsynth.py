"""FluidSynth as a function: notes in, one stereo signal per channel out, at a fixed gain so that renderings add up.

    rendering(events of all channels) = sum over channels of rendering(events of the channel).

The library is called in this process, so a song of any number of instruments is one pass over its notes, with no
file in between; FluidSynth gives every channel an output of its own. Its reverberation and chorus stay off there:
rooms are added later, where they can be different for each instrument and the same for every worker.

References:
    The FluidSynth API, version 2 (fluidsynth.org/api): ``fluid_synth_process``, settings ``synth.*``.
Deviations:
    Events begin on multiples of FluidSynth's 64 samples, 1.5 ms, as they do in its own player.
"""

import ctypes
import ctypes.util
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.scores import Event
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.data.rendering.soundfonts import check_soundfont
from stemtune.errors import InputError

__all__ = ["SHORTER_RELEASE", "fluidsynth_is_installed", "fluidsynth_version", "play_channels", "play_score"]

SHORTER_RELEASE = -1800.0
"""For instruments that get a room afterwards: a third as long. Soundfonts let some notes ring for many seconds, far
below what can be heard in a band; nine tenths of the voices that FluidSynth has to play can be such."""

_GAIN = 0.4
_RELEASE_OF_VOLUME = 38  # SoundFont 2.04, section 8.1.2: releaseVolEnv
_BLOCK_SAMPLES = 64
_POLYPHONY = 256
_FAILED = -1
_LOG_LEVELS = 5


def fluidsynth_is_installed() -> bool:
    """Whether FluidSynth's library is on this machine."""
    return ctypes.util.find_library("fluidsynth") is not None


def fluidsynth_version() -> str:
    """Such as ``2.3.1``.

    Raises:
        InputError: if FluidSynth is missing.
    """
    return str(_library().fluid_version_str().decode())


def play_channels(
    events: Sequence[Event],
    *,
    soundfont: Path,
    num_channels: int,
    num_samples: int,
    drum_channels: frozenset[int] = frozenset(),
    release_timecents: float = 0.0,
) -> Float32[np.ndarray, "channel side time"]:
    """Play events, each channel into an output of its own.

    Args:
        events: in the order of time; their channels are below ``num_channels``, which may exceed MIDI's sixteen.
        soundfont: the ``.sf2`` or ``.sf3`` file whose instruments play.
        num_channels: how many outputs there shall be.
        num_samples: length of the result; what sounds beyond is cut.
        drum_channels: where programs are drum kits and notes are drums.
        release_timecents: added to the release of every voice, in timecents: -1200 lets notes die away in half the
            time. See `SHORTER_RELEASE`.

    Returns:
        Dry stereo sound of every channel.

    Raises:
        InputError: if FluidSynth is missing or cannot read the soundfont.
    """
    library = _library()
    padded = -(-num_samples // _BLOCK_SAMPLES) * _BLOCK_SAMPLES
    sound = np.zeros((num_channels, 2, padded), dtype=np.float32)
    numbers = {"synth.audio-channels": num_channels, "synth.audio-groups": num_channels}
    numbers["synth.midi-channels"] = -(-num_channels // 16) * 16
    with _synthesiser(library, soundfont, numbers, {}) as synth:
        for channel in range(num_channels):
            library.fluid_synth_set_channel_type(synth, channel, int(channel in drum_channels))
            library.fluid_synth_program_change(synth, channel, 0)
            library.fluid_synth_set_gen(synth, channel, _RELEASE_OF_VOLUME, release_timecents)
        position = 0
        for event in events:
            start = min(int(event.seconds * SAMPLE_RATE) // _BLOCK_SAMPLES * _BLOCK_SAMPLES, padded)
            if start > position:
                _process(library, synth, sound, position, start)
                position = start
            if position >= padded:
                break
            _send(library, synth, event)
        if padded > position:
            _process(library, synth, sound, position, padded)
    return sound[:, :, :num_samples]


def play_score(
    score: bytes, *, soundfont: Path, num_samples: int, room_size: float | None = None
) -> Float32[np.ndarray, "side time"]:
    """Play a MIDI file, sixteen channels into one output, with FluidSynth's own player.

    Args:
        score: the contents of a MIDI file.
        soundfont: whose instruments play.
        num_samples: length of the result; what sounds beyond is cut.
        room_size: of FluidSynth's reverberation, from 0 to 1; None for none.

    Raises:
        InputError: if FluidSynth is missing or cannot read the soundfont.
    """
    library = _library()
    padded = -(-num_samples // _BLOCK_SAMPLES) * _BLOCK_SAMPLES
    sound = np.zeros((padded, 2), dtype=np.float32)
    integers = {"synth.reverb.active": int(room_size is not None)}
    reals = {} if room_size is None else {"synth.reverb.room-size": room_size, "synth.reverb.level": 0.6}
    with _synthesiser(library, soundfont, integers, reals) as synth:
        player = library.new_fluid_player(synth)
        library.fluid_player_add_mem(player, score, len(score))
        library.fluid_player_play(player)
        address = sound.ctypes.data
        for start in range(0, padded, _BLOCK_SAMPLES):
            library.fluid_synth_write_float(synth, _BLOCK_SAMPLES, address, 2 * start, 2, address, 2 * start + 1, 2)
        library.delete_fluid_player(player)
    return np.ascontiguousarray(sound[:num_samples].T)


@contextmanager
def _synthesiser(library: Any, soundfont: Path, integers: dict[str, int], reals: dict[str, float]) -> Generator[Any]:
    """A synthesiser of its own for every rendering, so that none depends on what was played before."""
    check_soundfont(soundfont)
    settings = library.new_fluid_settings()
    synth = None
    try:
        silent = {"synth.reverb.active": 0, "synth.chorus.active": 0}
        fixed = {"synth.dynamic-sample-loading": 1, "synth.polyphony": _POLYPHONY, "synth.lock-memory": 0}
        for name, value in (silent | fixed | integers).items():
            library.fluid_settings_setint(settings, name.encode(), value)
        for name, value in ({"synth.sample-rate": float(SAMPLE_RATE), "synth.gain": _GAIN} | reals).items():
            library.fluid_settings_setnum(settings, name.encode(), value)
        library.fluid_settings_setstr(settings, b"player.timing-source", b"sample")
        synth = library.new_fluid_synth(settings)
        if not synth or library.fluid_synth_sfload(synth, str(soundfont).encode(), 1) == _FAILED:
            raise InputError(f"{soundfont}: expected a soundfont that FluidSynth can read; it refuses this one")
        yield synth
    finally:
        if synth:
            library.delete_fluid_synth(synth)
        library.delete_fluid_settings(settings)


def _process(library: Any, synth: Any, sound: Float32[np.ndarray, "channel side time"], start: int, stop: int) -> None:
    """Let time pass, and add what sounds to ``sound[:, :, start:stop]``."""
    num_outputs = sound.shape[0] * 2
    first, row = sound.ctypes.data + 4 * start, sound.strides[1]
    outputs = (ctypes.c_void_p * num_outputs)(*(first + row * output for output in range(num_outputs)))
    library.fluid_synth_process(synth, stop - start, 0, None, num_outputs, outputs)


def _send(library: Any, synth: Any, event: Event) -> None:
    match event.kind:
        case "note_on":
            library.fluid_synth_noteon(synth, event.channel, event.number, event.value)
        case "note_off":
            library.fluid_synth_noteoff(synth, event.channel, event.number)
        case "program_change":
            library.fluid_synth_program_change(synth, event.channel, event.number)
        case "control_change":
            library.fluid_synth_cc(synth, event.channel, event.number, event.value)
        case "pitchwheel":
            library.fluid_synth_pitch_bend(synth, event.channel, min(max(event.value + 8192, 0), 16383))


@cache
def _library() -> Any:
    """The shared library, with the types of what is called in it; it logs nothing.

    Raises:
        InputError: if it is missing, naming the package.
    """
    name = ctypes.util.find_library("fluidsynth")
    if name is None:
        raise InputError(
            "expected FluidSynth, which plays the instruments; it is not installed: "
            "apt-get install fluidsynth fluid-soundfont-gm (macOS: brew install fluid-synth)"
        )
    library: Any = ctypes.CDLL(name)
    pointer, integer, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "new_fluid_settings": (pointer, ()),
        "new_fluid_synth": (pointer, (pointer,)),
        "new_fluid_player": (pointer, (pointer,)),
        "delete_fluid_settings": (None, (pointer,)),
        "delete_fluid_synth": (None, (pointer,)),
        "delete_fluid_player": (None, (pointer,)),
        "fluid_version_str": (text, ()),
        "fluid_settings_setint": (integer, (pointer, text, integer)),
        "fluid_settings_setnum": (integer, (pointer, text, ctypes.c_double)),
        "fluid_settings_setstr": (integer, (pointer, text, text)),
        "fluid_set_log_function": (pointer, (integer, pointer, pointer)),
        "fluid_synth_sfload": (integer, (pointer, text, integer)),
        "fluid_synth_set_channel_type": (integer, (pointer, integer, integer)),
        "fluid_synth_noteon": (integer, (pointer, integer, integer, integer)),
        "fluid_synth_noteoff": (integer, (pointer, integer, integer)),
        "fluid_synth_cc": (integer, (pointer, integer, integer, integer)),
        "fluid_synth_program_change": (integer, (pointer, integer, integer)),
        "fluid_synth_set_gen": (integer, (pointer, integer, integer, ctypes.c_float)),
        "fluid_synth_pitch_bend": (integer, (pointer, integer, integer)),
        "fluid_synth_process": (integer, (pointer, integer, integer, pointer, integer, pointer)),
        "fluid_synth_write_float": (integer, (pointer, integer, pointer, integer, integer, pointer, integer, integer)),
        "fluid_player_add_mem": (integer, (pointer, text, ctypes.c_size_t)),
        "fluid_player_play": (integer, (pointer,)),
    }
    for function, (returned, arguments) in signatures.items():
        bound = getattr(library, function)
        bound.restype, bound.argtypes = returned, arguments
    for level in range(_LOG_LEVELS):
        library.fluid_set_log_function(level, None, None)
    return library
