"""Runs on one's own images: odd sides, turned photographs, and what changes between two runs."""

import contextlib
import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import PIL.ExifTags
import PIL.Image
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.codec import open_codec
from benchmark.datasets import open_dataset
from benchmark.datasets.image_file import read_image
from benchmark.metrics.image_quality import psnr

WIDTH, HEIGHT = 511, 255


def benchmark(folder, *arguments):
    command = [sys.executable, "-m", "benchmark", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def run_on_coco(folder):
    options = (
        "--codecs",
        "jpeg",
        "--rates",
        "quality5",
        "quality35",
        "--anchor",
        "jpeg",
        "--jobs",
        "1",
    )
    return benchmark(folder, "run", *options, "--dataset", "coco:ann.json:images", "--out", "out")


def write_coco(folder, images=2, first_id=1):
    """Miniscapes with odd sides, the last image turned in its file; with its instances."""
    scenes = open_dataset("miniscapes")
    content = {"images": [], "annotations": []}
    content["categories"] = [{"id": its.id, "name": its.name.title()} for its in scenes.categories]
    (folder / "images").mkdir(exist_ok=True)
    for number, picture in enumerate(scenes.pictures[:images]):
        image = PIL.Image.fromarray(read_image(picture.path)[:HEIGHT, :WIDTH])
        exif = PIL.Image.Exif()
        if number == images - 1:
            exif[PIL.ExifTags.Base.Orientation] = 6  # to be shown, it is turned clockwise
            image = image.transpose(PIL.Image.Transpose.ROTATE_90)
        image.save(folder / f"images/{number}.png", exif=exif)
        described = {"id": first_id + number, "file_name": f"{number}.png"}
        content["images"].append(described | {"height": HEIGHT, "width": WIDTH})
        for instance in scenes.instances(picture):
            mask = coco_mask.encode(np.asfortranarray(instance.mask[:HEIGHT, :WIDTH], np.uint8))
            annotation = {
                "id": len(content["annotations"]) + 1,
                "image_id": first_id + number,
                "category_id": instance.category_id,
                "iscrowd": int(instance.ignored),
                "area": int(coco_mask.area(mask)),
                "bbox": coco_mask.toBbox(mask).tolist(),
                "segmentation": {"size": mask["size"], "counts": mask["counts"].decode()},
            }
            content["annotations"].append(annotation)
    (folder / "ann.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    write_coco(folder)
    done = run_on_coco(folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stderr


@pytest.fixture(scope="module")
def own_images(finished):
    return finished[0]


def summary_of(folder):
    return pd.read_csv(folder / "out/summary.csv").set_index(["codec", "rate_point"])


@pytest.mark.parametrize("point", [("uncompressed", "bits24"), ("jpeg", "quality35")])
def test_pycocotools_finds_the_same_wap_with_the_data_sets_own_file(own_images, point):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(own_images / "ann.json"))
        found = coco.loadRes(str(own_images / "out/detections" / point[0] / f"{point[1]}.json"))
        evaluation = COCOeval(coco, found, "segm")
        evaluation.evaluate()
        evaluation.accumulate()
    means = evaluation.eval["precision"][:, :, :, 0, 2].mean(axis=(0, 1))
    counted = [its["category_id"] for its in coco.dataset["annotations"] if not its["iscrowd"]]
    weights = [counted.count(number) for number in evaluation.params.catIds]
    expected = 100 * np.average(means, weights=weights)
    assert summary_of(own_images).loc[point, "wap"] == pytest.approx(expected, abs=1e-9)
    assert expected > 20


def test_rates_and_qualities_are_over_an_images_own_pixels(own_images):
    codec = open_codec("jpeg")
    pictures = open_dataset(f"coco:{own_images}/ann.json:{own_images}/images").pictures
    bits, decibel = 0, 0
    for picture in pictures:
        image = read_image(picture.path)
        assert image.shape == (HEIGHT, WIDTH, 3)
        bitstream = (own_images / "out/bitstreams/jpeg/quality35" / picture.name).read_bytes()
        decoded = codec.decode(bitstream)
        assert decoded.shape == (HEIGHT + 1, WIDTH + 1, 3)
        bits += 8 * len(bitstream)
        decibel += psnr(image, decoded[:HEIGHT, :WIDTH]) / len(pictures)
    row = summary_of(own_images).loc[("jpeg", "quality35")]
    assert row["bpp"] == pytest.approx(bits / (WIDTH * HEIGHT * len(pictures)))
    assert row["psnr"] == pytest.approx(decibel)
    lines = (own_images / "out/records.jsonl").read_text().splitlines()
    assert {(its["width"], its["height"]) for its in map(json.loads, lines)} == {(WIDTH, HEIGHT)}


def test_figures_show_the_same_pixels(own_images):
    done = benchmark(own_images, "figures", "out", "--anchor", "jpeg")
    assert done.returncode == 0, done.stderr
    assert "not in the comparison" not in done.stderr
    assert (own_images / "out/figures/comparison-0.png.png").is_file()


def test_image_ids_that_have_changed_mix_nothing_up(own_images):
    before = summary_of(own_images)["wap"]
    write_coco(own_images, first_id=2)
    again = run_on_coco(own_images)
    assert again.returncode == 0, again.stderr
    assert "all 6 jobs were done before" in again.stdout
    assert summary_of(own_images)["wap"].tolist() == before.tolist()
    write_coco(own_images)


def test_a_run_says_which_classes_it_takes_under_another_name(finished):
    assert (
        "ann.json: classes taken under another name (instances): Person as person (" in finished[1]
    )


def test_a_run_stops_where_nothing_is_to_be_found(own_images):
    content = json.loads((own_images / "ann.json").read_text())
    for its in content["annotations"]:
        its["iscrowd"] = 1
    (own_images / "groups.json").write_text(json.dumps(content))
    options = ("--codecs", "jpeg", "--out", "groups", "--dataset", "coco:groups.json:images")
    done = benchmark(own_images, "run", *options)
    assert done.returncode == 2
    assert "2 images of coco:groups.json:images hold no instance to find; all" in done.stderr
    assert not (own_images / "groups").exists()
