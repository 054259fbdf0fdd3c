"""ChimeraNet, deep clustering and mask inference give what nussl 1.1.9 gives."""

import collections
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.hub import load
from stemtune.hub.convert import from_nussl_chimera
from stemtune.hub.importing import import_checkpoint
from stemtune.models.chimeranet import ChimeraNet, ChimeraNetConfig
from stemtune.objectives.clustering import Clustering, ClusteringConfig
from stemtune.objectives.spectral import MagnitudeL1, MagnitudeL1Config
from stemtune.signal.scaled_stft import scaled_stft
from stemtune.types import Batch
from tests.golden import make_chimera
from tests.parity import nussl
from tests.parity.references import why_missing

nussl_installed = pytest.mark.skipif(bool(why_missing("nussl")), reason=why_missing("nussl"))
TRANSFORM = {"n_fft": make_chimera.N_FFT, "hop_length": make_chimera.HOP_LENGTH}


def golden() -> tuple[dict[str, Tensor], str]:
    with safe_open(make_chimera.FILE, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()["config"]  # noqa: SIM118


def converted() -> ChimeraNet:
    tensors, config = golden()
    state = {name.removeprefix("state/"): value for name, value in tensors.items() if name.startswith("state/")}
    return from_nussl_chimera(state, stems=("a", "b"), config=config, hop_length=make_chimera.HOP_LENGTH)


def in_our_order(theirs: Tensor) -> Tensor:
    """``batch frame frequency channel last`` as ``batch last channel frequency frame``."""
    return theirs.permute(0, 4, 3, 2, 1)


def test_the_network_is_nussls() -> None:
    tensors, _ = golden()
    with torch.no_grad():
        estimate = converted()(tensors["mixture"])
    assert estimate.embedding is not None
    torch.testing.assert_close(estimate.embedding.permute(0, 3, 2, 1, 4), tensors["embedding"], rtol=0, atol=2e-6)
    torch.testing.assert_close(estimate.masks, in_our_order(tensors["mask"]), rtol=0, atol=2e-6)
    torch.testing.assert_close(estimate.magnitudes, in_our_order(tensors["estimates"]), rtol=0, atol=1e-7)


def test_the_losses_are_nussls() -> None:
    tensors, _ = golden()
    # In double precision, so that no processor's rounding counts.
    mixture, sources = tensors["mixture"].double(), tensors["sources"].double()
    with torch.no_grad():
        estimate = converted().double()(mixture)
    batch = Batch(mixture=mixture, sources=sources, stems=("a", "b"), sample_rate=16000)
    clustering = Clustering(ClusteringConfig(**TRANSFORM))(estimate, batch).total
    whitened = Clustering(ClusteringConfig(**TRANSFORM, whitened=True))(estimate, batch).total
    inference = MagnitudeL1(MagnitudeL1Config(**TRANSFORM))(estimate, batch).total
    assert clustering.item() == pytest.approx(tensors["deep_clustering"].item(), abs=1e-6)
    assert whitened.item() == pytest.approx(tensors["whitened_k_means"].item(), rel=1e-5)
    assert inference.item() == pytest.approx(tensors["magnitude_l1"].item(), rel=1e-5)


@nussl_installed
def test_the_golden_file_is_what_nussl_gives() -> None:
    made, config = make_chimera.make()
    tensors, written = golden()
    assert json.loads(config) == json.loads(written)
    assert made.keys() == tensors.keys()
    for name, value in made.items():
        torch.testing.assert_close(value, tensors[name], rtol=1e-5, atol=1e-7, msg=name)


@nussl_installed
def test_full_size_against_nussl() -> None:
    sizes = {"num_features": 257, "hidden_size": 500, "num_layers": 4, "embedding_size": 20, "num_sources": 2}
    reference = nussl.Chimera(nussl.chimera_config(**sizes)).eval()
    nussl.randomise(reference, seed=3)
    parts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in reference.layers.items()}
    model = from_nussl_chimera(reference.state_dict())
    assert (parts["recurrent_stack"], parts["embedding"]) == (21_060_000, 5_145_140)
    assert sum(p.numel() for p in model.recurrent.parameters()) == 21_060_000
    assert sum(p.numel() for p in model.embedding_head.parameters()) == 5_145_140
    assert model.config == ChimeraNetConfig(stems=("stem-1", "stem-2"))
    mixture = 0.1 * torch.randn(1, 1, 24_007, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        estimate = model(mixture)
        magnitude = scaled_stft(mixture, hop_length=128, window=model.window).abs()
        expected = reference(magnitude.permute(0, 3, 2, 1))
    assert estimate.embedding is not None
    torch.testing.assert_close(estimate.embedding.permute(0, 3, 2, 1, 4), expected["embedding"], rtol=0, atol=1e-5)
    torch.testing.assert_close(estimate.masks, in_our_order(expected["mask"]), rtol=0, atol=1e-5)


@nussl_installed
def test_fresh_weights_are_drawn_alike() -> None:
    reference = nussl.Chimera(
        nussl.chimera_config(num_features=257, hidden_size=64, num_layers=2, embedding_size=20, num_sources=2)
    )
    model = ChimeraNetConfig(hidden_size=64, num_layers=2).build()
    theirs = from_nussl_chimera(reference.state_dict())
    for (name, mine), other in zip(model.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.std(correction=0), other.std(correction=0), rtol=0.05, atol=1e-6, msg=name)
        torch.testing.assert_close(mine.mean(), other.mean(), rtol=0.05, atol=5e-3, msg=name)


def test_a_checkpoint_file_becomes_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMTUNE_HOME", str(tmp_path / "home"))
    tensors, config = golden()
    state = {name.removeprefix("state/"): value for name, value in tensors.items() if name.startswith("state/")}
    torch.save({"state_dict": state, "config": config, "metadata": {"nussl_version": "1.1.9"}}, tmp_path / "best.pth")
    card = import_checkpoint(
        "nussl-chimera", tmp_path / "best.pth", name="chimera", stems=("voice", "rest"), hop_length=16
    )
    assert (card.family, card.stems, card.sample_rate) == ("chimeranet", ("voice", "rest"), 16000)
    with torch.no_grad():
        again = load("chimera")(tensors["mixture"]).masks
    torch.testing.assert_close(again, in_our_order(tensors["mask"]), rtol=0, atol=2e-6)


def test_records_of_nussls_training_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints name classes of nussl, which is not installed; shells stand in, and everything else is refused."""
    monkeypatch.setenv("STEMTUNE_HOME", str(tmp_path / "home"))
    tensors, config = golden()
    state = {name.removeprefix("state/"): value for name, value in tensors.items() if name.startswith("state/")}
    parameters = collections.namedtuple("STFTParams", ["window_length", "hop_length"])
    parameters.__module__ = "nussl.core.audio_signal"
    transform = type("Compose", (), {"__module__": "nussl.datasets.transforms"})
    stranger = type("Stranger", (), {"__module__": "nussl.datasets.transforms"})
    for name in ("nussl", "nussl.core", "nussl.core.audio_signal", "nussl.datasets", "nussl.datasets.transforms"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["nussl.core.audio_signal"], "STFTParams", parameters, raising=False)
    for kind in (transform, stranger):
        monkeypatch.setattr(sys.modules["nussl.datasets.transforms"], kind.__name__, kind, raising=False)
    for name, instance in (("good", transform()), ("bad", stranger())):
        instance.transforms = [1, 2]
        metadata = {"stft_params": parameters(512, 128), "train_dataset": {"transforms": instance}}
        torch.save({"state_dict": state, "config": config, "metadata": metadata}, tmp_path / f"{name}.pth")
    for name in [name for name in sys.modules if name.startswith("nussl")]:
        monkeypatch.delitem(sys.modules, name)
    assert import_checkpoint("nussl-chimera", tmp_path / "good.pth", name="chimera", hop_length=16).stems
    with pytest.raises(WeightsError, match="refused"):
        import_checkpoint("nussl-chimera", tmp_path / "bad.pth", name="other", hop_length=16)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state.pop("layers.mask.linear.weight"), "layers.mask.linear.weight"),
        (lambda state: state.update({"layers.mask.linear.weight": torch.zeros(66, 5)}), r"shape \(66, 12\)"),
        (lambda state: state.pop("layers.recurrent_stack.rnn.weight_ih_l0"), "really nussl's"),
        (lambda state: state.update({"layers.mask.linear.bias": torch.zeros(34)}), "multiples"),
    ],
)
def test_damaged_checkpoints_are_refused(change: object, complaint: str) -> None:
    tensors, config = golden()
    state = {name.removeprefix("state/"): value for name, value in tensors.items() if name.startswith("state/")}
    change(state)  # type: ignore[operator]
    with pytest.raises(WeightsError, match=complaint):
        from_nussl_chimera(state, config=config)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ('{"modules": {"mask": {"args": {"activation": ["relu"]}}}}', "relu"),
        ('{"modules": {"normalization": {"class": "InstanceNorm"}}}', "InstanceNorm"),
        ("{", "not JSON"),
    ],
)
def test_networks_of_another_kind_are_refused(config: str, complaint: str) -> None:
    tensors, _ = golden()
    state = {name.removeprefix("state/"): value for name, value in tensors.items() if name.startswith("state/")}
    with pytest.raises(WeightsError, match=complaint):
        from_nussl_chimera(state, config=config)


def test_too_few_names_are_refused() -> None:
    tensors, config = golden()
    state = {name.removeprefix("state/"): value for name, value in tensors.items() if name.startswith("state/")}
    with pytest.raises(WeightsError, match="has 2 masks, but 1 stems are named"):
        from_nussl_chimera(state, stems=("only",), config=config)
