"""From a finished run to one of the small models that ship: score it, and write it with its card.

    python -m stemtune.recipes.released.release drums --report benchmarks/drums_model_HARDWARE_YYYYMM --commit COMMIT

Its weights are kept in 16 bits (`WEIGHTS_DTYPE`), so that all models together stay small; what is scored is what
is written. The songs of the test take other scores, voices, kits and soundfonts than those of the training.
"""

import argparse
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from stemtune.data.datasets import open_dataset
from stemtune.data.segments import rename_stems
from stemtune.data.tracks import Track
from stemtune.evaluation.protocol import evaluate_model
from stemtune.evaluation.report import write_report
from stemtune.hub import ModelCard, Score, find_card, save_model
from stemtune.recipes.default_model.release import card_scores, finished_model, rendered_data, rendered_record
from stemtune.recipes.released.experiments import SPECIALITIES, Speciality

__all__ = ["WEIGHTS_DTYPE", "release"]

WEIGHTS_DTYPE = torch.float16
_SHIPPED = Path(__file__).parents[2] / "hub" / "shipped"


def release(name: str, *, run: Path, corpora: Path, data: Path, report: Path, out: Path, commit: str) -> ModelCard:
    """Score the run's weights as they will be kept, and write report and model.

    Args:
        name: of `SPECIALITIES`.
        run: folder of the training.
        corpora: the folder that holds the rendered corpus.
        data: the folder of the small real corpora.
        report: folder for the scores.
        out: folder for the model.
        commit: of stemtune, with which the run was made.

    Raises:
        InputError: if the run is not finished, or the corpus is missing or must not be heard by released weights.
    """
    speciality = SPECIALITIES[name]
    separator = finished_model(run)
    heard = [rendered_data(rendered_record(corpora / folder)) for folder in speciality.corpora]
    base = find_card("default")
    card = ModelCard(
        name=name,
        version="0.1.0",
        licence="MIT",
        description=speciality.description,
        training_data=(*heard, *base.training_data),
        recipe=f"stemtune train {name}-model --out runs/{name}",
        commit=commit,
        created=datetime.now(tz=UTC).date().isoformat(),
        intended_use="Music like that which it heard, and a starting point for teaching it your own.",
        limits=(*speciality.limits, f"Adapted from {base.name}: what that card says of samples and voices holds here."),
        base=base.name,
        base_sha256=base.weights_sha256,
    )
    with torch.no_grad():
        for tensor in separator.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(WEIGHTS_DTYPE))
    scores: list[Score] = []
    for label, folder, tracks in _test_songs(speciality, corpora, data):
        evaluation = evaluate_model(separator, tracks, subject=name)
        write_report(evaluation, report / folder)
        scores += card_scores(evaluation, label)
    return save_model(separator.to(WEIGHTS_DTYPE), out, card.model_copy(update={"scores": tuple(scores)}))


def _test_songs(speciality: Speciality, corpora: Path, data: Path) -> Sequence[tuple[str, str, tuple[Track, ...]]]:
    """What is scored: how it is called, its folder in the report, and its tracks."""
    rendered = open_dataset(corpora / speciality.corpus)
    found = [("rendered songs with other sounds", "rendered", tuple(t for t in rendered if t.origin.split == "test"))]
    if speciality.real:
        path = data / speciality.real
        tracks = rename_stems(open_dataset(path), dict(speciality.real_stems or {}), origin=str(path))
        found.append((speciality.real, speciality.real, tuple(tracks)))
    return found


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=tuple(SPECIALITIES))
    parser.add_argument("--run", type=Path, help="default: runs/NAME")
    parser.add_argument("--corpora", type=Path, default=Path("corpora"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--report", type=Path, required=True, help="folder of the scores, such as benchmarks/NAME")
    parser.add_argument("--commit", default="", help="of stemtune, with which the run was made")
    parser.add_argument("--out", type=Path, help="default: where models ship")
    given = vars(parser.parse_args())
    name = given.pop("name")
    given["run"] = given["run"] or Path("runs") / name
    given["out"] = given["out"] or _SHIPPED / name
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    card = release(name, **given)
    logging.info("%s: %s bytes, SHA-256 %s", given["out"], card.weights_bytes, card.weights_sha256)


if __name__ == "__main__":
    main()
