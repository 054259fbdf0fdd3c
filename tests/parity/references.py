"""The reference implementations, imported from a folder of their own without leaving a trace in ``sys``.

asteroid's package imports half of an ecosystem, of which its X-UMX needs nothing but a base class; openunmix imports
torchaudio without using it where we do. Both get stand-ins while they are imported.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import nn

FOLDER = Path(os.environ.get("STEMTUNE_REFERENCES", Path(__file__).resolve().parents[2] / ".references"))


class _BaseModel(nn.Module):
    def __init__(self, sample_rate: float, in_chan: int = 1) -> None:
        super().__init__()


def why_missing(package: str) -> str:
    """Empty if the package is installed; otherwise the reason to skip."""
    return "" if (FOLDER / package).is_dir() else f"{package} is not installed: run tests/parity/install_references.py"


def asteroid_xumx() -> Any:
    """asteroid's XUMX class."""
    package, models = _package("asteroid"), _package("asteroid.models", FOLDER / "asteroid" / "models")
    base = ModuleType("asteroid.models.base_models")
    base.__dict__["BaseModel"] = _BaseModel
    with _importing(package, models, base):
        return importlib.import_module("asteroid.models.x_umx").XUMX


def open_unmix() -> SimpleNamespace:
    """openunmix's OpenUnmix, Separator and wiener."""
    with _importing(ModuleType("torchaudio")):
        model = importlib.import_module("openunmix.model")
        filtering = importlib.import_module("openunmix.filtering")
        return SimpleNamespace(OpenUnmix=model.OpenUnmix, Separator=model.Separator, wiener=filtering.wiener)


def jukebox() -> SimpleNamespace:
    """transformers' JukeboxVQVAE and its configuration, which versions after 4 no longer have."""
    with _importing():
        package = "transformers.models.deprecated.jukebox"
        return SimpleNamespace(
            Config=importlib.import_module(f"{package}.configuration_jukebox").JukeboxVQVAEConfig,
            VQVAE=importlib.import_module(f"{package}.modeling_jukebox").JukeboxVQVAE,
        )


def demucs() -> Any:
    """demucs' Demucs class."""
    quantisers = ModuleType("diffq")
    quantisers.__dict__.update({"UniformQuantizer": None, "DiffQuantizer": None})
    with _importing(quantisers):
        return importlib.import_module("demucs.model").Demucs


def htdemucs() -> SimpleNamespace:
    """demucs 4's HTDemucs and apply_model, from a folder beside the others; its unused imports are made up."""
    stand_ins = [ModuleType(name) for name in ("dora", "dora.log", "omegaconf", "openunmix", "openunmix.filtering")]
    _, log, settings, _, filtering = stand_ins
    log.__dict__.update({"fatal": print, "bold": str})
    settings.__dict__["OmegaConf"] = None
    filtering.__dict__["wiener"] = open_unmix().wiener
    with _importing(_package("demucs", FOLDER / "htdemucs" / "demucs"), *stand_ins):
        return SimpleNamespace(
            HTDemucs=importlib.import_module("demucs.htdemucs").HTDemucs,
            apply_model=importlib.import_module("demucs.apply").apply_model,
        )


def torchvggish() -> SimpleNamespace:
    """torchvggish's network and its front end."""
    with _importing(ModuleType("resampy")):
        network = importlib.import_module("torchvggish.torchvggish")
        front_end = importlib.import_module("torchvggish.vggish_input")
        return SimpleNamespace(
            VGG=network.VGG, make_layers=network.make_layers, examples=front_end.waveform_to_examples
        )


def kymatio_scattering(num_samples: int) -> Any:
    """kymatio's one-dimensional transform for torch, without the package around it, which SciPy 1.17 breaks."""
    with _importing(_package("kymatio", FOLDER / "kymatio")):
        frontend = importlib.import_module("kymatio.scattering1d.frontend.torch_frontend")
        return frontend.ScatteringTorch1D(J=8, shape=num_samples, Q=8)


def fast_bss_eval() -> Any:
    """fast_bss_eval's package, whose functions take tensors."""
    with _importing():
        return importlib.import_module("fast_bss_eval")


def mir_eval_separation() -> Any:
    """mir_eval's module of separation, without the package around it."""
    with _importing(_package("mir_eval", FOLDER / "mir_eval")):
        return importlib.import_module("mir_eval.separation")


def torchmetrics_audio() -> Any:
    """torchmetrics' functions of audio."""
    with _importing():
        return importlib.import_module("torchmetrics.functional.audio")


def randomise(module: nn.Module, seed: int) -> None:
    """Random weights, statistics, means and scales, as if the module had been trained."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(module.state_dict().items()):
            if "window" in name or not value.is_floating_point() or value.ndim == 0:
                continue
            if "running_var" in name or "scale" in name:
                value.uniform_(0.5, 2.0, generator=generator)
            elif value.ndim == 1:
                value.normal_(0.0, 0.3, generator=generator)
            else:
                value.normal_(0.0, 1.5 * value.shape[1] ** -0.5, generator=generator)


def _package(name: str, folder: Path | None = None) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = [] if folder is None else [str(folder)]
    return module


@contextmanager
def _importing(*stand_ins: ModuleType) -> Iterator[None]:
    before = dict(sys.modules)
    brought = {"demucs", "julius", "openunmix", *(module.__name__.split(".")[0] for module in stand_ins)}
    sys.path.insert(0, str(FOLDER))
    try:
        sys.modules.update({module.__name__: module for module in stand_ins})
        yield
    finally:
        sys.path.remove(str(FOLDER))
        for name in set(sys.modules) - set(before):
            if name.split(".")[0] in brought:
                del sys.modules[name]
        sys.modules.update(before)
