"""Which classes of COCO are which of Cityscapes."""

from __future__ import annotations

from benchmark.datasets.cityscapes import CATEGORIES

_IDS = {category.name: category.id for category in CATEGORIES}
LABEL_ID_OF_COCO_ID = {
    1: _IDS["person"],
    2: _IDS["bicycle"],
    3: _IDS["car"],
    4: _IDS["motorcycle"],
    6: _IDS["bus"],
    7: _IDS["train"],
    8: _IDS["truck"],
}
"""Cityscapes' label id of each COCO class that Cityscapes has too. COCO knows no riders."""
