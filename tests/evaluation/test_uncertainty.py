"""How sure a delta is: bootstrap intervals, and deltas from which nothing follows."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmark.datasets import open_dataset
from benchmark.evaluation.deltas import delta_rates, delta_text, is_within_uncertainty, remarks
from benchmark.evaluation.intervals import with_intervals
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.published_run import published_folder
from benchmark.evaluation.rate_points import rate_point_table
from benchmark.metrics.bootstrap import Resampled, draw
from benchmark.metrics.ground_truth import RunTruth
from benchmark.metrics.resampled_curves import ResampledCurves
from benchmark.report.text import delta_rates_text
from benchmark.runner import open_runner

CODECS = ("jpeg", "webp")


COUNTS = draw(range(8), 1000, seed=0)


def points_of(ap, counts):
    """Two codecs of the published run on its first 8 images."""
    dataset = open_dataset("miniscapes")
    opened = OpenedRun(published_folder(), dataset)
    pictures = dataset.pictures[:8]
    truth = RunTruth(dataset, pictures, ap) if ap else None
    return rate_point_table(opened, pictures, truth, open_runner("local", 1), counts, CODECS)


@pytest.fixture(scope="module", params=["coco", "cityscapes"])
def points(request):
    return points_of(request.param, COUNTS)


@pytest.fixture(scope="module")
def summary(points):
    return points.summary.assign(source="measured")


@pytest.fixture(scope="module")
def resampled(points):
    keys = zip(points.summary["codec"], points.summary["rate_point"], strict=True)
    return [points.resampled[key] for key in keys]


def test_the_images_themselves_have_the_wap_of_the_summary(summary, resampled):
    assert [(its.codec, its.rate_point) for its in resampled] == list(
        zip(summary["codec"], summary["rate_point"], strict=True)
    )
    assert [its.wap[0] for its in resampled] == pytest.approx(summary["wap"].tolist())
    assert [its.bpp[0] for its in resampled] == pytest.approx(summary["bpp"].tolist())
    assert [its.ap50[0] for its in resampled] == pytest.approx(summary["ap50"].tolist())
    assert {len(its.wap) for its in resampled} == {1001}


def test_the_rate_of_a_resample_is_the_mean_over_its_images(points):
    dataset = open_dataset("miniscapes")
    names = [picture.name for picture in dataset.pictures[:8]]
    records = OpenedRun(published_folder(), dataset).records
    for key, its in points.resampled.items():
        rates = {record.image: record.bpp for record in records if record.key[:2] == key}
        drawn = [rates[name] for name in np.repeat(names, COUNTS[:, 3])]
        assert its.bpp[3] == pytest.approx(np.mean(drawn))


def test_intervals_of_wap_and_of_its_delta_are_given(summary, resampled):
    summary = with_intervals(summary, resampled)
    assert (summary["wap_low"] < summary["wap"]).all()
    assert (summary["wap"] < summary["wap_high"]).all()
    deltas = delta_rates(summary, ["webp"], ResampledCurves(resampled)).set_index(
        ["quality", "method"]
    )
    whole = deltas.loc[("wap", "akima")]
    assert whole["low"] < whole["bd_rate"] < whole["high"]
    assert deltas.drop(index=("wap", "akima"))[["low", "high"]].isna().all(axis=None)
    assert (deltas["uncertainty"] > 0).all()


def test_without_a_meaning_there_are_no_intervals(summary):
    assert not points_of(None, COUNTS).resampled
    assert not points_of("coco", None).resampled
    assert with_intervals(summary, [])[["wap_low", "wap_high"]].isna().all(axis=None)


def test_intervals_that_are_known_stay_where_they_cannot_be_computed_again(summary, resampled):
    summary = with_intervals(summary, resampled)
    pd.testing.assert_frame_equal(with_intervals(summary, []), summary)


def curve(codec, wap):
    lines = {"codec": codec, "bpp": [0.1, 0.2, 0.4], "wap": wap, "psnr": math.nan}
    return pd.DataFrame(lines).assign(source="measured")


def apart(codec, wap, share):
    """Resamples of which a share has a curve out of reach."""
    away = np.arange(1001) > 1000 * (1 - share)
    return [
        Resampled(codec, str(bpp), np.full(1001, bpp), np.where(away, value + 90, value), away)
        for bpp, value in zip([0.1, 0.2, 0.4], wap, strict=True)
    ]


@pytest.mark.parametrize(("share", "shown"), [(0.04, True), (0.12, False)])
def test_an_interval_of_too_few_resamples_is_not_shown_and_that_is_said(share, shown):
    summary = pd.concat([curve("a", [10, 20, 30]), curve("b", [12, 22, 33])])
    resampled = apart("a", [10, 20, 30], 0) + apart("b", [12, 22, 33], share)
    deltas = delta_rates(summary, ["a"], ResampledCurves(resampled))
    line = deltas[(deltas["quality"] == "wap") & (deltas["method"] == "akima")].iloc[0]
    assert math.isfinite(line["bd_rate"])
    assert math.isfinite(line["low"]) is math.isfinite(line["high"]) is shown
    assert ("no interval: no delta in 12% of the resamples" in line["note"]) is not shown


def delta(bd_rate, uncertainty, low=math.nan, high=math.nan):
    line = {"bd_rate": bd_rate, "uncertainty": uncertainty, "low": low, "high": high}
    return line | {"codec": "a", "anchor": "b", "method": "akima", "note": ""}


@pytest.mark.parametrize(
    ("line", "within"),
    [
        (delta(-5, 4), False),
        (delta(-5, 6), True),
        (delta(5, 5), True),
        (delta(-5, 4, -9, -1), False),
        (delta(-5, 4, -9, 1), True),
        (delta(-5, math.nan), True),
        (delta(math.nan, math.nan), False),
    ],
)
def test_nothing_follows_from_a_delta_within_its_uncertainty(line, within):
    assert is_within_uncertainty(line) is within


def test_the_printed_table_shows_the_uncertainty_and_what_follows():
    lines = [delta(-5, 6) | {"quality": "wap"}, delta(12.34, 1) | {"quality": "psnr"}]
    lines[1]["note"] = "curves share only 14% of the quality range"
    _, header, row, below, *doubts = delta_rates_text(pd.DataFrame(lines), "b").splitlines()
    assert header == "codec at equal wAP at equal PSNR"
    assert row.split() == ["a", "-5.0", "±", "6.0", "+12.3", "±", "1.0"]
    assert below.startswith("±: ")
    assert doubts == [
        "To doubt:",
        "  a, wAP: within the uncertainty",
        "More to doubt, in bd_rate.csv and report.html: 1 at equal PSNR.",
    ]


@pytest.mark.parametrize(
    ("bd_rate", "uncertainty", "text", "remark"),
    [
        (-5.0, 1.24, "-5.0 ± 1.2", ""),
        (0.4, 4.4, "+0.4 ± 4.4", "within the uncertainty"),
        (-5.0, 99.0, "-5.0 ± 99.0", "within the uncertainty"),
        (302.8, 123.9, "+302.8 ± 123.9", ""),
        (1305.2, 129104.5, "undetermined", "one rate point changes +1305 % by 129104 percentage "
         "points"),
        (120.0, math.nan, "+120.0 ± ?", "within the uncertainty"),
        (math.nan, math.nan, "-", ""),
    ],
)  # fmt: skip
def test_a_delta_that_one_rate_point_decides_is_no_number(bd_rate, uncertainty, text, remark):
    delta = {"bd_rate": bd_rate, "uncertainty": uncertainty, "low": math.nan, "high": math.nan}
    assert delta_text(delta) == text
    assert remarks(delta | {"note": ""}) == remark
