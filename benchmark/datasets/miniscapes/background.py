"""The street without its users: sky, ground, buildings."""

import numpy as np

from benchmark.datasets.miniscapes import textures
from benchmark.datasets.miniscapes.canvas import (
    Canvas,
)
from benchmark.datasets.miniscapes.ground import draw_ground
from benchmark.datasets.miniscapes.houses import draw_buildings, draw_street_end
from benchmark.datasets.miniscapes.street import SKY, Street


def draw_background(canvas: Canvas, street: Street) -> None:
    """Sky, the street's end, ground and buildings; fills the whole picture."""
    _draw_sky(canvas)
    draw_ground(canvas, street)
    draw_street_end(canvas, street)
    draw_buildings(canvas, street)


def _draw_sky(canvas: Canvas) -> None:
    dice = canvas.dice
    height, width = canvas.ids.shape
    horizon = min(int(canvas.camera.horizon) + 2, height)
    y = np.arange(horizon, dtype=np.float32)[:, None] * (1.0 / horizon)
    zenith = np.array(
        dice.pick([(0.42, 0.58, 0.82), (0.62, 0.68, 0.76), (0.72, 0.74, 0.78)]), np.float32
    )
    haze = np.array(canvas.light.haze_colour, np.float32) * 1.1
    clouds = textures.crop("smooth", (horizon, width), dice)
    wisps = textures.crop("bands", (horizon, width), dice)
    cover = np.clip(clouds * 0.6 + wisps * 0.2 + dice.uniform(-0.4, 0.7), 0.0, 1.0)
    sky = zenith + y[..., None] * (haze - zenith) + 0 * clouds[..., None]
    bright = (0.80 + 0.22 * clouds + 0.10 * wisps)[..., None] * np.float32(1.05)
    sky += cover[..., None] * (bright - sky)
    canvas.rgb[:horizon] = sky
    canvas.ids[:horizon] = SKY
