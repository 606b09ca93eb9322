"""Tests of the drawn street scenes."""

import hashlib

import numpy as np
import pytest

from benchmark.datasets.miniscapes.scene import SMALLEST_INSTANCE, Scene, draw_scene

STUFF = {0, 1, 3, 7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23}
THINGS = {24, 25, 26, 27, 28, 31, 32, 33}
DIGESTS = {
    1: "68d676c48d08ff29fbe4a018e3e7864538ebf5bad2a675c6cab60ab34143a1f1",
    77: "b6bb421448fdd2c57abadea99ae44d7fe0f94d0fce29468c369237d64f29bc5a",
    2024: "ad845978f7b282c96912b2fe5cb6d9f17b53437d246313a1de2b465e9f50718e",
}
# Instances per scene that a sample of scenes must have: at least and at most.
FREQUENCIES = {
    24: (1.5, 9.0),
    25: (0.4, 2.0),
    26: (4.0, 11.0),
    27: (0.1, 0.9),
    28: (0.1, 0.8),
    31: (0.03, 0.5),
    32: (0.1, 0.8),
    33: (0.6, 4.0),
}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(seed) for seed in range(500, 548)]


def digest(scene: Scene) -> str:
    labels = scene.instance_ids.astype("<i4")
    return hashlib.sha256(scene.image.tobytes() + labels.tobytes()).hexdigest()


def test_same_seed_gives_same_scene() -> None:
    assert digest(draw_scene(5)) == digest(draw_scene(5))


def test_seeds_differ() -> None:
    assert digest(draw_scene(5)) != digest(draw_scene(6))


@pytest.mark.parametrize("seed", sorted(DIGESTS))
def test_bytes_are_the_same_on_every_machine(seed: int) -> None:
    assert digest(draw_scene(seed)) == DIGESTS[seed]


def test_shapes_and_types(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.image.shape == (256, 512, 3)
        assert scene.image.dtype == np.uint8
        assert scene.instance_ids.shape == (256, 512)
        assert scene.instance_ids.dtype == np.int32


def test_other_sizes_work() -> None:
    scene = draw_scene(3, width=256, height=128)
    assert scene.image.shape == (128, 256, 3)


def test_only_known_labels(scenes: list[Scene]) -> None:
    for scene in scenes:
        for value in np.unique(scene.instance_ids):
            known = value // 1000 in THINGS if value >= 1000 else value in STUFF | THINGS
            assert known, value


def test_instances_are_large_enough_and_numbered_from_zero(scenes: list[Scene]) -> None:
    for scene in scenes:
        values, counts = np.unique(scene.instance_ids, return_counts=True)
        instances = values[values >= 1000]
        assert counts[values >= 1000].min(initial=SMALLEST_INSTANCE) >= SMALLEST_INSTANCE
        for label in THINGS:
            numbers = instances[instances // 1000 == label] % 1000
            assert numbers.tolist() == list(range(len(numbers)))


def test_class_frequencies(scenes: list[Scene]) -> None:
    found = np.concatenate([np.unique(s.instance_ids[s.instance_ids >= 1000]) for s in scenes])
    for label, (low, high) in FREQUENCIES.items():
        per_scene = np.count_nonzero(found // 1000 == label) / len(scenes)
        assert low <= per_scene <= high, (label, per_scene)


def test_pictures_use_the_range_of_grey_levels(scenes: list[Scene]) -> None:
    for scene in scenes:
        low, high = np.percentile(scene.image, [2, 98])
        assert high - low > 80
