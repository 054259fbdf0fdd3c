"""Names to weights: cards, verified loading, importing and exporting of models."""

from stemtune.hub.cards import ModelCard, Score, TrainingData, render_card
from stemtune.hub.exporting import export_model
from stemtune.hub.folder import load, save_adapter, save_model
from stemtune.hub.importing import import_checkpoint
from stemtune.hub.registry import DEFAULT_MODEL, find_card, list_models, model_folders, user_models

__all__ = [
    "DEFAULT_MODEL",
    "ModelCard",
    "Score",
    "TrainingData",
    "export_model",
    "find_card",
    "import_checkpoint",
    "list_models",
    "load",
    "model_folders",
    "render_card",
    "save_adapter",
    "save_model",
    "user_models",
]
