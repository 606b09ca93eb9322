"""Run folders made apart and merged."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256

import msgspec
import numpy as np
import pandas as pd
import pytest
from makers import BITS, make_manifest, make_record

from benchmark.analysis.analysis_network import Detection
from benchmark.analysis.masks import encode_mask
from benchmark.cli import main
from benchmark.errors import UsageError
from benchmark.run.manifest import CodecEntry
from benchmark.run.merge import merge_into, open_sources
from benchmark.run.run_folder import RunFolder

TIMES = ["encode_s", "decode_s", "analysis_s"]


def mask(rows):
    return encode_mask(np.ones((rows, 4), bool), (0, 0), (32, 64))


FOUND = [
    Detection(26, 0.5, (1, 2, 3, 4), (32, 64)),
    Detection(24, 0.25, (0, 0, 9, 9), (32, 64), mask(rows=8)),
]


def digests(folder):
    """All files of a folder by what they hold."""
    return {
        file.relative_to(folder): sha256(file.read_bytes()).digest()
        for file in folder.rglob("*") if file.is_file()
    }  # fmt: skip


def run(folder, out, *asked):
    command = [sys.executable, "-m", "benchmark", "run", *asked, "--out", out, "--jobs", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Real runs of two images: two made apart, one of everything, and the two merged."""
    folder = tmp_path_factory.mktemp("runs")
    run(folder, "a", "--limit", "2", "--codecs", "jpeg", "--rates", "quality5")
    both = ("--codecs", "jpeg", "webp")
    run(folder, "b", "--limit", "2", *both, "--rates", "jpeg:quality30", "webp:quality1")
    rates = ("jpeg:quality5", "jpeg:quality30", "webp:quality1")
    run(folder, "whole", "--limit", "2", *both, "--rates", *rates)
    before = {name: digests(folder / name) for name in "ab"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "merge", "a", "b", "--out", "merged"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {name: digests(folder / name) for name in "ab"} == before
    return folder, done.stdout


def summary(folder):
    return pd.read_csv(folder / "summary.csv").drop(columns=TIMES)


def test_the_merged_runs_give_the_tables_of_one_run_of_everything(made):
    folder, printed = made
    pd.testing.assert_frame_equal(summary(folder / "merged"), summary(folder / "whole"))
    assert "a: 4 results\nb: 6 results, 2 of which were there already\nmerged: 8 results" in printed
    assert "merged/report.html" in printed
    assert not list(folder.glob(".unfinished-*"))
    for part in ("bitstreams", "detections"):
        assert digests(folder / "merged" / part) == digests(folder / "whole" / part)


def test_a_record_names_the_command_that_made_it(made):
    merged = RunFolder(made[0] / "merged")
    manifest = merged.finished_manifest()
    assert ["--rates quality5" in its.command for its in manifest.invocations] == [True, False]
    assert {record.invocation for record in merged.records() if record.codec == "webp"} == {1}


def test_a_merged_run_is_reported_and_continued(made):
    folder, _ = made
    copy = folder / "copy"
    shutil.copytree(folder / "merged", copy)
    assert main(["report", str(copy)]) == 0
    pd.testing.assert_frame_equal(summary(copy), summary(folder / "whole"))
    rates = ("--rates", "jpeg:quality5", "jpeg:quality30")
    done = subprocess.run(
        [*(sys.executable, "-m", "benchmark", "run", "--limit", "2", "--codecs", "jpeg"), *rates,
         "--out", copy], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "all 6 jobs were done before" in done.stdout


@pytest.fixture
def source(tmp_path):
    """Writes a run folder of records that are given with their bits and detections."""

    def write(name, *results, **changes):
        folder = RunFolder(tmp_path / name)
        images = {record.image: record.image_id for record, _, _ in results}
        codecs = [("some", {"code": "1"}, sorted({record.rate_point for record, _, _ in results}))]
        manifest = make_manifest(images=images, codecs=codecs)
        (made,) = manifest.invocations
        numbered = {
            name: msgspec.structs.replace(its, id=images[name]) for name, its in made.images.items()
        }
        made = msgspec.structs.replace(made, images=numbered)
        for key in ("device", "codecs", "images"):
            made = msgspec.structs.replace(made, **{key: changes.pop(key, getattr(made, key))})
        folder.write_manifest(msgspec.structs.replace(manifest, invocations=[made], **changes))
        for record, bits, found in results:
            folder.add(record, bits, found)
        return folder.path

    return write


def result(image="image0", rate_point="qp32", bits=BITS, found=(), **fields):
    fields |= {"bytes": len(bits), "sha256": sha256(bits).hexdigest(), "detections": len(found)}
    return make_record("some", rate_point, image, **fields), bits, found


def test_images_of_one_number_are_told_apart_by_their_names(source, tmp_path):
    one = source("one", result("a", found=FOUND[:1], image_id=0))
    other = source(
        "other", result("b", found=FOUND[1:], image_id=0), result("a", "qp37", image_id=1)
    )
    target = RunFolder(tmp_path / "merged")
    merge_into(target, open_sources([one, other]))
    records = target.records()
    assert {(its.image, its.rate_point): its.image_id for its in records} == {
        ("a", "qp32"): 0, ("a", "qp37"): 0, ("b", "qp32"): 1,
    }  # fmt: skip
    assert {name: its.id for name, its in target.finished_manifest().images.items()} == {
        "a": 0, "b": 1,
    }  # fmt: skip
    of_point = [its for its in records if its.rate_point == "qp32"]
    assert target.detections("some", "qp32", of_point) == {0: FOUND[:1], 1: FOUND[1:]}


def test_a_result_that_both_hold_is_kept_once(source, tmp_path):
    one = source("one", result(found=FOUND, encode_s=1.0, image_id=4))
    other = source("other", result(found=FOUND, encode_s=2.0, image_id=5))
    target = RunFolder(tmp_path / "merged")
    brought = merge_into(target, open_sources([one, other]))
    assert [(its.results, its.new) for its in brought] == [(1, 1), (1, 0)]
    (record,) = target.records()
    assert (record.encode_s, record.image_id) == (1.0, 4)


def test_scores_of_another_kind_of_processor_are_no_other_result(source, tmp_path):
    moved = [replace(its, score=its.score + 1e-5) for its in reversed(FOUND)]
    moved[0] = replace(moved[0], counts=mask(rows=9))
    one, other = source("one", result(found=FOUND)), source("other", result(found=moved))
    target = RunFolder(tmp_path / "merged")
    merge_into(target, open_sources([one, other]))
    assert target.detections("some", "qp32", target.records()) == {0: FOUND}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"bits": b"others"}, "bitstreams"),
        ({"decoded_sha256": "b"}, "decoded pixels"),
        ({"found": FOUND[:1]}, "detections"),
        ({"found": [FOUND[0], FOUND[0]]}, "detections"),
        ({"found": [FOUND[0], replace(FOUND[1], score=0.26)]}, "detections"),
        ({"found": [FOUND[0], replace(FOUND[1], box=(0, 0, 9, 10))]}, "detections"),
        ({"found": [FOUND[0], replace(FOUND[1], counts=mask(rows=5))]}, "detections"),
        ({"found": [FOUND[0], replace(FOUND[1], counts=None)]}, "detections"),
    ],
)
def test_another_result_of_the_same_is_refused_by_its_name(source, tmp_path, changed, what):
    one = source("one", result(**{"found": FOUND, "decoded_sha256": "a"}))
    other = source("other", result(**{"found": FOUND, "decoded_sha256": "a"} | changed))
    with pytest.raises(UsageError, match=f"different {what} of some/qp32/image0"):
        merge_into(RunFolder(tmp_path / "merged"), open_sources([one, other]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": {"spec": "coco:x"}}, "the data set miniscapes, OTHER with coco:x"),
        ({"analysis": {"spec": "none"}}, "the analysis network"),
        ({"device": "cuda (A)"}, "on the device cpu, OTHER with cuda (A)"),
        ({"codecs": {"some": CodecEntry(identity={"code": "2"})}}, "another codec some: "),
        ({"images": {"image0": {"pixels": "1"}}}, "another image image0: {'pixels': ''}"),
    ],
)
def test_what_was_made_otherwise_is_refused(source, changes, said):
    one = source("one", result())
    ((kind, values),) = changes.items()
    manifest = make_manifest(images=["image0"])
    if kind in ("dataset", "analysis"):
        values = msgspec.structs.replace(getattr(manifest, kind), **values)
    elif kind == "images":
        image = manifest.images["image0"]
        values = {name: msgspec.structs.replace(image, **its) for name, its in values.items()}
    other = source("other", result(), **{kind: values})
    with pytest.raises(UsageError) as raised:
        open_sources([one, other])
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{one} was made with ")
    assert said.replace("OTHER", str(other)) in line
    assert line.endswith(": only runs that agree can be merged")


