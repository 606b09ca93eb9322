"""Scaled coding: smaller images, coded for real, enlarged, at rates over their own pixels."""

import struct

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from makers import make_manifest

from benchmark import coding
from benchmark.cli import main
from benchmark.codec import open_codec
from benchmark.complexity import Complexity
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.pictures import RunPictures
from benchmark.evaluation.signature import signature
from benchmark.metrics.image_quality import psnr
from benchmark.rate_point import RatePoint
from benchmark.run.complexity import _complexity
from benchmark.run.jobs import CodecChoice
from benchmark.run.run_folder import RunFolder

ASKED = ["--codecs", "jpeg", "--rates", "quality4", "quality20", "--limit", "2", "--jobs", "1"]
ASKED += ["--analysis", "none", "--anchor", "jpeg"]
CONFIG = """
codecs = ["jpeg"]
rates = ["quality4", "quality20"]
scales = [1, 0.5]
limit = 2
jobs = 1
analysis = "none"
anchor = "jpeg"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run at full size, continued with scales by a file; bitstreams keep their first times."""
    out = tmp_path_factory.mktemp("scaled") / "run"
    assert main(["run", *ASKED, "--out", str(out)]) == 0
    before = pd.read_csv(out / "summary.csv")
    assert "scale" not in before and "hull" not in before
    times = {file: file.stat().st_mtime_ns for file in out.glob("bitstreams/**/*")}
    config = out.with_name("run.toml")
    config.write_text(CONFIG)
    assert main(["run", "--config", str(config), "--out", str(out)]) == 0
    files = {file for file in times if file.is_file()}
    assert len(files) == 4
    assert all(file.stat().st_mtime_ns == times[file] for file in files)
    return out


def test_more_scales_bring_their_own_jobs_only(folder):
    records = RunFolder(folder).records()
    points = [record.rate_point for record in records if record.invocation == 1]
    assert sorted(points) == ["quality20@0.5"] * 2 + ["quality4@0.5"] * 2
    assert sum(record.invocation == 0 for record in records) == 6


def test_a_bitstream_is_the_codec_s_with_the_size_behind_it(folder):
    """Decoded and enlarged here, without the harness, it is the image that was measured."""
    pictures = RunPictures(OpenedRun(RunFolder(folder)))
    scaled = [its for its in pictures.records.values() if "@" in its.rate_point]
    assert len(scaled) == 4
    for record in scaled:
        file = folder / "bitstreams/jpeg" / record.rate_point / record.image
        content = file.read_bytes()
        assert struct.unpack(">HH", content[-4:]) == (256, 512)
        (folder.parent / "small.jpg").write_bytes(content[:-4])
        with PIL.Image.open(folder.parent / "small.jpg") as small:
            assert small.size == (256, 128)
            large = np.array(small.resize((512, 256), PIL.Image.Resampling.LANCZOS))
        assert np.array_equal(large, pictures.decoded(record))
        assert record.qualities["psnr"] == pytest.approx(
            psnr(pictures.original(record.image), large)
        )
        assert (record.width, record.height) == (512, 256)
        assert record.bpp == 8 * len(content) / (512 * 256)


def test_the_table_has_the_hull_of_what_was_measured(folder):
    """Of four points the two ends are on it, and a middle one if it is above the line."""
    table = pd.read_csv(folder / "summary.csv", keep_default_na=False)
    jpeg = table[table["codec"] == "jpeg"].set_index("rate_point")
    assert dict(jpeg["scale"]) == {
        "quality20": 1, "quality4": 1, "quality20@0.5": 0.5, "quality4@0.5": 0.5,
    }  # fmt: skip
    points = jpeg[["bpp", "psnr"]].astype(float).sort_values("bpp")
    low, *_, high = points.index
    on = {
        name: all(
            psnr >= one.psnr + (other.psnr - one.psnr) * (bpp - one.bpp) / (other.bpp - one.bpp)
            for one in points.itertuples() if one.bpp < bpp
            for other in points.itertuples() if other.bpp > bpp
        )
        for name, bpp, psnr in points.itertuples()
    }  # fmt: skip
    assert on[low] and on[high]
    assert {name: hull == "psnr" for name, hull in jpeg["hull"].items()} == on
    assert not all(on.values())
    assert table.loc[table["codec"] == "uncompressed", "hull"].tolist() == [""]


