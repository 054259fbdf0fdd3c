"""What cannot work is refused when the mixer is built, in one line that says what to do."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.config import parse
from stemtune.data.mixing import Mixer, MixingConfig
from stemtune.data.segments import Corpus
from stemtune.errors import ConfigError, InputError

RATE = 8000


def config(corpus: Path, **changes: object) -> MixingConfig:
    settings: dict[str, object] = {
        "corpora": [{"path": str(corpus)}],
        "stems": ("vocals", "drums"),
        "sample_rate": RATE,
        "channels": 1,
        "segment_seconds": 0.5,
    }
    return parse(MixingConfig, settings | changes)


def write(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.astype(np.float32), RATE, subtype="FLOAT")


def test_a_stem_that_is_silent_everywhere(tmp_path: Path) -> None:
    for song in range(3):
        write(tmp_path / f"song {song}" / "vocals.wav", np.zeros(RATE * 15))
        write(tmp_path / f"song {song}" / "drums.wav", np.full(RATE * 15, 0.1))
    with pytest.raises(InputError, match=r"the stem 'vocals' is silent from beginning to end in all its 3 recordings"):
        Mixer(config(tmp_path))
    late = np.zeros(RATE * 15)
    late[-10] = 0.1
    write(tmp_path / "song 2" / "vocals.wav", late)
    Mixer(config(tmp_path))


def test_segments_longer_than_any_recording(songs: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"segment_seconds is 6.5, but the longest recording of 'vocals' lasts 6.00 s; choose shorter"
    ):
        Mixer(config(songs, segment_seconds=6.5))
    with pytest.raises(ConfigError, match=r"but the longest song lasts 6.00 s"):
        Mixer(config(songs, segment_seconds=6.5, coherent_probability=1.0))
    Mixer(config(songs, segment_seconds=6.0))


def test_an_empty_corpus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        Mixer(config(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="no audio found"):
        Mixer(config(tmp_path))


def test_stems_and_songs_that_do_not_exist(songs: Path) -> None:
    with pytest.raises(InputError, match=r"no corpus has a stem 'tabla'; the stems found are: drums, vocals"):
        Mixer(config(songs, stems=("vocals", "tabla")))
    with pytest.raises(InputError, match=r"none of its 3 tracks matches 'x\*'"):
        Mixer(config(songs, corpora=(Corpus(path=str(songs), pattern="x*"),)))
    with pytest.raises(InputError, match="coherent mixing needs songs with at least two of the stems"):
        Mixer(config(songs, stems=("vocals",)))


def test_mappings_that_name_what_is_not_there(songs: Path) -> None:
    for mapping, message in (
        ({"guitar": "other"}, r"names a stem 'guitar' that no track has; the stems are: drums, vocals"),
        ({"drums": None, "vocals": None}, r"the mapping leaves no stem of drums, vocals; give one a name"),
    ):
        with pytest.raises(ConfigError, match=message):
            Mixer(config(songs, corpora=[{"path": str(songs), "mapping": mapping}]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augmentation": {"stretch": (0.0, 1.0)}}, "augmentation.stretch: .* within 0.25 and 4"),
        ({"augmentation": {"pitch_semitones": (3, -3)}}, "expected the lower limit first"),
        ({"levels_db": (-10.0, -20.0)}, r"levels_db: expected the lower limit first, got \(-10, -20\)"),
        ({"loudness": {"snr_db": (2, -2)}}, r"loudness.snr_db: expected the lower limit first"),
        ({"loudness": {}, "levels_db": (-20.0, -10.0)}, "levels_db and loudness both set the levels"),
        ({"num_stems": (0, 2)}, "num_stems: expected numbers from 1 to 2"),
        ({"num_stems": (2, 1)}, "num_stems: expected the lower limit first"),
        ({"stems": ("vocals", "vocals")}, "stems: expected different names, got vocals, vocals"),
        ({"stems": ()}, "stems"),
        ({"stems": "all"}, "stems"),
        ({"segment_seconds": 0.0}, "segment_seconds: .*greater than 0"),
        ({"segment_seconds": float("inf")}, "segment_seconds"),
        ({"corpora": ()}, "corpora"),
    ],
)
def test_configurations_that_cannot_work(songs: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(songs, **changes)
