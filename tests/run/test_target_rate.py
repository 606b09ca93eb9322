"""Rates as rate points: the best setting below a rate, found per image and recorded."""

import pytest

import benchmark
from benchmark import coding
from benchmark.codec import open_codec
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import UsageError

IMAGE = draw_scene(4).image[:128, :192]


def rate(bitstream):
    return 8 * len(bitstream) / (128 * 192)


@pytest.mark.parametrize("name", ["jpeg", "hevc"])  # the rate rises with quality, falls with qp
def test_the_next_better_setting_would_exceed_the_rate(name):
    codec = open_codec(name)
    coded = coding.encode(codec, IMAGE, codec.rate_point("bpp0.6"))
    assert rate(coded.bitstream) <= 0.6
    found = codec.rate_point(coded.setting)
    assert codec.encode(IMAGE, found) == coded.bitstream
    step = 1 if name == "jpeg" else -1
    better = codec.rate_point(f"{found.parameter}{found.value + step:g}")
    assert rate(codec.encode(IMAGE, better)) > 0.6


def test_a_continuous_setting_comes_within_a_percent():
    codec = open_codec("jxl")
    coded = coding.encode(codec, IMAGE, codec.rate_point("bpp0.9"))
    assert 0.99 * 0.9 <= rate(coded.bitstream) <= 0.9


def test_the_best_setting_of_all_is_reached():
    codec = open_codec("jpeg")
    assert coding.encode(codec, IMAGE, codec.rate_point("bpp24")).setting == "quality100"


def test_a_rate_below_the_lowest_is_refused_with_both_numbers():
    codec = open_codec("jpeg")
    with pytest.raises(
        ValueError, match=r"takes \d+ bytes at quality1 already, and bpp0.01 leaves"
    ):
        coding.encode(codec, IMAGE, codec.rate_point("bpp0.01"))


@pytest.mark.parametrize("rate", ["bpp0", "bpp-1", "bppinf", "bppnan", "bpp"])
def test_what_is_no_rate_is_no_rate_point(rate):
    with pytest.raises(UsageError, match=r"or a rate as bpp0\.1"):
        open_codec("jpeg").rate_point(rate)


def test_a_codec_without_a_range_has_no_rates_to_search():
    with pytest.raises(UsageError, match=r"ncn has no rate point 'bpp0\.1': it has lambda"):
        open_codec("ncn").rate_point("bpp0.1")


def test_a_run_records_what_was_found_for_each_image(tmp_path):
    asked = ["jpeg:bpp0.5", "jpeg:bpp1", "jpeg:quality20"]
    run = benchmark.run(["jpeg"], rates=asked, limit=2, analysis=None, jobs=1, out=tmp_path / "run")
    assert run.unfinished == []
    records = run.records[run.records["codec"] == "jpeg"]
    found = records[records["rate_point"] == "bpp0.5"]
    assert len(found) == 2 and (found["bpp"] <= 0.5).all()
    assert found["setting"].str.fullmatch(r"quality\d+").all()
    assert records.loc[records["rate_point"] == "quality20", "setting"].isna().all()
    again = benchmark.run(
        ["jpeg"], rates=asked, limit=2, analysis=None, jobs=1, out=tmp_path / "run"
    )
    assert again.outcome.finished == 0
    assert "bpp0.5" in (tmp_path / "run/report.html").read_text()
