"""Cityscapes' AP against the scripts' own command, run on files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cityscapesscripts
import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco_mask

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.dataset import read_image
from benchmark.datasets.images import ImageFolder
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import UsageError
from benchmark.metrics.bootstrap import draw
from benchmark.metrics.cityscapes_ap import CityscapesGroundTruth

SCENES = 5
LABELS = (24, 25, 26, 27, 28, 31, 32, 33)
COMMAND = ("-m", "cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling")


def difficult(ids, random):
    """Adds what the scripts treat in a way of their own."""
    ids = ids.copy()
    for value in np.unique(ids[ids >= 1000]):
        if random.random() < 0.15:
            ids[ids == value] = value // 1000  # a group
    ids[:40, :200] = 26  # a large group of cars
    ids[4:13, 4:15] = 26900  # 99 pixels: too few to count
    ids[4:14, 20:30] = 26901  # 100 pixels
    ids[4:12, 40:48] = 33900  # too small, of another class
    ids[200:256, :120] = 4  # void
    ids[200:230, 120:200] = 29  # a group of caravans, void as well
    ids[200:230, 200:280] = 29000  # a caravan, neither void nor one of the classes
    return ids


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("cityscapes")
    random = np.random.default_rng(0)
    for number in range(SCENES):
        scene = draw_scene(300 + number)
        for folder, kind, pixels in (
            ("leftImg8bit", "leftImg8bit", scene.image),
            ("gtFine", "gtFine_instanceIds", difficult(scene.instance_ids, random)),
        ):
            city = root / folder / "val" / "drawn"
            city.mkdir(parents=True, exist_ok=True)
            pixels = pixels.astype(np.uint16) if kind.startswith("gt") else pixels
            PIL.Image.fromarray(pixels).save(city / f"drawn_{number:06d}_000019_{kind}.png")
    return Cityscapes(root)


def ids_of(dataset, picture):
    file = next(picture.path.parents[3].glob(f"gtFine/val/*/{picture.name}_*Ids.png"))
    return np.asarray(PIL.Image.open(file)).astype(int)


def spoiled(mask, random):
    """A mask as a network might have found it."""
    kind = random.integers(4)
    if kind == 0:
        return mask
    if kind == 1:
        return np.roll(mask, random.integers(-3, 4), axis=random.integers(2))
    eroded = mask & np.roll(mask, random.integers(1, 3), axis=0)
    return eroded & np.roll(eroded, -2, axis=1) if kind == 2 else eroded


def imperfect(dataset, picture):
    """Shifted, eroded and merged masks, doubles, wrong classes, false alarms, equal scores."""
    random = np.random.default_rng(picture.id)
    ids = ids_of(dataset, picture)
    masks = [(ids == value, value // 1000) for value in np.unique(ids[ids >= 1000])]
    masks = [(mask, label if label in LABELS else 26) for mask, label in masks]
    found = []
    for (mask, label), (neighbour, _) in zip(masks, masks[1:] + masks[:1], strict=True):
        for _ in range(random.choice((0, 1, 1, 1, 2))):
            label = label if random.random() < 0.9 else random.choice(LABELS)
            found.append((spoiled(mask, random), label))
        if random.random() < 0.1:
            found.append((mask | neighbour, label))
    for _ in range(12):
        top, left = random.integers(0, 250), random.integers(0, 500)
        mask = np.zeros(ids.shape, bool)
        mask[top : top + random.integers(3, 60), left : left + random.integers(3, 90)] = True
        found.append((mask, random.choice((24, 26, 26, 33))))
    found.append((np.zeros(ids.shape, bool), 26))
    found.append((ids == 26, 26))
    found.append((ids == 4, 24))
    return [(mask, int(label), round(random.random(), 2)) for mask, label in found]


def detection(mask, label, score):
    counts = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    return Detection(label, score, (0.0, 0.0, 1.0, 1.0), mask.shape, counts)


def by_the_command(dataset, found, folder):
    """The averages that the scripts' command writes, from files in the form that it wants."""
    # a copy, because the command keeps the ground truth that it has read beside its own code
    shutil.copytree(Path(cityscapesscripts.__file__).parent, folder / "cityscapesscripts")
    results = folder / "results"
    results.mkdir()
    for picture in dataset.pictures:
        lines = []
        for number, (mask, label, score) in enumerate(found[picture.id]):
            file = results / f"{picture.name}_{number}.png"
            PIL.Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(file)
            lines.append(f"{file.name} {label} {score!r}\n")
        (results / f"{picture.name}.txt").write_text("".join(lines))
    root = dataset.pictures[0].path.parents[3]
    places = {"CITYSCAPES_DATASET": str(root), "CITYSCAPES_RESULTS": str(results)}
    done = subprocess.run(
        [sys.executable, *COMMAND],
        cwd=folder,
        env=os.environ | places,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (file,) = root.rglob("resultInstanceLevelSemanticLabeling.json")
    return json.loads(file.read_text())["averages"]


def counted(dataset, label):
    """Instances of at least 100 pixels."""
    return sum(
        int(np.sum(sizes[values // 1000 == label] >= 100))
        for picture in dataset.pictures
        for values, sizes in [np.unique(ids_of(dataset, picture), return_counts=True)]
    )


def test_ap_equals_that_of_the_scripts_own_command(dataset, tmp_path):
    found = {picture.id: imperfect(dataset, picture) for picture in dataset.pictures}
    found[3] = []
    expected = by_the_command(dataset, found, tmp_path)
    truth = CityscapesGroundTruth(dataset, dataset.pictures)
    ours = truth.average_precision(
        {image: [detection(*its) for its in all_] for image, all_ in found.items()}
    )
    weighted = instances = 0
    for category in dataset.categories:
        number = counted(dataset, category.id)
        assert truth.instances[category.id] == number
        if number:
            ap = 100 * expected["classes"][category.name]["ap"]
            assert ours.classes[category.name] == pytest.approx(ap, abs=1e-6)
            weighted += number * ap
            instances += number
    assert instances > 40
    assert len(set(ours.classes.values())) > 3
    assert 10 < ours.wap < 80
    assert ours.wap == pytest.approx(weighted / instances, abs=1e-6)
    assert ours.ap50 == pytest.approx(100 * expected["allAp50%"], abs=1e-6)


def test_a_resample_has_the_ap_of_copied_images(dataset, tmp_path):
    found = {
        picture.id: [detection(*its) for its in imperfect(dataset, picture)]
        for picture in dataset.pictures
    }
    counts = draw(range(SCENES), 40, seed=1)
    truth = CityscapesGroundTruth(dataset, dataset.pictures[::-1])
    wap, ap50 = truth.average_precision(found, counts).resamples
    assert wap.shape == ap50.shape == (41,)
    assert wap[0] == pytest.approx(truth.average_precision(found).wap)
    for column in (0, 1, 2, int(counts.max(axis=0).argmax())):
        copies, detections = copied(dataset, found, counts[:, column], tmp_path / str(column))
        expected = CityscapesGroundTruth(copies, copies.pictures).average_precision(detections)
        assert (wap[column], ap50[column]) == pytest.approx((expected.wap, expected.ap50))
    assert len(set(wap.round(6))) > 20


def copied(dataset, found, counts, root):
    """A data set that holds each image some times, and the detections in its images."""
    sources = np.repeat(dataset.pictures, counts)
    for number, picture in enumerate(sources):
        for folder, kind in (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_instanceIds")):
            (source,) = picture.path.parents[3].glob(f"{folder}/val/*/{picture.name}_{kind}.png")
            file = root / f"{folder}/val/drawn/copy_{number:06d}_000019_{kind}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.symlink_to(source)
    return Cityscapes(root), {number: found[its.id] for number, its in enumerate(sources)}


def test_a_class_of_which_only_a_group_is_found_has_0_percent(dataset):
    """The scripts' own command ends with an IndexError there."""
    picture = dataset.pictures[0]
    group = detection(ids_of(dataset, picture) == 26, 26, 0.9)
    ours = CityscapesGroundTruth(dataset, dataset.pictures).average_precision({picture.id: [group]})
    assert ours.classes["car"] == 0


def test_perfect_detections_have_100_percent(dataset):
    truth = CityscapesGroundTruth(dataset, dataset.pictures)
    found = {
        picture.id: [
            detection(instance.mask, instance.category_id, 0.9)
            for instance in dataset.instances(picture)
        ]
        for picture in dataset.pictures
    }
    ours = truth.average_precision(found)
    assert (ours.wap, ours.ap50) == (pytest.approx(100), pytest.approx(100))


def test_nothing_found_is_0_percent(dataset):
    assert CityscapesGroundTruth(dataset, dataset.pictures).average_precision({}).wap == 0


def test_instance_ids_are_needed(dataset):
    photos = ImageFolder(dataset.pictures[0].path.parent)
    assert read_image(photos.pictures[0].path).shape == (256, 512, 3)
    with pytest.raises(UsageError, match="the data set images has none: use --ap coco"):
        CityscapesGroundTruth(photos, photos.pictures)
