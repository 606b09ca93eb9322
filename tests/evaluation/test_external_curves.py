"""Curves from elsewhere, and what is said about files that hold none."""

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmark.errors import UsageError
from benchmark.evaluation.deltas import delta_rates
from benchmark.evaluation.external_curves import external_curves, read_curve
from benchmark.figures.rate_curves import draw_wap_curves
from benchmark.report.compressai_json import compressai_results
from benchmark.report.curve_plots import draw_curves, render

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def summary():
    return pd.read_csv(ROOT / "results/miniscapes/summary.csv")


def written(tmp_path, name, content):
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_an_exported_curve_comes_back(summary, tmp_path):
    file = written(tmp_path, "elsewhere.json", compressai_results(summary, {})["vtm"])
    lines = summary[summary["codec"] == "vtm"].reset_index(drop=True)
    curve = read_curve(file)
    for column in ("codec", "bpp", "wap", "ap50", "psnr", "ms_ssim"):
        assert curve[column].tolist() == lines[column].tolist()
    assert set(curve["source"]) == {"external"}


def test_an_external_curve_joins_a_summary(summary, tmp_path):
    file = written(tmp_path, "theirs.csv", "bpp,wap\n0.1,35\n0.4,52\n0.2,45\n")
    joined = pd.concat([summary, read_curve(file)], ignore_index=True)
    theirs = joined[joined["codec"] == "theirs"]
    assert theirs["bpp"].tolist() == [0.4, 0.2, 0.1]
    assert theirs["rate_point"].tolist() == ["point2", "point3", "point1"]
    assert theirs[["psnr", "images", "encode_s"]].isna().all(axis=None)
    deltas = delta_rates(joined, ["vtm"]).set_index(["codec", "quality", "method"])
    assert -90 < deltas.loc[("theirs", "wap", "akima"), "bd_rate"] < 90


def test_columns_come_in_any_order_among_others(tmp_path):
    file = written(tmp_path, "a.csv", "\ufeffqp, PSNR ,bpp\n32,30.5,0.3\n\n27,33,0.6\n")
    assert read_curve(file)[["bpp", "psnr"]].to_numpy().tolist() == [[0.6, 33], [0.3, 30.5]]


def test_compressai_results_may_stand_at_the_top_without_a_name(tmp_path):
    file = written(tmp_path, "theirs.json", {"bpp": [0.2], "psnr": [30], "anything": "else"})
    (row,) = read_curve(file).to_dict("records")
    assert (row["codec"], row["bpp"], row["psnr"]) == ("theirs", 0.2, 30)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: a curve needs bpp, and wap or psnr or box_ap or lpips; found none"),
        (
            "bpp,quality\n1,2\n",
            "line 1: a curve needs bpp, and wap or psnr or",
        ),
        ("bpp,wap\n", "holds no points below its column names"),
        ("bpp,wap\n1,2\n\n0.5,high\n", "line 4: wap is 'high', which is no number"),
        ("bpp,wap\n1,2\n0.5,\n", "line 3: wap is '', which is no number"),
        ("bpp,wap\n1,nan\n", "line 2: wap is 'nan', which is no number"),
        ("bpp,wap\n1,2,3\n", "line 2: 3 values below 2 column names"),
        ("bpp,wap\n0,2\n", "line 2: bpp is '0', but has to be above 0"),
        ("bpp,wap\n1,200\n", "line 2: wap is '200', but has to be 0 or more, at most 100"),
        ("bpp,wap\n1,.21\n2,.4\n", "wap is 0.4 at most, as parts of 1; it has to be in percent"),
        ("bpp,psnr,ap50\n1,30,.3\n2,31,0.5\n", "ap50 is 0.5 at most, as parts of 1"),
        ("bpp,wap,bpp\n1,20,2\n", "line 1: there is more than one column bpp"),
    ],
)
def test_what_is_wrong_with_a_csv_file_is_said(content, message, tmp_path):
    file = written(tmp_path, "theirs.csv", content)
    with pytest.raises(UsageError) as error:
        read_curve(file)
    assert message in str(error.value)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"bpp": [1,\n2', "is no JSON: Expecting ',' delimiter: line 2"),
        ([1, 2], "holds no results"),
        ({"results": [1, 2]}, "holds no results"),
        (
            {"results": {"bpp": [1]}},
            "a curve needs bpp, and wap or psnr or",
        ),
        ({"bpp": [1, 2], "wap": [3]}, "different lengths: {'bpp': 2, 'wap': 1}"),
        ({"bpp": 1, "wap": [3]}, "bpp is no list of numbers"),
        ({"bpp": [1], "psnr": [30], "psnr-rgb": [31]}, "holds psnr twice, once as psnr"),
        (
            {"bpp": [1, 2, 1.5, 2.5], "wap": [20, 30, 15, 25], "seed": [0, 0, 1, 1]},
            "holds more than one curve: seed is 0, 1",
        ),
        ({"bpp": [1, None], "wap": [3, 4]}, "bpp, value 2: bpp is None, which is no number"),
        (
            {"bpp": [1], "psnr-rgb": [30], "ms-ssim-rgb": [15]},
            "ms-ssim-rgb, value 1: ms_ssim is 15, but has to be 0 or more, at most 1",
        ),
    ],
)
def test_what_is_wrong_with_a_json_file_is_said(content, message, tmp_path):
    file = written(tmp_path, "theirs.json", content)
    with pytest.raises(UsageError) as error:
        read_curve(file)
    assert message in str(error.value)
    assert str(file) in str(error.value)


