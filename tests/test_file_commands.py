"""Single files on the command line, and a run's decoded images as files."""

import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

import benchmark
from benchmark.cli import main
from benchmark.codec import open_codec
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.run.jobs import pixels_hash


@pytest.fixture
def photo(tmp_path):
    file = tmp_path / "photo.png"
    PIL.Image.fromarray(draw_scene(5).image[:121, :200]).save(file)
    return file


def pixels(file):
    with PIL.Image.open(file) as picture:
        return np.array(picture)


def test_an_image_is_coded_and_decoded_by_two_commands(photo, tmp_path):
    coded, decoded = tmp_path / "photo.jpg", tmp_path / "decoded.png"
    start = [sys.executable, "-m", "benchmark"]
    done = subprocess.run(
        [*start, "encode", "jpeg", photo, "-o", coded, "--rate", "quality50"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    size = coded.stat().st_size
    said = f"{coded}: {size} bytes, {8 * size / (121 * 200):.4f} bits per pixel at quality50\n"
    assert done.stdout == said
    done = subprocess.run(
        [*start, "decode", "jpeg", coded, "-o", decoded], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{decoded}: 200 x 122\n"  # an odd row is coded once more
    assert np.array_equal(pixels(decoded), pixels(coded))


def test_a_rate_can_be_asked_for(photo, tmp_path, capsys):
    coded = tmp_path / "coded"
    assert main(["encode", "jpeg", str(photo), "-o", str(coded), "--rate", "bpp0.7"]) == 0
    assert "at bpp0.7, with quality" in capsys.readouterr().out
    assert 0.6 < 8 * coded.stat().st_size / (121 * 200) <= 0.7


def test_a_scale_can_be_asked_for(photo, tmp_path, capsys):
    coded, decoded = tmp_path / "coded", tmp_path / "decoded.png"
    asked = ["--rate", "quality50@0.5"]
    assert main(["encode", "jpeg", str(photo), "-o", str(coded), *asked]) == 0
    size = coded.stat().st_size
    said = f"{size} bytes, {8 * size / (121 * 200):.4f} bits per pixel at quality50@0.5"
    assert said in capsys.readouterr().out
    assert pixels(coded).shape == (60, 100, 3)  # a JPEG file with four bytes behind it
    assert main(["decode", "jpeg", str(coded), "-o", str(decoded), *asked]) == 0
    assert pixels(decoded).shape == (121, 200, 3)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["encode", "jpeg", "nothing.png", "-o", "x"], "nothing.png"),
        (["encode", "jpg", "PHOTO", "-o", "x"], "there is no codec 'jpg'"),
        (["encode", "jpeg", "PHOTO", "-o", "x", "--rate", "qp3"], "no rate point 'qp3'"),
        (["encode", "jpeg", "PHOTO", "-o", "x", "--rate", "bpp0.01"], "bytes at quality1 already"),
        (["encode", "jpeg", "PHOTO", "-o", "x", "--rate", "quality7@2"], "scale 2: a number"),
        (["encode", "ncn", "PHOTO", "-o", "x", "--rate", "bpp0.1"], "no rate point 'bpp0.1'"),
        (["decode", "jpeg", "PHOTO", "-o", "x"], "photo.png: codec jpeg: cannot identify image"),
        (["decode", "jpeg", "nothing", "-o", "x"], "nothing does not exist"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments, reason, photo, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main([str(photo) if its == "PHOTO" else its for its in arguments]) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1
    assert not (tmp_path / "x").exists()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return benchmark.run(
        ["jpeg", "webp"], rates=["jpeg:quality7", "jpeg:quality20", "webp:quality6"], limit=2,
        analysis=None, jobs=1, out=tmp_path_factory.mktemp("run") / "run",
    )  # fmt: skip


def test_a_run_s_images_are_exported_as_its_records_have_them(run, tmp_path, capsys):
    out = tmp_path / "images"
    asked = ["--codecs", "jpeg", "--rates", "quality7", "quality20"]
    assert main(["export", str(run.path), "--out", str(out), *asked]) == 0
    assert capsys.readouterr().out == f"{out}: 4 of 4 images\n"
    for record in run.records.to_dict("records"):
        file = out / record["codec"] / record["rate_point"] / f"{record['image']}.png"
        assert file.exists() == (record["codec"] == "jpeg")
        if file.exists():
            assert pixels_hash(pixels(file)) == record["decoded_sha256"]


def test_a_changed_bitstream_is_not_exported(run, tmp_path, capsys):
    copy = tmp_path / "run"
    shutil.copytree(run.path, copy)
    changed = next((copy / "bitstreams/webp/quality6").iterdir())
    webp = open_codec("webp")
    changed.write_bytes(webp.encode(draw_scene(1).image, webp.rate_points[0]))
    out = tmp_path / "images"
    assert main(["export", str(copy), "--out", str(out), "--codecs", "webp"]) == 1
    printed = capsys.readouterr()
    assert printed.out == f"{out}: 1 of 2 images\n"
    assert "not exported: webp/quality6/" in printed.err
    assert main(["export", str(copy), "--out", str(out), "--codecs", "gif"]) == 2
    assert "--codecs gif: " in capsys.readouterr().err