def test_a_missing_bitstream_is_refused(source, tmp_path):
    one = source("one", result())
    (one / "bitstreams/some/qp32/image0").unlink()
    with pytest.raises(UsageError, match="is not the bitstream of its record"):
        merge_into(RunFolder(tmp_path / "merged"), open_sources([one]))


def test_results_of_a_newer_version_are_not_lost(source):
    one = source("one", result())
    with (one / "records.jsonl").open("a") as lines:
        lines.write(json.dumps({"codec": "some", "new": 1}) + "\n")
    with pytest.raises(UsageError, match="holds results that this version does not know"):
        open_sources([one])


def test_refusals_are_one_line_and_leave_nothing(made, source, capsys, tmp_path):
    folder, _ = made
    other = source("other", result())
    for sources, out, said in (
        (["a", "nothing"], "new", "nothing is not a run folder"),
        (["a", "b"], "whole", "holds files, a merged run needs a new folder"),
        ([other], "new", "image image0 of miniscapes, or its annotations, are not those"),
    ):
        paths = [str(folder / its) for its in sources]
        assert main(["merge", *paths, "--out", str(folder / out)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
    assert not (folder / "new").exists()
    assert not list(folder.glob(".unfinished-*"))


def test_what_an_ended_merge_has_left_is_dropped(made):
    folder, _ = made
    left = folder / ".unfinished-again"
    (left / "bitstreams/jpeg/quality5").mkdir(parents=True)
    (left / "bitstreams/jpeg/quality5/another").write_bytes(b"half")
    (left / "records.jsonl").write_text("{half")
    paths = [str(folder / name) for name in ("b", "a", "again")]
    assert main(["merge", *paths[:2], "--out", paths[2]]) == 0
    assert digests(folder / "again/bitstreams") == digests(folder / "whole/bitstreams")
    pd.testing.assert_frame_equal(summary(folder / "again"), summary(folder / "whole"))
    assert not left.exists()
