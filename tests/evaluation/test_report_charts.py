"""Charts put values where they belong, tolerate what is missing, and never let a name break them."""

import itertools
import math
import re
from xml.etree import ElementTree as ET

import pytest

from stemtune.evaluation.comparison import compare
from stemtune.evaluation.report_audio import choose_bit_rate
from stemtune.evaluation.report_charts import Curve, colours_of, draw_boxes, draw_curves, draw_differences
from stemtune.evaluation.report_words import decibels_text, probability, size_text
from stemtune.evaluation.svg import Scale, nice_range, nice_ticks
from stemtune.evaluation.table import Evaluation, TrackScore


def comparison(num_tracks: int = 8, *, odd: float = 0.0, name: str = "one <&> only"):
    def evaluation(offset: float) -> Evaluation:
        rows = tuple(
            TrackScore(f'"{n}" <b>', stem, "sdr_global", odd if odd and not n else offset + n, math.nan)
            for n in range(num_tracks)
            for stem in ("vocals", "drums", "bass", "other", "piano")
        )
        return Evaluation(name, rows)

    (metric,) = compare({name: evaluation(1.0), "mixture": evaluation(0.0)}).metrics
    return metric


def shapes(text: str, tag: str, style: str) -> list[ET.Element]:
    tree = ET.fromstring(text)  # noqa: S314
    return [e for e in tree.iter() if e.tag == tag and style in (e.get("class") or "").split()]


def test_every_track_is_a_dot_with_its_name_and_value():
    text = draw_boxes(comparison(), ["one <&> only", "mixture"])
    dots = shapes(text, "circle", "dot")
    assert len(dots) == 8 * 5 * 2
    assert [e.text for e in dots[0]] == ['"0" <b>: 1.00 dB']
    assert len(shapes(text, "rect", "box")) == 10
    assert len(shapes(text, "line", "median")) == 10
    assert len(shapes(text, "circle", "c7")) == 40


def test_few_tracks_have_no_box():
    text = draw_boxes(comparison(4), ["one <&> only", "mixture"])
    assert shapes(text, "rect", "box") == []
    assert len(shapes(text, "line", "median")) == 10


@pytest.mark.parametrize("odd", [math.inf, -math.inf, -300.0])
def test_infinite_and_far_values_do_not_break_the_axis(odd: float):
    for text in (
        draw_boxes(comparison(odd=odd), ["one <&> only", "mixture"]),
        draw_differences(comparison(odd=odd).pairs[:4], comparison(odd=odd).scores, ["one <&> only", "mixture"]),
    ):
        assert not re.search(r'="(nan|-?inf)"', text)
        ET.fromstring(text)  # noqa: S314


def test_a_track_far_outside_is_a_triangle_at_the_edge():
    text = draw_boxes(comparison(odd=-300.0), ["one <&> only", "mixture"])
    outside = shapes(text, "polygon", "outside")
    assert len(outside) == 5 * 2
    assert [e.text for e in outside[0]] == ['"0" <b>: -300.00 dB']


def test_differences_show_the_mean_at_its_place():
    metric = comparison()
    text = draw_differences(metric.pairs[:1], metric.scores, ["one <&> only", "mixture"])
    (zero,) = shapes(text, "line", "zero")
    (mark,) = shapes(text, "rect", "mark")
    dots = shapes(text, "circle", "dot")
    centre = float(mark.get("x") or 0) + 3.5
    assert [float(dot.get("cx") or 0) for dot in dots] == pytest.approx([centre] * 8, abs=0.2)
    assert float(zero.get("x1") or 0) < float(mark.get("x") or 0)


def test_curves_end_with_their_names_apart_from_each_other():
    curves = [Curve(name, ((1.0, 2.0), (5.0, 3.0 + 0.01 * n)), n) for n, name in enumerate(("a", "b", "c"))]
    text = draw_curves(curves, title="t", unit="dB")
    places = sorted(float(e.get("y") or 0) for n in range(3) for e in shapes(text, "text", f"t{n}"))
    assert len(places) == 3
    assert min(b - a for a, b in itertools.pairwise(places)) >= 14
    draw_curves([Curve("empty", (), 0)], title="t", unit="dB")


def test_colours_belong_to_systems_and_grey_to_the_mixture():
    assert colours_of(["mixture", "a", "b"]) == {"mixture": 7, "a": 0, "b": 1}


@pytest.mark.parametrize(("low", "high"), [(-31.4, 12.2), (0.0, 0.013), (1000.0, 90000.0), (-0.25, 0.25)])
def test_ticks_are_round_and_inside(low: float, high: float):
    ticks = nice_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert all(low <= tick <= high for tick in ticks)
    step = ticks[1] - ticks[0]
    assert all(abs(b - a - step) < 1e-6 * step for a, b in itertools.pairwise(ticks))


def test_a_range_is_never_empty_and_a_scale_never_leaves_it():
    assert nice_range([3.0, 3.0, math.nan, math.inf]) == (2.75, 3.25)
    assert nice_range([]) == (-0.25, 1.25)
    scale = Scale(0.0, 10.0, 100.0, 200.0)
    assert (scale(5.0), scale(-99.0), scale(math.inf)) == (150.0, 100.0, 200.0)


def test_the_bit_rate_fits_the_page():
    assert choose_bit_rate(num_clips=60, seconds=10, max_bytes=25e6) == 192
    assert choose_bit_rate(num_clips=600, seconds=10, max_bytes=100e6) == 96
    assert choose_bit_rate(num_clips=6000, seconds=10, max_bytes=1e6) == 64


def test_numbers_are_written_for_people():
    assert decibels_text(-3.456) == "−3.46"
    assert decibels_text(1.0, "+") == "+1.00"
    assert (decibels_text(math.inf), decibels_text(-math.inf), decibels_text(math.nan)) == ("∞", "−∞", "–")
    assert (probability(0.0625), probability(0.00412), probability(3e-9)) == ("0.062", "0.004", "3e−9")
    assert (size_text(10_400_000), size_text(5_300)) == ("10.4 MB", "5 kB")
