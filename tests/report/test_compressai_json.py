"""Exported curves, drawn by CompressAI's own plotting tool."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import PIL.Image
import pytest

from benchmark.report.compressai_json import compressai_results

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def summary():
    return pd.read_csv(ROOT / "results/miniscapes/summary.csv")


def test_a_curve_holds_the_summary_by_rising_rate(summary):
    found = json.loads(compressai_results(summary, {"vtm": ["one command", "another"]})["vtm"])
    assert (found["name"], found["description"]) == ("vtm", "one command; another")
    lines = summary[summary["codec"] == "vtm"].sort_values("bpp")
    assert found["results"]["bpp"] == lines["bpp"].tolist()
    assert found["results"]["psnr-rgb"] == lines["psnr"].tolist()
    assert found["results"]["ms-ssim-rgb"] == lines["ms_ssim"].tolist()
    assert found["results"]["wap"] == lines["wap"].tolist()
    assert found["results"]["encoding_time"] == lines["encode_s"].tolist()


def test_a_metric_that_a_rate_point_lacks_is_left_out(summary):
    results = json.loads(compressai_results(summary, {})["uncompressed"])["results"]
    assert math.isfinite(results["wap"][0])
    assert "psnr-rgb" not in results


def test_compressai_draws_the_curves(summary, tmp_path):
    files = []
    for codec, content in compressai_results(summary, {}).items():
        if codec in ("av1", "vtm", "hevc"):
            files.append(tmp_path / f"{codec}.json")
            files[-1].write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "compressai.utils.plot", "-o", "out.png", "-f", *files],
        cwd=tmp_path,
        env={"MPLBACKEND": "agg", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with PIL.Image.open(tmp_path / "out.png") as picture:
        colours = picture.convert("RGB").getcolors(1 << 24)
    assert {(31, 119, 180), (255, 127, 14), (44, 160, 44)} <= {colour for _, colour in colours}
