"""Scaled coding in the tables: the convex hull is the curve, all other points stay to be seen."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from benchmark.evaluation.curves import curves, on_curve, points, without_points_off_hulls
from benchmark.evaluation.deltas import delta_rates
from benchmark.evaluation.needed_rates import needed_rates, point_deltas
from benchmark.evaluation.scales import scales_note, with_scales
from benchmark.evaluation.tables import Tables
from benchmark.figures.rate_curves import draw_relative_curve_differences, draw_wap_curves
from benchmark.metrics.bootstrap import Resampled
from benchmark.metrics.qualities import QUALITIES
from benchmark.metrics.resampled_curves import ResampledCurves
from benchmark.report.compressai_json import compressai_results
from benchmark.report.curve_plots import draw_curves
from benchmark.report.latex import delta_rate_table
from benchmark.report.text import tables_text

# rate point: bpp, wAP, PSNR. At equal wAP the smaller images win at low rates, at equal PSNR never.
SCALED = {
    "q1": (0.20, 25, 24.0),  # under the line from q1@0.5 to q2@0.5 in wAP
    "q2": (0.40, 40, 27.0),
    "q3": (0.80, 48, 30.0),
    "q4": (1.60, 47, 33.0),  # more bits for less wAP
    "q1@0.5": (0.10, 20, 20.0),
    "q2@0.5": (0.20, 30, 21.0),
    "q3@0.5": (0.30, 33, 22.0),  # more bits for more wAP, under the line from q2@0.5 to q2
}
HULLS = {
    "q1": "psnr", "q2": "wap psnr", "q3": "wap psnr", "q4": "psnr",
    "q1@0.5": "wap psnr", "q2@0.5": "wap", "q3@0.5": "",
}  # fmt: skip
ON_WAP = [name for name, hull in HULLS.items() if "wap" in hull]


def rows(codec, points):
    lines = [(codec, name, *values) for name, values in points.items()]
    return pd.DataFrame(lines, columns=["codec", "rate_point", "bpp", "wap", "psnr"])


def plain():
    """An anchor of the points on the hull of wAP at twice the rate, coded at one scale."""
    anchor = {f"q{n}": (2 * bpp, *its) for n, (bpp, *its) in enumerate(SCALED[n] for n in ON_WAP)}
    known = [rows("anchor", anchor), rows("uncompressed", {"bits24": (24.0, 48.5, math.nan)})]
    return pd.concat(known, ignore_index=True).assign(
        images=2, ap="coco", source="measured", encode_s=0.1, decode_s=0.1, ap50=50.0, ms_ssim=0.9
    )


@pytest.fixture
def summary():
    scaled = rows("some", SCALED).assign(**plain().iloc[0, 5:].to_dict())
    return with_scales(pd.concat([plain(), scaled], ignore_index=True))


def resampled(summary):
    for row in summary.to_dict("records"):
        bpp, wap = (np.full(1001, row[name]) for name in ("bpp", "wap"))
        yield Resampled(row["codec"], row["rate_point"], bpp, wap, wap)


def test_a_table_names_the_scale_and_the_hulls_that_a_point_is_on(summary):
    some = summary[summary["codec"] == "some"].set_index("rate_point")
    assert dict(some["hull"]) == HULLS
    assert dict(some["scale"]) == {name: 0.5 if "@" in name else 1 for name in SCALED}
    others = summary[summary["codec"] != "some"]
    assert set(others["hull"]) == {""} and set(others["scale"]) == {1}


def test_without_a_scale_the_table_is_as_it_was():
    assert with_scales(plain()).equals(plain())
    assert scales_note(plain()) == ""
    dented = rows("some", {name: its for name, its in SCALED.items() if "@" not in name})
    dented.loc[1, "wap"] = 26  # under the line from q1 to q3
    assert len(points(dented, QUALITIES["wap"])) == len(on_curve(dented, QUALITIES["wap"])) == 4


def test_a_codec_at_one_scale_alone_has_its_own_curve():
    half = rows("half", {f"{name}@0.5": its for name, its in SCALED.items() if "@" not in name})
    table = with_scales(half.assign(**plain().iloc[0, 5:].to_dict()))
    assert set(table["hull"]) == {""}
    assert len(without_points_off_hulls(table)) == 4
    assert "hull" not in scales_note(table)


def test_deltas_are_those_of_the_hull(summary):
    """Half the rate at equal wAP, as the anchor has twice the rates of the hull's points."""
    curves_again = ResampledCurves(list(resampled(summary)), {"some"})
    table = delta_rates(summary, ["anchor"], curves_again)
    delta = table[(table["quality"] == "wap") & (table["method"] == "akima")].iloc[0]
    assert delta["bd_rate"] == pytest.approx(-50)
    assert "not monotone" not in delta["note"]
    assert (delta["low"], delta["high"]) == pytest.approx((-50, -50))


