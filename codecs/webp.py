"""WebP, lossy (VP8), through Pillow's libwebp."""

import io

import numpy as np
import PIL
import PIL.Image
from PIL import features

from benchmark.codec import Codec, RatePoint, rate_points
from benchmark.image import Image


class Webp(Codec):
    """libwebp at its slowest, 4:2:0 in BT.601 limited range, as the format prescribes.

    libwebp converts the colours both ways, so that every WebP reader shows what is decoded here.
    Its noise shaping for viewers stays on: the presets without it do without the loop filter
    too, which costs more than the shaping at low rates.
    """

    name = "webp"
    rate_points = rate_points("quality", 0, 1, 5, 12, 25, 45, 68, 82)
    value_range = (0, 100)
    whole_numbers = True

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        file = io.BytesIO()
        PIL.Image.fromarray(image).save(file, "WEBP", quality=int(rate_point.value), method=6)
        return file.getvalue()

    def decode(self, bitstream: bytes) -> Image:
        return np.array(PIL.Image.open(io.BytesIO(bitstream), formats=["WEBP"]))

    def identity(self) -> dict[str, str]:
        versions = {"pillow": PIL.__version__, "libwebp": str(features.version("webp"))}
        return {**super().identity(), **versions}
