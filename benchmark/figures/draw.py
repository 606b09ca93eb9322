"""Draws all figures of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmark.codec import CODECS, Explainable, Explanation, identities_at, identity_of
from benchmark.errors import UsageError
from benchmark.evaluation.curves import without_points_off_hulls
from benchmark.evaluation.external_curves import external_curves
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.pictures import NotAvailable, RunPictures, first_line
from benchmark.evaluation.same_rate import comparable
from benchmark.evaluation.stated_gains import stated_gains
from benchmark.evaluation.tables import read_summary
from benchmark.figures.alpha import draw_alpha
from benchmark.figures.comparison import Shown, choose_crops, draw_comparison
from benchmark.figures.laplace import choose_element, draw_laplace
from benchmark.figures.masking import draw_masking
from benchmark.figures.rate_curves import draw_relative_curve_differences, draw_wap_curves
from benchmark.figures.style import paper_style, save
from benchmark.image import with_even_sides
from benchmark.metrics.qualities import QUALITIES
from benchmark.rate_point import scale_in
from benchmark.run.record import UNCOMPRESSED, Record
from benchmark.run.run_folder import RunFolder

_PAPERS_DATASET = "cityscapes"
_MOST_MAPS = 4
_MOST_COMPARED = 8
_NEARLY_ALL = 0.9


def draw_figures(
    run: Path,
    out: Path,
    *,
    image: str | None = None,
    codecs: Sequence[str] | None = None,
    rates: Sequence[str] = (),
    anchor: str = "vtm",
    external: Sequence[str] = (),
) -> list[Path]:
    """Draw the figures of a run as SVG, PDF and PNG; what cannot be drawn is named in the log.

    They are ``wap-curves``, ``relative-curve-difference``, ``comparison-IMAGE``, and for each
    codec that masks latents ``alpha-CODEC-IMAGE``, ``laplace-CODEC-IMAGE`` and
    ``masking-CODEC-IMAGE``, at the lowest rate with 90 % of the uncompressed images' wAP. On
    Cityscapes the gains that the paper states are marked in ``relative-curve-difference``.

    Args:
        run: the run folder.
        out: where the figures go; made if it is missing.
        image: the image that is shown, by its name in the run; None for the first.
        codecs: those that are drawn, with the anchor; None for all, in the comparison of images
            for eight of them.
        rates: the rate points whose alpha is shown in ``alpha-CODEC-IMAGE``, by name; none for up
            to four of each codec's.
        anchor: the codec that the others are compared to.
        external: curves from elsewhere, NAME=FILE, that are drawn in ``wap-curves``.

    Returns:
        The files.

    Raises:
        UsageError: if the folder holds no finished run, or not that image or those codecs, or an
            external file no curve.
    """
    summary = _summary(run, codecs, anchor)
    curves = external_curves(external, sorted(set(summary["codec"])))
    opened = OpenedRun(RunFolder(run))
    figures = [_curves(summary, anchor, curves, _stated(opened))]
    try:
        pictures = RunPictures(opened)
    except UsageError as error:
        _say(f"no figures of images: {first_line(error)}")
    else:
        figures.append(_PictureFigures(summary, pictures, image, rates).drawn())
    out.mkdir(parents=True, exist_ok=True)
    with paper_style():
        return [path for its in figures for name, figure in its for path in save(figure, out, name)]


def _curves(
    summary: pd.DataFrame,
    anchor: str,
    external: Sequence[pd.DataFrame],
    stated: pd.DataFrame | None,
) -> Iterator[tuple[str, Figure]]:
    if summary["wap"].notna().any():
        with_wap = [curve for curve in external if curve["wap"].notna().any()]
        yield "wap-curves", draw_wap_curves(pd.concat([summary, *with_wap]))
    else:
        _say("no wAP curves: the run has no analysis network")
    if (summary["codec"] == anchor).sum() > 1:
        yield "relative-curve-difference", draw_relative_curve_differences(summary, anchor, stated)
    else:
        _say(f"no relative curve difference: {anchor} has no curve in this run")


def _stated(run: OpenedRun) -> pd.DataFrame | None:
    """What the paper states, where the run is on the paper's data set; else None."""
    spec = run.manifest.dataset.spec
    return stated_gains() if spec.partition(":")[0] == _PAPERS_DATASET else None


