"""Foreign checkpoints: converted once, and nothing in them ever runs."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from stemtune.errors import InputError, UsageError, WeightsError
from stemtune.hub import find_card, load, registry
from stemtune.hub.exporting import export_model
from stemtune.hub.importing import find_targets, import_checkpoint, read_checkpoint
from tests.golden import make_jukebox


class TinyOpenUnmix(nn.Module):
    """The tensors of an Open-Unmix target under their names, at toy sizes."""

    def __init__(self, *, channels: int = 2, bins: int = 33, hidden: int = 8) -> None:
        super().__init__()
        self.fc1, self.bn1 = nn.Linear(bins * channels, hidden, bias=False), nn.BatchNorm1d(hidden)
        self.lstm = nn.LSTM(hidden, hidden // 2, num_layers=2, bidirectional=True)
        self.fc2, self.bn2 = nn.Linear(2 * hidden, hidden, bias=False), nn.BatchNorm1d(hidden)
        self.fc3, self.bn3 = nn.Linear(hidden, bins * channels, bias=False), nn.BatchNorm1d(bins * channels)
        for name in ("input_mean", "input_scale", "output_scale", "output_mean"):
            setattr(self, name, nn.Parameter(torch.rand(bins)))


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


@pytest.fixture
def umx(tmp_path: Path) -> Path:
    folder = tmp_path / "umx"
    folder.mkdir()
    torch.save(TinyOpenUnmix().state_dict(), folder / "vocals-b62c91ce.pth")
    torch.save({"epoch": 3, "state_dict": TinyOpenUnmix().state_dict()}, folder / "drums.pth")
    return folder


def test_a_folder_of_open_unmix_targets_becomes_a_model(umx: Path, home: Path):
    card = import_checkpoint("open-unmix", umx, name="umx", licence="MIT", hop_length=16)
    assert (card.name, card.licence, card.family) == ("umx", "MIT", "xumx")
    assert set(card.stems) == {"vocals", "drums"}
    assert find_card("umx") == card
    separator = load("umx")
    with torch.no_grad():
        assert separator(torch.zeros(1, 2, 500)).sources.shape == (1, 2, 2, 500)
    assert "not verified" in card.limits[0]


def test_single_targets_are_named_by_the_caller(umx: Path, home: Path):
    card = import_checkpoint("open-unmix", {"voice": umx / "vocals-b62c91ce.pth"}, name="voice")
    assert card.stems == ("voice",)
    assert card.licence == "unknown"


def test_a_name_is_taken_once_unless_replaced(umx: Path, home: Path):
    import_checkpoint("open-unmix", umx, name="umx")
    with pytest.raises(UsageError, match="there is a model 'umx' already"):
        import_checkpoint("open-unmix", umx, name="umx")
    assert import_checkpoint("open-unmix", umx, name="umx", replace=True, licence="MIT").licence == "MIT"


@pytest.mark.parametrize("name", ["default", "../umx", "", "a/b", ".hidden"])
def test_reserved_and_unsafe_names_are_refused(umx: Path, home: Path, name: str):
    with pytest.raises(UsageError, match=r"comes with stemtune|cannot name a model"):
        import_checkpoint("open-unmix", umx, name=name)
    assert not registry.user_models().exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path: Path, protocol: int):
    path = tmp_path / "vocals.pth"
    path.write_bytes(pickle.dumps({"w": Bomb(tmp_path / "boom")}, protocol=protocol))
    with pytest.raises(WeightsError, match="refused and nothing in it was executed"):
        read_checkpoint(path)
    torch.save({"w": torch.zeros(1), "b": Bomb(tmp_path / "boom")}, path)
    with pytest.raises(WeightsError, match="refused and nothing in it was executed"):
        read_checkpoint(path)
    assert not (tmp_path / "boom").exists()
    pickle.loads(pickle.dumps(Bomb(tmp_path / "boom")))  # noqa: S301  # to be sure that this bomb is a live one
    assert (tmp_path / "boom").exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(umx: Path, keep: float):
    path = umx / "drums.pth"
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    with pytest.raises(WeightsError, match=r"drums\.pth is damaged") as caught:
        import_checkpoint("open-unmix", umx, name="umx")
    assert "\n" not in str(caught.value)
    assert not registry.user_models().exists()


def test_what_is_not_a_state_dictionary_is_named(tmp_path: Path):
    path = tmp_path / "x.pth"
    torch.save([torch.zeros(1)], path)
    with pytest.raises(WeightsError, match="expected names and tensors, found list"):
        read_checkpoint(path)
    torch.save({"epoch": 3, "weight": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="epoch are not tensors"):
        read_checkpoint(path)
    with pytest.raises(InputError, match="no checkpoint at"):
        read_checkpoint(tmp_path / "nothing.pth")


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path):
    path = tmp_path / "x.pth"
    torch.save(nn.Linear(2, 3).state_dict(), path)
    for source, paths in (("asteroid-xumx", path), ("open-unmix", {"vocals": path})):
        with pytest.raises(WeightsError):
            import_checkpoint(source, paths, name="x")


def test_targets_are_found_by_file_name(umx: Path):
    assert {name: path.name for name, path in find_targets(umx).items()} == {
        "drums": "drums.pth",
        "vocals": "vocals-b62c91ce.pth",
    }
    (umx / "vocals.pth").touch()
    with pytest.raises(UsageError, match="two checkpoints for 'vocals'"):
        find_targets(umx)
    (umx / "none").mkdir()
    with pytest.raises(UsageError, match=r"no \.pth files"):
        find_targets(umx / "none")


def test_paths_that_do_not_fit_the_format_are_explained(umx: Path):
    with pytest.raises(UsageError, match="one file without targets"):
        import_checkpoint("asteroid-xumx", {"vocals": umx / "drums.pth"}, name="x")
    with pytest.raises(UsageError, match="one file per target"):
        import_checkpoint("open-unmix", umx / "drums.pth", name="x")


def test_settings_beside_the_tensors_are_read(tmp_path: Path):
    path = tmp_path / "x.pth"
    torch.save(
        {"state_dict": {"w": torch.zeros(1)}, "model_args": {"n_hop": 64, "sources": ["a"], "bridge": True}}, path
    )
    assert read_checkpoint(path).settings == {"n_hop": 64}


def test_a_zip_that_is_not_an_export_is_refused(folder: Path, tmp_path: Path):
    path = export_model(folder, tmp_path / "kazoo.zip")
    import_checkpoint("stemtune", path, name="again")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(WeightsError, match="is not an exported model"):
        import_checkpoint("stemtune", path, name="third")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("../card.json", "{}")
    with pytest.raises(WeightsError, match="is not an exported model"):
        import_checkpoint("stemtune", tmp_path / "other.zip", name="third")


def test_jukebox_and_unmix(tmp_path: Path, home: Path) -> None:
    golden = load_file(make_jukebox.FILE)
    state = {name.removeprefix("state/"): value for name, value in golden.items() if name.startswith("state/")}
    torch.save({"model": state, "step": 3, "hps": {"levels": 1}}, tmp_path / "vqvae.pth.tar")
    card = import_checkpoint("jukebox", tmp_path / "vqvae.pth.tar", name="music")
    assert (card.family, card.stems) == ("vqvae", ("music",))
    assert import_checkpoint("jukebox", tmp_path / "vqvae.pth.tar", name="bass", stems=("bass",)).stems == ("bass",)
    paths = {f"drums.{part}": tmp_path / "vqvae.pth.tar" for part in ("codec", "mixture")}
    card = import_checkpoint("unmix", paths, name="unmix")
    assert (card.family, card.stems) == ("unmix", ("drums",))
    waveform = golden["waveform"].permute(0, 2, 1)
    with torch.no_grad():
        assert torch.equal(load("unmix")(waveform).codes, load("music")(waveform).codes)


@pytest.mark.parametrize("targets", [{"drums.codec": "a"}, {"drums": "a"}, {}])
def test_unmix_needs_two_files_per_stem(tmp_path: Path, home: Path, targets: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="two files per stem"):
        import_checkpoint("unmix", {name: tmp_path / path for name, path in targets.items()}, name="unmix")


def test_an_auto_encoder_listens_to_one_stem(tmp_path: Path, home: Path) -> None:
    with pytest.raises(UsageError, match="listens to one stem"):
        import_checkpoint("jukebox", tmp_path / "x.tar", name="x", stems=("a", "b"))
