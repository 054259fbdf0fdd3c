"""The card of an adapted model: what it heard, what it scored on what it had not heard, and when not to trust it."""

from datetime import UTC, datetime
from pathlib import Path

from stemtune.evaluation.table import ALL_STEMS
from stemtune.hub import ModelCard, Score, TrainingData, find_card
from stemtune.recipes.adapt.plan import Plan
from stemtune.recipes.adapt.results import METRIC, Outcome

__all__ = ["adapted_card", "model_name"]


def model_name(folder: Path) -> str:
    """A model's name out of a folder's, without what names may not contain."""
    text = "".join(
        letter if (letter.isalnum() and letter.isascii()) or letter in "._-" else "-" for letter in folder.name
    )
    return text.strip("._-")[:80] or "adapted"


def adapted_card(plan: Plan, outcome: Outcome, *, folder: Path, command: str) -> ModelCard:
    """What is known about the final model.

    Args:
        plan: of the adaptation.
        outcome: its numbers.
        folder: of the adaptation, after which the model is called.
        command: that made it.
    """
    base = find_card(Path(plan.base_folder)) if plan.base_folder else None
    heard = TrainingData(
        corpus=Path(plan.request.stems).resolve().name or "recordings",
        licence="not stated",
        minutes=round(plan.minutes, 1),
        stems=plan.model.stems,
    )
    held_out = f"held-out {'parts' if plan.is_cut else 'pieces'} of the same folder, by models that had not heard them"
    scores = tuple(
        Score(
            stem=one.stem,
            definition=METRIC,
            value=round(one.score, 2),
            mixture_baseline=round(one.mixture, 2),
            data=held_out,
            num_tracks=plan.num_units,
        )
        for one in outcome.stems
        if one.stem not in ("all", ALL_STEMS)
    )
    start = f"Adapted from {base.name}" if base else "Trained from scratch"
    return ModelCard(
        name=model_name(folder),
        licence=plan.request.licence,
        description=f"{start} on {plan.minutes:.1f} minutes of {', '.join(plan.model.stems)}.",
        training_data=(*(base.training_data if base else ()), heard),
        recipe=command,
        created=datetime.now(tz=UTC).date().isoformat(),
        scores=scores,
        intended_use="Recordings like those that it was adapted to.",
        base=base.name if base else "",
        base_sha256=base.weights_sha256 if base else "",
        limits=(
            "The scores are those of models that learnt from a part of the recordings; this one learnt from all of "
            "them, so it has no score of its own.",
            *(["All scores are of one song: on other songs expect less."] if plan.is_cut else []),
            *(["Scored on mixtures that were made of single recordings, not on music."] if plan.is_made else []),
            *([f"The licence of the starting model is {base.licence}; it holds for what was adapted from it, too."]
              if base else []),
        ),
    )  # fmt: skip
