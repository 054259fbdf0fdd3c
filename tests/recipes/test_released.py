"""From a run of a small model to a model that ships: what is scored, what is kept, what is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from stemtune.data.rendering.records import CorpusRecord, LicenceRecord, SongRecord, SplitRecord
from stemtune.errors import InputError
from stemtune.hub import ModelCard, load, save_model
from stemtune.models.bandnet import BandNetConfig
from stemtune.recipes.released.experiments import SPECIALITIES, small_model
from stemtune.recipes.released.release import release

STEMS = tuple(SPECIALITIES["drums"].origins)


def small_corpus(folder: Path, *, may_train: bool = True) -> None:
    licence = LicenceRecord(may_train_released_weights=may_train, licences=("CC0-1.0",), attribution=())
    songs = tuple(
        SongRecord(name=name, split=split, seconds=2.0, source="groove/a.mid", stems={}, ingredients=())
        for name, split in (("a", "train"), ("b", "test"))
    )
    generator = np.random.default_rng(0)
    for song in songs:
        for stem in STEMS:
            path = folder / song.split / song.name / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * generator.standard_normal((16000, 2)), 8000)
    record = CorpusRecord(
        kind="drums", seed=0, identity="2-0123456789abcdef", settings={}, licence=licence,
        splits={"train": SplitRecord(songs=1, seconds=2.0, licence=licence)}, songs=songs, complete=True,
    )  # fmt: skip
    (folder / "corpus.json").write_text(record.model_dump_json())


def finished_run(folder: Path) -> None:
    config = BandNetConfig(
        stems=STEMS, sample_rate=8000, n_fft=512, hop_length=128, bands=((8, 8), (4, 32)), width=8, dilations=(1, 2),
        mixing_groups=2,
    )  # fmt: skip
    save_model(config.build(), folder / "model", ModelCard(name="run", licence="MIT", description="A run."))


def test_what_is_scored_is_what_is_kept(tmp_path: Path) -> None:
    small_corpus(tmp_path / "corpora" / "drums-2h")
    finished_run(tmp_path / "run")
    card = release(
        "drums", run=tmp_path / "run", corpora=tmp_path / "corpora", data=tmp_path, report=tmp_path / "report",
        out=tmp_path / "drums", commit="abc",
    )  # fmt: skip
    kept = load_file(tmp_path / "drums" / "model.safetensors")
    floats = [tensor for tensor in kept.values() if tensor.is_floating_point()]
    assert floats
    assert all(tensor.dtype == torch.float16 for tensor in floats)
    assert {score.stem for score in card.scores} == set(STEMS)
    assert {score.num_tracks for score in card.scores} == {1}
    assert card.training_minutes > 0
    assert card.base == "bandnet-4stem"
    assert load(tmp_path / "drums").stems == STEMS
    assert all(parameter.dtype == torch.float32 for parameter in load(tmp_path / "drums").parameters())
    assert (tmp_path / "report" / "rendered" / "scores.md").exists()


def test_what_must_not_be_released_is_refused(tmp_path: Path) -> None:
    small_corpus(tmp_path / "corpora" / "drums-2h", may_train=False)
    places = {"corpora": tmp_path / "corpora", "data": tmp_path, "report": tmp_path / "report",
              "out": tmp_path / "drums", "commit": "abc"}  # fmt: skip
    with pytest.raises(InputError, match="finish the run first"):
        release("drums", run=tmp_path / "run", **places)
    finished_run(tmp_path / "run")
    with pytest.raises(InputError, match="must not hear"):
        release("drums", run=tmp_path / "run", **places)
    assert not (tmp_path / "drums").exists()
    with pytest.raises(InputError, match="holds no rendered corpus"):
        release("choir", run=tmp_path / "run", **places)


def test_only_a_speciality_with_phrases_goes_on_with_other_timbres() -> None:
    assert len(small_model("drums").phases) == 1
    learn, vary = small_model("chorale").phases
    assert vary.initialise.source == "previous"
    assert [corpus.path for corpus in learn.data.corpora] == ["corpora/chorales-2h"]
    many, notes = vary.data.corpora
    assert (many.path, many.split) == ("corpora/chorales-many", "train")
    assert notes.mapping == {"other": "saxophone"}
    assert learn.validation is not None
    assert vary.validation is not None
    assert vary.validation.path == learn.validation.path
