"""Whatever people bring: what adapt finds, what it will do, and why it refuses."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.config import parse
from stemtune.errors import InputError, StemtuneError, UsageError
from stemtune.hub import ModelCard, save_model
from stemtune.models.vqvae import UnmixConfig, VQVAEConfig
from stemtune.recipes.adapt import AdaptRequest
from stemtune.recipes.adapt.material import REST, examine
from stemtune.recipes.adapt.plan import Plan
from stemtune.recipes.adapt.planning import make_plan
from tests.contracts.test_separators import CODEC
from tests.recipes.adapt.conftest import EXECUTION, RATE, Write, sounds

Planner = Callable[..., Plan]


@pytest.fixture
def planned(base: Path, tmp_path: Path) -> Planner:
    """Everything up to the first step of training."""

    def plan(stems: Path, **changes: object) -> Plan:
        settings = {"stems": str(stems), "base": str(base), "steps": 2} | changes
        return make_plan(
            AdaptRequest.model_validate(settings), tmp_path / "out", execution=EXECUTION, say=lambda _: None
        )

    return plan


def rows(table: str, split: str) -> set[str]:
    from stemtune.data.datasets import open_dataset

    return {track.name for track in open_dataset(table, split=split)}


def test_songs_are_held_out_whole(write: Write, planned: Planner) -> None:
    for number in range(6):
        root = write(f"song {number}", sounds(number))
    plan = planned(root)
    held = [rows(table, "valid") for table in plan.folds]
    assert sorted(name for names in held for name in names) == [f"song {number}" for number in range(6)]
    for table, names in zip(plan.folds, held, strict=True):
        assert not rows(table, "train") & names
    assert [len(rows(table, "train")) for table in plan.smaller[0]] == [2, 2, 2]
    assert not plan.is_cut


def test_one_song_is_cut_in_time_with_a_guard(write: Write, planned: Planner) -> None:
    root = write("the only one", sounds(0, seconds=50.0))
    plan = planned(root)
    assert plan.is_cut
    assert plan.num_units == 6
    assert any("there is one song only" in remark for remark in plan.remarks)
    pieces = sorted((Path(plan.folds[0]).parent / "pieces").iterdir())
    total = sum(soundfile.info(piece / "sitar.wav").duration for piece in pieces)
    assert total == pytest.approx(50.0 - 5 * 1.0, abs=0.01)
    first, second = (soundfile.read(piece / "sitar.wav")[0] for piece in pieces[:2])
    whole = soundfile.read(root / "the only one" / "sitar.wav")[0]
    assert np.array_equal(first, whole[: first.size])
    assert np.array_equal(second, whole[first.size + RATE :][: second.size])


def test_a_stem_of_one_song_only_can_be_held_out_in_parts(write: Write, planned: Planner) -> None:
    write("with veena", {**sounds(0, seconds=40.0), "veena": sounds(7, seconds=40.0)["sitar"]})
    root = write("without", sounds(1, seconds=40.0))
    plan = planned(root, num_folds=2)
    assert plan.is_cut
    assert any(remark.startswith("veena is in so few songs that none can be held out") for remark in plan.remarks)
    for table in plan.folds:
        assert any("with veena" in name for name in rows(table, "train"))
        assert any("with veena" in name for name in rows(table, "valid"))


def test_one_stem_and_its_mixture_are_enough(write: Write, planned: Planner) -> None:
    for number in range(3):
        both = sounds(number, seconds=18.0)
        root = write(f"song {number}", {"tabla": both["tabla"], "mixture": both["tabla"] + both["sitar"]})
    plan = planned(root)
    assert plan.model.stems == ("tabla", REST)
    assert any("holds more than its stems" in remark for remark in plan.remarks)
    rest = soundfile.read(Path(plan.folds[0]).parent / "pieces" / "song 0 (1 of 1)" / "rest.wav")[0]
    assert np.abs(rest - sounds(0, seconds=18.0)["sitar"]).max() < 1e-5


def test_one_stem_alone_is_refused(write: Write) -> None:
    root = write("song", {"tabla": sounds(0)["tabla"]})
    write("song 2", {"tabla": sounds(1)["tabla"]})
    with pytest.raises(StemtuneError, match="tabla is the only stem, and there is nothing to tell it from"):
        examine(root, layout="songs")


def test_a_mastered_mixture_is_ignored(write: Write) -> None:
    for number in range(2):
        both = sounds(number)
        mixture = np.tanh(4.0 * (both["tabla"] + both["sitar"])) / 4.0
        root = write(f"song {number}", {**both, "mixture": mixture})
    material = examine(root)
    assert material.stems == ("sitar", "tabla")
    assert all(song.mixture is None for song in material.songs)
    assert any("the sum of the stems is used instead" in remark for remark in material.remarks)


def test_a_mixture_of_something_else_is_refused(write: Write) -> None:
    for number in range(2):
        root = write(f"song {number}", {**sounds(number), "mixture": sounds(number + 7)["tabla"]})
    with pytest.raises(InputError, match=r"the mixture holds .* times its stems, where exactly once was expected"):
        examine(root)


def test_twenty_seconds_are_refused_with_what_is_missing(write: Write, planned: Planner) -> None:
    root = write("short", sounds(0, seconds=20.0))
    with pytest.raises(InputError, match=r"the rarest stem sounds for \d+ seconds; at least 15 are needed"):
        planned(root)


def test_half_a_minute_moves_along_a_few_directions(write: Write, planned: Planner) -> None:
    for number in range(3):
        root = write(f"song {number}", sounds(number, seconds=20.0))
    plan = planned(root)
    assert (plan.rule.strategy, plan.rule.up_to_minutes) == ("adapters", 2.0)


def test_telephone_recordings_are_taken_and_it_is_said_what_they_lack(
    write: Write, planned: Planner, tmp_path: Path, base: Path
) -> None:
    from stemtune.hub import load

    wide = load(base).config.override({"sample_rate": 44100}).build()
    save_model(wide, tmp_path / "wide", ModelCard(name="wide", licence="MIT", description="At 44.1 kHz."))
    for number in range(3):
        root = write(f"song {number}", sounds(number, seconds=15.0))
    plan = planned(root, base=str(tmp_path / "wide"))
    assert any("nothing above 4 kHz, so what lies there cannot be learnt" in remark for remark in plan.remarks)


def test_copies_are_refused(write: Write) -> None:
    tabla = sounds(0)["tabla"]
    root = write("song", {"tabla": tabla, "sitar": 0.5 * tabla})
    with pytest.raises(InputError, match=r"(sitar and tabla|tabla and sitar) are the same sound"):
        examine(root)


def test_a_stem_that_is_silent_everywhere_is_refused(write: Write) -> None:
    for number in range(2):
        root = write(f"song {number}", {**sounds(number), "veena": np.zeros(10 * RATE)})
    with pytest.raises(InputError, match="the stem 'veena' is silent everywhere; check its export"):
        examine(root)


def test_single_recordings_are_mixed_to_be_scored(tmp_path: Path, planned: Planner) -> None:
    root = tmp_path / "pools"
    for number in range(6):
        for stem, samples in sounds(number).items():
            path = root / stem / f"take {number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples.astype(np.float32), RATE, subtype="FLOAT")
    plan = planned(root, layout="stems")
    assert plan.is_made
    assert not plan.has_songs
    assert len(rows(plan.folds[0], "train")) == 8
    for table in plan.folds:
        assert all(name.startswith("mixture ") for name in rows(table, "valid"))


def test_songs_with_compounds_are_left_out(write: Write) -> None:
    write("apart", sounds(0))
    write("apart too", sounds(2))
    root = write("together", {"tabla": sounds(1)["tabla"], "sitar+veena": sounds(1)["sitar"]})
    material = examine(root, layout="songs")
    assert [song.name for song in material.songs] == ["apart", "apart too"]
    assert any(remark.startswith("together: left out") for remark in material.remarks)


def test_a_test_split_stays_apart(write: Write) -> None:
    write("train/a", sounds(0))
    write("train/b", sounds(1))
    root = write("test/c", sounds(2))
    material = examine(root)
    assert {song.name for song in material.songs} == {"a", "b"}
    assert "learns from the split train only; the others stay apart" in material.remarks


def test_stems_that_the_base_has_keep_their_heads(write: Write, planned: Planner) -> None:
    for number in range(3):
        both = sounds(number, seconds=15.0)
        root = write(f"song {number}", {"drums": both["tabla"], "sitar": both["sitar"]})
    plan = planned(root)
    assert plan.origins is not None
    assert plan.origins["drums"] == "drums"


def save(config: VQVAEConfig | UnmixConfig, folder: Path) -> str:
    torch.manual_seed(0)
    save_model(config.build(), folder, ModelCard(name="codec", licence="MIT", description="Fresh."))
    return str(folder)


def test_models_that_cannot_be_adapted_say_why(write: Write, planned: Planner, tmp_path: Path) -> None:
    for number in range(3):
        root = write(f"song {number}", sounds(number, seconds=15.0))
    codec = save(parse(VQVAEConfig, {"codec": CODEC, "sample_rate": RATE}), tmp_path / "vqvae")
    with pytest.raises(UsageError, match="the auto-encoder of a single stem, which it hears alone"):
        planned(root, base=codec)
    unmix = save(parse(UnmixConfig, {"codec": CODEC, "sample_rate": RATE}), tmp_path / "unmix")
    with pytest.raises(UsageError, match=r"codec cannot learn the stem '(sitar|tabla)': it needs an auto-encoder"):
        planned(root, base=unmix)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategy": "magic"}, "unknown strategy 'magic'; the strategies are scratch, all, head"),
        ({"strategy": "scratch"}, "say --from scratch"),
        ({"base": "scratch", "save": "adapter"}, "an adapter needs a base"),
        ({"base": "no-such-model"}, "unknown model 'no-such-model'"),
        ({"strategy": "clustering"}, "needs Estimate.embedding, which BandNet does not offer"),
        ({"strategy": "remixing"}, "remixing needs excerpts mined from unlabelled recordings"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_learnt(
    write: Write, planned: Planner, changes: dict[str, object], words: str
) -> None:
    for number in range(3):
        root = write(f"song {number}", sounds(number, seconds=15.0))
    with pytest.raises(StemtuneError, match=re.escape(words)):
        planned(root, **changes)
