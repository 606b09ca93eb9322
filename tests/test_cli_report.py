"""`report` on a finished run: what it writes for other programs, and curves from elsewhere."""

import json
import shutil
import subprocess
import sys

import msgspec
import pandas as pd
import PIL.Image
import pytest

from benchmark.datasets import open_dataset
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.published_run import published_folder
from benchmark.evaluation.tables import evaluate
from benchmark.run.run_folder import RunFolder
from benchmark.runner import open_runner

CODECS = ("jpeg", "webp", "uncompressed")
IMAGES = 6


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two codecs of the published run on its first images, as a run folder of its own."""
    published = published_folder()
    dataset = open_dataset("miniscapes")
    pictures = dataset.pictures[:IMAGES]
    names = {picture.name for picture in pictures}
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    manifest = published.finished_manifest()
    invocation = msgspec.structs.replace(
        manifest.invocations[0],
        images={name: image for name, image in manifest.images.items() if name in names},
        codecs={name: codec for name, codec in manifest.codecs.items() if name in CODECS},
    )
    folder.write_manifest(msgspec.structs.replace(manifest, invocations=[invocation]))
    records = [its for its in published.records() if its.codec in CODECS and its.image in names]
    for record in records:
        found = published.detections(record.codec, record.rate_point)
        folder.add(record, None, found.get(record.image_id, []))
    opened = OpenedRun(folder, dataset)
    tables = evaluate(opened, pictures, open_runner("local", 1), "webp", "coco")
    folder.write_file("summary.csv", tables.summary.to_csv(index=False).encode())
    return folder.path


@pytest.fixture(scope="module")
def reported(run, tmp_path_factory):
    """The same after a report with a curve from elsewhere, and what was printed."""
    file = tmp_path_factory.mktemp("elsewhere") / "theirs.csv"
    file.write_text("bpp,wap\n0.3,30\n0.6,40\n1.2,44\n")
    command = [sys.executable, "-m", "benchmark", "report", str(run), "--anchor", "webp"]
    done = subprocess.run(
        [*command, "--external", f"theirs={file}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return run, done.stdout


def test_tables_hold_uncertainties_and_intervals(reported):
    run, printed = reported
    deltas = pd.read_csv(run / "bd_rate.csv")
    assert list(deltas)[:5] == ["codec", "anchor", "quality", "method", "bd_rate"]
    line = deltas[(deltas["quality"] == "wap") & (deltas["method"] == "akima")].squeeze()
    assert line["low"] < line["bd_rate"] < line["high"]
    assert f"{line['bd_rate']:+.1f} ± {line['uncertainty']:.1f}" in printed
    summary = pd.read_csv(run / "summary.csv")
    assert (summary["wap_low"] < summary["wap_high"]).all()
    assert set(summary["codec"]) == set(CODECS)


def test_a_table_for_latex_is_written(reported):
    table = (reported[0] / "bd_rate.tex").read_text()
    assert r"\texttt{jpeg} & $" in table
    assert r"against \texttt{webp}" in table


def test_compressais_own_plotting_tool_draws_the_run(reported, tmp_path):
    files = sorted((reported[0] / "compressai").iterdir())
    assert [file.name for file in files] == ["jpeg.json", "webp.json"]
    plot = [sys.executable, "-m", "compressai.utils.plot", "-m", "wap", "-o", "out.png", "-f"]
    done = subprocess.run(
        [*plot, *files],
        cwd=tmp_path,
        env={"MPLBACKEND": "agg", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with PIL.Image.open(tmp_path / "out.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {(31, 119, 180), (255, 127, 14)} <= colours


def test_codec_compare_finds_every_file_that_its_list_names(reported):
    folder = reported[0] / "codec-compare"
    listed = [name for (name,) in json.loads((folder / "batches.json").read_text())]
    assert sorted(listed) == ["jpeg.json", "webp.json"]
    for name in listed:
        assert len(json.loads((folder / name).read_text())["field_values"]) % IMAGES == 0


def test_a_curve_from_elsewhere_is_drawn_and_nothing_else(reported):
    run, printed = reported
    page = (run / "report.html").read_text()
    assert '"label": "theirs (external)"' in page
    assert "theirs" not in printed
    for file in (run / "bd_rate.csv", run / "summary.csv", run / "bd_rate.tex"):
        assert "theirs" not in file.read_text()


@pytest.mark.parametrize("command", ["report", "figures"])
def test_a_bad_external_curve_is_one_clear_line(run, benchmark_command, command, tmp_path):
    (tmp_path / "curve.csv").write_text("bpp,wap\n0.1,20\n0.2,high\n")
    before = sorted(path.name for path in run.iterdir())
    done = benchmark_command(command, run, "--external", "theirs=curve.csv")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "curve.csv, line 3: wap is 'high', which is no number" in line
    assert sorted(path.name for path in run.iterdir()) == before


def test_without_the_data_set_a_run_is_shown_without_new_intervals(
    reported, benchmark_command, tmp_path
):
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", reported[0], run], check=True)
    manifest = json.loads((run / "run.json").read_text())
    manifest["dataset"]["spec"] = "images:elsewhere"
    (run / "run.json").write_text(json.dumps(manifest))
    done = benchmark_command("report", run, "--anchor", "webp")
    assert done.returncode == 0, done.stderr
    assert "without bootstrap intervals: the folder elsewhere does not exist" in done.stderr
    kept, before = (pd.read_csv(path / "summary.csv") for path in (run, reported[0]))
    assert kept["wap_low"].tolist() == before["wap_low"].tolist()
    assert pd.read_csv(run / "bd_rate.csv")["low"].isna().all()


def test_detections_that_were_altered_are_named_instead_of_judged(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    file = next((tmp_path / "run/detections/jpeg").iterdir())
    lines = file.read_text().splitlines()
    entry = json.loads(lines[1].removesuffix(","))
    entry["score"] /= 2
    lines[1] = json.dumps(entry, separators=(",", ":")) + ","
    file.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "benchmark", "report", "run", "--anchor", "webp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("benchmark: ")]
    assert f"no average precision for jpeg/{file.stem}: " in line
    assert "does not hold what was found in miniscapes_val_000000 as it was written" in line
