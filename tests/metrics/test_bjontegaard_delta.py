"""Bjontegaard deltas of curves whose deltas are known, and the doubts that are said."""

import math

import pytest

from benchmark.metrics.bjontegaard_delta import METHODS, Point, delta_rate


def curve(factor=1.0, qualities=(20, 30, 38, 44, 48)):
    return [Point(factor * 0.01 * 2 ** (quality / 8), quality) for quality in qualities]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
def test_a_curve_of_a_constant_factor_has_that_delta(method, factor):
    delta = delta_rate(curve(factor), curve(), method)
    assert delta.percent == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert delta.overlap == 1
    assert delta.note == ""


def test_curves_may_have_other_numbers_of_points():
    delta = delta_rate(curve(0.8, (22, 26, 33, 37, 41, 45)), curve())
    assert delta.percent == pytest.approx(-20, abs=0.5)


def test_the_order_of_the_points_does_not_matter():
    assert delta_rate(curve(0.7)[::-1], curve()) == delta_rate(curve(0.7), curve())


def test_a_point_that_costs_more_for_no_more_quality_is_left_out_and_said():
    bent = [*curve(), Point(2.0, 40)]
    delta = delta_rate(bent, curve())
    assert delta.percent == pytest.approx(0, abs=1e-6)
    assert delta.note == "codec not monotone: 1 of 6 points left out"


def test_small_overlap_is_said():
    delta = delta_rate(curve(1, (40, 44, 48, 52)), curve(1, (20, 30, 38, 44)))
    assert "share only 12%" in delta.note


def test_no_overlap_gives_no_number():
    delta = delta_rate(curve(1, (50, 54, 58, 60)), curve(1, (20, 30, 38, 44)))
    assert math.isnan(delta.percent)
    assert delta.note == "no overlap in quality"


def test_too_few_points_give_no_number():
    assert math.isnan(delta_rate(curve(1, (20, 30, 40)), curve(), "cubic").percent)
