"""A run as a file: TOML with all options, what is typed overrides it, the folder holds its own."""

import json
import tomllib

import pandas as pd
import pytest

from benchmark.errors import UsageError
from benchmark.options_file import with_options_of_files

FILE = """
codecs = ["jpeg"]
rates = ["quality5", "quality35"]
option = ["jpeg.subsampling=4:4:4"]
limit = 2
analysis = "none"
anchor = "jpeg"
jobs = 1
out = "run"
"""


def test_a_run_comes_from_a_file_and_its_folder_holds_one(tmp_path, benchmark_command):
    (tmp_path / "own.toml").write_text(FILE.replace('option = ["jpeg.subsampling=4:4:4"]\n', ""))
    shown = benchmark_command("run", "--config", "own.toml", "--limit", "1")
    assert shown.returncode == 0, shown.stderr
    summary = pd.read_csv(tmp_path / "run/summary.csv")
    assert set(summary["codec"]) == {"uncompressed", "jpeg"}
    assert set(summary["images"]) == {1}
    held = tomllib.loads((tmp_path / "run/run.toml").read_text())
    assert held["limit"] == 1
    assert held["rates"] == ["quality5", "quality35"]
    assert held["analysis"] == "none"

    again = benchmark_command("run", "--config=run/run.toml", "--out", "again")
    assert again.returncode == 0, again.stderr
    assert "3 jobs in" in again.stdout
    command = json.loads((tmp_path / "again/run.json").read_text())["invocations"][0]["command"]
    assert "--codecs jpeg" in command  # which is whole without the file
    assert "--config" not in command
    values = ["codec", "rate_point", "bpp", "psnr"]
    assert pd.read_csv(tmp_path / "again/summary.csv")[values].equals(summary[values])


def test_options_of_a_file_come_before_those_that_are_typed(tmp_path):
    (tmp_path / "a.toml").write_text(FILE)
    arguments = ["run", "--limit", "7", "--config", str(tmp_path / "a.toml"), "--jobs", "3"]
    assert with_options_of_files(arguments) == [
        "run", "--codecs", "jpeg", "--rates", "quality5", "quality35",
        "--option=jpeg.subsampling=4:4:4", "--limit=2", "--analysis=none", "--anchor=jpeg",
        "--jobs=1", "--out=run", "--limit", "7", "--jobs", "3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("codex = 1", "holds codex, which is no option of run: it may hold preset, codecs"),
        ("limit = ", "cannot be read: Invalid value"),
        ("limit = true", "limit is neither a text nor a number"),
        ("codecs = {jpeg = 1}", "codecs is neither a text nor a number nor a list of them"),
    ],
)
def test_a_file_that_holds_something_else_is_one_clear_line(tmp_path, content, problem):
    (tmp_path / "a.toml").write_text(content)
    with pytest.raises(UsageError) as refused:
        with_options_of_files(["run", "--config", str(tmp_path / "a.toml")])
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(UsageError, match="cannot be read"):
        with_options_of_files(["run", "--config", str(tmp_path / "missing.toml")])
