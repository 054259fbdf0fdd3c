"""What `docs/datasets.md` shows works as shown, and its table is complete."""

import re
from pathlib import Path

import pytest
import yaml

from stemtune.data.datasets import known_mappings, open_dataset
from stemtune.data.datasets.description import Description
from tests.data.datasets.miniatures import mir1k, musdb18hq, sound

PAGE = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text(encoding="utf-8")
(DRAWING,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
MAPPING, EXCEPTIONS, JOIN = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def ragas(tmp_path: Path) -> Path:
    for number, line in enumerate(DRAWING.splitlines()):
        sound(tmp_path / line, seed=number)
    (tmp_path / "ragas" / "stemtune-dataset.yaml").write_text(MAPPING, encoding="utf-8")
    return tmp_path / "ragas"


def test_the_example_mapping_describes_the_example_folder(ragas: Path) -> None:
    tracks = {track.name: track for track in open_dataset(ragas)}
    assert {name: track.stems.names for name, track in tracks.items()} == {
        "Asha - bhairav": ("sitar", "tabla", "drone"),
        "Asha - yaman": ("sitar", "tabla", "drone"),
        "Lata - marwa": ("sitar", "tabla"),
    }
    assert tracks["Lata - marwa"].silent == ("drone",)
    assert {name: track.origin.split for name, track in tracks.items()} == {
        "Asha - bhairav": "train",
        "Asha - yaman": "train",
        "Lata - marwa": "test",
    }


def test_the_example_exceptions_apply(ragas: Path) -> None:
    (ragas / "stemtune-dataset.yaml").write_text(MAPPING + EXCEPTIONS, encoding="utf-8")
    bhairav = open_dataset(ragas, on_error="keep")[0]
    assert set(bhairav.stems) == {"sitar+tabla", "tabla", "drone"}
    assert (bhairav.origin.licence, bhairav.origin.may_release) == ("CC-BY-NC-4.0", False)
    assert bhairav.partial == ("sitar+tabla",)


def test_the_example_join_joins(tmp_path: Path) -> None:
    musdb18hq(tmp_path / "musdb18hq")
    mir1k(tmp_path / "mir1k")
    (tmp_path / "voices.yaml").write_text(JOIN, encoding="utf-8")
    tracks = open_dataset(tmp_path / "voices.yaml")
    assert {track.stems.names for track in tracks} == {("vocals", "accompaniment")}
    assert {track.name.split("/")[0] for track in tracks} == {"musdb18hq", "mir1k"}


def test_the_table_lists_every_known_data_set_with_its_licence_and_rate() -> None:
    rows = {cells[0].strip("`"): cells[1:] for cells in _rows() if cells[0].startswith("`")}
    known = known_mappings()
    assert [name for name in rows if name in known] == [name for name in rows if name not in _LAYOUTS]
    for name, mapping in known.items():
        _, licence, rate, _, _, _ = rows[name]
        assert licence == mapping.licence
        if isinstance(mapping, Description):
            assert int(rate) == mapping.sample_rate


def test_every_key_of_a_mapping_is_explained() -> None:
    explained = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`+([^`]+)`+", PAGE)) + MAPPING + EXCEPTIONS))
    assert set(Description.model_fields) <= explained
    assert set(yaml.safe_load(MAPPING)) <= set(Description.model_fields)


_LAYOUTS = {"songs", "stems", "csv", "unlabelled"}


def _rows() -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
