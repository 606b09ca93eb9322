"""Bjontegaard deltas of curves whose deltas are known, and the doubts that are said."""

import math

import bjontegaard
import matplotlib
import matplotlib.pyplot as pyplot
import numpy as np
import pytest

from benchmark.metrics.bjontegaard_delta import (
    METHODS,
    Point,
    delta_rate,
    delta_uncertainty,
    relative_curve_difference,
)


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


def test_the_isotonic_method_pools_points_that_fall():
    """The fitted curve, worked out by hand: two points become one between them."""
    noisy = [*curve()[:2], Point(0.3, 40), Point(0.4, 36), *curve()[3:]]
    pooled = [*curve()[:2], Point(math.sqrt(0.3 * 0.4), 38), *curve()[3:]]
    delta = delta_rate(noisy, curve(), "isotonic")
    assert delta.percent == pytest.approx(delta_rate(pooled, curve(), "pchip").percent)
    assert delta.note.startswith("codec not monotone: 1 of 6 points pooled with others")


def test_small_overlap_is_said():
    delta = delta_rate(curve(1, (40, 44, 48, 52)), curve(1, (20, 30, 38, 44)))
    assert "share only 12%" in delta.note


def test_no_overlap_gives_no_number():
    delta = delta_rate(curve(1, (50, 54, 58, 60)), curve(1, (20, 30, 38, 44)))
    assert math.isnan(delta.percent)
    assert delta.note == "no overlap in quality"


def test_too_few_points_give_no_number():
    assert math.isnan(delta_rate(curve(1, (20, 30, 40)), curve(), "cubic").percent)


STEEPER = [Point(0.011 * 2 ** (quality / 7), quality) for quality in (22, 27, 33, 40, 46)]


@pytest.mark.parametrize("method", METHODS)
def test_the_relative_difference_to_a_curve_of_a_constant_factor_is_constant(method):
    difference = relative_curve_difference(curve(0.7), curve(), method)
    assert difference.percent == pytest.approx(-30, abs=1e-6)
    assert (difference.quality[0], difference.quality[-1]) == (20, 48)


@pytest.mark.parametrize("method", METHODS)
def test_the_mean_of_the_logarithmic_difference_is_the_delta(method):
    difference = relative_curve_difference(STEEPER, curve(), method)
    logarithm = np.log10(1 + difference.percent / 100)
    mean = np.mean((logarithm[1:] + logarithm[:-1]) / 2)
    assert 100 * (10**mean - 1) == pytest.approx(
        delta_rate(STEEPER, curve(), method).percent, abs=0.01
    )


@pytest.mark.parametrize("method", ["akima", "pchip", "cubic"])
def test_the_delta_is_that_of_the_bjontegaard_package(method):
    anchor = [(0.1, 20.0), (0.19, 31.0), (0.42, 38.0), (0.8, 47.0), (1.6, 50.0)]
    codec = [(0.09, 22.0), (0.2, 34.0), (0.37, 39.0), (0.9, 49.0)]
    curves = [list(zip(*its, strict=True)) for its in (anchor, codec)]
    expected = bjontegaard.bd_rate(
        *curves[0], *curves[1], method, require_matching_points=False, min_overlap=0
    )
    found = delta_rate([Point(*its) for its in codec], [Point(*its) for its in anchor], method)
    assert found.percent == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", [its for its in METHODS if its != "isotonic"])
def test_the_relative_difference_is_what_the_bjontegaard_package_draws(method, monkeypatch):
    matplotlib.use("agg")
    monkeypatch.setattr(pyplot, "show", lambda: None)
    anchor, codec = ([(p.bpp, p.quality) for p in points] for points in (curve(), STEEPER))
    bjontegaard.plot_rcd(*zip(*anchor, strict=True), *zip(*codec, strict=True), method)
    drawn = pyplot.gcf().axes[1].lines[0].get_xydata()
    pyplot.close()
    ours = relative_curve_difference(STEEPER, curve(), method)
    at_the_drawn = np.interp(drawn[:, 1], ours.quality, ours.percent)
    assert at_the_drawn == pytest.approx(drawn[:, 0], abs=0.01)


