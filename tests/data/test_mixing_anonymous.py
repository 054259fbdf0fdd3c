"""Corpora whose stems differ: padded, in the order of their names, and never mixed with each other."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError

from stemtune.data.collate import Examples, collate, loader
from stemtune.data.mixing import Mixer, MixingConfig
from stemtune.data.segments import Corpus
from stemtune.errors import InputError

RATE = 8000
STEMS = {"first": ("vocals", "accompaniment"), "second": ("piano_guitar", "drums", "bass")}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Corpus]:
    """Two corpora of two songs; every file is a constant of its own, by which it is recognised."""
    root = tmp_path_factory.mktemp("corpora")
    for number, (corpus, stems) in enumerate(STEMS.items()):
        for song in range(2):
            for index, stem in enumerate(sorted(stems)):
                path = root / corpus / f"song {song}" / f"{stem}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                value = (number + 1) / 4 + (index + 1) / 32 + song / 256
                soundfile.write(path, np.full(4 * RATE, value, dtype=np.float32), RATE, subtype="FLOAT")
    return tuple(Corpus(path=str(root / name), layout="songs", weight=2.0 - i) for i, name in enumerate(STEMS))


def config(corpora: tuple[Corpus, ...], **changes: object) -> MixingConfig:
    settings = {"corpora": corpora, "stems": "any", "sample_rate": RATE, "channels": 1, "segment_seconds": 0.25}
    return MixingConfig.model_validate(settings | changes)


def recognised(example: torch.Tensor) -> tuple[tuple[int, int, int], ...]:
    """Corpus, stem and song of each source that is not silence."""
    found = []
    for value in example[:, 0, 0].tolist():
        if value:
            corpus, rest = divmod(round(256 * value) - 64, 64)
            found.append((corpus, rest // 8 - 1, rest % 8))
    return tuple(found)


def draws(mixer: Mixer, count: int) -> list[tuple[tuple[int, int, int], ...]]:
    return [recognised(mixer.example(seed=0, step=0, position=position)) for position in range(count)]


@pytest.mark.parametrize("coherent_probability", [0.0, 1.0])
def test_examples_take_all_stems_of_one_corpus_in_the_order_of_their_names(
    corpora: tuple[Corpus, Corpus], coherent_probability: float
) -> None:
    drawn = draws(Mixer(config(corpora, coherent_probability=coherent_probability)), 60)
    kinds = {tuple((corpus, stem) for corpus, stem, _ in example) for example in drawn}
    assert kinds == {((0, 0), (0, 1)), ((1, 0), (1, 1), (1, 2))}
    songs = {len({song for _, _, song in example}) for example in drawn}
    assert songs == ({1} if coherent_probability else {1, 2})
    share = np.mean([example[0][0] == 0 for example in drawn])
    assert 0.5 < share < 0.85  # two thirds, by weight


def test_what_is_drawn_comes_first_and_silence_fills_up(corpora: tuple[Corpus, Corpus]) -> None:
    mixer = Mixer(config(corpora, max_stems=5))
    example = mixer.example(seed=0, step=0, position=0)
    sounding = [bool(source.any()) for source in example]
    assert sounding == sorted(sounding, reverse=True)
    assert example.shape == (5, 1, 2000)


def test_as_many_of_the_stems_as_are_drawn(corpora: tuple[Corpus, Corpus]) -> None:
    for coherent_probability in (0.0, 1.0):
        mixer = Mixer(config(corpora, num_stems=(1, 2), coherent_probability=coherent_probability))
        drawn = draws(mixer, 80)
        assert {len(example) for example in drawn} == {1, 2}
        pairs = {tuple(stem for _, stem, _ in example) for example in drawn if example[0][0] == 1}
        assert pairs == {(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)}


def test_of_more_stems_than_fit_some_are_drawn(corpora: tuple[Corpus, Corpus]) -> None:
    drawn = draws(Mixer(config(corpora, max_stems=2, coherent_probability=1.0)), 60)
    assert {len(example) for example in drawn} == {2}
    assert {tuple(stem for _, stem, _ in example) for example in drawn if example[0][0] == 1} == {
        (0, 1), (0, 2), (1, 2),
    }  # fmt: skip


def test_batches_say_which_sources_are_there(corpora: tuple[Corpus, Corpus]) -> None:
    settings = config(corpora)
    examples = Examples(settings.build(), seed=0, per_step=8, steps=1)
    (sources,) = loader(examples, batch_size=8, first_index=0, num_workers=0)
    batch = collate(sources, stems=settings.stem_names, sample_rate=RATE)
    assert batch.stems == ("any-1", "any-2", "any-3", "any-4")
    assert batch.present is not None
    assert set(batch.present.sum(dim=1).tolist()) == {2, 3}
    torch.testing.assert_close(batch.mixture, batch.sources.sum(dim=1))
    assert not batch.sources[~batch.present].any()


def test_stems_can_be_renamed_added_and_left_out(corpora: tuple[Corpus, Corpus]) -> None:
    mapping = {"drums": "rhythm", "bass": "rhythm", "piano_guitar": None}
    renamed = corpora[1].override({"mapping": mapping})
    mixer = Mixer(config((corpora[0], renamed), stems=("rhythm", "vocals"), coherent_probability=0.0))
    rhythm, vocals = mixer.example(seed=0, step=0, position=0)
    assert float(rhythm[0, 0]) == pytest.approx(2 / 4 * 2 + 3 / 32, abs=1 / 64)
    assert float(vocals[0, 0]) == pytest.approx(1 / 4 + 2 / 32, abs=1 / 128)


def test_a_corpus_with_one_stem_is_refused(corpora: tuple[Corpus, Corpus]) -> None:
    alone = corpora[0].override({"mapping": {"accompaniment": None}})
    with pytest.raises(InputError, match="anonymous mixing needs at least two stems in each corpus; this one has voc"):
        Mixer(config((alone, corpora[1])))


def test_settings_that_need_names_are_refused(corpora: tuple[Corpus, Corpus]) -> None:
    with pytest.raises(ValidationError, match="remix_group exchanges sources of the same name"):
        config(corpora, remix_group=4)
    with pytest.raises(ValidationError, match="num_stems: expected numbers from 1 to 4, got"):
        config(corpora, num_stems=(2, 5))


def test_what_is_not_taken_apart_is_not_mixed_with_its_parts(tmp_path: Path) -> None:
    lines = ["stem,path,track"]
    for number, stem in enumerate(("bass", "other", "drums", "bass+other", "drums")):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.full(RATE, (number + 1) / 8, dtype=np.float32), RATE, subtype="FLOAT")
        lines.append(f"{stem},{path.name},{'first' if number < 3 else 'second'}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    corpora = (Corpus(path=str(tmp_path / "table.csv")),)
    strangers = Mixer(config(corpora, coherent_probability=0.0))
    songs = Mixer(config(corpora, coherent_probability=1.0))

    def values(mixer: Mixer) -> set[float]:
        examples = [mixer.example(seed=0, step=0, position=position) for position in range(20)]
        return {float(value) for example in examples for value in example[:, 0, 0]}

    assert 4 / 8 not in values(strangers)
    assert 4 / 8 in values(songs)
