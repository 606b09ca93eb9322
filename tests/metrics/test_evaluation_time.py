"""How long the evaluation of Cityscapes' validation split takes: 500 images of 2048 x 1024.

``pytest -n 0 -m long -s`` prints it, for one rate point on one core.
"""

import os
import time

import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco_mask

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.metrics.average_precision import GroundTruth
from benchmark.metrics.bootstrap import draw
from benchmark.metrics.cityscapes_ap import CityscapesGroundTruth

IMAGES = 500
SCENES = 8
SIZE = (1024, 2048)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A few scenes, each under many names."""
    root = tmp_path_factory.mktemp("full")
    drawn = [draw_scene(seed, SIZE[1], SIZE[0]) for seed in range(SCENES)]
    for number in range(IMAGES):
        scene = drawn[number % SCENES]
        for folder, kind, pixels in (
            ("leftImg8bit", "leftImg8bit", scene.image),
            ("gtFine", "gtFine_instanceIds", scene.instance_ids.astype(np.uint16)),
        ):
            city = root / folder / "val" / "drawn"
            city.mkdir(parents=True, exist_ok=True)
            file = city / f"drawn_{number:06d}_000019_{kind}.png"
            if number < SCENES:
                PIL.Image.fromarray(pixels).save(file, compress_level=1)
            else:
                os.link(city / f"drawn_{number % SCENES:06d}_000019_{kind}.png", file)
    return Cityscapes(root)


@pytest.fixture(scope="module")
def detections(dataset):
    """About as many as there are instances: each of them shifted, with a score of its own."""
    random = np.random.default_rng(0)
    masks = [
        [
            (instance.category_id, np.roll(instance.mask, random.integers(-9, 10), axis=1))
            for instance in dataset.instances(picture)
        ]
        for picture in dataset.pictures[:SCENES]
    ]
    encoded = [
        [(label, coco_mask.encode(np.asfortranarray(mask, np.uint8))) for label, mask in its]
        for its in masks
    ]
    return {
        picture.id: [
            Detection(label, random.random(), (0, 0, 1, 1), SIZE, mask["counts"].decode())
            for label, mask in encoded[picture.id % SCENES]
        ]
        for picture in dataset.pictures
    }


@pytest.mark.parametrize("kind", [GroundTruth, CityscapesGroundTruth])
def test_a_whole_validation_split_is_evaluated_with_intervals(kind, dataset, detections):
    assert 15 < np.mean([len(its) for its in detections.values()]) < 40
    started = time.process_time()
    truth = kind(dataset, dataset.pictures)
    prepared = time.process_time()
    counts = draw(range(IMAGES), 1000, seed=0)
    found = truth.average_precision(detections, counts=counts)
    done = time.process_time()
    print(f"{kind.__name__}: {prepared - started:.1f} s once, {done - prepared:.1f} s a rate point")
    assert 10 < found.wap < 100
    assert found.resamples[0, 0] == pytest.approx(found.wap)
