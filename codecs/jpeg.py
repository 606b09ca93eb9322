"""JPEG through Pillow: the shortest adapter, to start a new one from."""

import io

import numpy as np
import PIL.Image
from PIL import features

from benchmark.codec import Codec, RatePoint, rate_points
from benchmark.image import Image

_LONGEST_SIDE = 65500  # libjpeg's, which says no more than "broken data stream"


class Jpeg(Codec):
    name = "jpeg"
    rate_points = rate_points("quality", 1, 4, 7, 12, 20, 35, 50, 70)
    value_range = (1, 100)
    whole_numbers = True

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        if max(image.shape) > _LONGEST_SIDE:
            raise ValueError(f"JPEG pictures have at most {_LONGEST_SIDE} pixels a side")
        file = io.BytesIO()
        settings = {"optimize": True, "progressive": True, "subsampling": "4:2:0"}
        PIL.Image.fromarray(image).save(file, "JPEG", quality=int(rate_point.value), **settings)
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        return np.array(PIL.Image.open(io.BytesIO(bitstream), formats=["JPEG"]))

    def identity(self) -> dict[str, str]:
        return {**super().identity(), "libjpeg": str(features.version("libjpeg_turbo"))}
