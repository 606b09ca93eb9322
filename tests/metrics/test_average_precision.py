"""wAP against pycocotools used directly, and against cases that can be worked out by hand."""

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.dataset import Category, Dataset, Instance, Picture
from benchmark.metrics.average_precision import GroundTruth

SIZE = (96, 128)


class Rectangles(Dataset):
    """Images that hold rectangles of three classes, some of them ignored."""

    name = "rectangles"
    categories = (Category(24, "person"), Category(26, "car"), Category(33, "bicycle"))

    @classmethod
    def open(cls, where):
        return cls()

    def __init__(self, images=6, seed=0):
        random = np.random.default_rng(seed)
        self.pictures = [Picture(number, f"image{number}", None) for number in range(images)]
        self._instances = {
            picture.id: [self._rectangle(random) for _ in range(7)] for picture in self.pictures
        }

    def _rectangle(self, random):
        top, left = random.integers(0, 60), random.integers(0, 90)
        mask = np.zeros(SIZE, bool)
        mask[top : top + random.integers(8, 36), left : left + random.integers(8, 38)] = True
        category = self.categories[random.choice(3, p=(0.2, 0.7, 0.1))]
        return Instance(category.id, mask, ignored=bool(random.random() < 0.15))

    def instances(self, picture):
        return self._instances[picture.id]

    def annotation_bytes(self, picture):
        return b""


def detection(mask, category_id, score):
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    box = tuple(coco_mask.toBbox(encoded).tolist())
    return Detection(category_id, score, box, SIZE, encoded["counts"].decode())


def perfect(dataset):
    return {
        picture.id: [
            detection(instance.mask, instance.category_id, 0.9)
            for instance in dataset.instances(picture)
            if not instance.ignored
        ]
        for picture in dataset.pictures
    }


def imperfect(dataset, seed=1):
    """Shifted masks, wrong classes, false alarms, random scores."""
    random = np.random.default_rng(seed)
    found = {}
    for picture in dataset.pictures:
        found[picture.id] = [
            detection(
                np.roll(instance.mask, random.integers(-6, 7), axis=random.integers(0, 2)),
                instance.category_id if random.random() < 0.8 else 26,
                round(random.random(), 4),
            )
            for instance in dataset.instances(picture)
            for _ in range(random.integers(0, 3))
        ]
    return found


