"""Tables for papers."""

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from benchmark.evaluation.deltas import delta_rates
from benchmark.report.latex import delta_rate_table, escape

RESULTS = Path(__file__).parents[2] / "results/miniscapes"


@pytest.fixture
def summary():
    return pd.read_csv(RESULTS / "summary.csv")


@pytest.fixture
def deltas(summary):
    return delta_rates(summary, ["vtm", "hevc"])


def rows(table):
    """The cells between \\toprule and \\bottomrule, line by line."""
    body = table.split(r"\toprule")[1].split(r"\bottomrule")[0]
    return [
        line.removesuffix(r" \\").split(" & ")
        for line in body.strip().splitlines()
        if line != r"\midrule"
    ]


def test_a_line_a_codec_with_its_delta_rates(deltas):
    table = delta_rate_table(deltas, "vtm", "COCO", {})
    header, *lines = rows(table)
    assert header == ["codec", "at equal wAP", "at equal PSNR", "at equal box wAP"]
    assert [line[0] for line in lines] == [
        rf"\texttt{{{codec}}}" for codec in sorted(set(deltas["codec"]) - {"vtm"})
    ]
    assert lines[0][1:] == [r"$+8.9 \pm 2.8$", r"$+20.5 \pm 2.5$", r"$+7.8 \pm 3.2$"]
    assert lines[1][1].startswith(r"$+19.0 \pm 3.6$\textsuperscript{")


def test_the_caption_names_anchor_interpolation_and_average_precision(deltas):
    (caption,) = re.findall(
        r"\\caption\{(.*)\}", delta_rate_table(deltas, "vtm", "Cityscapes", {}, "pchip")
    )
    assert r"against \texttt{vtm} (PCHIP interpolation)" in caption
    assert "(Cityscapes)" in caption


def test_every_mark_stands_for_a_doubt_named_below(deltas):
    table = delta_rate_table(deltas, "vtm", "COCO", {})
    above, below = table.split(r"\bottomrule")
    marks = set(re.findall(r"\\textsuperscript\{(\w+)\}", above))
    assert marks == set(re.findall(r"\\textsuperscript\{(\w+)\}", below))
    assert r"curves share only 54\% of the quality range" in below


def test_a_delta_that_could_not_be_computed_is_a_dash(deltas):
    deltas.loc[deltas["codec"] == "av1", ["bd_rate", "note"]] = [float("nan"), "too few points"]
    line = rows(delta_rate_table(deltas, "vtm", "COCO", {}))[1]
    assert line[1] == line[2] == r"--\textsuperscript{a}"


def test_names_are_escaped(deltas):
    deltas["codec"] = deltas["codec"].replace("av1", "my_codec#50%")
    assert r"\texttt{my\_codec\#50\%}" in delta_rate_table(deltas, "vtm", "COCO", {})
    assert escape("a\\b{c}~d^e&$") == (
        r"a\textbackslash{}b\{c\}\textasciitilde{}d\textasciicircum{}e\&\$"
    )


def test_a_delta_within_its_uncertainty_is_marked(deltas):
    table = delta_rate_table(deltas, "vtm", "COCO", {})
    (line,) = [line for line in rows(table) if line[0] == r"\texttt{ncn}"]
    mark = line[1].removeprefix(r"$+13.7 \pm 15.5$\textsuperscript{").removesuffix("}")
    assert rf"\textsuperscript{{{mark}}} within the uncertainty" in table
    assert line[2].startswith(r"undetermined\textsuperscript{")  # 1302 ± 191314 at equal PSNR


def test_a_table_read_from_bd_rate_csv_is_the_same(deltas, tmp_path):
    deltas.to_csv(tmp_path / "bd_rate.csv", index=False)
    read = pd.read_csv(tmp_path / "bd_rate.csv", float_precision="round_trip")
    assert delta_rate_table(read, "vtm", "COCO", {}) == delta_rate_table(deltas, "vtm", "COCO", {})


def test_without_a_curve_of_the_anchor_a_comment_says_so(deltas):
    assert delta_rate_table(deltas, "av1", "COCO", {}) == (
        "% no Bjontegaard deltas: av1 has no curve in this run\n"
    )


def test_each_curve_says_how_it_was_made(deltas):
    commands = {"vtm": ["run --codecs vtm"], "av1": ["run --limit 2", "run --limit 9"]}
    table = delta_rate_table(deltas, "vtm", "COCO", commands)
    assert table.splitlines()[:3] == [
        "% av1: run --limit 2", "% av1: run --limit 9", "% vtm: run --codecs vtm",
    ]  # fmt: skip


@pytest.mark.parametrize("braces", ["{}", ("\\begin{", "\\end{")])
def test_braces_and_environments_are_balanced(deltas, braces):
    table = delta_rate_table(deltas, "vtm", "COCO", {})
    unescaped = table.replace("\\{", "").replace("\\}", "")
    assert unescaped.count(braces[0]) == unescaped.count(braces[1]) > 0


def test_latex_accepts_the_tables(deltas, tmp_path):
    if not (shutil.which("pdflatex") and _has_booktabs()):
        pytest.skip("pdflatex with booktabs: apt-get install texlive-latex-recommended")
    tables = delta_rate_table(deltas, "vtm", "COCO", {})
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{tables}"
    (tmp_path / "paper.tex").write_text(document + r"\end{document}")
    subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=batchmode", "paper"], cwd=tmp_path, check=True
    )


def _has_booktabs():
    return subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode == 0
