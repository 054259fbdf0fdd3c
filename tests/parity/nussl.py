"""nussl's chimera network and its losses, from files of the installed package that need nothing of the rest of it."""

import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from tests.parity.references import FOLDER

BLOCKS, LOSSES = FOLDER / "nussl/ml/networks/modules/blocks.py", FOLDER / "nussl/ml/train/loss.py"


def blocks() -> Any:
    """nussl's network modules; librosa, of which a projection that we do not use wants a filter bank, is stood in."""
    before = sys.modules.get("librosa")
    sys.modules["librosa"] = ModuleType("librosa")
    try:
        return _load(BLOCKS)
    finally:
        if before is None:
            del sys.modules["librosa"]
        else:
            sys.modules["librosa"] = before


def losses() -> Any:
    """nussl's losses."""
    return _load(LOSSES)


def chimera_config(**sizes: Any) -> dict[str, Any]:
    """What ``build_recurrent_chimera`` makes of some sizes, as far as a checkpoint is concerned."""
    width = sizes["hidden_size"] * (2 if sizes.get("bidirectional", True) else 1)
    heads = {"num_features": sizes["num_features"], "hidden_size": width, "num_audio_channels": 1}
    return {
        "name": "Chimera",
        "modules": {
            "mix_magnitude": {},
            "log_spectrogram": {"class": "AmplitudeToDB", "args": {}},
            "normalization": {"class": "BatchNorm", "args": {}},
            "recurrent_stack": {
                "class": "RecurrentStack",
                "args": {
                    "num_features": sizes["num_features"],
                    "hidden_size": sizes["hidden_size"],
                    "num_layers": sizes["num_layers"],
                    "bidirectional": sizes.get("bidirectional", True),
                    "dropout": sizes.get("dropout", 0.3),
                    "rnn_type": "lstm",
                },
            },
            "embedding": {
                "class": "Embedding",
                "args": heads
                | {
                    "embedding_size": sizes["embedding_size"],
                    "activation": sizes.get("embedding_activation", ["sigmoid", "unit_norm"]),
                },
            },
            "mask": {
                "class": "Embedding",
                "args": heads
                | {"embedding_size": sizes["num_sources"], "activation": sizes.get("mask_activation", ["sigmoid"])},
            },
            "estimates": {"class": "Mask", "args": {}},
        },
    }


class Chimera(nn.Module):
    """The modules of a chimera configuration, connected as nussl connects them; tensors have their names in a model."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        source = blocks()
        self.config = config
        self.layers = nn.ModuleDict(
            {
                name: getattr(source, module["class"])(**module["args"])
                for name, module in config["modules"].items()
                if module
            }
        )

    def forward(self, mix_magnitude: Tensor) -> dict[str, Tensor]:
        """``batch frame frequency channel`` in; embedding, mask and estimates with one axis more out."""
        state = self.layers["normalization"](self.layers["log_spectrogram"](mix_magnitude))
        state = self.layers["recurrent_stack"](state)
        mask = self.layers["mask"](state)
        return {
            "embedding": self.layers["embedding"](state),
            "mask": mask,
            "estimates": self.layers["estimates"](mask, mix_magnitude),
        }

    def checkpoint(self) -> dict[str, Any]:
        """What ``SeparationModel.save`` writes, without the records of its training."""
        return {
            "state_dict": self.state_dict(),
            "config": json.dumps(self.config),
            "metadata": {"config": self.config, "nussl_version": "1.1.9"},
        }


def _load(path: Any) -> Any:
    spec = importlib.util.spec_from_file_location(f"nussl_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def randomise(module: nn.Module, seed: int) -> None:
    """Random weights and statistics at the levels of a trained network's, for inputs in dB."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(module.state_dict().items()):
            if "running_mean" in name:
                value.fill_(-60.0)
            elif "running_var" in name:
                value.fill_(400.0)
            elif value.is_floating_point() and value.ndim == 1:
                value.normal_(0.0, 0.3, generator=generator)
            elif value.is_floating_point() and value.ndim == 2:
                value.normal_(0.0, value.shape[1] ** -0.5, generator=generator)
