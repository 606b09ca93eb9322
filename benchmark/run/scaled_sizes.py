"""Find out before a run whether its codecs can code its images at the scales asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmark import coding
from benchmark.datasets.dataset import Picture
from benchmark.datasets.image_file import shown_size
from benchmark.errors import UsageError
from benchmark.run.jobs import CodecChoice

_LARGE_ENOUGH = 64
"""Height and width in pixels that every codec is taken to code."""


def check_scaled_sizes(choices: Sequence[CodecChoice], pictures: Sequence[Picture]) -> None:
    """Let each codec code a black image of the smallest size that it will get, if that is small.

    Raises:
        UsageError: if a codec cannot, with its reason.
    """
    smallest = {choice: min(point.scale for point in choice.rate_points) for choice in choices}
    scaled = {choice: scale for choice, scale in smallest.items() if scale < 1}
    if not scaled:
        return
    sizes = {shown_size(picture.path): picture.name for picture in pictures}
    height, width = min(sizes, key=min)
    for choice, scale in scaled.items():
        if min(height, width) * scale >= _LARGE_ENOUGH:
            continue
        codec = choice.open()
        point = replace(codec.rate_points[0], scale=scale)
        try:
            coding.prepare(codec, point)
            coding.encode(codec, np.zeros((height, width, 3), np.uint8), point)
        except Exception as error:  # an adapter may raise anything
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(
                f"codec {choice.name} cannot code {sizes[height, width]}, {width} x {height}, at "
                f"the scale {scale:g}: {reason}; leave out the scale or the codec"
            ) from error
