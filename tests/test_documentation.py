"""The documentation's examples, run as they are printed, in folders of their own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]


def blocks(guide, language):
    text = (ROOT / "docs" / guide).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def install(guide, folder):
    """Put the guide's module and its entry points where Python finds them, as pip would."""
    (project,) = map(tomllib.loads, blocks(guide, "toml"))
    (module,) = project["tool"]["setuptools"]["py-modules"]
    (folder / f"{module}.py").write_text(blocks(guide, "python")[0])
    name, version = project["project"]["name"], project["project"]["version"]
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = project["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in its.items())
        for group, its in points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))


def follow(guide, folder, path):
    """Carry out the guide's commands; returns what they printed."""
    printed = []
    for line in "".join(blocks(guide, "sh")).splitlines():
        python, *arguments = shlex.split(line)
        assert python == "python"
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed.append(done.stdout)
    return "".join(printed)


def summary(folder):
    (file,) = folder.glob("results/*/summary.csv")
    return pd.read_csv(file)


def test_a_new_codec_leads_from_nothing_to_a_curve(tmp_path):
    install("adding-a-codec.md", tmp_path)
    assert len((tmp_path / "thumbnail.py").read_text().splitlines()) <= 30
    follow("adding-a-codec.md", tmp_path, tmp_path)
    table = summary(tmp_path)
    curve = table[table["codec"] == "thumbnail"]
    assert len(curve) == 5
    assert curve["bpp"].is_monotonic_decreasing
    assert (tmp_path / "results/thumbnail/curves.svg").read_text().lstrip().startswith("<?xml")


def test_a_new_network_without_masks_judges_by_boxes(tmp_path):
    install("adding-an-analysis-network.md", tmp_path)
    printed = follow("adding-an-analysis-network.md", tmp_path, tmp_path)
    assert "FAILED" not in printed
    table = summary(tmp_path)
    assert table["box_ap"].notna().all()
    assert table["wap"].isna().all()


def test_a_new_data_set_is_read(tmp_path):
    install("adding-a-data-set.md", tmp_path)
    (tmp_path / "draw.py").write_text(blocks("adding-a-data-set.md", "python")[1])
    printed = follow("adding-a-data-set.md", tmp_path, tmp_path)
    assert "(6 in 2 images)" in printed
    assert set(summary(tmp_path)["images"]) == {2}


def test_a_new_runner_carries_out_a_run(tmp_path):
    install("adding-a-runner.md", tmp_path)
    follow("adding-a-runner.md", tmp_path, tmp_path)
    assert set(summary(tmp_path)["codec"]) == {"jpeg", "uncompressed"}


def test_a_new_metric_is_in_the_tables(tmp_path):
    package = tmp_path / "package/benchmark"
    sources = shutil.ignore_patterns("__pycache__", "weights", "miniscapes.safetensors")
    shutil.copytree(ROOT / "benchmark", package, ignore=sources)
    for name in ("codecs", "runners"):
        shutil.copytree(ROOT / name, package / name, ignore=sources)
    (package / "results").symlink_to(ROOT / "results")
    function, entry = blocks("adding-a-metric.md", "python")
    (package / "metrics/absolute_error.py").write_text(function)
    table = package / "metrics/qualities.py"
    before, end, after = table.read_text().partition("\n)  # fmt: skip\n\nQUALITIES")
    assert end
    table.write_text(f"{before}\n{entry.rstrip()}{end}{after}")
    follow("adding-a-metric.md", tmp_path, package.parent)
    found = summary(tmp_path).set_index("codec")["mae"]
    assert found["uncompressed"] == 0
    assert (found["jpeg"] > 1).all()
    assert "mean absolute error" in (tmp_path / "results/mae/report.html").read_text()
    assert set(pd.read_csv(tmp_path / "results/mae/bd_rate.csv")["quality"]) >= {"mae"}


NOTEBOOK = """
import linecache, sys, types

blocks = {blocks!r}
main = types.ModuleType("__main__")  # as a notebook's: without a file, with its source kept
sys.modules["__main__"] = main
for number, block in enumerate(blocks):
    name = f"<ipython-input-{{number}}>"
    linecache.cache[name] = (len(block), None, block.splitlines(True), name)
    exec(compile(block, name, "exec"), vars(main))
    print(f"cell {{number}} done", flush=True)
assert main.failed == [], main.failed
assert set(main.mine.summary["codec"]) == {{"palette", "jpeg", "uncompressed"}}
assert len(main.run.records) == 2 * len(main.run.summary)
assert set(main.again.deltas()["anchor"]) == {{"webp"}}
assert main.page.is_file()
"""


def test_the_page_on_python_runs_as_a_notebook(tmp_path):
    script = tmp_path / "cells.py"
    script.write_text(textwrap.dedent(NOTEBOOK).format(blocks=blocks("python-api.md", "python")))
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("guide", sorted(its.name for its in (ROOT / "docs").glob("adding-*.md")))
def test_every_guide_is_followed_by_a_test(guide):
    assert f'"{guide}"' in Path(__file__).read_text(encoding="utf-8")
