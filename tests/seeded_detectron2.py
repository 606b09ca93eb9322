"""A Detectron2 checkpoint, images and objects from seeds."""

from __future__ import annotations

import pickle
from collections.abc import Mapping

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

from benchmark.analysis.detectron2.network import Detectron2MaskRcnn
from benchmark.analysis.targets import Objects, box_of

Arrays = dict[str, NDArray[np.float32]]

CLASSIFIER = "roi_heads.box_predictor.cls_score."
BIASES = (-1.6, -0.1, -6.1, 5.0, 2.4, 1.9, -1.0, 1.2, 4.0)  # all classes are found with these


def seeded_weights() -> Arrays:
    """Weights with which the network finds objects of all classes, surely and less surely."""
    rng = np.random.default_rng(0)
    shapes = {name: tuple(v.shape) for name, v in Detectron2MaskRcnn(8).state_dict().items()}
    return {name: _seeded(name, shapes[name], rng) for name in sorted(shapes)}


def _seeded(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    drawn = rng.standard_normal(shape, dtype=np.float32)
    if name == CLASSIFIER + "bias":
        return np.array(BIASES, np.float32)
    if name.endswith("running_var"):
        return 1 + np.float32(0.3) * np.abs(drawn)
    if name.endswith("norm.weight"):
        return np.float32(0.4 if "conv3" in name or "shortcut" in name else 1) * (
            1 + np.float32(0.1) * drawn
        )
    if len(shape) == 1:
        return np.float32(0.1) * drawn
    axes = (0,) if "deconv" in name else tuple(range(1, len(shape)))
    inputs = np.prod([shape[axis] for axis in axes])
    gains = {"stem": 1 / 60, CLASSIFIER: 5, "mask_head.predictor": 3}
    gain = next((value for part, value in gains.items() if part in name), 1)
    # features are mostly positive: without the mean they all would look alike
    return np.float32(gain * np.sqrt(2 / inputs)) * (drawn - drawn.mean(axes, keepdims=True))


def blurred_noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    resample = PIL.Image.Resampling.BICUBIC
    return np.array(PIL.Image.fromarray(coarse).resize((width, height), resample))


def pickled(model: Mapping[str, object], protocol: int = 4) -> bytes:
    return pickle.dumps({"model": model, "__author__": "a test"}, protocol)


def seeded_network() -> Detectron2MaskRcnn:
    """The network with `seeded_weights`, fixed."""
    network = Detectron2MaskRcnn(8).eval().requires_grad_(False)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in seeded_weights().items()})
    return network


def seeded_objects(height: int, width: int, seed: int) -> Objects:
    """Ellipses of all sizes, some of which hide parts of others, without ignored regions."""
    rng = np.random.default_rng([seed, 1])
    rows, columns = np.mgrid[:height, :width]
    ids = np.zeros((height, width), np.int64)
    for number in range(1, 6):
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        tall, wide = rng.uniform(4, height / 2), rng.uniform(4, width / 3)
        ids[((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2 < 1] = number
    masks = np.stack([ids == number for number in np.unique(ids[ids > 0])])
    return Objects(
        torch.tensor([box_of(mask) for mask in masks], dtype=torch.float32),
        torch.from_numpy(rng.integers(1, 9, len(masks))),
        torch.from_numpy(masks.astype(np.uint8)),
        torch.zeros(height, width, dtype=torch.bool),
    )
