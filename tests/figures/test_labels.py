"""What stands in figures: curves from elsewhere are marked, and no text lies on a curve."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from benchmark.figures.laplace import Element, draw_laplace
from benchmark.figures.rate_curves import draw_wap_curves
from benchmark.figures.style import paper_style

ROOT = Path(__file__).parents[2]


def test_a_curve_from_elsewhere_is_last_dashed_and_marked():
    summary = pd.read_csv(ROOT / "results/miniscapes/summary.csv")
    external = {"codec": "a", "bpp": [0.4, 0.1], "wap": [40.0, 20.0], "source": "external"}
    alone, joined = (
        draw_wap_curves(table).axes[0].lines
        for table in (summary, pd.concat([summary, pd.DataFrame(external)]))
    )
    (added,) = [line for line in joined if line.get_label() == "a (external)"]
    assert (added.get_linestyle(), added.get_markerfacecolor()) == ("--", "none")
    colours = {line.get_label(): line.get_color() for line in joined}
    assert all(colours[line.get_label()] == line.get_color() for line in alone)


@pytest.mark.parametrize(
    ("latent", "mean", "scale", "masked"),
    [
        (-0.51, 0.17, 0.12, -0.46),
        (5.2, 0.3, 0.8, 2.3),
        (-3.6, -0.3, 0.5, -1.4),
        (0.6, 0.2, 0.2, 0.5),
    ],
)
def test_no_text_lies_on_a_curve_or_another_text(latent, mean, scale, masked):
    with paper_style():
        figure = draw_laplace(
            Element((0, 0, 0), 0.5, latent, mean, scale, masked, 8.9, 0.1), "ncn-lsm lambda8"
        )
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    for axes in figure.axes:
        boxes = [
            its.get_window_extent(canvas.get_renderer()) for its in axes.texts if its.get_text()
        ]
        assert len(boxes) >= 2
        for line in axes.lines:
            ends = axes.transData.transform(line.get_xydata())
            share = np.linspace(0, 1, 50)[:, None, None]
            along = (ends[:-1] * (1 - share) + ends[1:] * share).reshape(-1, 2)
            assert not any(box.contains(*point) for box in boxes for point in along)
        for number, box in enumerate(boxes):
            assert box.count_overlaps(boxes[number + 1 :]) == 0
