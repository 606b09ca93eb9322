"""Miniscapes: street scenes drawn by our own code in the look of Cityscapes.

The same seed gives the same bytes on every machine; see ``canvas`` for how.
"""

from dataclasses import dataclass

import numpy as np

from benchmark.datasets.miniscapes import background, camera, layout
from benchmark.datasets.miniscapes.canvas import Camera, Canvas, Dice, Light
from benchmark.datasets.miniscapes.street import make_street

SMALLEST_INSTANCE = 250  # visible pixels, about 16 x 16; less counts as part of a group

__all__ = ["SMALLEST_INSTANCE", "Scene", "draw_scene"]


@dataclass(frozen=True)
class Scene:
    """A street scene."""

    image: np.ndarray  # uint8, H x W x 3, RGB
    instance_ids: np.ndarray  # int32, H x W, as in Cityscapes' gtFine_instanceIds


def draw_scene(seed: int, width: int = 512, height: int = 256) -> Scene:
    """The scene of a seed (0 to 2**32 - 1), `width` x `height` pixels."""
    dice = Dice(seed)
    canvas = Canvas(
        rgb=np.zeros((height, width, 3), np.float32),
        ids=np.zeros((height, width), np.int32),
        camera=_make_camera(dice, width, height),
        light=_make_light(dice),
        dice=dice,
    )
    street = make_street(dice)
    background.draw_background(canvas, street)
    layout.populate(canvas, street, dice)
    if dice.chance(0.5):
        camera.draw_bonnet(canvas, dice)
    return Scene(camera.expose(canvas.rgb, dice), _tidy_instances(canvas.ids))


def _make_camera(dice: Dice, width: int, height: int) -> Camera:
    return Camera(
        focal=width * dice.uniform(0.98, 1.2),
        centre_x=width * dice.uniform(0.36, 0.64),
        horizon=height * dice.uniform(0.40, 0.52),
        eye_height=dice.uniform(1.2, 1.55),
    )


def _make_light(dice: Dice) -> Light:
    weather = dice.pick(["sunny", "sunny", "overcast", "overcast", "dusk"])
    sun = {"sunny": 0.9, "overcast": 0.1, "dusk": 0.3}[weather] * dice.uniform(0.8, 1.1)
    haze = {
        "sunny": (0.78, 0.82, 0.88),
        "overcast": (0.74, 0.75, 0.77),
        "dusk": (0.62, 0.54, 0.50),
    }[weather]
    return Light(
        sun_side=dice.uniform(-1.0, 1.0),
        sun=sun,
        haze_colour=dice.colour(haze, 0.06),
        haze_distance=dice.uniform(90.0, 300.0),
    )


def _tidy_instances(ids: np.ndarray) -> np.ndarray:
    """Turn tiny rests of instances into groups and number the others from 0 per class."""
    counts = np.bincount(ids.ravel())
    mapping = np.arange(counts.size, dtype=np.int32)
    numbers: dict[int, int] = {}
    for instance in np.flatnonzero(counts):
        label = int(instance) // 1000
        if label == 0:
            continue
        if counts[instance] < SMALLEST_INSTANCE:
            mapping[instance] = label
        else:
            mapping[instance] = label * 1000 + numbers.get(label, 0)
            numbers[label] = numbers.get(label, 0) + 1
    return mapping[ids]