def test_curves_without_overlap_have_no_relative_difference():
    difference = relative_curve_difference(curve(1, (50, 54, 58, 60)), curve(1, (20, 30, 38, 44)))
    assert difference.quality.size == difference.percent.size == 0


@pytest.mark.parametrize("method", METHODS)
def test_the_uncertainty_is_the_largest_change_without_one_point(method):
    whole = delta_rate(STEEPER, curve(), method).percent
    without = [
        delta_rate(STEEPER[:n] + STEEPER[n + 1 :], curve(), method).percent for n in range(5)
    ] + [delta_rate(STEEPER, curve()[:n] + curve()[n + 1 :], method).percent for n in range(5)]
    found = delta_uncertainty(STEEPER, curve(), method)
    assert found.percentage_points == pytest.approx(max(abs(d - whole) for d in without))
    assert found.percentage_points > 0


def test_a_difference_inside_the_uncertainty_is_marked():
    assert delta_uncertainty(curve(0.7), curve()).inside is False
    crossing = [Point(0.01 * 2 ** ((1.5 * q - 17) / 8), q) for q in (20, 30, 38, 44, 48)]
    found = delta_uncertainty(crossing, curve())
    assert abs(delta_rate(crossing, curve()).percent) < found.percentage_points
    assert found.inside is True


def test_a_point_without_which_nothing_overlaps_is_not_left_out():
    anchor = curve(1, (20, 30, 38, 44))
    beyond = curve(1.2, (43, 50, 54, 58))  # without 43, or without 44, there is no overlap
    found = delta_uncertainty(beyond, anchor)
    assert math.isfinite(found.percentage_points)


def test_too_few_points_leave_the_uncertainty_unknown():
    found = delta_uncertainty(curve(0.5, (20, 30, 38, 44)), curve(1, (20, 30, 38, 44)), "cubic")
    assert math.isnan(found.percentage_points)
    assert found.inside is True


def test_a_point_that_the_delta_leaves_out_does_not_change_the_uncertainty():
    bent = [*STEEPER, Point(2.0, 40)]
    assert delta_uncertainty(bent, curve()) == delta_uncertainty(STEEPER, curve())


def test_a_cubic_that_swings_between_points_is_told() -> None:
    """Two points of nearly the same quality bend the cubic: it says thousands of percent."""
    codec = [Point(0.3, 30.0), Point(0.8, 34.0), Point(3.0, 41.0), Point(5.0, 41.05)]
    anchor = [Point(0.2, 30.0), Point(0.4, 34.0), Point(1.5, 40.0), Point(2.5, 42.0)]
    cubic = delta_rate(codec, anchor, "cubic")
    assert "cubic interpolation of codec is not monotone" in cubic.note
    assert "interpolations disagree: akima" in cubic.note
    assert "codec saturated at 5 bpp" in cubic.note
    assert "codec saturated at 5 bpp" in delta_rate(codec, anchor, "akima").note


def test_an_infinite_delta_is_no_number(recwarn: pytest.WarningsRecorder) -> None:
    codec = [Point(0.3, 30.0), Point(0.8, 34.0), Point(3.0, 41.0), Point(5.0, 41.00001)]
    anchor = [Point(0.2, 30.0), Point(0.4, 34.0), Point(1.5, 40.0), Point(2.5, 42.0)]
    for delta in (delta_rate(codec, anchor, "cubic"), delta_rate(anchor, codec, "cubic")):
        assert math.isnan(delta.percent)
        assert "the delta is not finite" in delta.note
    assert not recwarn.list


def test_curves_that_bend_gently_carry_no_remark() -> None:
    codec = [Point(0.1 * 2**n, 30.0 + 4 * n - 0.2 * n * n) for n in range(6)]
    anchor = [Point(0.12 * 2**n, 30.0 + 4 * n - 0.2 * n * n) for n in range(6)]
    for method in METHODS:
        assert delta_rate(codec, anchor, method).note == ""
