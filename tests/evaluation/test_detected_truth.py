"""Runs without annotations: what is found in the uncompressed images is the truth."""

import subprocess
import sys

import pandas as pd
import PIL.Image
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import benchmark
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import read_image
from benchmark.evaluation.detected_truth import LEAST_SCORE
from benchmark.run.run_folder import RunFolder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for picture in open_dataset("miniscapes").pictures[:2]:
        PIL.Image.fromarray(read_image(picture.path)).save(folder / f"{picture.name}.png")
    return folder


@pytest.fixture(scope="module")
def run(photographs):
    out = photographs.parent / "run"
    command = [
        "run", "--dataset", f"images:{photographs}", "--truth", "detections", "--codecs", "jpeg",
        "--rates", "quality5", "quality35", "--anchor", "jpeg", "--jobs", "1", "--out", out,
    ]  # fmt: skip
    shown = subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, command)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "average precision (COCO, against detections)." in shown.stdout
    assert f"with a confidence of at least {LEAST_SCORE}" in shown.stdout
    return out


def test_images_without_annotations_get_the_ap_that_pycocotools_finds(run):
    summary = pd.read_csv(run / "summary.csv").set_index("rate_point")
    assert summary.loc["bits24", "wap"] == 100
    assert 0 < summary.loc["quality5", "wap"] < summary.loc["quality35", "wap"] < 100
    assert set(summary["ap"]) == {"detections"}

    folder = RunFolder(run)
    found, judged = (
        [one.to_coco(id_) for id_, its in folder.detections(*point).items() for one in its]
        for point in (("uncompressed", "bits24"), ("jpeg", "quality5"))
    )
    sure = [its for its in found if its["score"] >= LEAST_SCORE]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": id_, "height": 256, "width": 512} for id_ in (0, 1)],
        "categories": [{"id": id_} for id_ in {its["category_id"] for its in sure}],
        "annotations": [
            {**its, "id": number, "iscrowd": 0, "area": 1e4} for number, its in enumerate(sure, 1)
        ],
    }
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(judged), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    assert summary.loc["quality5", "ap50"] == pytest.approx(100 * precision[0].mean())


def test_classes_and_detections_stand_in_the_report(run):
    assert "car" in (run / "report.html").read_text()
    assert "ap_car" in pd.read_csv(run / "summary.csv")


def test_a_run_is_judged_by_either_truth(tmp_path, benchmark_command):
    benchmark.run(["jpeg"], limit=2, rates=["quality5", "quality35"], jobs=1, out=tmp_path / "run")
    annotated = pd.read_csv(tmp_path / "run/summary.csv")
    for truth, name in (("detections", "detections"), ("annotations", "coco")):
        shown = benchmark_command("report", tmp_path / "run", "--truth", truth)
        assert shown.returncode == 0, shown.stderr
        summary = pd.read_csv(tmp_path / "run/summary.csv")
        assert set(summary["ap"]) == {name}
        assert summary["wap"].equals(annotated["wap"]) == (truth == "annotations")


def test_what_does_not_go_together_is_one_clear_line(run, benchmark_command):
    shown = benchmark_command("report", run, "--truth", "annotations")
    assert shown.returncode == 2
    assert "images has no annotations to compare detections with: use --truth" in shown.stderr
    shown = benchmark_command("report", run, "--truth", "detections", "--ap", "cityscapes")
    assert shown.returncode == 2
    assert "--truth detections has COCO's AP only" in shown.stderr
