"""What a card must say, and how it reads."""

import pytest

from stemtune.config import parse
from stemtune.errors import ConfigError
from stemtune.hub import ModelCard, Score, render_card


def test_a_card_survives_json(card: ModelCard):
    assert parse(ModelCard, card.model_dump(mode="json")) == card
    assert ModelCard.model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize(
    ("key", "value"),
    [("licence", ""), ("licence", " "), ("name", "../up"), ("name", ""), ("weights_sha256", "123"), ("sores", [])],
)
def test_no_licence_an_unsafe_name_and_unknown_keys_are_refused(card: ModelCard, key: str, value: object):
    with pytest.raises(ConfigError, match=key):
        parse(ModelCard, card.model_dump(mode="json") | {key: value})


def test_a_score_without_definition_or_with_an_infinite_value_is_refused(card: ModelCard):
    score = card.scores[0].model_dump()
    for wrong in ({"definition": ""}, {"value": float("inf")}, {"mixture_baseline": float("nan")}):
        with pytest.raises(ConfigError):
            parse(ModelCard, card.model_dump(mode="json") | {"scores": [score | wrong]})


def test_improvement_and_minutes_are_sums(card: ModelCard):
    assert card.scores[0].improvement == 7.75
    assert card.training_minutes == 90


def test_the_rendered_card_says_everything_that_matters(card: ModelCard):
    text = render_card(card)
    assert text.startswith("# kazoo 1.0.0\n")
    for fact in (
        "CC-BY-4.0", "CC0-1.0", "Kazoo hour", "Street \\| bands", "90.0 minutes (1.50 hours)", "stemtune train kazoo",
        "0123abc", "sdr_global", "| 6.50 | -1.25 | +7.75 | Unheard (3 tracks) |", "Rehearsal.", "- Vuvuzelas",
    ):  # fmt: skip
        assert fact in text
    assert len({line.count(" | ") for line in text.splitlines() if line.startswith("| kazoo")}) == 1


def test_an_empty_card_says_that_nothing_is_stated():
    text = render_card(ModelCard(name="bare", licence="unknown", description="Nothing known."))
    assert "None stated" in text
    assert "Not stated." in text
    assert "None\n" not in text


def test_the_headline_is_what_rests_on_the_most_tracks(card: ModelCard):
    def score(stem: str, value: float, num_tracks: int) -> Score:
        return Score(
            stem=stem, definition="sdr_global", value=value, mixture_baseline=0.0, data="songs", num_tracks=num_tracks
        )

    whole, part = (score("vocals", 4.0, 5), score("drums", 3.0, 5)), (score("vocals", -2.0, 1),)
    assert card.model_copy(update={"scores": whole + part}).headline("sdr_global") == whole
    assert card.model_copy(update={"scores": whole + part}).headline("si_sdr") == ()
    rare, again = (score("toms", 1.0, 2),), (score("drums", 9.0, 5),)
    assert card.model_copy(update={"scores": whole + rare + again + part}).headline("sdr_global") == whole + rare
