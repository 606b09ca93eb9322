"""Bootstrap intervals against pycocotools used directly on data sets with copied images."""

import contextlib
import copy
import io
import itertools
import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.metrics import coco_evaluation
from benchmark.metrics.bjontegaard_delta import Point, delta_rate
from benchmark.metrics.bootstrap import (
    Resampled,
    average_precisions,
    coco_average_precision,
    draw,
    intervals,
    matches_of,
)
from benchmark.metrics.coco_evaluation import coco, load_results
from benchmark.metrics.resampled_curves import ResampledCurves

CLASSES = (24, 26, 33)
SIZE = (96, 128)


def encoded(box, size=SIZE):
    return coco_mask.frPyObjects(np.array([box], float), *size)[0]


def drawn_boxes(random, number, size=SIZE):
    corners = random.uniform((0, 0), (0.6 * size[1], 0.6 * size[0]), (number, 2))
    return np.hstack([corners, random.uniform(8, 0.3 * size[0], (number, 2))])


def drawn_truth(images=12, seed=0, size=SIZE, classes=CLASSES, instances=9):
    """Ids in no order; the last class occurs in the first two images only."""
    random = np.random.default_rng(seed)
    annotations = []
    for image in range(images):
        for box in drawn_boxes(random, random.integers(instances - 3, instances + 4), size):
            label = int(random.choice(classes if image < 2 else classes[:-1]))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 7 * image + 3,
                    "category_id": label,
                    "segmentation": encoded(box, size),
                    "bbox": box.tolist(),
                    "area": float(box[2] * box[3]),
                    "iscrowd": int(random.random() < 0.15),
                }
            )
    ids = random.permutation([7 * image + 3 for image in range(images)]).tolist()
    return {
        "images": [{"id": id_, "height": size[0], "width": size[1]} for id_ in ids],
        "categories": [{"id": label} for label in classes],
        "annotations": annotations,
    }


def drawn_detections(truth, seed=1, decimals=1, size=SIZE):
    """Shifted instances, doubles, wrong classes, false alarms; with one decimal many ties."""
    random = np.random.default_rng(seed)
    labels = [category["id"] for category in truth["categories"]]
    found = []
    for annotation in truth["annotations"]:
        for _ in range(random.choice((0, 1, 1, 2))):
            box = np.array(annotation["bbox"]) + np.append(random.uniform(-4, 4, 2), (0, 0))
            label = annotation["category_id"] if random.random() < 0.9 else random.choice(labels)
            found.append((annotation["image_id"], label, np.maximum(box, 0)))
    for image in truth["images"]:
        found += [(image["id"], random.choice(labels), box) for box in drawn_boxes(random, 4, size)]
    return [
        {
            "image_id": int(image),
            "category_id": int(label),
            "score": round(float(random.random()), decimals),
            "bbox": box.tolist(),
            "segmentation": encoded(box, size),
        }
        for image, label, box in found
    ]


def copied(entries, copies):
    """Entries of images that get one new id a copy: those of an image follow each other."""
    return [
        {**copy.deepcopy(entry), "image_id": new}
        for entry in entries
        for new in copies[entry["image_id"]]
    ]


def match(truth, detections):
    instances = coco(copy.deepcopy(truth))
    nothing = coco({**truth, "annotations": []})
    found = load_results(instances, copy.deepcopy(detections)) if detections else nothing
    return matches_of(coco_evaluation.match(instances, found, "segm"))


def directly(truth, detections, counts, classes=CLASSES):
    """wAP and AP50 of one resample: pycocotools on a data set that holds the copies."""
    ids = sorted(image["id"] for image in truth["images"])
    first = np.cumsum(counts) - counts + 1
    copies = {
        image: range(start, start + count)
        for image, start, count in zip(ids, first.tolist(), counts.tolist(), strict=True)
    }
    annotations = copied(truth["annotations"], copies)
    for number, annotation in enumerate(annotations, 1):
        annotation["id"] = number
    images = [{**image, "id": new} for image in truth["images"] for new in copies[image["id"]]]
    coco = COCO()
    coco.dataset = {**truth, "images": images, "annotations": annotations}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(copied(detections, copies)), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0, 2]
    numbers = np.array(
        [
            sum(a["category_id"] == label and not a["iscrowd"] for a in annotations)
            for label in classes
        ]
    )
    present = np.flatnonzero(numbers)
    wap = np.average(precision[:, :, present].mean(axis=(0, 1)), weights=numbers[present])
    return 100 * wap, 100 * precision[0][:, present].mean()


@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_a_resample_equals_pycocotools_on_copied_images(decimals):
    truth = drawn_truth()
    detections = drawn_detections(truth, decimals=decimals)
    counts = draw(range(12), 500, seed=4)
    wap, ap50 = average_precisions(match(truth, detections), counts, coco_average_precision)
    without_a_class = np.flatnonzero(counts[:2].sum(axis=0) == 0)
    many_copies = int(counts.max(axis=0).argmax())
    for column in (0, 1, int(without_a_class[0]), many_copies, 500):
        expected = directly(truth, detections, counts[:, column])
        assert 3 < expected[0] < 97
        assert (wap[column], ap50[column]) == pytest.approx(expected, abs=1e-9)


