"""Every kind of finding: its title, what it means for a model that learns from the data, and what to do.

A finding says where and how much; its kind says the rest, once for all places:

    what the user reads = explanation(kind) + one line per place.
"""

from collections.abc import Iterable, Mapping

from stemtune.data.audit.report import Explanation, Finding

__all__ = ["KINDS", "explanations"]


def _kind(title: str, meaning: str, advice: str) -> Explanation:
    return Explanation(title=title, meaning=meaning, advice=advice)


KINDS: Mapping[str, Explanation] = {
    "dataset": _kind(
        "Not a data set", "No songs or stems could be recognised here, so nothing can be learnt from it.",
        "Arrange the files as SONG/STEM.wav (one folder per song) or STEM/*.wav (one folder per stem).",
    ),
    "unsorted": _kind(
        "Files that belong to no stem", "The mapping names no stem for them, so nobody would ever hear them.",
        "Name their stem in the mapping, or leave them out by a pattern.",
    ),
    "unknown_track": _kind(
        "Splits that name unknown songs", "A song that is listed there does not exist, or has another name.",
        "Correct the list of the split, or get the song.",
    ),
    "streams": _kind(
        "Files with fewer streams than stems", "A stem is missing inside of them.",
        "Get these files again, or correct `streams` in the mapping.",
    ),
    "unreadable": _kind(
        "Files that cannot be read", "They are damaged, cut off, not audio, or contain invalid numbers.",
        "Get these files again or export them anew; or remove them.",
    ),
    "missing_stem": _kind(
        "Songs without a stem that others have",
        "Nobody can tell whether the stem is silent there or hidden in another stem.",
        "Add the file; where the song truly lacks that stem, add silence.",
    ),
    "sample_rate": _kind(
        "Sample rates that differ within a song", "Such stems run apart and do not add up to the song.",
        "Export all files of the song at one sample rate.",
    ),
    "sample_rates": _kind(
        "Several sample rates", "Training resamples; what came from a low rate has no treble to learn from.",
        "Nothing needs to be done; prefer recordings at the model's rate.",
    ),
    "channels": _kind(
        "Channels that differ within a song", "Mono files are played on both sides, further channels are dropped.",
        "Export all files of the song alike, if their place between left and right matters.",
    ),
    "length": _kind(
        "Lengths that differ within a song", "Stems that do not end together may not have begun together either.",
        "Export all stems from the song's beginning to its end.",
    ),
    "lag": _kind(
        "Stems that come too late or too early", "The model would learn to predict the wrong moment.",
        "Move the file by what is stated, or export it again from the song's beginning.",
    ),
    "polarity": _kind(
        "Stems that are turned upside down", "The mixture contains the stem with the opposite sign.",
        "Invert the phase of the file (every audio editor can), or remove the mixture file.",
    ),
    "gain": _kind(
        "Stems that are louder or softer than in the mixture", "Estimates would be at the wrong level.",
        "Change the level by what is stated, or remove the mixture file to train on the sum of the stems.",
    ),
    "null_depth": _kind(
        "Mixtures that are not the sum of their stems",
        "A stem is missing or wrong, or the mixture was compressed and mastered after the stems were exported.",
        "Export the mixture without mastering, or remove it: the sum of the stems is used then.",
    ),
    "silent": _kind(
        "Files without sound", "They teach nothing but silence.",
        "Check the export; where the song truly lacks this stem, silence is right and this can be ignored.",
    ),
    "clipping": _kind(
        "Clipped peaks", "Peaks were cut off at full scale, which sounds distorted; a model learns the distortion.",
        "Export at a lower level.",
    ),
    "overshoot": _kind(
        "Peaks above full scale", "Fine in float and lossy files, but they would clip in a 16-bit file.",
        "Nothing, unless you convert the files; then lower the level first.",
    ),
    "offset": _kind(
        "Waveforms that are off centre", "A constant was added to the signal, usually by faulty equipment.",
        "Filter out what is below 20 Hz.",
    ),
    "short": _kind(
        "Very short files", "Training fills them up with silence.", "Nothing, if they are single hits or notes.",
    ),
    "same_channels": _kind(
        "Mono files stored as stereo", "Left and right are the same; a model may learn that stems have no place.",
        "Nothing, if the recording is mono; otherwise export it again in stereo.",
    ),
    "inverted_channels": _kind(
        "Left and right are opposite", "They cancel each other wherever the file is played in mono.",
        "Invert the phase of one channel.",
    ),
    "one_sided": _kind(
        "Only one side sounds", "One of the two channels is silent.",
        "Check the cable or the export; convert the file to mono if nothing is missing.",
    ),
    "band_limited": _kind(
        "Treble is missing",
        "The spectrum ends abruptly: the file was made from a lower sample rate or from a low-bitrate mp3.",
        "Look for the original; next to full-range stems the model would learn to tell them by their treble.",
    ),
    "identical_stems": _kind(
        "Two stems of a song are the same", "One of them is not what its name says.", "Export both again.",
    ),
    "bleed": _kind(
        "Stems that contain another stem", "A model learns to leave the one in the other.",
        "Normal for instruments recorded in one room; otherwise export the stem again with all others muted.",
    ),
    "leakage": _kind(
        "The same sound on both sides of a split", "The model would be judged on what it has learnt by heart.",
        "Move all tracks that share sound to the same split.",
    ),
    "duplicate": _kind(
        "Recordings that are there twice", "They are heard twice as often as all others.", "Keep one of them.",
    ),
    "shared_audio": _kind(
        "Recordings that share passages", "They must not be divided between training and test.",
        "Keep each group on the same side of a split.",
    ),
    "shared_notes": _kind(
        "Recordings that share single notes or short loops",
        "Usual for music that was made with samplers: one recorded note is heard in both.",
        "Nothing, if the music was rendered or sequenced; otherwise listen to the places that are named.",
    ),
    "little_sound": _kind(
        "Stems with hardly any sound", "Too little to learn from, however long the files are.",
        "Add recordings of this stem.",
    ),
}  # fmt: skip


def explanations(findings: Iterable[Finding]) -> dict[str, Explanation]:
    """The explanations that some findings need, in the order of `KINDS`."""
    kinds = {finding.kind for finding in findings}
    return {kind: explanation for kind, explanation in KINDS.items() if kind in kinds}
