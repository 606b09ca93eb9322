"""What is printed: tables alone on the standard output, whatever codecs print, on any terminal."""

import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import PIL.Image
import pytest

LOUD = '''
import ctypes
from benchmark.codec import Codec, open_codec, rate_points

class Loud(Codec):
    """JPEG that prints from Python and from C, and fails on the image b at its lowest rate."""

    name = "loud"
    rate_points = rate_points("quality", 5, 20, 40, 60, 80)

    def __init__(self):
        self._jpeg = open_codec("jpeg")
        print("loud is constructed")
        ctypes.CDLL(None).puts(b"loud is constructed in C")

    def encode(self, image, rate_point):
        print("loud encodes")
        ctypes.CDLL(None).puts(b"loud encodes in C")
        if rate_point.value == 5 and image.mean() > 130:
            raise ValueError("too bright")
        return self._jpeg.encode(image, rate_point)

    def decode(self, bitstream):
        return self._jpeg.decode(bitstream)
'''

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A distribution with a loud codec, and two images whose paths are not ASCII."""
    folder = tmp_path_factory.mktemp("loud")
    metadata = folder / "loud-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[benchmark.codecs]\nloud = loud_codec:Loud\n")
    (folder / "loud_codec.py").write_text(LOUD)
    images = folder / "Straße"
    images.mkdir()
    noise = np.random.default_rng(0).integers(0, 200, (2, 6, 8, 3))
    for name, pixels, light in zip("ab", noise, (0, 55), strict=True):
        picture = PIL.Image.fromarray((pixels + light).astype(np.uint8))
        picture.resize((64, 48), PIL.Image.Resampling.BICUBIC).save(images / f"{name}.png")
    return folder


def command(folder, environment, *arguments, **named):
    import os

    return subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)} | environment,
        check=False, **named,
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(folder):
    return command(
        folder, ASCII, "run", "--codecs", "loud", "jpeg", "--anchor", "jpeg", "--jobs", "1",
        "--dataset", "images:Straße", "--analysis", "none", "--out", "aus-Straße",
        "--rates", *(f"{codec}:quality{value}" for codec in ("loud", "jpeg") for value in RATES),
        capture_output=True,
    )  # fmt: skip


RATES = (5, 20, 40, 60, 80)


def test_what_codecs_print_is_on_the_standard_error_only(done):
    printed, said = done.stdout.decode("ascii"), done.stderr.decode("ascii", "replace")
    for text in ("constructed", "constructed in C", "loud encodes", "loud encodes in C"):
        assert text not in printed
        assert f"{text}\n" in said
    assert "Traceback" not in said
    assert "Bitrate against jpeg in percent" in printed and "at equal PSNR" in printed


def test_a_rate_point_with_a_failed_image_is_an_incomplete_row_without_numbers(done, folder):
    assert done.returncode == 1
    rows = [line.split() for line in done.stdout.decode().splitlines() if "quality5 " in line]
    jpeg, loud = sorted(rows, key=lambda row: "images" in row)
    assert float(jpeg[jpeg.index("quality5") + 1]) > 0 and "images" not in jpeg
    assert loud[-4:] == ["1", "of", "2", "images"]
    assert set(loud[loud.index("quality5") + 1 : -4]) == {"-"}
    out = folder / "aus-Straße"
    summary = pd.read_csv(out / "summary.csv").set_index(["codec", "rate_point"])
    row = summary.loc["loud", "quality5"]
    assert row["images"] == 1 and row.drop(["images", "source"]).isna().all()
    assert (summary["images"] == 2).sum() == 10
    delta = pd.read_csv(out / "bd_rate.csv").set_index(["codec", "method"])["bd_rate"]
    assert delta["loud", "akima"] == pytest.approx(0, abs=0.5)  # the same bits
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "1 of 2 images" in page and "images:Straße" in page


def test_a_stored_table_keeps_its_incomplete_rows(done, folder, tmp_path):
    """Without its images the run's own table is shown."""
    (folder / "Straße").rename(folder / "elsewhere")
    try:
        shown = command(folder, ASCII, "report", "aus-Straße", capture_output=True)
    finally:
        (folder / "elsewhere").rename(folder / "Straße")
    assert shown.returncode == 0, shown.stderr
    assert b"1 of 2 images" in shown.stdout
    summary = pd.read_csv(folder / "aus-Straße/summary.csv")
    assert summary["bpp"].isna().sum() == 1


def test_a_reader_that_has_seen_enough_is_no_error(folder):
    listing = f"{sys.executable} -m benchmark codecs | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", listing], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_an_output_that_cannot_be_written_is_named(folder):
    with pathlib.Path("/dev/full").open("wb") as full:
        ended = command(folder, {}, "codecs", stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 1
    said = ended.stderr.decode().splitlines()
    assert said[-1] == "benchmark: [Errno 28] No space left on device"
