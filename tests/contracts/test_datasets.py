"""The examination that every data set must pass: those that come with a mapping, and the plain layouts.

A new mapping in ``data/datasets/known/`` gets a miniature in ``tests/data/datasets/miniatures.py``.
"""

from collections import Counter
from pathlib import Path

import pytest
import torch

from stemtune.data.audio_streams import split_stream
from stemtune.data.datasets import known_mappings, open_dataset, scan_dataset
from stemtune.data.datasets.description import Description
from stemtune.data.tracks import Track, load_mixture, load_stem, read_excerpt
from stemtune.errors import InputError
from tests.data.datasets.miniatures import KNOWN, PLAIN, Miniature

_BUILT: dict[str, tuple[Path, Miniature]] = {}


@pytest.fixture(params=[*KNOWN, *PLAIN])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Miniature]:
    """Each miniature is built once; tests that damage it build their own."""
    if request.param not in _BUILT:
        root = tmp_path_factory.mktemp(request.param)
        _BUILT[request.param] = (root, (KNOWN | PLAIN)[request.param](root))
    return _BUILT[request.param]


def opened(built: tuple[Path, Miniature], **options: str) -> tuple[Track, ...]:
    root, miniature = built
    return open_dataset(root / miniature.path, **{**miniature.options, **options})


def test_every_known_data_set_is_examined() -> None:
    assert set(KNOWN) == set(known_mappings())


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_data_set_says_what_it_is(name: str) -> None:
    mapping = known_mappings()[name]
    assert mapping.folder.strip().startswith("ROOT/")
    assert mapping.licence
    assert mapping.source
    assert mapping.defects
    if isinstance(mapping, Description):
        assert mapping.sample_rate
        assert mapping.recognise


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "musdb18_slakh2100"])
def test_known_data_sets_are_recognised(name: str, tmp_path: Path) -> None:
    KNOWN[name](tmp_path)
    assert scan_dataset(tmp_path).mapping == known_mappings()[name]


def test_names_are_unique_and_sorted_and_the_order_is_always_the_same(built: tuple[Path, Miniature]) -> None:
    tracks = opened(built)
    names = [track.name for track in tracks]
    assert names == sorted(set(names))
    assert repr(opened(built)) == repr(tracks)


def test_stems_rates_and_splits_are_those_of_the_data_set(built: tuple[Path, Miniature]) -> None:
    tracks, miniature = opened(built), built[1]
    assert Counter(track.origin.split for track in tracks) == miniature.splits
    assert {stem for track in tracks for stem in track.stems} == set(miniature.stems)
    assert {track.sample_rate for track in tracks} == {miniature.sample_rate}
    assert sum(track.mixture is not None for track in tracks) == miniature.mixtures
    for track in tracks:
        assert not set(track.silent) & set(track.stems)
        assert set(track.partial) <= set(track.stems)


def test_splits_are_disjoint_and_together_the_whole(built: tuple[Path, Miniature]) -> None:
    files = [path for track in opened(built) for paths in track.stems.values() for path in paths]
    apart = [
        path
        for split in built[1].splits
        if split is not None
        for track in opened(built, split=split)
        for paths in track.stems.values()
        for path in paths
    ]
    assert len(set(files)) == len(files)
    if None not in built[1].splits:
        assert sorted(apart) == sorted(files)


def test_what_belongs_together_is_in_one_split(built: tuple[Path, Miniature]) -> None:
    splits: dict[str, set[str | None]] = {}
    for track in opened(built):
        if track.origin.group is not None:
            splits.setdefault(track.origin.group, set()).add(track.origin.split)
    assert all(len(found) == 1 for found in splits.values())


def test_stems_are_as_long_as_their_track_and_sum_to_the_mixture(built: tuple[Path, Miniature]) -> None:
    for track in opened(built):
        stems = [load_stem(track, stem) for stem in track.stems]
        mixture = load_mixture(track)
        assert mixture.shape == (track.num_channels, track.num_samples)
        assert all(stem.shape == mixture.shape for stem in stems)
        residual = mixture - torch.stack(stems).sum(dim=0)
        assert residual.square().mean().sqrt() <= built[1].tolerance * mixture.square().mean().sqrt()
        assert mixture.abs().max() > 0


def test_any_excerpt_can_be_read(built: tuple[Path, Miniature]) -> None:
    track = opened(built)[-1]
    for paths in track.stems.values():
        for start_seconds in (-0.1, 0.0, 0.1234, track.duration_seconds - 0.01, track.duration_seconds + 1):
            excerpt = read_excerpt(paths, start_seconds=start_seconds, num_samples=1600, sample_rate=16000, channels=2)
            assert excerpt.shape == (2, 1600)
            assert torch.isfinite(excerpt).all()


@pytest.mark.parametrize("name", [*KNOWN, *PLAIN])
def test_a_damaged_file_is_named_and_the_rest_stays(name: str, tmp_path: Path) -> None:
    built = (tmp_path, (KNOWN | PLAIN)[name](tmp_path))
    tracks = opened(built)
    victim = tracks[-1]
    damaged, _ = split_stream(list(victim.stems.values())[-1][-1])
    damaged.write_bytes(b"this is no sound")
    with pytest.raises(InputError, match=damaged.name.replace("(", r"\(")):
        opened(built)
    scan = scan_dataset(tmp_path / built[1].path, **built[1].options)
    assert {problem.track for problem in scan.problems} == {victim.name}
    assert {problem.kind for problem in scan.problems} == {"unreadable"}
    if len(tracks) > 1:
        rest = opened(built, on_error="skip")
        assert [track.name for track in rest] == [track.name for track in tracks[:-1]]
