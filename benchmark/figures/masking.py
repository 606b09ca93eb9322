"""Why masking works: an image, alpha, what is decoded, and what is still found in it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from benchmark.codec import Explanation
from benchmark.datasets.dataset import Category
from benchmark.figures.alpha import alpha_image
from benchmark.figures.comparison import Shown, shown_detections, with_outlines
from benchmark.figures.style import TWO_COLUMNS


def draw_masking(
    original: Shown, decoded: Shown, explanation: Explanation, categories: Sequence[Category]
) -> Figure:
    """Draw four panels: the image and the decoded one with what was found in them, alpha, and the
    decoded image alone.

    Args:
        original: the image and what was found in it.
        decoded: what a codec made of it, of the same size, and what was found in that.
        explanation: of the codec coding the image, with an alpha.
        categories: of the detections; each has a colour.
    """
    height, width = original.image.shape[:2]
    figure = Figure(
        figsize=(TWO_COLUMNS, TWO_COLUMNS * height / width + 0.45), layout="constrained"
    )
    axes = figure.subplots(2, 2)
    for one in axes.flat:
        one.set_axis_off()
    (first, mask), (plain, last) = axes
    for one, its in ((first, original), (last, decoded)):
        one.imshow(with_outlines(its, categories), interpolation="nearest")
        one.set_title(f"{its.caption}: {len(shown_detections(its, categories))} objects found")
    drawn = mask.imshow(alpha_image(explanation, height, width), cmap="YlGnBu")
    mask.set_title(r"$\alpha$ of LSMnet, mean over the channels")
    figure.colorbar(drawn, ax=mask, fraction=0.024, pad=0.01)
    plain.imshow(decoded.image, interpolation="nearest")
    plain.set_title(decoded.caption)
    return figure