def evaluated(dataset, detections):
    """What pycocotools finds at its own settings, and the numbers of instances of its sizes."""
    annotations = []
    for picture in dataset.pictures:
        for instance in dataset.instances(picture):
            encoded = coco_mask.encode(np.asfortranarray(instance.mask, dtype=np.uint8))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": picture.id,
                    "category_id": instance.category_id,
                    "segmentation": encoded,
                    "area": float(coco_mask.area(encoded)),
                    "bbox": coco_mask.toBbox(encoded).tolist(),
                    "iscrowd": int(instance.ignored),
                }
            )
    coco = COCO()
    coco.dataset = {
        "images": [{"id": p.id, "height": 96, "width": 128} for p in dataset.pictures],
        "categories": [{"id": category.id} for category in dataset.categories],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = [found.to_coco(i) for i, all_ in detections.items() for found in all_]
        evaluation = COCOeval(coco, coco.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
    instances = [
        [
            sum(
                annotation["category_id"] == category.id
                and not annotation["iscrowd"]
                and low <= annotation["area"] <= high
                for annotation in annotations
            )
            for category in dataset.categories
        ]
        for low, high in evaluation.params.areaRng
    ]
    return evaluation.eval, np.array(instances)


def direct_wap(dataset, detections, size=0):
    """The metric's definition; sizes are pycocotools' all, small, medium and large."""
    found, instances = evaluated(dataset, detections)
    values = found["precision"][:, :, :, size, 2].mean(axis=(0, 1))
    return 100 * (instances[size] @ values) / instances[size].sum()


def test_perfect_detections_have_100_percent():
    dataset = Rectangles()
    found = GroundTruth(dataset, dataset.pictures).average_precision(perfect(dataset))
    assert found.wap == pytest.approx(100)
    assert found.ap50 == pytest.approx(100)


def test_nothing_found_is_0_percent():
    dataset = Rectangles()
    found = GroundTruth(dataset, dataset.pictures).average_precision({})
    assert found.wap == found.small == found.recall == found.images[0] == 0


def test_wap_equals_pycocotools_used_directly():
    dataset = Rectangles()
    detections = imperfect(dataset)
    found = GroundTruth(dataset, dataset.pictures).average_precision(detections)
    assert 5 < found.wap < 95
    assert found.wap == pytest.approx(direct_wap(dataset, detections), abs=1e-9)


def test_sizes_and_recall_equal_pycocotools_used_directly():
    dataset = Rectangles()
    detections = imperfect(dataset)
    found = GroundTruth(dataset, dataset.pictures).average_precision(detections)
    assert found.small == pytest.approx(direct_wap(dataset, detections, 1), abs=1e-9)
    assert found.medium == pytest.approx(direct_wap(dataset, detections, 2), abs=1e-9)
    assert abs(found.small - found.medium) > 1
    assert np.isnan(found.large)  # no rectangle is
    direct, instances = evaluated(dataset, detections)
    recalls = direct["recall"][:, :, 0, 2].mean(axis=0)
    recall = 100 * (instances[0] @ recalls) / instances[0].sum()
    assert found.recall == pytest.approx(recall, abs=1e-9)


def test_ap50_of_each_class_equals_pycocotools_used_directly():
    dataset = Rectangles()
    detections = imperfect(dataset)
    found = GroundTruth(dataset, dataset.pictures).average_precision(detections)
    direct, _ = evaluated(dataset, detections)
    for index, category in enumerate(dataset.categories):
        expected = 100 * direct["precision"][0, :, index, 0, 2].mean()
        assert found.classes_50[category.name] == pytest.approx(expected, abs=1e-9)


def test_an_image_by_itself_has_the_wap_of_a_data_set_of_this_image():
    dataset = Rectangles(images=60)  # more than are evaluated in one piece
    dataset._instances[7] = []
    detections = imperfect(dataset)
    found = GroundTruth(dataset, dataset.pictures).average_precision(detections).images
    assert 7 not in found and len(found) == 59
    for picture in dataset.pictures[5:60:9]:
        alone = GroundTruth(dataset, [picture]).average_precision(detections)
        assert found[picture.id] == pytest.approx(alone.wap, abs=1e-9)


def test_classes_weigh_as_much_as_they_have_instances():
    dataset = Rectangles()
    truth = GroundTruth(dataset, dataset.pictures)
    only_cars = {
        picture: [found for found in all_ if found.category_id == 26]
        for picture, all_ in perfect(dataset).items()
    }
    share = truth.instances[26] / sum(truth.instances.values())
    assert truth.average_precision(only_cars).wap == pytest.approx(100 * share)


def test_ignored_instances_neither_count_nor_cost():
    dataset = Rectangles()
    truth = GroundTruth(dataset, dataset.pictures)
    detections = perfect(dataset)
    for picture in dataset.pictures:
        detections[picture.id] += [
            detection(instance.mask, instance.category_id, 0.95)
            for instance in dataset.instances(picture)
            if instance.ignored
        ]
    assert truth.average_precision(detections).wap == pytest.approx(100)


def test_false_alarms_above_the_right_detections_cost():
    dataset = Rectangles()
    detections = perfect(dataset)
    empty = np.zeros(SIZE, bool)
    empty[:4, :4] = True
    for found in detections.values():
        found += [replace(detection(empty, 26, 0.99))]
    assert GroundTruth(dataset, dataset.pictures).average_precision(detections).wap < 95
