"""Figure IV of the poster: where in an image a codec masks its latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from benchmark.codec import Explanation
from benchmark.datasets.dataset import Instance
from benchmark.figures.style import TWO_COLUMNS, rgb
from benchmark.image import Image

_COLUMNS = 3
_DIMMED = 0.35


def draw_alpha(
    image: Image, instances: Sequence[Instance], explanations: Mapping[str, Explanation]
) -> Figure:
    """An image, its annotated objects, and alpha averaged over the channels.

    Args:
        image: uint8, H x W x 3.
        instances: of the image; none where nothing is annotated.
        explanations: what is shown side by side, by its title; each with an alpha.
    """
    height, width = image.shape[:2]
    panels = 1 + bool(instances) + len(explanations)
    columns = min(_COLUMNS, panels)
    rows = -(-panels // columns)
    side = (TWO_COLUMNS - 0.6) / columns
    figure = Figure(
        figsize=(TWO_COLUMNS, rows * (side * height / width + 0.25)), layout="constrained"
    )
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for one in axes:
        one.set_axis_off()
    means = {title: alpha_image(its, height, width) for title, its in explanations.items()}
    axes[0].imshow(image)
    axes[0].set_title("image")
    if instances:
        axes[1].imshow(annotated(image, instances))
        axes[1].set_title("ground truth")
    shown = axes[1 + bool(instances) :]
    limits = min(map(np.min, means.values())), max(map(np.max, means.values()))
    for one, (title, mean) in zip(shown, means.items(), strict=False):
        drawn = one.imshow(mean, cmap="YlGnBu", vmin=limits[0], vmax=limits[1])
        one.set_title(title)
    _add_colour_bar(figure, axes, drawn)
    return figure


def alpha_image(explanation: Explanation, height: int, width: int) -> NDArray[np.float32]:
    """Alpha averaged over the channels, a value for each pixel of the image (H x W)."""
    assert explanation.alpha is not None
    square = np.ones((explanation.stride, explanation.stride), np.float32)
    return np.kron(explanation.alpha.mean(axis=0), square)[:height, :width]


def annotated(image: Image, instances: Sequence[Instance]) -> Image:
    """The image in dim grey, each instance in a colour of its own; groups are light grey."""
    grey = image.mean(axis=2, keepdims=True) * _DIMMED
    canvas = np.repeat(grey, 3, axis=2)
    for number, instance in enumerate(instances):
        colour = np.array((200, 200, 200) if instance.ignored else rgb(number))
        canvas[instance.mask] = 0.25 * canvas[instance.mask] + 0.75 * colour
    return canvas.round().astype(np.uint8)


def _add_colour_bar(figure: Figure, axes: list[Axes], drawn: AxesImage) -> None:
    bar = figure.colorbar(drawn, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label(r"mean of $\alpha$")
