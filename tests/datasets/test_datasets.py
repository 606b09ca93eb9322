"""The data sets read what is there, and name what is missing."""

import importlib.resources
import json
import shutil
from dataclasses import asdict

import numpy as np
import PIL.Image
import pytest

from benchmark.datasets import open_dataset
from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.dataset import fingerprint, read_image
from benchmark.errors import UsageError


def write_cityscapes(root, images):
    """The real layout with drawn content: image n holds n + 1 cars and a group of persons."""
    for number in range(images):
        city = ("frankfurt", "lindau", "munster")[number % 3]
        ids = np.full((32, 64), 7, np.uint16)
        for car in range(number % 3 + 1):
            ids[4:12, 8 * car : 8 * car + 6] = 26000 + car
        ids[20:30, 40:60] = 24
        ids[20:30, 2:6] = 0
        for folder, suffix, pixels in (
            ("leftImg8bit", "leftImg8bit", np.zeros((32, 64, 3), np.uint8)),
            ("gtFine", "gtFine_instanceIds", ids),
        ):
            path = root / folder / "val" / city
            path.mkdir(parents=True, exist_ok=True)
            file = path / f"{city}_{number:06d}_000019_{suffix}.png"
            PIL.Image.fromarray(pixels).save(file)


def test_instances_and_groups_are_told_apart(tmp_path):
    write_cityscapes(tmp_path, 3)
    dataset = Cityscapes(tmp_path)
    assert [picture.name for picture in dataset.pictures] == [
        "frankfurt_000000_000019",
        "lindau_000001_000019",
        "munster_000002_000019",
    ]
    found = dataset.instances(dataset.pictures[2])
    assert [(i.category_id, i.ignored, int(i.mask.sum())) for i in found] == [
        (24, True, 200),
        (26, False, 48),
        (26, False, 48),
        (26, False, 48),
    ]


def test_cityscapes_needs_500_validation_images(tmp_path):
    write_cityscapes(tmp_path, 3)
    with pytest.raises(UsageError, match="holds 3 images, Cityscapes' validation split has 500"):
        open_dataset(f"cityscapes:{tmp_path}")
    write_cityscapes(tmp_path, 500)
    assert len(open_dataset(f"cityscapes:{tmp_path}").pictures) == 500


def test_missing_parts_of_cityscapes_are_named(tmp_path):
    write_cityscapes(tmp_path, 3)
    file = tmp_path / "gtFine/val/lindau/lindau_000001_000019_gtFine_instanceIds.png"
    file.unlink()
    with pytest.raises(UsageError, match=f"1 of 3 images have no instance ids: {file}"):
        Cityscapes(tmp_path)
    shutil.rmtree(tmp_path / "gtFine")
    with pytest.raises(UsageError, match="gtFine/val does not exist"):
        Cityscapes(tmp_path)


def test_miniscapes_is_read_like_cityscapes():
    dataset = open_dataset("miniscapes")
    assert len(dataset.pictures) == 100
    assert read_image(dataset.pictures[0].path).shape == (256, 512, 3)
    classes = {i.category_id for p in dataset.pictures[:20] for i in dataset.instances(p)}
    assert {24, 26, 33} <= classes <= {category.id for category in dataset.categories}


def test_miniscapes_is_the_same_as_when_its_results_were_published():
    dataset = open_dataset("miniscapes")
    run = importlib.resources.files("benchmark.results") / "miniscapes/run.json"
    published = json.loads(run.read_text())["dataset"]["images"]
    assert len(published) == len(dataset.pictures)
    for picture in dataset.pictures[::33]:
        assert asdict(fingerprint(dataset, picture)) == published[picture.name]


def test_a_fingerprint_tells_pixels_and_annotations_apart(tmp_path):
    write_cityscapes(tmp_path, 1)
    dataset = Cityscapes(tmp_path)
    (picture,) = dataset.pictures
    before = fingerprint(dataset, picture)
    with PIL.Image.open(picture.path) as image:
        image.save(picture.path, compress_level=0)
    assert fingerprint(dataset, picture) == before
    image.putpixel((0, 0), (1, 0, 0))
    image.save(picture.path)
    assert fingerprint(dataset, picture).pixels != before.pixels
    assert fingerprint(dataset, picture).annotations == before.annotations
    write_cityscapes(tmp_path, 1)
    ids = next((tmp_path / "gtFine").rglob("*.png"))
    with PIL.Image.open(ids) as image:
        image.putpixel((0, 0), 26009)
    image.save(ids)
    assert fingerprint(dataset, picture).pixels == before.pixels
    assert fingerprint(dataset, picture).annotations != before.annotations


def test_an_odd_row_and_column_are_left_out(tmp_path):
    PIL.Image.new("L", (33, 17)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (16, 32, 3)


def test_an_empty_folder_of_images_is_said(tmp_path):
    with pytest.raises(UsageError, match="holds no images"):
        open_dataset(f"images:{tmp_path}")
