"""Two drawn scenes as a data set: small enough to train on within a test."""

import numpy as np
import PIL.Image
import pytest

from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.miniscapes.scene import draw_scene


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Cityscapes:
    root = tmp_path_factory.mktemp("scenes")
    images = root / "leftImg8bit" / "train" / "drawn"
    annotations = root / "gtFine" / "train" / "drawn"
    images.mkdir(parents=True)
    annotations.mkdir(parents=True)
    for seed in range(2):
        scene = draw_scene(seed)
        PIL.Image.fromarray(scene.image).save(images / f"{seed}_leftImg8bit.png")
        ids = PIL.Image.fromarray(scene.instance_ids.astype(np.uint16))
        ids.save(annotations / f"{seed}_gtFine_instanceIds.png")
    return Cityscapes(root, "train")