def test_the_rate_for_a_share_is_read_off_the_hull(summary):
    drawn = list(resampled(summary))
    original = next(its for its in drawn if its.codec == "uncompressed")
    table = needed_rates(summary, ResampledCurves(drawn, {"some"}), original)
    bpp = table.set_index(["codec", "share"])
    assert bpp.loc[("some", 0.95), "bpp"] == pytest.approx(bpp.loc[("anchor", 0.95), "bpp"] / 2)
    assert bpp.loc[("some", 0.95), "low"] == pytest.approx(bpp.loc[("some", 0.95), "bpp"])


def test_points_off_the_hull_have_their_own_deltas(summary):
    of_points = point_deltas(summary, "anchor").set_index("rate_point")["percent"]
    assert set(of_points.index) == set(SCALED)
    assert of_points["q2@0.5"] == pytest.approx(-50)
    assert -50 < of_points["q1"] < 0


def test_hull_and_scales_are_named_in_tables_and_exports(summary):
    note = scales_note(summary)
    assert "scales 1, 0.5" in note and "the curve of some is the upper convex hull" in note
    deltas = delta_rates(summary, ["anchor"])
    text = tables_text(Tables(summary, deltas, {}), "anchor")
    (line,) = [line for line in text.splitlines() if "q2@0.5" in line]
    assert line.split()[:3] == ["q2@0.5", "0.5", "wAP"]
    (line,) = [line for line in text.splitlines() if "q3@0.5" in line]
    assert line.split()[:3] == ["q3@0.5", "0.5", "-"]
    assert note in delta_rate_table(deltas, "anchor", "COCO", {}, note=note)
    exported = json.loads(compressai_results(summary, {})["some"])
    assert exported["name"] == "some (convex hull)"
    assert exported["results"]["bpp"] == sorted(SCALED[name][0] for name in ON_WAP)


def line_of(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line


@pytest.mark.parametrize("draw", [draw_curves, draw_wap_curves])
def test_figures_join_the_hull_and_mark_all_other_points(summary, draw):
    figure = draw(summary)
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert labels == {"anchor", "some (convex hull)", "off the convex hull", "uncompressed"}
    axes = figure.axes[0]
    hull = line_of(axes, "some (convex hull)")
    assert sorted(hull.get_xdata()) == sorted(SCALED[name][0] for name in ON_WAP)
    (off,) = [
        line for line in axes.lines
        if line.get_linestyle() == "None" and line.get_color() == hull.get_color()
    ]  # fmt: skip
    rest = {(bpp, wap) for name, (bpp, wap, _) in SCALED.items() if name not in ON_WAP}
    assert set(zip(off.get_xdata(), off.get_ydata(), strict=True)) == rest
    assert off.get_markersize() < hull.get_markersize()


def test_relative_differences_are_the_hull_s(summary):
    axes = draw_relative_curve_differences(summary, "anchor").axes[0]
    assert np.allclose(line_of(axes, "some (convex hull)").get_ydata(), -50)
    assert set(curves(summary)) == {"anchor", "some"}