TWO_MODELS = [("ours", 0.1, 20), ("ours", 0.4, 40), ("base", 0.12, 18), ("base", 0.5, 39)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "model,bpp,wap\n" + "".join(f"{m},{b},{w}\n" for m, b, w in TWO_MODELS),
            "holds more than one curve: model is ours, base",
        ),
        (
            "bpp,wap\n" + "".join(f"{b},{w}\n" for _, b, w in TWO_MODELS),
            "holds 2 curves, one after the other: the rates begin anew at point 3",
        ),
        (
            "codec,bpp,wap\nours,0.1,20\nours,0.4,40\nuncompressed,24,50\n",
            "holds more than one curve: codec is ours, uncompressed",
        ),
        (
            "seed,bpp,wap\n0,0.1,20\n1,0.12,18\n1,0.5,39\n0,0.4,40\n",
            "holds more than one curve: seed is 0, 1",
        ),
        ("bpp,wap\n0.1,20\n0.1,30\n0.4,40\n", "two points of about the same rate (0.1 and 0.1"),
        ("bpp,wap\n0.1,20\n0.4,40\n0.1001,18\n", "about the same rate (0.1 and 0.1001 bpp)"),
    ],
)
def test_a_file_with_several_curves_is_refused(content, message, tmp_path):
    file = written(tmp_path, "theirs.csv", content)
    with pytest.raises(UsageError) as error:
        read_curve(file)
    assert f"{file} holds" in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        "bpp,wap\n0.1,20\n0.2,41\n0.4,40\n0.8,41\n",  # falls once, as AP does at high rates
        "bpp,wap\n0.1,20\n0.1002,21\n0.1004,22\n",  # dense
        "bpp,wap,preset,qp\n0.1,20,slow,40\n0.4,40,fast,30\n0.2,31,fast,30\n",
        "bpp,wap,model\n0.1,20,q1\n0.4,40,q2\n",
        "bpp,wap,width\n0.1,20,512\n0.4,40,512\n",
        "bpp,wap\n0.1,0\n0.4,0\n",
        "bpp,lpips,seed\n0.1,0.3,0\n0.2,0.2,1\n0.4,0.1,0\n0.5,0.09,1\n",
    ],
)
def test_one_curve_is_read_whatever_stands_beside_it(content, tmp_path):
    assert len(read_curve(written(tmp_path, "theirs.csv", content))) >= 2


def test_files_of_another_kind_or_none_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"curve\.txt: a curve is read from a \.json or a \.csv"):
        read_curve(tmp_path / "curve.txt")
    with pytest.raises(UsageError, match=r"curve\.csv cannot be read: .*No such file"):
        read_curve(tmp_path / "curve.csv")
    (tmp_path / "binary.csv").write_bytes(b"bpp,wap\n\xff\xfe")
    with pytest.raises(UsageError, match=r"binary\.csv cannot be read"):
        read_curve(tmp_path / "binary.csv")


def test_odd_names_are_drawn_as_they_are(summary, tmp_path):
    file = written(tmp_path, "a.csv", "bpp,wap\n0.1,20\n0.4,40\n")
    name = r"$5 & \frac <b> λ_0^{1} 50 % $"
    drawn = pd.concat([summary, *external_curves([f"{name}={file}"], [])], ignore_index=True)
    for figure in (draw_curves(drawn), draw_wap_curves(drawn)):
        render(figure, "svg")
        (legend,) = figure.legends
        labels = [text.get_text().replace(r"\$", "$") for text in legend.get_texts()]
        assert f"{name} (external)" in labels


def test_curves_are_named_by_the_command_line(tmp_path):
    file = written(tmp_path, "a=b.csv", "bpp,wap\n0.1,20\n0.4,40\n")
    first, second = external_curves([f"ours={file}", f"ours again={file}"], ["vtm"])
    assert set(first["codec"]) == {"ours"}
    assert set(second["codec"]) == {"ours again"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{}", "is not of the form NAME=FILE"),
        ("={}", "is not of the form NAME=FILE"),
        ("vtm={}", "there is a curve vtm already: rename it"),
        ("ours={}", "holds a single point: a curve needs two"),
        ("ours={}.csv", r"cannot be read"),
        ("_ours={}", "legends leave out names that begin with _"),
        ("长={}", "figures have no letter 长: rename it"),
        ("ours\n={}", "up to 60 printable characters"),
        (61 * "x" + "={}", "up to 60 printable characters"),
    ],
)
def test_what_is_wrong_with_an_external_curve_is_said(spec, message, tmp_path):
    file = written(tmp_path, "theirs.csv", "bpp,wap\n0.1,20\n")
    with pytest.raises(UsageError) as error:
        external_curves([spec.format(file)], ["vtm"])
    assert message in str(error.value)
    assert str(file) in str(error.value)
