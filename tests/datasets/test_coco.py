"""Annotations in COCO's format are read as pycocotools reads them, and mistakes are named."""

import contextlib
import io
import json
import math

import numpy as np
import PIL.ExifTags
import PIL.Image
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import check_something_to_find, fingerprint, read_image
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
        "categories": [dict(category) for category in CATEGORIES],
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


def test_an_odd_row_and_column_are_kept_as_in_the_image(tmp_path):
    odd = content()
    odd["images"][1] |= {"height": 33, "width": 51}
    last = np.zeros((33, 51), np.uint8, order="F")
    last[32, 10:20] = 1
    odd["annotations"].append(annotation(7, 7, 3, compressed(last)))
    dataset = open_dataset(write(tmp_path, odd))
    _, instance = dataset.instances(dataset.pictures[0])
    assert read_image(dataset.pictures[0].path).shape == (33, 51, 3)
    assert np.array_equal(instance.mask, last)


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
        ("images.1.id", 900, "lists 2 images of the id 900"),
        (
            "images.1.file_name",
            "b/one.png",
            "lists .*b/one.png twice",
        ),
        ("images.1.file_name", "b_one.png", "two images of .* are called b_one.png: rename .* or"),
        ("images.1.file_name", "b/" + 300 * "x", "called 302 bytes long .* take 255: shorten"),
        (
            "categories",
            [{"id": 3, "name": "car"}, {"id": 3, "name": "person"}],
            "lists the category 3 twice, as car and as person",
        ),
        ("annotations.1.iscrowd", "0", "iscrowd of annotation 2 is '0', where 0 or 1"),
        ("annotations.1.iscrowd", 2, "iscrowd of annotation 2 is 2, where 0 or 1"),
        (
            "categories",
            [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
            r"no category that the analysis network knows \(person, .*its categories are cat, dog",
        ),
    ],
)
def test_content_that_does_not_fit_is_named(tmp_path, path, value, message):
    write(tmp_path, content())
    PIL.Image.new("RGB", (64, 48)).save(tmp_path / "images/b_one.png")
    (tmp_path / "instances.json").write_text(json.dumps(changed(path, value)))
    with pytest.raises(UsageError, match=message):
        open_dataset(f"coco:{tmp_path}/instances.json:{tmp_path}/images")


@pytest.mark.parametrize("text", ["", '{"images": [', "[]", "\ufffe"])
def test_a_file_of_another_kind_is_named(tmp_path, text):
    (tmp_path / "instances.json").write_text(text, "utf-16")
    with pytest.raises(UsageError, match=r"instances\.json is not "):
        open_dataset(f"coco:{tmp_path}/instances.json:{tmp_path}")


