"""Checkpoints of Demucs: what is inferred, what is refused, and that nothing in them is executed."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stemtune.errors import StemtuneError, WeightsError
from stemtune.hub import import_checkpoint, load
from stemtune.hub.convert import from_demucs_v2
from stemtune.models.demucs import Demucs
from tests.golden import make_demucs


def state() -> dict[str, Tensor]:
    prefix = "resample=True/state/"
    golden = load_file(make_demucs.FOLDER / "demucs_v2.safetensors")
    return {name.removeprefix(prefix): value for name, value in golden.items() if name.startswith(prefix)}


def test_sizes_are_inferred() -> None:
    config = from_demucs_v2(state(), stems=make_demucs.STEMS).config
    assert (config.width, config.depth, config.lstm_layers, config.channels) == (6, 3, 1, 2)
    assert (config.skip, config.resample, config.normalise, config.glu) == ("add", True, True, True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"encoder.0.0.weight": None}, "encoder.0.0.weight"),
        ({"decoder.2.2.bias": None}, "decoder.2.2.bias"),
        ({"lstm.lstm.bias_hh_l0": torch.zeros(3)}, "lstm.lstm.bias_hh_l0"),
        ({"encoder.0.0.weight": torch.zeros(6, 2)}, "3 axes"),
        ({"masks.weight": torch.zeros(3)}, "does not have"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Tensor | None], complaint: str) -> None:
    changed = {name: value for name, value in (state() | change).items() if value is not None}
    with pytest.raises(WeightsError, match=complaint):
        from_demucs_v2(changed, stems=make_demucs.STEMS)


def test_the_number_of_stems_must_fit() -> None:
    with pytest.raises(WeightsError, match="name the stems"):
        from_demucs_v2(state())


def test_a_file_becomes_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMTUNE_HOME", str(tmp_path / "home"))
    torch.save(state(), tmp_path / "demucs.th")
    card = import_checkpoint("demucs-v2", tmp_path / "demucs.th", name="tiny-demucs", stems=make_demucs.STEMS)
    assert card.stems == make_demucs.STEMS
    model = load("tiny-demucs")
    assert isinstance(model, Demucs)
    with torch.no_grad():
        expected = from_demucs_v2(state(), stems=make_demucs.STEMS)(make_demucs.mixture(300)).sources
        assert torch.equal(model(make_demucs.mixture(300)).sources, expected)


def test_a_package_with_classes_is_refused(tmp_path: Path) -> None:
    torch.save({"klass": Demucs, "state": state()}, tmp_path / "demucs.th")
    with pytest.raises(StemtuneError, match="nothing in it was executed"):
        import_checkpoint("demucs-v2", tmp_path / "demucs.th", name="x-demucs")
