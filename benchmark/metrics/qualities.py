"""All qualities that codecs are compared by: one table.

An entry here and its function are all that a new quality needs: records, tables, curves,
Bjontegaard deltas, reports and plans are made from this table.
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Needs(Enum):
    """What a quality is computed from."""

    IMAGES = "images"
    """The original and the decoded image; a rate point has the mean over its images."""

    MASKS = "masks"
    """The average precision of the detected masks over all images of a rate point."""

    BOXES = "boxes"
    """The average precision of the detected boxes over all images of a rate point."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """A quality, and all that is to be known of it.

    Attributes:
        column: in tables and records.
        label: for people.
        unit: empty where it has none.
        digits: behind the decimal point.
        needs: what it is computed from.
        function: ``MODULE:NAME``, so that nothing slow is imported before it is needed. For
            `Needs.IMAGES` a function of two images (`benchmark.image.Image`), the original and
            the decoded one, that returns a number, infinite or NaN where there is none. Else an
            attribute of `benchmark.metrics.average_precision.AveragePrecision`.
        higher_is_better: whether a larger value is a better one.
        compared: whether curves are drawn and Bjontegaard deltas computed at equal quality.
        detail: whether it stands with the classes' AP, not in the table of rate points.
        smallest, largest: the range of its values.
        exact: what takes infinity's place in a mean, from the number of samples of an image;
            None where images without a number are left out of the mean.
        names: what other programs call it in CompressAI's JSON format; the first is written.
        package: what has to be installed for it; empty where nothing is.
    """

    column: str
    label: str
    unit: str = ""
    digits: int = 2
    needs: Needs
    function: str
    higher_is_better: bool = True
    compared: bool = True
    detail: bool = False
    smallest: float = 0
    largest: float = math.inf
    exact: Callable[[int], float] | None = None
    names: tuple[str, ...] = ()
    package: str = ""

    @property
    def of_detections(self) -> bool:
        """Whether it is an average precision."""
        return self.needs is not Needs.IMAGES

    def title(self, ap: str = "") -> str:
        """Return the label with the unit, and whose average precision of masks it is."""
        whose = f" ({ap})" if ap and self.needs is Needs.MASKS else ""
        return f"{self.label}{whose}" + (f" / {self.unit}" if self.unit else "")

    def text(self, value: float | None) -> str:
        """Return a value as it is printed; "-" where there is none."""
        known = value is not None and not math.isnan(value)
        return f"{value:.{self.digits}f}" if known else "-"

    def rising(self, value: float) -> float:
        """Return a value so that higher is better, as Bjontegaard deltas need it.

        It is its own inverse.
        """
        return value if self.higher_is_better else -value

    def compare(self, original: Any, decoded: Any) -> float:
        """Return how good a decoded image is, for `Needs.IMAGES`."""
        return float(_imported(self.function)(original, decoded))


def _exact_psnr(samples: int) -> float:
    """The PSNR in dB of an image of which one sample is wrong by one: no other is higher."""
    return 10 * math.log10(255**2 * samples)


_TABLE = (
    Quality(
        column="wap", label="wAP", unit="%", needs=Needs.MASKS, function="wap", largest=100,
        names=("wap",),
    ),
    Quality(
        column="ap50", label="AP50", unit="%", needs=Needs.MASKS, function="ap50", largest=100,
        compared=False, names=("ap50",),
    ),
    Quality(
        column="psnr", label="PSNR", unit="dB", needs=Needs.IMAGES,
        function="benchmark.metrics.image_quality:psnr", exact=_exact_psnr,
        names=("psnr-rgb", "psnr"),
    ),
    Quality(
        column="ms_ssim", label="MS-SSIM", digits=4, needs=Needs.IMAGES,
        function="benchmark.metrics.image_quality:multi_scale_ssim", largest=1, compared=False,
        names=("ms-ssim-rgb", "ms-ssim"),
    ),
    Quality(
        column="box_ap", label="box wAP", unit="%", needs=Needs.BOXES, function="wap", largest=100,
        names=("box_ap",),
    ),
    Quality(
        column="wap_small", label="wAP small", unit="%", needs=Needs.MASKS, function="small",
        largest=100, compared=False, detail=True, names=("wap_small",),
    ),
    Quality(
        column="wap_medium", label="wAP medium", unit="%", needs=Needs.MASKS, function="medium",
        largest=100, compared=False, detail=True, names=("wap_medium",),
    ),
    Quality(
        column="wap_large", label="wAP large", unit="%", needs=Needs.MASKS, function="large",
        largest=100, compared=False, detail=True, names=("wap_large",),
    ),
    Quality(
        column="recall", label="recall", unit="%", needs=Needs.MASKS, function="recall",
        largest=100, compared=False, detail=True, names=("recall",),
    ),
    Quality(
        column="lpips", label="LPIPS", digits=4, needs=Needs.IMAGES, higher_is_better=False,
        function="benchmark.metrics.perceptual:lpips", names=("lpips",), package="lpips",
    ),
)  # fmt: skip

QUALITIES: Mapping[str, Quality] = {quality.column: quality for quality in _TABLE}
"""All qualities by their column, in the order in which tables show them."""

IMAGE_QUALITIES: Mapping[str, Quality] = {
    name: quality for name, quality in QUALITIES.items() if not quality.of_detections
}
"""Those that compare two images."""

COMPARED: tuple[Quality, ...] = tuple(quality for quality in _TABLE if quality.compared)
"""Those that have curves and Bjontegaard deltas."""


@functools.cache
def why_unavailable(quality: Quality) -> str:
    """Return why an image quality cannot be measured here; empty where it can.

    A module of a quality may have a function ``why_unavailable``, which is asked.
    """
    if quality.of_detections:
        return ""
    module = quality.function.partition(":")[0]
    try:
        ask = getattr(importlib.import_module(module), "why_unavailable", None)
    except ImportError as error:
        return f"{error}; it needs `pip install {quality.package}`"
    return str(ask()) if ask else ""


def measurable() -> tuple[Quality, ...]:
    """Return the image qualities that can be measured here."""
    return tuple(its for its in IMAGE_QUALITIES.values() if not why_unavailable(its))


@functools.cache
def _imported(function: str) -> Callable[[Any, Any], float]:
    module, _, name = function.partition(":")
    found: Callable[[Any, Any], float] = getattr(importlib.import_module(module), name)
    return found
