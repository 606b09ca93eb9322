"""The documentation's examples, run as they are printed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/adding-a-codec.md").read_text()


def printed(language):
    (block,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return block


@pytest.fixture
def new_adapter():
    file = ROOT / "codecs/thumbnail.py"
    assert not file.exists()
    file.write_text(printed("python"))
    yield file
    file.unlink()


def test_the_guide_leads_from_nothing_to_a_curve(new_adapter, tmp_path):
    assert len(new_adapter.read_text().splitlines()) <= 30
    python, *arguments = shlex.split(printed("sh"))
    assert python == "python"
    subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True)
    run = tmp_path / "results/thumbnail"
    summary = pd.read_csv(run / "summary.csv")
    curve = summary[summary["codec"] == "thumbnail"]
    assert len(curve) == 5
    assert curve["bpp"].is_monotonic_decreasing
    assert (run / "curves.svg").read_text().lstrip().startswith("<?xml")
