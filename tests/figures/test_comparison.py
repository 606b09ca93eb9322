"""Which rate points are compared, and where crops lie."""

import numpy as np
import pytest
from makers import make_record

from benchmark.datasets.dataset import Instance
from benchmark.evaluation.same_rate import comparable
from benchmark.figures.comparison import choose_crops


def record(codec, size):
    return make_record(codec, f"rate{size}", bytes=size)


def test_rate_points_of_about_the_same_rate_are_compared():
    sizes = {"a": (100, 1000, 10000), "b": (900, 5000), "c": (40, 1200)}
    chosen = comparable(record(codec, size) for codec, its in sizes.items() for size in its)
    assert {codec: its.bytes for codec, its in chosen.items()} == {"a": 1000, "b": 900, "c": 1200}


@pytest.mark.parametrize("corner", [(0, 0), (240, 490), (100, 200)])
def test_crops_lie_in_the_image_and_show_an_object(corner):
    mask = np.zeros((256, 512), bool)
    row, column = corner
    mask[row : row + 10, column : column + 20] = True
    crops = choose_crops((256, 512), [Instance(26, mask, False)], [])
    assert len(crops) == 2
    for top, left in crops:
        assert 0 <= top <= 192 and 0 <= left <= 384
    (top, left), _ = crops
    assert mask[top : top + 64, left : left + 128].sum() == mask.sum()
