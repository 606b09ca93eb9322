"""What the paper states is marked where a run can be compared with it."""

import pandas as pd

from benchmark.evaluation.stated_gains import stated_gains
from benchmark.figures.draw import draw_figures
from benchmark.figures.rate_curves import draw_relative_curve_differences


def summary_of(**factors: float) -> pd.DataFrame:
    """Curves of codecs that take a factor times the bits of the anchor."""
    rows = [
        {"codec": codec, "rate_point": f"qp{n}", "bpp": factor * bpp, "wap": wap}
        for codec, factor in factors.items()
        for n, (bpp, wap) in enumerate(((0.05, 10.0), (0.1, 18.0), (0.2, 25.0), (0.4, 30.0)))
    ]
    return pd.DataFrame(rows).assign(source="measured", ap="cityscapes")


def test_gains_of_the_codecs_that_are_drawn_are_marked() -> None:
    summary = summary_of(**{"vtm": 1.0, "ncn": 0.6, "ncn-lsm": 0.5})
    figure = draw_relative_curve_differences(summary, "vtm", stated_gains())
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    (marked,) = [label for label in lines if "the paper's mean" in label]
    assert marked == "ncn, the paper's mean: -41.4 %"  # ncn-lsm-ft has no curve here
    assert set(lines[marked].get_ydata()) == {-41.4}
    assert lines[marked].get_color() == lines["ncn"].get_color()


def test_no_gain_of_the_paper_is_marked_on_other_images(finished_run, tmp_path, monkeypatch):
    seen = []

    def drawn(summary, anchor, stated):
        seen.append(stated)
        return draw_relative_curve_differences(summary, anchor, stated)

    monkeypatch.setattr("benchmark.figures.draw.draw_relative_curve_differences", drawn)
    draw_figures(finished_run.path, tmp_path / "figures", anchor="jpeg")
    assert seen == [None]
