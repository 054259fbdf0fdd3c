"""Model cards: what a model is, what it has heard, what it scores and what one may do with it.

Weights without a card are numbers without a meaning, so stemtune loads none. The card names the corpora and their
licences, the command and commit that made the weights, and every score with its definition and with what the
unprocessed mixture scores, since only the difference is the model's merit:

    improvement = value - mixture_baseline.

It also holds the SHA-256 of the weights file, by which a damaged or exchanged file is recognised before it is used.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from stemtune.config import Frozen

__all__ = ["ModelCard", "Score", "TrainingData", "render_card"]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
Digest = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]


class TrainingData(Frozen):
    """One corpus, or one licence of a corpus, that a model learned from."""

    corpus: Text = Field(description="the name under which others can find it")
    licence: Text = Field(description="as an SPDX identifier where there is one, such as CC0-1.0")
    minutes: float = Field(ge=0, description="of audio, counted once per track and not once per stem")
    stems: tuple[str, ...] = Field(default=(), description="which stems it taught; empty for all of the model's")
    origin: str = Field(default="", description="where it comes from, such as its web page")


class Score(Frozen):
    """One number of one stem; higher is better, in dB."""

    stem: Text
    definition: Text = Field(description="the metric by its full name, such as sdr_global; never a bare 'SDR'")
    value: float
    mixture_baseline: float = Field(description="what the unprocessed mixture scores on the same data")
    data: Text = Field(description="what it was measured on")
    num_tracks: int = Field(default=1, ge=1, description="the mean over how many tracks")

    @property
    def improvement(self) -> float:
        """By how many dB the model beats doing nothing."""
        return self.value - self.mixture_baseline


class ModelCard(Frozen):
    """Everything that a person should know before they use a model.

    `stemtune.hub.save_model` fills in what the separator itself knows (from ``family`` to ``weights_bytes``);
    the author of a card writes the rest.
    """

    name: Name
    version: Text = "1.0.0"
    licence: Text = Field(description="of the weights")
    description: Text = Field(description="one sentence")
    training_data: tuple[TrainingData, ...] = Field(default=(), description="empty if unknown")
    recipe: str = Field(default="", description="the command that made the weights")
    commit: str = Field(default="", description="of stemtune, at which the command was run")
    created: str = Field(default="", description="the date, as in 2026-11-21")
    scores: tuple[Score, ...] = ()
    intended_use: str = ""
    limits: tuple[str, ...] = Field(default=(), description="when not to trust it")

    family: str = Field(default="", description="the separator's kind, such as xumx")
    stems: tuple[str, ...] = ()
    sample_rate: int = Field(default=0, ge=0, description="in Hz, at which the network works; any rate may come in")
    channels: int = Field(default=0, ge=0)
    num_parameters: int = Field(default=0, ge=0)
    base: str = Field(default="", description="the model that it was adapted from, if any: a name, or a folder")
    base_sha256: Digest = Field(default="", description="of the base's weights")
    weights_sha256: Digest = ""
    weights_bytes: int = Field(default=0, ge=0)

    @property
    def training_minutes(self) -> float:
        """Of all corpora together."""
        return sum(corpus.minutes for corpus in self.training_data)

    def headline(self, definition: str) -> tuple[Score, ...]:
        """Of each stem the score of one definition that rests on the most tracks; those on parts are left out."""
        stated = [score for score in self.scores if score.definition == definition]
        best: dict[str, Score] = {}
        for score in stated:
            if score.stem not in best or score.num_tracks > best[score.stem].num_tracks:
                best[score.stem] = score
        return tuple(score for score in stated if score is best[score.stem])


def render_card(card: ModelCard) -> str:
    """The card as Markdown, for people."""
    parts = [
        f"# {card.name} {card.version}",
        card.description,
        _table(
            ("property", "value"),
            [
                ("stems", ", ".join(card.stems)),
                ("licence of the weights", card.licence),
                ("family", card.family),
                ("works at", f"{card.sample_rate} Hz, {_channels(card.channels)}"),
                ("parameters", f"{card.num_parameters:,}"),
                *([("adapted from", f"{card.base}, SHA-256 `{card.base_sha256}`")] if card.base else []),
                ("weights", f"{card.weights_bytes / 1e6:.1f} MB, SHA-256 `{card.weights_sha256}`"),
                ("made by", f"`{card.recipe}`" if card.recipe else "not stated"),
                ("commit", f"`{card.commit}`" if card.commit else "not stated"),
                ("created", card.created or "not stated"),
            ],
        ),
        "## Scores",
        _scores(card),
        "## Training data",
        _training_data(card),
    ]
    if card.intended_use:
        parts += ["## Intended use", card.intended_use]
    if card.limits:
        parts += ["## Limits", "\n".join(f"- {limit}" for limit in card.limits)]
    return "\n\n".join(parts) + "\n"


def _scores(card: ModelCard) -> str:
    if not card.scores:
        return "None stated. Measure some with `stemtune evaluate`."
    rows = [
        (
            score.stem,
            score.definition,
            f"{score.value:.2f}",
            f"{score.mixture_baseline:.2f}",
            f"{score.improvement:+.2f}",
            f"{score.data} ({score.num_tracks} {'track' if score.num_tracks == 1 else 'tracks'})",
        )
        for score in card.scores
    ]
    return _table(("stem", "definition", "dB", "mixture, dB", "gain, dB", "data"), rows)


def _training_data(card: ModelCard) -> str:
    if not card.training_data:
        return "Not stated."
    rows = [
        (data.corpus, data.licence, f"{data.minutes:.1f}", ", ".join(data.stems) or "all", data.origin)
        for data in card.training_data
    ]
    total = f"{card.training_minutes:.1f} minutes ({card.training_minutes / 60:.2f} hours) in all."
    return _table(("corpus", "licence", "minutes", "stems", "origin"), rows) + f"\n\n{total}"


def _channels(channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
