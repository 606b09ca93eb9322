"""One table of qualities: an entry appears wherever codecs are compared."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from makers import make_manifest

from benchmark.evaluation.deltas import delta_rates
from benchmark.evaluation.external_curves import read_curve
from benchmark.evaluation.tables import Tables
from benchmark.metrics import qualities
from benchmark.metrics.bjontegaard_delta import METHODS
from benchmark.metrics.qualities import COMPARED, IMAGE_QUALITIES, QUALITIES, Needs
from benchmark.report.compressai_json import compressai_results
from benchmark.report.curve_plots import draw_curves, render
from benchmark.report.html import html_report
from benchmark.report.latex import delta_rate_table
from benchmark.report.text import delta_rates_text, summary_text


def summary():
    """Two codecs; the second has the same qualities as the first, at half the rate."""
    worst = {name: 0.1 * quality.largest if math.isfinite(quality.largest) else 20.0
             for name, quality in QUALITIES.items()}  # fmt: skip
    rows = [
        {"codec": codec, "rate_point": f"q{step}", "bpp": factor * 0.1 * 2**step}
        | {
            name: worst[name] * (1 + 0.2 * (step if QUALITIES[name].higher_is_better else -step))
            for name in QUALITIES
        }
        for codec, factor in (("anchor", 1), ("half", 0.5))
        for step in range(4)
    ]
    return pd.DataFrame(rows).assign(
        images=2, encode_s=0.1, decode_s=0.1, analysis_s=0.1, ap="coco", source="measured"
    )


@pytest.fixture(scope="module")
def tables():
    table = summary()
    return Tables(table, delta_rates(table, ["anchor"]), {"half": ["a command"]})


@pytest.mark.parametrize("quality", QUALITIES.values(), ids=QUALITIES)
def test_a_quality_appears_in_every_table(tables, quality):
    heading = f"{quality.label}/{quality.unit}" if quality.unit else quality.label
    assert (heading in summary_text(tables.summary)) is not quality.detail
    results = json.loads(compressai_results(tables.summary, {})["half"])["results"]
    assert results[quality.names[0]] == sorted(
        tables.summary.query("codec == 'half'")[quality.column], key=quality.rising
    )


@pytest.mark.parametrize("quality", COMPARED, ids=lambda quality: quality.column)
def test_a_compared_quality_has_curve_and_delta_everywhere(tables, quality):
    deltas = tables.deltas[tables.deltas["quality"] == quality.column]
    assert deltas["bd_rate"].tolist() == pytest.approx([-50.0] * len(METHODS))
    assert f"at equal {quality.label}" in delta_rates_text(tables.deltas, "anchor")
    assert f"at equal {quality.label}" in delta_rate_table(tables.deltas, "anchor", "COCO", {})
    curves = draw_curves(tables.summary)
    assert quality.title("COCO") in [axes.get_ylabel() for axes in curves.axes]


def test_the_report_shows_all_qualities(tables):
    figure = render(draw_curves(tables.summary), "svg")
    page = html_report(make_manifest(images=["a"]), tables, "anchor", figure).decode()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert [its["column"] for its in data["qualities"]] == list(QUALITIES)
    for quality in QUALITIES.values():
        heading = quality.label if quality.detail else quality.title("COCO")
        assert f"<th>{heading}</th>" in page
    assert set(data["differences"]["anchor"]) == {quality.column for quality in COMPARED}
    assert page.count(", Akima</th>") == len(COMPARED)


def test_curves_of_others_may_hold_any_quality(tmp_path):
    (tmp_path / "a.csv").write_text("bpp,lpips\n0.1,0.4\n0.2,0.3\n")
    assert read_curve(tmp_path / "a.csv")["lpips"].tolist() == [0.3, 0.4]


def test_what_is_lower_for_better_codecs_is_compared_the_right_way_round():
    table = summary()
    table.loc[table["codec"] == "half", "lpips"] *= 0.8
    deltas = delta_rates(table, ["anchor"]).set_index(["quality", "method"])
    assert deltas.loc[("lpips", "akima"), "bd_rate"] < -50


def test_a_missing_value_is_a_dash():
    assert QUALITIES["psnr"].text(None) == QUALITIES["psnr"].text(math.nan) == "-"
    assert QUALITIES["psnr"].text(31.256) == "31.26"


def test_image_qualities_are_those_that_a_record_holds():
    assert set(IMAGE_QUALITIES) == {"psnr", "ms_ssim", "lpips"}
    assert all(its.needs is Needs.IMAGES for its in IMAGE_QUALITIES.values())


@pytest.fixture
def lpips_cache(tmp_path, monkeypatch):
    """An empty cache of weights; what was found out in it is forgotten."""
    pytest.importorskip("lpips")
    from benchmark.metrics import perceptual

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)  # another test may have set it
    caches = (qualities.why_unavailable, perceptual._network)
    for cache in caches:
        cache.cache_clear()
    yield tmp_path / "hub/checkpoints"
    for cache in caches:
        cache.cache_clear()


def test_lpips_says_what_it_lacks_or_measures(lpips_cache):
    """AlexNet's weights cannot be had here: untrained ones take their place in the cache."""
    import torchvision

    file = lpips_cache / "alexnet-owt-7be5be79.pth"
    assert str(file) in qualities.why_unavailable(QUALITIES["lpips"])
    torch.manual_seed(0)
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.alexnet().state_dict(), file)
    qualities.why_unavailable.cache_clear()
    assert qualities.why_unavailable(QUALITIES["lpips"]) == ""
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    assert QUALITIES["lpips"].compare(image, image) == 0
    assert QUALITIES["lpips"].compare(image, 255 - image) > 0.01