PIXELS = SIZE[0] * SIZE[1]


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ("abc", "its segmentation is 'abc'"),
        ([1, 2, 3, 4, 5, 6], "a polygon is 1, where a list"),
        ([[1, 2, "three", 4, 5, 6]], "a coordinate is 'three', which is no number"),
        ([[1, 2, None, 4, 5, 6]], "a coordinate is None, which is no number"),
        ([[1, 2, 3, 4, 5, 6, 7]], "a polygon has 7 numbers"),
        ([[1, 2, math.nan, 4, 5, 6]], "a coordinate is nan, the image is 64 x 48"),
        ([[1, 2, math.inf, 4, 5, 6]], "a coordinate is inf, the image is 64 x 48"),
        ([[1, 2, 3, 4, 5, -1e9]], "a coordinate is -1000000000.0, the image is 64 x 48"),
        ([[1, 2, 3, 4, 5, 10**400]], "a coordinate is 10000"),
        ([[9, 9, 9, 9, math.nan, 9], [1, 2, 3, 4, 5, 6]], "a coordinate is nan"),
        ({"size": list(SIZE)}, r"its run lengths \(counts\) are None"),
        ({"size": list(SIZE), "counts": 5}, r"its run lengths \(counts\) are 5"),
        ({"size": list(SIZE), "counts": []}, f"add up to 0, the image has {PIXELS} pixels"),
        ({"size": list(SIZE), "counts": ""}, f"add up to 0, the image has {PIXELS} pixels"),
        ({"size": list(SIZE), "counts": [10, 20]}, f"add up to 30, the image has {PIXELS}"),
        ({"size": list(SIZE), "counts": [10, PIXELS]}, f"add up to {PIXELS + 10}, the image"),
        ({"size": list(SIZE), "counts": [PIXELS + 5, -5]}, "a run length is -5"),
        ({"size": list(SIZE), "counts": [PIXELS - 1.5, 1.5]}, r"a run length is 3070\.5"),
        ({"size": list(SIZE), "counts": [PIXELS, None]}, "a run length is None"),
        ({"counts": [PIXELS]}, "its size is None"),
        (
            {"size": [64, 48], "counts": [PIXELS]},
            r"its size is \[64, 48\], the image's is \[48, 64\]",
        ),
        ({"size": list(SIZE), "counts": "no run lengths"}, "hold ' '"),
        ({"size": list(SIZE), "counts": "PP"}, "end within a number"),
    ],
)
def test_a_mask_that_cannot_be_read_is_named(tmp_path, segmentation, reason):
    broken = content()
    broken["annotations"][1]["segmentation"] = segmentation
    dataset = open_dataset(write(tmp_path, broken))
    message = rf"instances.json has a mask in b_one.png that .* \(annotation 2\): .*{reason}"
    with pytest.raises(UsageError, match=message):
        fingerprint(dataset, dataset.pictures[1])


def test_compressed_run_lengths_that_end_early_are_named(tmp_path):
    broken = content()
    short = coco_mask.frPyObjects({"size": list(SIZE), "counts": [100, 20]}, *SIZE)
    segmentation = {"size": list(SIZE), "counts": short["counts"].decode()}
    broken["annotations"][1]["segmentation"] = segmentation
    dataset = open_dataset(write(tmp_path, broken))
    with pytest.raises(UsageError, match="run lengths add up to 120, the image has 3072 pixels"):
        fingerprint(dataset, dataset.pictures[1])


@pytest.mark.parametrize("segmentation", [[], None, [[4, 4, 8, 8]], [[1, 1], [2, 2, 3, 3]]])
def test_a_box_among_masks_is_named(tmp_path, segmentation):
    boxes = content()
    boxes["annotations"][1]["segmentation"] = segmentation
    dataset = open_dataset(write(tmp_path, boxes))
    message = r"annotation 2 \(b_one.png\) has no mask, only a box.*: give it one"
    with pytest.raises(UsageError, match=message):
        fingerprint(dataset, dataset.pictures[1])
    del boxes["annotations"][1]["segmentation"], boxes["annotations"][1]["bbox"]
    del boxes["annotations"][1]["id"]
    dataset = open_dataset(write(tmp_path, boxes))
    with pytest.raises(UsageError, match=r"annotations\[1\] \(b_one.png\) has no mask: give"):
        fingerprint(dataset, dataset.pictures[1])


def test_annotations_of_other_classes_are_not_looked_at_but_counted(tmp_path):
    other = content()
    other["annotations"][4] |= {"segmentation": "nonsense", "iscrowd": 0}
    dataset = open_dataset(write(tmp_path, other))
    for picture in dataset.pictures:
        fingerprint(dataset, picture)
    (remark,) = dataset.remarks(dataset.pictures)
    assert remark.endswith(
        "instances.json: left out 1 of 5 instances, of classes that the analysis network does not "
        "know: cat (1)"
    )
    assert dataset.remarks(dataset.pictures[1:]) == []


