"""A listener of a few hundred parameters."""

from pathlib import Path

import torch

from stemtune.hub.listeners import ListenerCard, save_listener
from stemtune.models.vggish import VGGishConfig


def tiny_listener_config(**changes: object) -> VGGishConfig:
    return VGGishConfig.model_validate({"channels": (2, 2, 2, 2, 2, 2), "hidden_size": 4, "features": 6} | changes)


def save_tiny_listener(folder: Path, **changes: object) -> Path:
    config = tiny_listener_config(**changes)
    torch.manual_seed(4)
    listener = config.build()
    torch.nn.init.constant_(listener.layers[-1].bias, 0.1)  # pyright: ignore[reportArgumentType]
    card = ListenerCard(name=folder.name, licence="CC0-1.0", description="A test.", config=config)
    save_listener(listener, folder, card)
    return folder
