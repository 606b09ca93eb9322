"""Batches: crops hold what is seen in them, and the step's number decides everything."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.analysis import training_batches
from benchmark.analysis.training_batches import Augmentation, Batches
from benchmark.datasets.dataset import Dataset, read_image
from benchmark.image import Image


def test_a_crop_is_a_part_of_the_image_with_its_objects(scenes: Dataset) -> None:
    images = [read_image(picture.path) for picture in scenes.pictures]
    whole = Batches(scenes, 1, 0, Augmentation())
    cropped = Batches(scenes, 1, 0, Augmentation(crop=(96, 128)))
    seen = set()
    for step in range(8):
        image, [objects] = cropped[step]
        assert image.shape == (1, 3, 96, 128)
        for masks in (objects.masks, objects.ignored[None]):
            assert masks.shape[1:] == (96, 128)
        for box, mask in zip(objects.boxes, objects.masks, strict=True):
            rows, columns = np.nonzero(mask.numpy())
            found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box.tolist() == found
        pixels = (image[0] * 255).round().byte().permute(1, 2, 0).numpy()
        places = [
            (number, mirrored, top, left)
            for number, original in enumerate(images)
            for mirrored in (False, True)
            for top, left in np.argwhere(
                (original[: 256 - 95, : 512 - 127] == pixels[0, -1 if mirrored else 0]).all(-1)
            ).tolist()
            if np.array_equal(
                original[top : top + 96, left : left + 128],
                pixels[:, ::-1] if mirrored else pixels,
            )
        ]
        assert len(places) == 1
        number, mirrored, top, left = places[0]
        seen.add((top, left))
        instances = [i for i in scenes.instances(scenes.pictures[number]) if not i.ignored]
        expected = [i.mask[top : top + 96, left : left + 128] for i in instances]
        if mirrored:
            expected = [mask[:, ::-1] for mask in expected]
        expected = [mask for mask in expected if mask.any()]
        assert len(expected) == len(objects.masks)
        for mask, wanted in zip(objects.masks.numpy(), expected, strict=True):
            assert np.array_equal(mask.astype(bool), wanted)
    assert len(seen) == 8
    assert whole[0][0].shape == (1, 3, 256, 512)


def test_the_step_decides_everything(scenes: Dataset) -> None:
    for crop in (None, (64, 64)):
        augmentation = Augmentation(brightness=True, crop=crop)
        first, again = (Batches(scenes, 2, 5, augmentation) for _ in range(2))
        again[0]
        images, objects = first[3]
        others, other_objects = again[3]
        assert torch.equal(images, others)
        for one, other in zip(objects, other_objects, strict=True):
            assert torch.equal(one.masks, other.masks)
        assert not torch.equal(images, first[4][0])


@pytest.mark.parametrize(("free", "reads"), [(0.9, 2), (0.1, 8)])
def test_images_are_kept_while_there_is_memory_and_else_read_again(
    scenes: Dataset, monkeypatch: pytest.MonkeyPatch, free: float, reads: int
) -> None:
    expected = Batches(scenes, 1, 0, Augmentation())
    read = []

    def counted(path: Path) -> Image:
        read.append(path)
        return read_image(path)

    # a machine without memory cannot be had here
    monkeypatch.setattr(training_batches, "free_memory", lambda: free)
    monkeypatch.setattr(training_batches, "read_image", counted)
    batches = Batches(scenes, 1, 0, Augmentation())
    images = [batches[step][0] for step in range(8)]
    assert len(read) == reads
    monkeypatch.undo()
    assert all(torch.equal(image, expected[step][0]) for step, image in enumerate(images))
