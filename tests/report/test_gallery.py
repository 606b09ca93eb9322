"""The pictures of a report, from the run folder's bitstreams."""

import base64
import io
import json
import shutil
import tarfile

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from benchmark import coding
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import read_image
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.report import gallery
from benchmark.report.gallery import _data_uri, make_gallery
from benchmark.run.run_folder import RunFolder


def gallery_of(folder, wap=()):
    single = pd.DataFrame(wap, columns=["codec", "rate_point", "image", "wap"])
    return make_gallery(OpenedRun(folder), pd.read_csv(folder.path / "summary.csv"), single)


def pixels(picture):
    file = io.BytesIO(base64.b64decode(picture.source.partition(",")[2]))
    return np.asarray(PIL.Image.open(file).convert("RGB")).astype(int)


def test_each_image_comes_as_the_original_and_from_each_codec(finished_run):
    shown = gallery_of(finished_run)
    assert not shown.missing
    for image in ("scene0.png", "scene1.png"):
        its = [picture for picture in shown.pictures if picture.image == image]
        assert its[0].codec == "uncompressed"
        assert {picture.codec for picture in its} == {"uncompressed", "jpeg", "jpeg2000"}


def test_pictures_have_the_wap_of_their_image_and_those_that_lose_most_are_among_them(finished_run):
    points = {(its.codec, its.rate_point) for its in gallery_of(finished_run).pictures}
    images = ("scene0.png", "scene1.png")
    for worst in images:
        wap = [
            (*point, image, 50 if image != worst else 80 if point[0] == "uncompressed" else 20)
            for point in points
            for image in images
        ]
        by_key = {(codec, rate, image): value for codec, rate, image, value in wap}
        assert gallery._by_loss(by_key, sorted(points))[0] == worst
        shown = gallery_of(finished_run, wap)
        assert {its.wap for its in shown.pictures if its.image == worst} == {80, 20}
        assert "2 of 2 images, 1 of them those where most wAP is lost" in shown.remark


def test_the_pictures_are_what_they_say(finished_run):
    dataset = open_dataset(finished_run.finished_manifest().dataset.spec)
    paths = {picture.name: picture.path for picture in dataset.pictures}
    for picture in gallery_of(finished_run).pictures:
        original = read_image(paths[picture.image]).astype(int)
        assert np.abs(pixels(picture) - original).mean() < 25
        file = finished_run.path / "bitstreams" / picture.codec / picture.rate_point / picture.image
        if picture.codec != "uncompressed":
            assert picture.bpp == 8 * file.stat().st_size / (512 * 256)


def test_outlines_follow_the_masks(finished_run):
    outlines = gallery_of(finished_run).pictures[0].outlines
    (outline,) = outlines
    assert outline.category == "car" and outline.score == 0.9
    corners = [tuple(map(float, p.split())) for p in outline.path.strip("MZ").split("L")]
    xs, ys = zip(*corners, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == (100, 180, 100, 160)
    assert len(corners) <= 8


def test_what_cannot_be_decoded_is_said_once_a_codec(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run.path, run)
    for file in (run / "bitstreams/jpeg").rglob("scene*"):
        file.write_bytes(b"damaged")
    shown = gallery_of(RunFolder(run))
    assert {picture.codec for picture in shown.pictures} == {"uncompressed", "jpeg2000"}
    (line,) = shown.missing
    assert line.startswith("jpeg/") and "not that of the run's record" in line


def test_bitstreams_are_taken_from_archives(finished_run, tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(finished_run.path, run)
    for rate in sorted(path.name for path in (run / "bitstreams/jpeg").iterdir()):
        with tarfile.open(run / f"jpeg-bitstreams-{rate}.tar.xz", "w:xz") as archive:
            archive.add(run / "bitstreams/jpeg" / rate, f"jpeg/{rate}")
        shutil.rmtree(run / "bitstreams/jpeg" / rate)
    monkeypatch.setattr(coding, "encode", lambda *_: pytest.fail("it was encoded again"))
    shown = gallery_of(RunFolder(run))
    assert not shown.missing
    assert {its.codec for its in shown.pictures} == {"uncompressed", "jpeg", "jpeg2000"}


def test_a_picture_that_no_longer_comes_out_the_same_is_named_and_not_shown(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run.path, run)
    lines = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    for line in lines:
        del line["check"]  # a line without one is taken as it is
        if line["codec"] == "jpeg":
            line["decoded_sha256"] = "0" * 64
    (run / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    shown = gallery_of(RunFolder(run))
    assert {picture.codec for picture in shown.pictures} == {"uncompressed", "jpeg2000"}
    (line,) = shown.missing
    assert line.startswith("jpeg/") and "not decoded to the pixels of the run's record" in line


def test_an_image_of_two_rows_is_shown():
    assert _data_uri(np.zeros((2, 4200, 3), np.uint8)).startswith("data:image/webp")
