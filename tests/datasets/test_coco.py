"""Annotations in COCO's format are read as pycocotools reads them, and mistakes are named."""

import contextlib
import io
import json

import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import fingerprint, read_image
from benchmark.errors import UsageError
from benchmark.metrics.average_precision import GroundTruth

SIZE = (48, 64)
CATEGORIES = [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}, {"id": 17, "name": "cat"}]
LABEL_IDS = {3: 26, 1: 24}


def rectangle(top, left, height, width):
    mask = np.zeros(SIZE, np.uint8)
    mask[top : top + height, left : left + width] = 1
    return np.asfortranarray(mask)


def compressed(mask):
    encoded = coco_mask.encode(mask)
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def uncompressed(mask):
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(pixels)) + 1
    counts = np.diff([0, *changes, pixels.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if pixels[0] else counts}


def annotation(number, image, category, segmentation, crowd=0):
    mask = {"id": number, "image_id": image, "category_id": category, "iscrowd": crowd}
    return mask | {"segmentation": segmentation, "area": 200, "bbox": [0, 0, 1, 1]}


def content():
    polygons = [[4, 4, 30.5, 6, 20, 30], [40.2, 8, 60, 8, 60, 20.7, 40, 20]]
    return {
        "images": [
            {"id": 900, "file_name": "b/one.png", "height": 48, "width": 64},
            {"id": 7, "file_name": "a.png", "height": 48, "width": 64},
        ],
        "categories": CATEGORIES,
        "annotations": [
            annotation(1, 900, 3, polygons),
            annotation(2, 900, 1, compressed(rectangle(20, 10, 12, 20))),
            annotation(3, 900, 3, uncompressed(rectangle(0, 0, 9, 9))),
            annotation(4, 900, 3, uncompressed(rectangle(30, 0, 18, 64)), crowd=1),
            annotation(5, 7, 17, polygons),
            annotation(6, 7, 1, polygons[:1]),
        ],
    }


def write(folder, content):
    for entry in content["images"]:
        file = folder / "images" / entry["file_name"]
        file.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (entry["width"], entry["height"])).save(file)
    (folder / "instances.json").write_text(json.dumps(content))
    return f"coco:{folder}/instances.json:{folder}/images"


def pycocotools(folder):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(folder / "instances.json"))


def test_all_kinds_of_masks_equal_those_of_pycocotools(tmp_path):
    dataset = open_dataset(write(tmp_path, content()))
    coco = pycocotools(tmp_path)
    for picture in dataset.pictures:
        expected = [
            (LABEL_IDS[entry["category_id"]], bool(entry["iscrowd"]), coco.annToMask(entry))
            for entry in coco.imgToAnns[picture.id]
            if entry["category_id"] in LABEL_IDS
        ]
        found = dataset.instances(picture)
        assert len(found) == len(expected)
        for instance, (label, ignored, mask) in zip(found, expected, strict=True):
            assert (instance.category_id, instance.ignored) == (label, ignored)
            assert instance.mask.dtype == bool
            assert np.array_equal(instance.mask, mask)


def test_pictures_have_safe_names_in_order_and_the_ids_of_the_file(tmp_path):
    dataset = open_dataset(write(tmp_path, content()))
    assert [(its.id, its.name) for its in dataset.pictures] == [(7, "a.png"), (900, "b_one.png")]
    assert dataset.pictures[1].path == tmp_path / "images/b/one.png"
    assert [category.name for category in dataset.categories] == ["person", "car"]


def test_nothing_is_printed(tmp_path, capfd):
    dataset = open_dataset(write(tmp_path, content()))
    dataset.instances(dataset.pictures[0])
    assert capfd.readouterr() == ("", "")


def test_wap_equals_pycocotools_on_the_file_itself(tmp_path):
    dataset = open_dataset(write(tmp_path, content()))
    random = np.random.default_rng(0)
    found, direct = {}, []
    for picture in dataset.pictures:
        for instance in dataset.instances(picture):
            mask = np.roll(instance.mask, random.integers(0, 5), axis=1)
            encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
            box = tuple(coco_mask.toBbox(encoded).tolist())
            score = round(random.random(), 3)
            detection = Detection(
                instance.category_id, score, box, SIZE, encoded["counts"].decode()
            )
            found.setdefault(picture.id, []).append(detection)
            category = {label: id_ for id_, label in LABEL_IDS.items()}[detection.category_id]
            direct.append(detection.to_coco(picture.id) | {"category_id": category})
    coco = pycocotools(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(direct), "segm")
        evaluation.params.catIds = [1, 3]
        evaluation.evaluate()
        evaluation.accumulate()
    person, car = evaluation.eval["precision"][:, :, :, 0, 2].mean(axis=(0, 1))
    wap = GroundTruth(dataset, dataset.pictures).average_precision(found).wap
    assert wap == pytest.approx(100 * (2 * person + 2 * car) / 4, abs=1e-9)
    assert 20 < wap < 100


def test_an_odd_row_and_column_are_left_out_as_in_the_image(tmp_path):
    odd = content()
    odd["images"][1] |= {"height": 33, "width": 51}
    last = np.zeros((33, 51), np.uint8, order="F")
    last[32, 10:20] = 1
    odd["annotations"].append(annotation(7, 7, 3, compressed(last)))
    dataset = open_dataset(write(tmp_path, odd))
    (instance,) = dataset.instances(dataset.pictures[0])
    assert read_image(dataset.pictures[0].path).shape == (32, 50, 3)
    assert instance.mask.shape == (32, 50)


