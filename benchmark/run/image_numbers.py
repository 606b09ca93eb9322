"""The numbers that images have in the detections files of a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.run.manifest import Manifest
from benchmark.run.record import Record


def known_numbers(manifest: Manifest | None, records: Sequence[Record]) -> dict[str, int]:
    """Return the numbers that a run folder gave its images, by the image's name.

    The records have the last word, since the detections go by their numbers.
    """
    numbers = {record.image: record.image_id for record in records}
    taken = set(numbers.values())
    for name, image in (manifest.images if manifest is not None else {}).items():
        if name not in numbers and image.id is not None and image.id not in taken:
            numbers[name] = image.id
            taken.add(image.id)
    return numbers


def with_new_images(numbers: Mapping[str, int], images: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of all images: a new one keeps its own, unless another image has it.

    Args:
        numbers: those that are given, by name.
        images: further images, by name, with the numbers that they have elsewhere.
    """
    every = dict(numbers)
    taken = set(every.values())
    for name, number in images.items():
        if name not in every:
            every[name] = number if number not in taken else max(taken) + 1
            taken.add(every[name])
    return every
