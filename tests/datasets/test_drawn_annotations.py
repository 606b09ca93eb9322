"""Annotations of all kinds, drawn at random, are read as pycocotools reads them, AP included."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.coco import Coco
from benchmark.metrics.average_precision import GroundTruth

LABEL_IDS = {3: 26, 1: 24, 44: 32}
CATEGORIES = [
    {"id": 3, "name": "Car"},
    {"id": 1, "name": "pedestrian"},
    {"id": 44, "name": "motorcycle"},
    {"id": 17, "name": "cat"},
]


@st.composite
def polygons(draw, size):
    """One to three parts, inside the image, across its border, or outside; some too short."""
    reach = st.floats(-10, max(size) + 10, width=32) | st.integers(-3, max(size) + 3)
    part = st.lists(st.tuples(reach, reach), min_size=3, max_size=7)
    parts = draw(st.lists(part, min_size=1, max_size=3))
    sliver = draw(st.lists(st.tuples(reach, reach), max_size=2))
    at = draw(st.integers(0, len(parts)))
    return [
        [value for point in its for value in point] for its in [*parts[:at], sliver, *parts[at:]]
    ]


@st.composite
def run_lengths(draw, size):
    """Run lengths that add up to the image, empty runs among them."""
    pixels = size[0] * size[1]
    cuts = sorted(draw(st.lists(st.integers(0, pixels), max_size=12)))
    return np.diff([0, *cuts, pixels]).tolist()


@st.composite
def segmentations(draw, size):
    kind = draw(st.sampled_from(["polygons", "uncompressed", "compressed"]))
    if kind == "polygons":
        return draw(polygons(size))
    found = {"size": list(size), "counts": draw(run_lengths(size))}
    if kind == "compressed":
        found["counts"] = coco_mask.frPyObjects(found, *size)["counts"].decode()
    return found


@st.composite
def annotation_files(draw):
    """One to three images with nine to fourteen annotations in all."""
    sides = st.integers(2, 40)
    ids = draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=3, unique=True))
    sizes = {number: (draw(sides), draw(sides)) for number in ids}
    annotations = []
    for number in range(draw(st.integers(9, 14))):
        image = draw(st.sampled_from(ids))
        annotations.append(
            {
                "id": number + 1,
                "image_id": image,
                "category_id": draw(st.sampled_from([3, 3, 1, 44, 17])),
                "iscrowd": int(draw(st.integers(0, 5)) == 0),
                "area": 1,
                "bbox": [0, 0, 1, 1],
                "segmentation": draw(segmentations(sizes[image])),
            }
        )
    images = [
        {"id": number, "file_name": f"{number}.png", "height": height, "width": width}
        for number, (height, width) in sizes.items()
    ]
    return {"images": images, "categories": CATEGORIES, "annotations": annotations}


def without_slivers(content):
    """As Detectron2 reads it: pycocotools itself would take a part of two points for a box."""
    annotations = [
        {**its, "segmentation": [part for part in its["segmentation"] if len(part) >= 6]}
        if isinstance(its["segmentation"], list)
        else its
        for its in content["annotations"]
    ]
    return {**content, "annotations": annotations}


def detected(dataset, rng):
    """Detections near the instances, and some of another class or shape."""
    found = {}
    for picture in dataset.pictures:
        for instance in dataset.instances(picture):
            mask = np.roll(instance.mask, rng.integers(0, 3, 2), (0, 1))
            if rng.random() < 0.2:
                mask = mask ^ (rng.random(mask.shape) < 0.1)
            category = instance.category_id if rng.random() < 0.9 else 24
            encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
            its = Detection(
                category_id=category,
                score=round(float(rng.random()), 1),
                box=tuple(coco_mask.toBbox(encoded).tolist()),
                size=mask.shape,
                counts=encoded["counts"].decode(),
            )
            found.setdefault(picture.id, []).append(its)
    return found


def precisions_of_pycocotools(coco, detections):
    """AP and number of instances of each class in the file, by its id there."""
    ids = {label: number for number, label in LABEL_IDS.items()}
    results = [
        its.to_coco(image) | {"category_id": ids[its.category_id]}
        for image in sorted(detections)
        for its in detections[image]
    ]
    evaluation = COCOeval(coco, coco.loadRes(results), "segm")
    evaluation.params.catIds = sorted(LABEL_IDS)
    evaluation.evaluate()
    evaluation.accumulate()
    means = evaluation.eval["precision"][:, :, :, 0, 2].mean(axis=(0, 1))
    counted = [its["category_id"] for its in coco.dataset["annotations"] if not its["iscrowd"]]
    return {
        number: (100 * mean, counted.count(number))
        for number, mean in zip(sorted(LABEL_IDS), means, strict=True)
    }


def check_equal(content, rng):
    """Hold the reading of a file against pycocotools; the number of annotations that were held."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        root = Path(folder)
        for its in content["images"]:
            PIL.Image.new("RGB", (its["width"], its["height"])).save(root / its["file_name"])
        (root / "ours.json").write_text(json.dumps(content))
        (root / "theirs.json").write_text(json.dumps(without_slivers(content)))
        dataset, coco = Coco(root / "ours.json", root), COCO(str(root / "theirs.json"))
        held = 0
        for picture in dataset.pictures:
            expected = [a for a in coco.imgToAnns[picture.id] if a["category_id"] in LABEL_IDS]
            found = dataset.instances(picture)
            for instance, its in zip(found, expected, strict=True):
                held += 1
                assert instance.category_id == LABEL_IDS[its["category_id"]]
                assert instance.ignored == bool(its["iscrowd"])
                assert np.array_equal(instance.mask, coco.annToMask(its))
                assert instance.mask.sum() == coco_mask.area(coco.annToRLE(its))
        detections = detected(dataset, rng)
        truth = GroundTruth(dataset, dataset.pictures)
        if not (detections and any(truth.instances.values())):
            return held
        theirs = precisions_of_pycocotools(coco, detections)
        ours = truth.average_precision(detections)
    names = {category.id: category.name for category in dataset.categories}
    weighted = total = 0
    for number, (precision, instances) in theirs.items():
        label = LABEL_IDS[number]
        assert truth.instances[label] == instances
        if instances:
            assert ours.classes[names[label]] == pytest.approx(precision, abs=1e-9)
            weighted, total = weighted + precision * instances, total + instances
    assert ours.wap == pytest.approx(weighted / total, abs=1e-9)
    return held


DRAWING = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],  # to shrink a failure takes minutes
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def held_over(examples, stop_at=None):
    """The number of annotations held against pycocotools, over so many drawn files."""
    held = 0

    @seed(20260)
    @settings(DRAWING, max_examples=examples)
    @given(annotation_files(), st.integers(0, 2**32))
    def check(content, number):
        nonlocal held
        if stop_at is None or held < stop_at:
            held += check_equal(content, np.random.default_rng(number))

    check()
    return held


def test_drawn_annotations_are_read_as_pycocotools_reads_them():
    assert held_over(25) > 100


@pytest.mark.long
def test_ten_thousand_drawn_annotations_are_read_as_pycocotools_reads_them():
    assert held_over(3000, stop_at=10_000) >= 10_000
