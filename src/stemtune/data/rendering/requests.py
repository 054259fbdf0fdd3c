"""What a user asks for, turned into a configuration: sources found, sounds chosen, training and test kept apart.

    request -> (scores, soundfonts, kits, voices with their digests and licences) -> configuration -> corpus.

With a data folder (the one whose ``manifest.csv`` lists what it holds) every kind has scores and sounds to begin with;
without one, scores must be named, and drums come from the soundfonts.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field, model_validator

from stemtune.config import Frozen, parse
from stemtune.data.claims import claimed
from stemtune.data.files import output_error
from stemtune.data.rendering.choosing import Amount
from stemtune.data.rendering.mapping import load_mapping
from stemtune.data.rendering.plans import SINGERS, Kind, RenderConfig, ScoreSource, Singer, SongPlan, Style, TimbreSet
from stemtune.data.rendering.records import CorpusRecord, claim_folder
from stemtune.data.rendering.rendering import render_corpus
from stemtune.data.rendering.sources import SCORES_FOLDER, unpack_target, unpacked
from stemtune.data.rendering.timbres import check_independence, score_source, timbre_set
from stemtune.data.rendering.words import words_can_be_sung
from stemtune.errors import InputError, OutputError, UsageError

__all__ = ["RenderRequest", "configure", "render"]

_LOCK_FILE = ".lock"
_SCORES: dict[Kind, tuple[str, ...]] = {
    "chorales": ("jsb-chorales-16th.json.gz",),
    "choir": ("jsb-chorales-16th.json.gz",),
    "drums": ("groove.tar.xz",),
    "bands": ("freedoom.tar.xz", "simutrans.tar.xz", "mma.tar.xz"),
    "pop": ("pop909.tar.xz",),
}
_DRUM_SCORES = "groove.tar.xz"
_KITS, _TEST_KITS = ("sonic_pi_cc0",), ("hydrogen_gmrockkit_gpl", "real_music_media_kit")
_VOICES = ("choir_female_sonatina", "choir_male_sonatina")
_SPEAKERS, _TEST_SPEAKERS = ("slt", "rms"), ("awb", "kal16")
_MAX_SECONDS: dict[Kind, float] = {"chorales": 240.0, "choir": 240.0, "drums": 60.0, "bands": 150.0, "pop": 180.0}
_USES_KITS, _USES_VOICES = ("drums", "bands", "pop"), ("choir", "pop")


class RenderRequest(Frozen):
    """What a user asks for; None or nothing means the default."""

    kind: Kind
    sources: tuple[Path, ...] = Field(default=(), description="scores: folders, archives or files")
    data: Path | None = Field(default=None, description="folder with manifest.csv, midi/, drum_oneshots/, instruments/")
    seed: int = Field(default=0, ge=0)
    soundfonts: tuple[str, ...] = Field(default=("FluidR3_GM.sf2",), description="of train and valid")
    test_soundfonts: tuple[str, ...] = Field(default=("TimGM6mb.sf2",))
    kits: tuple[str, ...] = Field(default=(), description="one-shot folders or drum soundfonts of train and valid")
    test_kits: tuple[str, ...] = Field(default=())
    voices: tuple[Path, ...] = Field(default=(), description="folders of sampled voices of train and valid")
    test_voices: tuple[Path, ...] = Field(default=())
    drum_scores: Path | None = Field(default=None, description="performances for pop songs")
    splits: tuple[float, float, float] = Field(default=(80.0, 5.0, 15.0), description="shares of train, valid, test")
    mapping: str | None = Field(default=None, description="which parts form which stem: a name or a file")
    instruments: tuple[str, ...] = Field(default=())
    singer: Singer | None = None
    style: Style = "any"
    max_seconds: float | None = Field(default=None, ge=10)
    mono: bool = False
    int24: bool = False
    mixture: bool = False
    licence: str | None = Field(default=None, description="of the scores, where the project does not know it")

    @model_validator(mode="after")
    def _check(self) -> "RenderRequest":
        if min(self.splits) < 0 or sum(self.splits) <= 0:
            raise ValueError("the shares of the splits must not be negative, and one must be positive")
        return self


def configure(request: RenderRequest, out: Path) -> RenderConfig:
    """Find everything that a request needs; nothing is written.

    Raises:
        InputError: if scores or sounds are missing, or are not what they should be.
        UsageError: if the request cannot be fulfilled.
    """
    sources = request.sources or tuple(_in_data(request, "midi", name) for name in _SCORES[request.kind])
    learn = _timbres(request, test=False)
    has_test = request.splits[2] > 0
    judge = _timbres(request, test=True) if has_test else learn
    if has_test:
        check_independence(learn, judge)
    total = sum(request.splits)
    settings = {
        "kind": request.kind,
        "seed": request.seed,
        "sources": tuple(_source(path, out, request.licence) for path in sources),
        "drum_scores": _drum_scores(request, out),
        "learn": learn,
        "judge": judge,
        "shares": tuple(share / total for share in request.splits),
        "mapping": load_mapping(request.mapping) if request.mapping else None,
        "singers": _singers(request),
        "style": request.style,
        "max_seconds": request.max_seconds or _MAX_SECONDS[request.kind],
        "num_channels": 1 if request.mono else 2,
        "bits": 24 if request.int24 else 16,
        "mixture": request.mixture,
    }
    return parse(RenderConfig, settings | ({"instruments": request.instruments} if request.instruments else {}))


def render(
    request: RenderRequest,
    out: Path,
    *,
    amount: Amount,
    num_workers: int = 1,
    on_plan: Callable[[str], None] = lambda _: None,
    on_song: Callable[[SongPlan, int, int], None] = lambda _plan, _done, _total: None,
) -> CorpusRecord:
    """Make the corpus that a request describes, or what is missing of it; see `render_corpus`.

    Raises:
        OutputError: also if another process renders this corpus; both would use the same unpacked scores.
    """
    config = configure(request, out)
    claim_folder(out, config)
    with claimed(out / _LOCK_FILE) as is_ours:
        if not is_ours:
            raise OutputError(
                f"{out}: another process is rendering this corpus; wait until it has ended, then start again to go on"
            )
        scratch = out / SCORES_FOLDER
        for source in (*config.sources, *((config.drum_scores,) if config.drum_scores else ())):
            if source.archive is not None:
                unpacked(source.archive, scratch)
        record = render_corpus(config, out, amount=amount, num_workers=num_workers, on_plan=on_plan, on_song=on_song)
        shutil.rmtree(scratch, ignore_errors=True)
        return record


def _source(path: Path, out: Path, licence: str | None) -> ScoreSource:
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder; expected scores: MIDI files, an archive of them, or chorales"
        )
    try:
        return score_source(path, unpack_target(path, out / SCORES_FOLDER), licence=licence)
    except OSError as error:
        raise output_error(path, error) from None


def _drum_scores(request: RenderRequest, out: Path) -> ScoreSource | None:
    if request.kind != "pop":
        return None
    if request.drum_scores is not None:
        return _source(request.drum_scores, out, request.licence)
    return _source(_in_data(request, "midi", _DRUM_SCORES), out, None) if request.data else None


def _timbres(request: RenderRequest, *, test: bool) -> TimbreSet:
    """The sounds of one side; kits and voices only where the kind uses them."""
    kits: Sequence[str] = request.test_kits if test else request.kits
    voices: Sequence[Path] = request.test_voices if test else request.voices
    if not kits and request.data and request.kind in _USES_KITS:
        names = _TEST_KITS if test else _KITS
        kits = [str(folder) for folder in _present(request, "drum_oneshots", names)]
    if not voices and request.data and request.kind in _USES_VOICES and not test:
        voices = _present(request, "instruments", _VOICES)
    speakers = (_TEST_SPEAKERS if test else _SPEAKERS) if "words" in _singers(request) else ()
    return timbre_set(
        soundfonts=request.test_soundfonts if test else request.soundfonts,
        kits=kits if request.kind in _USES_KITS else (),
        voices=voices if request.kind in _USES_VOICES else (),
        speakers=speakers if request.kind == "pop" else (),
        synthetic=not test,
    )


def _singers(request: RenderRequest) -> tuple[Singer, ...]:
    if request.kind != "pop":
        return ("vowels",)
    if request.singer == "words" and not words_can_be_sung():
        raise InputError("singing with words needs Flite and pyworld; apt-get install flite, pip install pyworld")
    if request.singer is not None:
        return (request.singer,)
    return tuple(singer for singer in SINGERS if singer != "words" or words_can_be_sung())


def _in_data(request: RenderRequest, folder: str, name: str) -> Path:
    if request.data is None:
        raise UsageError(
            f"no scores given for {request.kind}; name a folder, an archive or a file of them, or pass --data FOLDER"
        )
    path = request.data / folder / name
    if not path.exists():
        raise InputError(f"{path}: no such file; expected a data folder with {folder}/{name}, or scores by name")
    return path


def _present(request: RenderRequest, folder: str, names: Sequence[str]) -> list[Path]:
    root = (request.data or Path()) / folder
    return [root / name for name in names if (root / name).is_dir()]
