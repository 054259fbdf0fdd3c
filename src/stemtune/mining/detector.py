"""A trained detector in a folder: its weights, its configuration, its thresholds, and what they were chosen on.

    detector.json (configuration, thresholds, SHA-256 of the weights)   +   detector.safetensors

Nothing in it can be executed, and weights that are not those of the description are refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from stemtune.config import Frozen, fingerprint, parse
from stemtune.data.files import write_text_atomically
from stemtune.errors import InputError, OutputError
from stemtune.hub.weights import fit_weights, read_weights, write_weights
from stemtune.mining.thresholds import Threshold
from stemtune.models.silence_detector import SilenceDetector, SilenceDetectorConfig

__all__ = ["DetectorFile", "TrainedDetector", "load_detector", "save_detector"]

DESCRIPTION, WEIGHTS = "detector.json", "detector.safetensors"


class DetectorFile(Frozen):
    """What ``detector.json`` holds."""

    version: Literal[1] = 1
    config: SilenceDetectorConfig
    thresholds: dict[str, Threshold | None] = Field(description="by stem; null where none is good enough")
    threshold_tracks: tuple[str, ...] = Field(default=(), description="on which the thresholds were chosen")
    training_data: str = ""
    weights_sha256: str = ""


@dataclass(frozen=True)
class TrainedDetector:
    """A network in evaluation mode and its description."""

    network: SilenceDetector
    description: DetectorFile

    @property
    def stems(self) -> tuple[str, ...]:
        """All stems that it hears."""
        return self.description.config.stems

    @property
    def thresholds(self) -> Mapping[str, Threshold]:
        """Of the stems that have one."""
        return {stem: found for stem, found in self.description.thresholds.items() if found is not None}

    @property
    def fingerprint(self) -> str:
        """Changes with weights, configuration and thresholds."""
        return fingerprint(self.description)


def save_detector(folder: Path, network: SilenceDetector, description: DetectorFile) -> DetectorFile:
    """Write a detector; the description goes last, so a detector is complete or not there.

    Raises:
        OutputError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from None
    sha256, _ = write_weights(network, folder / WEIGHTS)
    complete = description.override({"weights_sha256": sha256})
    write_text_atomically(folder / DESCRIPTION, complete.model_dump_json(indent=2) + "\n")
    return complete


def load_detector(folder: Path) -> TrainedDetector:
    """Read a detector.

    Raises:
        InputError: if there is none.
        ConfigError: if its description is not valid.
        WeightsError: if its weights are damaged or not its own.
    """
    path = folder / DESCRIPTION
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: holds no detector ({error}); train one with: stemtune train-detector DATA -o {folder}"
        ) from None
    description = parse(DetectorFile, tree, origin=str(path))
    network = description.config.build()
    weights = folder / WEIGHTS
    fit_weights(network, read_weights(weights, expected_sha256=description.weights_sha256), origin=str(weights))
    return TrainedDetector(network.eval(), description)