def test_classes_meet_by_synonyms_and_that_is_said(tmp_path):
    named = content()
    names = ("Car ", "PEDESTRIAN", "Motor-Bike")
    for entry, name in zip(named["categories"], names, strict=True):
        entry["name"] = name
    dataset = open_dataset(write(tmp_path, named))
    assert [category.name for category in dataset.categories] == ["person", "car", "motorcycle"]
    found = [i.category_id for picture in dataset.pictures for i in dataset.instances(picture)]
    assert sorted(found) == [24, 24, 26, 26, 26, 32]
    (remark,) = dataset.remarks(dataset.pictures)
    assert remark.endswith(
        "classes taken under another name (instances): Car as car (2), PEDESTRIAN as person (2), "
        "Motor-Bike as motorcycle (1)"
    )


def test_what_belongs_to_no_image_or_has_no_pixel_is_said(tmp_path):
    odd = content()
    odd["annotations"][4:] = [
        annotation(5, 8, 1, [[1, 1, 9, 1, 9, 9]]),
        annotation(6, 7, 1, [[-9, -9, -5, -9, -5, -5]]),
    ]
    dataset = open_dataset(write(tmp_path, odd))
    orphans, empty = dataset.remarks(dataset.pictures)
    assert "left out 1 annotations, which belong to no listed image" in orphans
    assert (
        "1 instances have no pixel in their image and count as never found: annotation 6" in empty
    )
    assert GroundTruth(dataset, dataset.pictures).instances[24] == 2


def nothing_to_find(change):
    changed = content()
    changed["annotations"] = [
        change(its) for its in changed["annotations"] if its["category_id"] != 17
    ]
    return changed


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda its: its | {"iscrowd": 1}, "all 5 are groups (iscrowd)"),
        (lambda its: its | {"image_id": 1}, "left out 5 annotations, which belong to no listed"),
        (lambda its: its | {"category_id": 17}, "left out 4 of 4 instances, of classes"),
    ],
)
def test_why_there_is_nothing_to_find_is_said(tmp_path, change, reason):
    dataset = open_dataset(write(tmp_path, nothing_to_find(change)))
    with pytest.raises(UsageError) as error:
        check_something_to_find(dataset, dataset.pictures, "coco:FILE:IMAGES")
    assert str(error.value).startswith("2 images of coco:FILE:IMAGES hold no instance to find; ")
    assert reason in str(error.value)


def test_coordinates_as_parts_of_the_sides_are_named(tmp_path):
    parts = content()
    polygon = [[0.1, 0.2, 0.9, 0.2, 0.5, 1]]
    parts["annotations"] = [annotation(1, 7, 3, polygon), annotation(2, 900, 3, 2 * polygon)]
    with pytest.raises(UsageError, match="all 3 polygons have coordinates from 0 to 1"):
        open_dataset(write(tmp_path, parts))
    parts["annotations"][0]["segmentation"] = [[0, 0, 8, 0, 8, 8]]
    open_dataset(write(tmp_path, parts))


def test_an_image_of_another_size_is_named(tmp_path):
    dataset = open_dataset(write(tmp_path, content()))
    PIL.Image.new("RGB", (32, 24)).save(dataset.pictures[0].path)
    with pytest.raises(UsageError, match=r"a.png is 32 x 24, in .*instances.json it is 64 x 48"):
        fingerprint(dataset, dataset.pictures[0])


def save_turned(image, path, orientation):
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = orientation
    image.save(path, exif=exif)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_turned_image_is_annotated_as_it_is_shown(tmp_path, orientation):
    dataset = open_dataset(write(tmp_path, content()))
    (path,) = {dataset.pictures[0].path}
    save_turned(PIL.Image.new("RGB", (48, 64)), path, orientation)
    fingerprint(dataset, dataset.pictures[0])
    save_turned(PIL.Image.new("RGB", (64, 48)), path, orientation)
    message = rf"a.png is shown turned \(EXIF orientation {orientation}\), with 48 x 64 pixels; in"
    with pytest.raises(UsageError, match=message):
        fingerprint(dataset, dataset.pictures[0])
