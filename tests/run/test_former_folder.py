"""A run folder of commit 20e8016, whose format had no number: read, continued and reported."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest

from benchmark.analysis import open_analysis
from benchmark.cli import main
from benchmark.codec import open_codec
from benchmark.datasets import open_dataset
from benchmark.run.manifest import FORMAT
from benchmark.run.record import parse_record, replaced
from benchmark.run.run_folder import RunFolder
from benchmark.run.same_bits import same_bits

DATA = Path(__file__).parents[1] / "data/run-20e8016"
RUN = [
    *("run", "--dataset", "coco:instances.json:images", "--codecs", "jpeg", "--anchor", "webp"),
    *("--jobs", "1", "--device", "cpu", "--out", "run"),
]


def files(folder):
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in found}


def change(file, **entries):
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))


@pytest.fixture
def former(tmp_path, monkeypatch):
    shutil.copytree(DATA, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def test_all_records_of_the_former_format_are_read_and_trusted(former):
    before = [json.loads(line) for line in (former / "records.jsonl").read_text().splitlines()]
    folder = RunFolder(former)
    records = folder.mend()
    assert len(records) == len(before) == 10
    for line, record in zip(before, records, strict=True):
        assert record.qualities == {name: line[name] for name in ("psnr", "ms_ssim")}
        assert (record.encode_s, record.sha256) == (line["encode_s"], line["sha256"])
    manifest = folder.finished_manifest()
    (invocation,) = manifest.invocations
    assert invocation.command.endswith("--anchor webp --jobs 1 --out run")
    assert invocation.device is None and manifest.device is None
    assert list(manifest.codecs) == ["jpeg", "webp"] and list(manifest.images) == [
        "street0.png",
        "street1.png",
    ]


def test_a_former_folder_goes_on_and_loses_nothing(former, capsys):
    """The analysis network was trained anew since: the folder is given the present one's name."""
    values = json.loads((former / "run.json").read_text())
    values["analysis"]["identity"] = open_analysis("miniscapes").identity()
    (former / "run.json").write_text(json.dumps(values | {"remark": "keep me"}))
    lines = (former / "records.jsonl").read_text().splitlines()
    lines[3] = json.dumps(json.loads(lines[3]) | {"colour": "blue"})
    other = {"codec": "jpeg", "rate_point": "quality5", "image": "other", "kind": "of another time"}
    (former / "records.jsonl").write_text("\n".join([*lines, json.dumps(other), ""]))
    kept = files(former / "bitstreams") | files(former / "detections")

    rates = ["--rates", "quality5", "quality30", "quality60"]
    assert main([*RUN, *rates]) == 0
    assert "2 jobs in" in (printed := capsys.readouterr().out)
    assert "(4 jobs" not in printed and "(6 were done before)" in printed
    assert "webp" in printed

    after = [json.loads(line) for line in (former / "records.jsonl").read_text().splitlines()]
    for line in map(json.loads, [*lines, json.dumps(other)]):
        (same,) = [its for its in after if line.items() <= its.items()]
        assert same.get("invocation", 0) == 0
    made = [line for line in after if line.get("rate_point") == "quality60"]
    assert [line["invocation"] for line in made] == [1, 1]
    assert kept.items() <= files(former).items()
    manifest = json.loads((former / "run.json").read_text())
    assert (manifest["format"], manifest["remark"]) == (FORMAT, "keep me")
    first, second = manifest["invocations"]
    assert first["command"] == values["command"] and set(first["codecs"]) == {"jpeg", "webp"}
    assert second["device"] == "cpu"
    assert second["codecs"]["jpeg"]["rate_points"] == ["quality60"]
    assert "code" in second["codecs"]["jpeg"]["identity"]
    summary = pd.read_csv(former / "summary.csv").set_index(["codec", "rate_point"])
    assert len(summary) == 6 and summary["lpips"].isna().all()
    former_summary = pd.read_csv(DATA / "run/summary.csv").set_index(["codec", "rate_point"])
    for column in ("bpp", "wap", "ap50", "psnr"):
        shared = summary.loc[former_summary.index, column]
        pd.testing.assert_series_equal(shared, former_summary[column], check_names=False)
    table = (former / "bd_rate.tex").read_text()
    assert f"% webp: {values['command']}\n" in table and "% jpeg: python -m benchmark run" in table
    webp = json.loads((former / "compressai/webp.json").read_text())
    assert webp["description"] == values["command"]

    assert main([*RUN, *rates]) == 0
    assert "all 8 jobs were done before" in capsys.readouterr().out
    assert len(json.loads((former / "run.json").read_text())["invocations"]) == 2


@pytest.mark.parametrize("command", [RUN, ["report", "run"], ["figures", "run"]])
def test_a_newer_format_is_refused_by_name_and_nothing_is_written(former, command, capsys):
    change(former / "run.json", format=FORMAT + 1)
    before = files(former.parent)
    assert main(command) == 2
    assert f"run/run.json has the format {FORMAT + 1}, this version knows formats up to" in (
        capsys.readouterr().err
    )
    assert files(former.parent) == before


def test_a_codec_that_codes_otherwise_now_is_told_by_its_bits(former):
    folder = RunFolder(former)
    pictures = {its.name: its for its in open_dataset("coco:instances.json:images").pictures}
    codec = open_codec("jpeg")
    assert same_bits(codec, folder, folder.records(), pictures) == ""
    (line, *_) = [
        line for line in (former / "records.jsonl").read_text().splitlines() if '"quality5"' in line
    ]
    record = parse_record(line)
    other = folder.bitstream(record)
    other.write_bytes(other.read_bytes() + b"\0")  # decodes to the same pixels
    digest = sha256(other.read_bytes()).hexdigest()
    altered = replaced(record, sha256=digest, bytes=record.bytes + 1)
    assert same_bits(codec, folder, [altered], pictures) == (
        f"it encodes {'/'.join(record.key)} to other bits"
    )


def test_without_the_data_set_a_former_run_is_reported_as_it_was(former, capsys):
    shutil.rmtree(former.parent / "images")
    assert main(["report", "run", "--anchor", "webp"]) == 0
    said = capsys.readouterr()
    assert "without bootstrap intervals: " in said.err
    assert "quality30" in said.out and "box wAP" not in said.out
    assert "analysis network on: unknown" in (former / "report.html").read_text()