def test_only_the_100_best_detections_of_a_class_in_an_image_count():
    truth = drawn_truth(images=3)
    detections = drawn_detections(truth)
    detections += [{**d, "score": d["score"] / 2} for d in detections for _ in range(20)]
    counts = draw(range(3), 2, seed=1)
    wap, _ = average_precisions(match(truth, detections), counts, coco_average_precision)
    assert wap[1] == pytest.approx(directly(truth, detections, counts[:, 1])[0], abs=1e-9)


def test_nothing_found_is_0_percent_and_no_instances_are_no_number():
    truth = drawn_truth()
    counts = draw(range(12), 3, seed=0)
    wap, ap50 = average_precisions(match(truth, []), counts, coco_average_precision)
    assert not wap.any()
    assert not ap50.any()
    empty = {**truth, "annotations": []}
    found = match(empty, drawn_detections(truth))
    wap, ap50 = average_precisions(found, counts, coco_average_precision)
    assert np.isnan([wap, ap50]).all()


def test_images_are_drawn_with_replacement_and_the_same_again_for_a_seed():
    counts = draw(range(50), 400, seed=3)
    assert (counts[:, 0] == 1).all()
    assert (counts.sum(axis=0) == 50).all()
    assert counts[:, 1:].var() == pytest.approx(49 / 50, abs=0.05)
    assert (counts == draw(range(50), 400, seed=3)).all()
    assert (counts != draw(range(50), 400, seed=4)).any()


def curves(truth):
    """Two codecs of three rate points; the second needs exactly half of the first's bits."""
    images = [image["id"] for image in truth["images"]]
    found = drawn_detections(truth, seed=7)
    for codec, factor in (("first", 1), ("second", 0.5)):
        for number in range(1, 4):
            kept = [detection for detection in found if detection["score"] <= number / 3]
            bpp = {image: factor * 2**number * (1 + image / 50) for image in images}
            yield codec, f"rate{number}", kept, bpp


def test_codecs_are_paired():
    truth = drawn_truth()
    counts = draw(range(12), 50, seed=1)
    points = []
    for codec, rate_point, detections, bpp in curves(truth):
        rates = np.array([bpp[image] for image in sorted(bpp)]) @ counts
        found = average_precisions(match(truth, detections), counts, coco_average_precision)
        points.append(Resampled(codec, rate_point, rates / 12, *found))
    table = ResampledCurves(points).delta_intervals().set_index(["codec", "anchor"])
    for codec, anchor, delta in (("second", "first", -50), ("first", "second", 100)):
        row = table.loc[(codec, anchor)]
        assert row[["bd_rate", "bd_rate_low", "bd_rate_high"]].tolist() == pytest.approx(
            [delta] * 3
        )


def test_a_delta_of_a_resample_is_the_delta_rate_of_its_curves():
    """Also where points are not monotone, and where the curves share nothing."""
    random = np.random.default_rng(5)
    points = []
    for codec, number in itertools.product("ab", range(1, 6)):
        bpp, wap = number * random.uniform(0.5, 1, 40), 10 * number * random.uniform(0.5, 1, 40)
        away = 20 * (np.arange(40) % 4) if codec == "b" else 0
        points.append(Resampled(codec, str(number), bpp, wap + away, wap))
    deltas = [
        delta_rate(*([Point(p.bpp[n], p.wap[n]) for p in points if p.codec == c] for c in "ba"))
        for n in range(40)
    ]
    percent = np.array([delta.percent for delta in deltas])
    row = ResampledCurves(points).delta_intervals().set_index("codec").loc["b"]
    assert 0 < row["undefined"] == np.isnan(percent[1:]).mean() < 0.9
    assert any("not monotone" in delta.note for delta in deltas)
    assert row["bd_rate"] == pytest.approx(percent[0], nan_ok=True)
    assert row["bd_rate_low"] == pytest.approx(np.nanpercentile(percent[1:], 2.5))
    assert row["bd_rate_high"] == pytest.approx(np.nanpercentile(percent[1:], 97.5))


def test_an_interval_holds_95_percent_of_the_resamples():
    values = np.append(40.0, np.arange(1001) / 10)
    point = Resampled("codec", "rate", values / 100, values, values)
    (row,) = intervals([point]).to_dict("records")
    assert (row["wap"], row["wap_low"], row["wap_high"]) == pytest.approx((40, 2.5, 97.5))
    assert (row["bpp"], row["bpp_low"], row["bpp_high"]) == pytest.approx((0.4, 0.025, 0.975))


def test_resamples_without_a_delta_rate_are_counted():
    def point(codec, bpp, *wap):
        return Resampled(codec, str(bpp), np.full(3, bpp), np.array(wap), np.array(wap))

    points = [point("a", 1.0, 10, 10, 10), point("a", 2.0, 20, 20, 20)]
    points += [point("b", 1.0, 12, 30, 12), point("b", 2.0, 22, 40, 22)]
    row = ResampledCurves(points).delta_intervals().set_index("codec").loc["b"]
    assert row["undefined"] == 0.5
    curve_a, curve_b = [Point(1, 10), Point(2, 20)], [Point(1, 12), Point(2, 22)]
    expected = delta_rate(curve_b, curve_a).percent
    assert [row["bd_rate"], row["bd_rate_low"]] == pytest.approx([expected] * 2)
    assert not math.isnan(row["bd_rate_high"])
