"""Which sounds a corpus may use, and that training and test share none.

families(learn) and families(judge) have nothing in common, and neither have their kits and voices.
"""

from collections.abc import Sequence
from pathlib import Path

from stemtune.data.rendering.ingredients import digest_of, of_samples, of_scores, of_soundfont
from stemtune.data.rendering.plans import Kit, Located, ScoreSource, Soundfont, TimbreSet
from stemtune.data.rendering.soundfonts import find_soundfont, is_known_soundfont, known_soundfont, presets_of
from stemtune.errors import InputError, UsageError

__all__ = ["check_independence", "kit_at", "score_source", "soundfont_at", "timbre_set", "voices_at"]

_AUDIO = (".flac", ".wav", ".ogg", ".aif", ".aiff")


def soundfont_at(name: str) -> Soundfont:
    """A soundfont by name or path, checked.

    Raises:
        InputError: if it is not there, or is not one.
    """
    path = find_soundfont(name)
    presets_of(path)
    return Soundfont(path=path, digest=digest_of(path), ingredient=of_soundfont(path))


def kit_at(folder: Path) -> Kit:
    """A folder of drum one-shots.

    Raises:
        InputError: if it holds no audio.
    """
    _check_audio(folder, "drum one-shots in folders named kick, snare, cymbal, tom")
    return Kit(path=folder, digest=digest_of(folder), ingredient=of_samples(folder))


def voices_at(folder: Path) -> Located:
    """A folder of sustained notes that are named after their pitch.

    Raises:
        InputError: if it holds no audio.
    """
    _check_audio(folder, "sustained notes with their pitch in the name, such as c4.wav")
    return Located(path=folder, digest=digest_of(folder), ingredient=of_samples(folder, role="voice"))


def score_source(original: Path, unpacked: Path, *, licence: str | None = None) -> ScoreSource:
    """A collection of scores; ``original`` names it, ``unpacked`` is where they lie, or will lie."""
    return ScoreSource(
        path=unpacked,
        digest=digest_of(original),
        ingredient=of_scores(original, licence=licence),
        archive=None if unpacked == original else original,
    )


def timbre_set(
    *,
    soundfonts: Sequence[str],
    kits: Sequence[str] = (),
    voices: Sequence[Path] = (),
    speakers: Sequence[str] = (),
    synthetic: bool = True,
) -> TimbreSet:
    """The sounds of one side of the split; kits are folders of one-shots or soundfonts.

    Raises:
        InputError: if one of them is not there, or is not what it should be.
    """
    return TimbreSet(
        soundfonts=tuple(soundfont_at(name) for name in soundfonts),
        kits=tuple(kit_at(Path(kit)) for kit in kits if not _is_soundfont(kit)),
        drum_soundfonts=tuple(soundfont_at(kit) for kit in kits if _is_soundfont(kit)),
        voices=tuple(voices_at(folder) for folder in voices),
        speakers=tuple(speakers),
        synthetic=synthetic,
    )


def check_independence(learn: TimbreSet, judge: TimbreSet) -> None:
    """Refuse sounds that stand on both sides of the split.

    Raises:
        UsageError: naming them.
    """
    families = {
        known_soundfont(font.path).family: font.path.name for font in (*learn.soundfonts, *learn.drum_soundfonts)
    }
    for font in (*judge.soundfonts, *judge.drum_soundfonts):
        family = known_soundfont(font.path).family
        if family in families:
            raise UsageError(
                f"{font.path.name} shares its recordings with {families[family]}, which the training songs use; "
                "test songs need another timbre: choose another --test-soundfont"
            )
    for kind, ours, theirs in (("kit", learn.kits, judge.kits), ("voices", learn.voices, judge.voices)):
        common = {item.digest for item in ours} & {item.digest for item in theirs}
        if common:
            name = next(item.path.name for item in ours if item.digest in common)
            raise UsageError(f"the {kind} {name} stand on both sides of the split; test songs need others")


def _is_soundfont(name: str) -> bool:
    """Whether a kit is a soundfont rather than a folder of one-shots."""
    return name.lower().endswith((".sf2", ".sf3")) or (not Path(name).exists() and is_known_soundfont(name))


def _check_audio(folder: Path, expected: str) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected {expected}")
    if not any(path.suffix.lower() in _AUDIO for path in folder.rglob("*")):
        raise InputError(f"{folder}: no audio in it; expected {expected}")
