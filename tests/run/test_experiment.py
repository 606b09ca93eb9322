"""Experiments on real codecs and folders, carried out in this process to be quick."""

import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from here_runner import HereRunner

from benchmark.codec import Codec, RatePoint, open_codec
from benchmark.errors import UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.tables import evaluate
from benchmark.run.experiment import Experiment, prepare
from benchmark.run.jobs import CodecChoice
from benchmark.run.perform import perform
from benchmark.run.run_folder import RunFolder


class Subsampled(Codec):
    """JPEG, whose chroma is subsampled as the option says."""

    name = "subsampled"
    rate_points = (RatePoint("quality", 50),)

    def __init__(self, subsampling: str = "4:2:0") -> None:
        self._jpeg = open_codec("jpeg")
        self.subsampling = subsampling

    def encode(self, image, rate_point):
        return self._jpeg.encode(image if self.subsampling == "4:4:4" else image // 2, rate_point)

    def decode(self, bitstream):
        return self._jpeg.decode(bitstream)


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (2, 32, 48, 3), np.uint8)
    for name, pixels in zip("ab", noise, strict=True):
        PIL.Image.fromarray(pixels).save(tmp_path / f"photos/{name}.png")
    return f"images:{tmp_path}/photos"


def prepared(out, **asked):
    experiment = Experiment(analysis=None, **{"codecs": ["jpeg"], "rates": ["quality8"]} | asked)
    return replace(prepare(experiment, out, "local", 1), runner=HereRunner())


def subsampled(out, photos, value, **asked):
    codec = Subsampled(subsampling=value)
    choice = CodecChoice(codec.name, (("subsampling", value),), codec.rate_points, Subsampled)
    opened = prepared(out, dataset=photos, codecs=[], rates=[], **asked)
    return replace(opened, choices=[(choice, codec)])


def bits(folder):
    return {record.key: record.sha256 for record in RunFolder(folder).records()}


def test_results_with_another_value_of_an_option_are_not_taken(photos, tmp_path):
    perform(subsampled(tmp_path / "a", photos, "4:2:0"))
    before = bits(tmp_path / "a")
    with pytest.raises(UsageError, match=r"subsampling': '4:2:0'.*now it is.*'4:4:4'"):
        perform(subsampled(tmp_path / "a", photos, "4:4:4"))
    assert bits(tmp_path / "a") == before
    perform(subsampled(tmp_path / "b", photos, "4:4:4", bitstreams=tmp_path / "a"))
    assert not set(bits(tmp_path / "b").values()) & set(before.values()) - {""}


def test_a_bitstream_that_is_not_its_records_is_made_again(photos, tmp_path, caplog):
    perform(prepared(tmp_path / "a", dataset=photos))
    truth = bits(tmp_path / "a")
    other, file = (tmp_path / f"a/bitstreams/jpeg/quality8/{name}.png" for name in "ab")
    shutil.copy(other, file)
    with caplog.at_level(logging.WARNING, "benchmark"):
        perform(prepared(tmp_path / "b", dataset=photos, bitstreams=tmp_path / "a"))
    assert bits(tmp_path / "b") == truth
    warnings = [its.getMessage() for its in caplog.records if its.levelno >= logging.WARNING]
    assert warnings == [f"{file} is not the bitstream of its record: encoded again"]


def test_a_run_that_was_prepared_before_another_one_wrote_forgets_nothing(photos, tmp_path):
    slow = prepared(tmp_path / "out", dataset=photos)
    perform(prepared(tmp_path / "out", dataset=photos, codecs=["yuv420"], rates=[]))
    perform(slow)
    manifest = RunFolder(tmp_path / "out").finished_manifest()
    assert set(manifest.codecs) == {"yuv420", "jpeg"}
    assert len(manifest.invocations) == 2
    made = {r.codec: r.invocation for r in RunFolder(tmp_path / "out").records()}
    assert made == {"uncompressed": 0, "yuv420": 0, "jpeg": 1}


def test_rate_points_that_lack_a_result_are_named(photos, tmp_path):
    class Broken(Subsampled):
        name = "broken"

        def decode(self, bitstream):
            raise SystemExit(3)

    choice = CodecChoice("broken", (), Broken.rate_points, Broken)
    asked = replace(prepared(tmp_path / "out", dataset=photos), choices=[(choice, Broken())])
    performed = perform(asked)
    assert performed.unfinished == ["broken quality50"]
    assert len(performed.outcome.failures["broken"]) == 2
    run = OpenedRun(RunFolder(tmp_path / "out"), asked.dataset)
    summary = evaluate(run, asked.pictures, HereRunner(), "vtm", None).summary
    assert list(summary["codec"]) == ["uncompressed"]


def test_images_are_told_by_their_names_when_their_numbers_change(dataset, run_of, tmp_path):
    """The same data set exported again with other ids; the detections are made up."""
    root = tmp_path / "data"
    source = dataset.rpartition(":")[2]
    shutil.copytree(source, root)
    spec = f"coco:{root}/instances.json:{root}"
    folder = run_of(tmp_path / "run", spec, {"jpeg": ({}, ("quality5", "quality35"))})

    def tables():
        run = OpenedRun(folder)
        pictures = list(run.pictures.values())
        run.check([picture.name for picture in pictures])
        return evaluate(run, pictures, HereRunner(), "jpeg", "coco").summary

    before = tables()
    assert before["wap"].max() > 50
    content = json.loads((root / "instances.json").read_text())
    numbers = {0: 1, 1: 70}
    for image in content["images"]:
        image["id"] = numbers[image["id"]]
    for annotation in content["annotations"]:
        annotation["image_id"] = numbers[annotation["image_id"]]
    (root / "instances.json").write_text(json.dumps(content))
    assert tables()["wap"].tolist() == before["wap"].tolist()


def test_a_new_image_gets_a_number_that_no_other_has(photos, tmp_path):
    perform(prepared(tmp_path / "out", dataset=photos))
    folder = tmp_path / "photos"
    PIL.Image.open(folder / "a.png").rotate(180).save(folder / "Z.png")  # sorts before a and b
    perform(prepared(tmp_path / "out", dataset=photos))
    numbers = {r.image: r.image_id for r in RunFolder(tmp_path / "out").records()}
    assert numbers == {"a.png": 0, "b.png": 1, "Z.png": 2}
    assert len(RunFolder(tmp_path / "out").records()) == 6
