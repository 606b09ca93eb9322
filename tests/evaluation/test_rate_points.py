"""Means over images: over the same images at every rate point, or NaN."""

import math
from types import SimpleNamespace

import pytest
from makers import make_record

from benchmark.datasets.dataset import Picture
from benchmark.evaluation.rate_points import notes_on, rate_point_table

PICTURES = [Picture(number, f"image{number}", None) for number in range(2)]


def point(rate_point, psnrs, **qualities):
    return [
        make_record("some", rate_point, f"image{number}", image_id=number, width=16, height=8,
                    qualities={"psnr": psnr, **qualities})
        for number, psnr in enumerate(psnrs)
    ]  # fmt: skip


def table_of(records):
    run = SimpleNamespace(records=records, folder=None)
    table, images, resampled = rate_point_table(run, PICTURES, None, None)
    assert images.empty and not resampled
    return table.set_index("rate_point")


def test_an_exact_image_counts_with_the_psnr_of_one_wrong_sample():
    records = point("low", (30.0, 40.0)) + point("high", (35.0, None))
    one_wrong = 10 * math.log10(255**2 / (1 / (16 * 8 * 3)))
    table = table_of(records)
    assert table.loc["low", "psnr"] == 35
    assert table.loc["high", "psnr"] == pytest.approx((35 + one_wrong) / 2)
    (note,) = notes_on(records)
    assert note.startswith("PSNR: at 1 rate points some images are decoded exactly")


def test_a_rate_point_of_exact_images_has_no_psnr():
    records = point("lossless", (None, None))
    assert math.isnan(table_of(records).loc["lossless", "psnr"])
    assert notes_on(records) == []


def test_what_was_not_measured_on_all_images_has_no_mean():
    records = point("q", (30.0, 40.0), lpips=0.1)
    bare = make_record("some", "q", "image1", image_id=1, width=16, height=8,
                       qualities={"psnr": 40.0})  # fmt: skip
    table = table_of([records[0], bare])
    assert math.isnan(table.loc["q", "lpips"])
    assert table.loc["q", "psnr"] == 35


def test_a_rate_point_that_lacks_an_image_is_no_row():
    assert list(table_of(point("q", (30.0, 40.0)) + point("r", (30.0,))).index) == ["q"]


def test_the_table_begins_as_it_always_did():
    assert list(table_of(point("q", (30.0, 40.0))).reset_index())[:10] == [
        "rate_point", "codec", "images", "bpp", "wap", "ap50", "psnr", "ms_ssim", "encode_s",
        "decode_s",
    ]  # fmt: skip
