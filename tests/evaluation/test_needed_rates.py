"""What a rate buys: the rate for a share of the uncompressed wAP, and the delta of one point."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmark.evaluation.needed_rates import needed_rates, point_deltas, shown_needed_rates
from benchmark.metrics.bootstrap import Resampled
from benchmark.metrics.resampled_curves import ResampledCurves
from benchmark.report.text import needed_rates_text

RATES = [0.1, 0.2, 0.4, 0.8]


def curve(codec, bpp, wap):
    lines = {"codec": codec, "rate_point": [f"q{its}" for its in bpp], "bpp": bpp, "wap": wap}
    return pd.DataFrame(lines).assign(source="measured", psnr=math.nan)


SUMMARY = pd.concat(
    [
        curve("uncompressed", [24.0], [50.0]),
        curve("doubling", RATES, [20.0, 30.0, 40.0, 50.0]),  # 10 points of wAP per doubling
        curve("half", [its / 2 for its in RATES], [20.0, 30.0, 40.0, 50.0]),
        curve("low", [0.05, 0.1], [10.0, 20.0]),
    ],
    ignore_index=True,
)


def resamples(random, spread=1.0):
    shift = np.append(0, random.normal(0, spread, 400))
    for codec, bpp, wap in SUMMARY[["codec", "bpp", "wap"]].itertuples(index=False):
        # the uncompressed accuracy of a resample moves with that of the curves
        yield Resampled(codec, str(bpp), np.full(401, bpp), wap + shift, wap + shift)


def test_the_rate_for_a_share_is_read_off_the_curve():
    table = needed_rates(SUMMARY, ResampledCurves([]), None).set_index(["codec", "share"])
    for share in (0.99, 0.95):
        expected = 0.1 * 2 ** ((50 * share - 20) / 10)  # log rate is a line in wAP
        assert table.loc[("doubling", share), "bpp"] == pytest.approx(expected)
        assert table.loc[("half", share), "bpp"] == pytest.approx(expected / 2)
    assert table.loc[("low", 0.95), "note"] == "the curve ends at 20.0 %"
    assert table["low"].isna().all()


def test_its_interval_is_paired_with_the_uncompressed_images():
    drawn = list(resamples(np.random.default_rng(0)))
    curves, original = ResampledCurves(drawn), drawn[0]
    row = needed_rates(SUMMARY, curves, original).set_index(["codec", "share"])
    row = row.loc[("doubling", 0.95)]
    # wAP and its goal move together, so the rate moves with a twentieth of the shift only
    assert row["low"] < row["bpp"] < row["high"]
    assert row["high"] / row["low"] == pytest.approx(2 ** (0.05 * 4 / 10), rel=0.01)


def test_an_interval_of_too_few_resamples_is_none():
    drawn = list(resamples(np.random.default_rng(0)))
    gone = [
        Resampled(its.codec, its.rate_point, its.bpp, np.append(its.wap[:300], its.wap[300:] / 2),
                  its.ap50) if its.codec == "half" else its
        for its in drawn
    ]  # fmt: skip
    table = needed_rates(SUMMARY, ResampledCurves(gone), drawn[0]).set_index(["codec", "share"])
    row = table.loc[("half", 0.95)]
    assert math.isfinite(row["bpp"])
    assert math.isnan(row["low"])
    assert row["note"] == "no interval: not reached in 25% of the resamples"


def test_a_single_point_has_a_delta_against_a_curve():
    table = point_deltas(SUMMARY, "doubling").set_index(["codec", "rate_point"])["percent"]
    assert table.loc[("half", "q0.1")] == pytest.approx(-50)
    assert table.loc[("low", "q0.1")] == pytest.approx(0)
    assert math.isnan(table.loc[("low", "q0.05")])
    assert "doubling" not in table.index.get_level_values("codec")
    assert point_deltas(SUMMARY, "vtm").empty


def test_both_are_shown():
    drawn = list(resamples(np.random.default_rng(0)))
    needed = needed_rates(SUMMARY, ResampledCurves(drawn), drawn[0])
    shown = shown_needed_rates(needed).set_index("codec")
    assert list(shown) == ["99% = 49.5 %", "95% = 47.5 %"]
    assert shown.loc["low", "95% = 47.5 %"] == "- the curve ends at 20.0 %"
    assert shown.loc["doubling", "95% = 47.5 %"].startswith("0.673 (0.6")
    assert "doubling 0.7" in needed_rates_text(needed)
    assert needed_rates_text(needed.iloc[:0]) == ""
