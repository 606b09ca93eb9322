"""Wherever a report shows a wAP, it says whose average precision it is."""

import pandas as pd
import pytest
from makers import make_manifest

from benchmark.evaluation.deltas import delta_rates
from benchmark.evaluation.tables import Tables
from benchmark.metrics.ground_truth import AP_NAMES
from benchmark.report.curve_plots import draw_curves, render
from benchmark.report.html import html_report
from benchmark.report.text import summary_text


def page_of(table, curves):
    tables = Tables(table, delta_rates(table, ["jpeg"]), {})
    return html_report(make_manifest(images=["a"]), tables, "vtm", render(curves, "svg")).decode()


def summary(ap):
    wap = [30.0, 20.0, 40.0] if ap else [None] * 3
    return pd.DataFrame(
        {
            "codec": ["jpeg", "jpeg", "uncompressed"],
            "rate_point": ["quality30", "quality5", "bits24"],
            "images": 1,
            "bpp": [0.8, 0.2, 24.0],
            "wap": pd.Series(wap, dtype=float),
            "ap50": pd.Series(wap, dtype=float),
            "psnr": [30.0, 25.0, None],
            "ms_ssim": [0.9, 0.8, 1.0],
            "encode_s": 0.1,
            "decode_s": 0.1,
            "analysis_s": 0.1,
            "ap": ap,
            "source": "measured",
        }
    )


@pytest.mark.parametrize(("ap", "name"), AP_NAMES.items())
def test_the_kind_of_ap_stands_in_table_curves_and_report(ap, name):
    table = summary(ap)
    assert summary_text(table).endswith(f"wAP and AP50: average precision ({name}).")
    curves = draw_curves(table)
    assert curves.axes[0].get_ylabel() == f"wAP ({name}) / %"
    page = page_of(table, curves)
    assert f"<th>wAP ({name}) / %</th>" in page
    assert f"average precision ({name})" in page


def test_without_an_analysis_network_no_kind_of_ap_is_named():
    table = summary(None)
    curves = draw_curves(table)
    page = page_of(table, curves)
    assert [axes.get_ylabel() for axes in curves.axes] == ["PSNR / dB"]
    assert "average precision" not in summary_text(table) + page