class _PictureFigures:
    """The figures of one image of a run, one after the other, by name."""

    def __init__(
        self, summary: pd.DataFrame, pictures: RunPictures, image: str | None, rates: Sequence[str]
    ) -> None:
        names = list(pictures.run.pictures)
        self._image = pictures.picture(image or (names[0] if names else "")).name
        self._pictures = pictures
        self._rates = rates
        self._summary = without_points_off_hulls(summary)
        # what a codec does to a latent is shown on the image itself, not on a smaller one
        self._unscaled = summary[summary["rate_point"].map(scale_in) == 1]
        counts = summary["codec"].value_counts()
        self._curved = sorted(str(codec) for codec in counts[counts > 1].index)

    def drawn(self) -> Iterator[tuple[str, Figure]]:
        """Those that can be drawn."""
        yield from self._comparison()
        yield from self._masks()

    def _comparison(self) -> Iterator[tuple[str, Figure]]:
        shown = [its for record in self._compared() if (its := self._shown(record)) is not None]
        if not shown:
            _say(f"no comparison of images: no decoded picture of {self._image} can be had here")
            return
        originals = [record for record in self._records() if record.codec == UNCOMPRESSED]
        found = [self._pictures.detections(record) for record in originals] or [[]]
        image = self._pictures.original(self._image)
        instances = self._pictures.instances(self._image)
        height, width = image.shape[:2]
        corners = choose_crops((height, width), instances, found[0])
        shown.insert(0, Shown("original", image, found[0]))
        figure = draw_comparison(shown, self._pictures.run.categories, corners)
        yield f"comparison-{self._image}", figure

    def _compared(self) -> list[Record]:
        """A record of each codec at about the same rate, the best codecs first."""
        on_curves = set(zip(self._summary["codec"], self._summary["rate_point"], strict=True))
        candidates = [its for its in self._records() if its.codec in self._curved]
        records = comparable(its for its in candidates if its.key[:2] in on_curves)
        quality = QUALITIES["wap" if self._summary["wap"].notna().any() else "psnr"]
        best = self._summary.set_index(["codec", "rate_point"])[quality.column]
        ranked = sorted(
            (its for its in records.values() if its.key[:2] in best.index),
            key=lambda its: -quality.rising(best[its.key[:2]]),
        )
        return ranked[:_MOST_COMPARED]

    def _records(self) -> list[Record]:
        """Those of the image that is shown."""
        return [its for its in self._pictures.records.values() if its.image == self._image]

    def _shown(self, record: Record) -> Shown | None:
        try:
            decoded = self._pictures.decoded(record)
        except NotAvailable as error:
            _say(f"not in the comparison of images: {error}")
            return None
        caption = f"{record.codec} {record.rate_point}: {record.bpp:.3f} bpp"
        return Shown(caption, decoded, self._pictures.detections(record))

    def _masks(self) -> Iterator[tuple[str, Figure]]:
        image = self._pictures.original(self._image)
        instances = self._pictures.instances(self._image)
        drawn = False
        for name in filter(_explainable, self._curved):
            try:
                explanations = self._explanations(name, self._rates_of(name))
            except NotAvailable as error:
                _say(f"no figures of what happens inside: {error}")
                continue
            if explanations:
                drawn = True
                yield f"alpha-{name}-{self._image}", draw_alpha(image, instances, explanations)
                title, explanation = list(explanations.items())[-1]  # where most is masked
                element = choose_element(explanation)
                yield f"laplace-{name}-{self._image}", draw_laplace(element, title)
                yield from self._masking(name)
        if not drawn:
            _say("no figures of alpha and of a masked latent: no codec that masks runs here")

    def _masking(self, name: str) -> Iterator[tuple[str, Figure]]:
        """The figure of what a codec masks and what is found nevertheless, if it can be had."""
        originals = [record for record in self._records() if record.codec == UNCOMPRESSED]
        rate = lowest_good_rate(self._unscaled, name)
        coded = [its for its in self._records() if (its.codec, its.rate_point) == (name, rate)]
        decoded = self._shown(coded[0]) if coded else None
        if not originals or decoded is None or rate is None:
            return
        image = self._pictures.original(self._image)
        before = Shown("uncompressed", image, self._pictures.detections(originals[0]))
        explanation = next(iter(self._explanations(name, [rate]).values()))
        categories = self._pictures.run.categories
        figure = draw_masking(before, decoded, explanation, categories)
        yield f"masking-{name}-{self._image}", figure

    def _explanations(self, name: str, rates: Sequence[str]) -> dict[str, Explanation]:
        """What a codec does at rate points, by title; none if it masks nothing.

        Raises:
            NotAvailable: if it cannot run here.
        """
        codec = self._pictures.codec(name)
        assert isinstance(codec, Explainable)
        entry = self._pictures.run.manifest.codecs.get(name)
        at = identities_at(codec, map(codec.rate_point, rates))
        if (
            entry is None
            or identity_of(codec) != entry.identity
            or not at.items() <= entry.identity_at.items()
        ):
            _say(f"note: {name} here is not exactly the one of the run (`identity` in run.json)")
        image = with_even_sides(self._pictures.original(self._image))
        try:
            explained = {
                f"{name} {rate}": codec.explain(image, codec.rate_point(rate)) for rate in rates
            }
        except Exception as error:  # an adapter may raise anything
            raise NotAvailable(f"{name}: {first_line(error)}") from error
        return {title: its for title, its in explained.items() if its.alpha is not None}

    def _rates_of(self, name: str) -> list[str]:
        """The rate points that were asked for and the run has, or some spread over its own."""
        own = list(self._unscaled.loc[self._unscaled["codec"] == name, "rate_point"])
        if self._rates:
            return [rate for rate in self._rates if rate in own]
        spread = min(_MOST_MAPS, len(own))
        steps = max(1, spread - 1)
        return [own[index * (len(own) - 1) // steps] for index in range(spread)]


def _summary(run: Path, codecs: Sequence[str] | None, anchor: str) -> pd.DataFrame:
    """The run's ``summary.csv``, of the chosen codecs, the anchor, and the original images."""
    summary = read_summary(RunFolder(run))
    if codecs is None:
        return summary
    known = set(summary["codec"])
    for codec in codecs:
        if codec not in known:
            raise UsageError(f"{run} has no codec {codec!r}: it has {', '.join(sorted(known))}")
    return summary[summary["codec"].isin({*codecs, anchor, UNCOMPRESSED})]


def lowest_good_rate(summary: pd.DataFrame, codec: str) -> str | None:
    """Return the lowest rate point at which a codec keeps nearly all of the uncompressed images'
    wAP, or else its best one; None where nothing was judged.
    """
    judged = summary[summary["wap"].notna()]
    own = judged[judged["codec"] == codec]
    best = judged.loc[judged["codec"] == UNCOMPRESSED, "wap"].max()
    if own.empty or not best > 0:
        return None
    good = own[own["wap"] >= _NEARLY_ALL * best].sort_values("bpp")
    best_first = own.sort_values("wap", ascending=False)
    chosen = (best_first if good.empty else good)["rate_point"].iloc[0]
    return str(chosen)


def _explainable(name: str) -> bool:
    try:
        return issubclass(CODECS.load(name), Explainable)
    except UsageError:
        return False


def _say(line: str) -> None:
    logging.getLogger("benchmark").info("%s", line)
