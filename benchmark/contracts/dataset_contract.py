"""The contract of a data set (`benchmark.datasets.dataset.Dataset`)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from benchmark.contracts.outcome import Check, checked, expect
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import Dataset, Picture, fingerprint, read_image

_LOOKED_AT = 8
"""Images that are read; evenly spread over the data set."""

_LONGEST_NAME = 200
"""Bytes of a name, which becomes a file's."""


def check_dataset(spec: str) -> Iterator[Check]:
    """Put a data set through its contract.

    Raises:
        UsageError: if it cannot be opened.
    """
    dataset = open_dataset(spec)
    pictures = list(dataset.pictures)
    step = max(1, len(pictures) // _LOOKED_AT)
    some = pictures[::step][:_LOOKED_AT]
    yield checked("images are listed by unique, safe names", lambda: _names(pictures))
    yield checked("categories have unique ids and names", lambda: _categories(dataset))
    yield checked("images can be read", lambda: _readable(some))
    yield checked("instances are of its categories and in its images", lambda: _all(dataset, some))
    yield checked("opened again, it is the same", lambda: _same(dataset, open_dataset(spec), some))


def _names(pictures: list[Picture]) -> str:
    expect(pictures, "there is no image")
    names = [picture.name for picture in pictures]
    expect(names == sorted(names), "they are not sorted by name")
    expect(not (twice := _twice(names)), f"more than one is called {twice}")
    expect(not (twice := _twice(its.id for its in pictures)), f"more than one has the id {twice}")
    for picture in pictures:
        expect(isinstance(picture.id, int), f"{picture.name} has the id {picture.id!r}")
        safe = picture.name and "/" not in picture.name and picture.name not in (".", "..")
        expect(safe and "\0" not in picture.name, f"{picture.name!r} is no file's name")
        length = len(os.fsencode(picture.name))
        expect(length <= _LONGEST_NAME, f"{picture.name} is {length} bytes long")
    return f"{len(pictures)} images"


def _categories(dataset: Dataset) -> str:
    expect(not (twice := _twice(its.id for its in dataset.categories)), f"the id {twice}")
    names = [its.name for its in dataset.categories]
    expect(not (twice := _twice(names)), f"the name {twice}")
    return ", ".join(names) or "none: only images can be compared"


def _readable(pictures: list[Picture]) -> str:
    sizes = Counter("{1} x {0}".format(*read_image(its.path).shape) for its in pictures)
    return ", ".join(sizes)


def _all(dataset: Dataset, pictures: list[Picture]) -> str:
    ids, count = {category.id for category in dataset.categories}, 0
    for picture in pictures:
        size = read_image(picture.path).shape[:2]
        for instance in dataset.instances(picture):
            what = f"{picture.name}: an instance"
            expect(instance.category_id in ids, f"{what} of category {instance.category_id}")
            mask = instance.mask
            good = isinstance(mask, np.ndarray) and mask.dtype == bool and mask.shape == size
            expect(good, f"{what} has the mask {mask.dtype} {mask.shape}, not bool {size}")
            count += 1
        expect(isinstance(dataset.annotation_bytes(picture), bytes), "annotation_bytes: no bytes")
    return f"{count} in {len(pictures)} images"


def _same(dataset: Dataset, again: Dataset, pictures: list[Picture]) -> None:
    expect(list(again.pictures) == list(dataset.pictures), "it lists other images")
    expect(list(again.categories) == list(dataset.categories), "it has other categories")
    for picture in pictures:
        same = fingerprint(dataset, picture) == fingerprint(again, picture)
        expect(same, f"{picture.name} has another fingerprint")


def _twice(values: Iterable[object]) -> str:
    return next((str(value) for value, times in Counter(values).items() if times > 1), "")