def test_it_is_named_wherever_it_can_be_seen(folder, capsys):
    assert main(["report", str(folder), "--anchor", "jpeg"]) == 0
    printed = capsys.readouterr().out
    assert "Scaled coding (scales 1, 0.5)" in printed
    assert "the curve of jpeg is the upper convex hull" in printed
    assert "scales:1,0.5 (convex hull)" in printed
    page = (folder / "report.html").read_text()
    assert "on the convex hull of" in page and "the curve of jpeg is the upper convex hull" in page
    assert '"label": "jpeg (convex hull)"' in page
    run = OpenedRun(RunFolder(folder))
    assert "--scales" not in run.manifest.invocations[0].command
    assert "--scales 1 0.5" in run.manifest.invocations[1].command


def test_a_signature_without_scales_does_not_speak_of_them(folder):
    run = OpenedRun(RunFolder(folder))
    run.manifest = make_manifest(codecs=[("jpeg", {}, ["quality5", "quality7"])])
    assert "scales" not in signature(run, [], None, "image")


def test_the_same_scale_twice_and_what_is_none_are_one_line_each(tmp_path, capsys):
    for asked, reason in (
        (["0"], "scale 0: a number above 0 and at most 1 is needed"),
        (["1", "-0.5"], "scale -0.5: a number above 0"),
        (["1.5"], "scale 1.5: a number above 0 and at most 1"),
        (["half"], "scale half: a number above 0"),
        (["nan"], "scale nan: a number above 0"),
        (["0.5", "1", "0.50"], "--scales names 0.5 more than once"),
        (["0.001"], "an image of 512 x 256 cannot be coded at the scale 0.001"),
    ):
        out = tmp_path / "run"
        assert main(["run", *ASKED, "--out", str(out), "--scales", *asked]) == 2
        said = capsys.readouterr().err
        assert reason in said and said.count("\n") == 1
        assert not out.exists()


def test_an_image_that_is_too_small_for_a_codec_is_named_before_the_first_job(tmp_path, capsys):
    for name, side in (("small", 40), ("large", 200)):
        PIL.Image.fromarray(draw_scene(1).image[:side, :200]).save(tmp_path / f"{name}.png")
    asked = ["run", "--dataset", f"images:{tmp_path}", "--codecs", "jpeg", "hevc", "--jobs", "1"]
    asked += ["--scales", "1", "0.25", "--analysis", "none", "--out", str(tmp_path / "run")]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert said.startswith("benchmark: codec hevc cannot code small")
    assert "200 x 40, at the scale 0.25" in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["quality30@0.5", "bpp0.4@0.75"])
def test_an_image_of_any_size_comes_back_in_it(name):
    image, jpeg = draw_scene(3).image[:121, :199], open_codec("jpeg")
    point = jpeg.rate_point(name)
    assert point.name == name
    coded = coding.encode(jpeg, image, point)
    if "bpp" in name:
        assert 0.35 < 8 * len(coded.bitstream) / (121 * 199) <= 0.4
        assert "@" not in coded.setting
    for size in (None, (121, 199)):
        decoded = coding.decode(jpeg, coded.bitstream, size, point.scale)
        assert decoded.shape == image.shape and psnr(image, decoded) > 20
    with pytest.raises(ValueError, match="does not end with the image's size"):
        coding.decode(jpeg, coded.bitstream, (120, 199), point.scale)
    with pytest.raises(UsageError, match="decoded uint8 of shape"):
        coding.decode(jpeg, coded.bitstream[:-4] + b"\x01\x00\x01\x00", None, point.scale)


@pytest.mark.parametrize("name", ["quality30@1", "quality30@0.50", "quality30@2", "quality30@"])
def test_other_names_of_a_scale_are_no_rate_points(name):
    with pytest.raises(UsageError):
        open_codec("jpeg").rate_point(name)


def test_a_rate_point_may_name_its_own_scale(tmp_path):
    from benchmark.run.choice import choose_codecs

    rates = ["quality10", "quality60@0.25"]
    ((choice, _),) = choose_codecs(["jpeg"], {}, rates, (1.0, 0.5))
    assert [its.name for its in choice.rate_points] == [
        "quality10", "quality60@0.25", "quality10@0.5",
    ]  # fmt: skip


def test_operations_are_per_pixel_of_the_image_itself():
    class Codec:
        def complexity(self, rate_point):
            assert rate_point == RatePoint("q", 1)
            return Complexity(10, 20, 100.0, 200.0)

    class Choice(CodecChoice):
        def open(self):
            return Codec()

    points = (RatePoint("q", 1), RatePoint("q", 1, 0.5))
    found = _complexity(Choice("some", (), points), {"q1", "q1@0.5"})
    assert (found["q1"].encoder_kmac, found["q1"].decoder_kmac) == (100, 200)
    assert (found["q1@0.5"].encoder_kmac, found["q1@0.5"].decoder_kmac) == (25, 50)
    assert found["q1@0.5"].encoder_parameters == 10
