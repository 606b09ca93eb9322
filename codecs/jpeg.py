"""JPEG through Pillow: the shortest adapter, to start a new one from."""

import io

import numpy as np
import PIL.Image
from PIL import features

from benchmark.codec import Codec, RatePoint, rate_points
from benchmark.image import Image


class Jpeg(Codec):
    name = "jpeg"
    rate_points = rate_points("quality", 3, 5, 8, 14, 22, 35)
    value_range = (1, 100)

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        file = io.BytesIO()
        settings = {"optimize": True, "progressive": True, "subsampling": "4:2:0"}
        PIL.Image.fromarray(image).save(file, "JPEG", quality=int(rate_point.value), **settings)
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        try:
            return np.array(PIL.Image.open(io.BytesIO(bitstream), formats=["JPEG"]))
        except PIL.Image.DecompressionBombError as error:
            raise ValueError(f"damaged: {error}") from error

    def identity(self) -> dict[str, str]:
        return {**super().identity(), "libjpeg": str(features.version("libjpeg_turbo"))}