def test_a_fingerprint_holds_the_annotations(tmp_path):
    dataset = open_dataset(write(tmp_path, content()))
    before = [fingerprint(dataset, picture) for picture in dataset.pictures]
    other = content()
    other["annotations"][1]["segmentation"] = uncompressed(rectangle(20, 10, 12, 20))
    again = open_dataset(write(tmp_path, other))
    assert [fingerprint(again, picture) for picture in again.pictures] == before
    other["annotations"][1]["iscrowd"] = 1
    again = open_dataset(write(tmp_path, other))
    after = [fingerprint(again, picture) for picture in again.pictures]
    assert after[0] == before[0]
    assert after[1].pixels == before[1].pixels
    assert after[1].annotations != before[1].annotations


def test_the_folder_of_images_may_have_a_colon_in_its_name(tmp_path):
    write(tmp_path, content())
    (tmp_path / "images").rename(tmp_path / "val:2017")
    dataset = open_dataset(f"coco:{tmp_path}/instances.json:{tmp_path}/val:2017")
    assert dataset.pictures[0].path == tmp_path / "val:2017/a.png"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("coco", "'coco' is not of the form coco:ANNOTATIONS:IMAGES"),
        ("coco:{0}/instances.json", "is not of the form coco:ANNOTATIONS:IMAGES"),
        ("coco:{0}/instances.json:", "is not of the form coco:ANNOTATIONS:IMAGES"),
        ("coco:{0}/none.json:{0}/images", "none.json cannot be read: No such file"),
        ("coco:{0}:{0}/images", "cannot be read: Is a directory"),
        ("coco:{0}/instances.json:{0}/none", "none does not exist: it should hold the images"),
        ("coco:{0}/instances.json:{0}/no:ne", "no:ne does not exist"),
        (
            "coco:{0}/instances.json:{0}/images/b",
            "2 of the 2 images in .*instances.json are missing: .*b/one.png, .*a.png",
        ),
    ],
)
def test_wrong_paths_are_named(tmp_path, spec, message):
    write(tmp_path, content())
    with pytest.raises(UsageError, match=message):
        open_dataset(spec.format(tmp_path))


def changed(path, value):
    """The content with the value at a path, ``images.0.id``; without it if the value is None."""
    whole = part = content()
    *keys, last = (int(key) if key.isdecimal() else key for key in path.split("."))
    for key in keys:
        part = part[key]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return whole


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("annotations", None, "it has no list 'annotations'"),
        ("images", {"a": 1}, "it has no list 'images'"),
        ("images.1.height", None, r"images\[1\] has no usable 'height'"),
        ("annotations.0", 3, r"annotations\[0\] has no usable 'image_id'"),
        ("annotations.2.segmentation", "abc", r"annotations\[2\] has no usable 'segmentation'"),
        ("images.1.id", 900, "lists 2 images of the id 900"),
        ("images.1.file_name", "b/one.png", "lists 2 images of the name 'b_one.png'"),
        (
            "categories",
            [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
            r"no category that the analysis network knows \(person, .*its categories are cat, dog",
        ),
    ],
)
def test_content_that_does_not_fit_is_named(tmp_path, path, value, message):
    write(tmp_path, content())
    (tmp_path / "instances.json").write_text(json.dumps(changed(path, value)))
    with pytest.raises(UsageError, match=message):
        open_dataset(f"coco:{tmp_path}/instances.json:{tmp_path}/images")


@pytest.mark.parametrize("text", ["", '{"images": [', "[]", "\ufffe"])
def test_a_file_of_another_kind_is_named(tmp_path, text):
    (tmp_path / "instances.json").write_text(text, "utf-16")
    with pytest.raises(UsageError, match=r"instances\.json is not "):
        open_dataset(f"coco:{tmp_path}/instances.json:{tmp_path}")


@pytest.mark.parametrize(
    "segmentation",
    [
        [],
        [[1, 2, "three", 4, 5, 6]],
        [["a"]],
        {"size": list(SIZE)},
        {"size": list(SIZE), "counts": [10, 2000000]},
        {"size": [4, 4], "counts": [10, 6]},
        {"size": list(SIZE), "counts": "no run lengths"},
        {"size": list(SIZE), "counts": 5},
    ],
)
def test_a_mask_that_cannot_be_read_is_named(tmp_path, segmentation):
    broken = content()
    broken["annotations"][1]["segmentation"] = segmentation
    dataset = open_dataset(write(tmp_path, broken))
    with pytest.raises(UsageError, match=r"a mask in b_one.png that .* \(annotation 2\)"):
        fingerprint(dataset, dataset.pictures[1])


def test_an_image_of_another_size_is_named(tmp_path):
    dataset = open_dataset(write(tmp_path, content()))
    PIL.Image.new("RGB", (32, 24)).save(dataset.pictures[0].path)
    with pytest.raises(UsageError, match=r"a.png is 32 x 24, in .*instances.json it is 64 x 48"):
        fingerprint(dataset, dataset.pictures[0])
