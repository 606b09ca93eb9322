"""What coding costs beside the plain forward passes, at full size; run with ``-s`` to see it."""

from __future__ import annotations

import time

import pytest
import torch

from benchmark.codecs.ncn.coder import ImageCoder
from benchmark.codecs.ncn.published import from_published


@pytest.mark.long
@pytest.mark.parametrize("lsmnet", [False, True])
def test_coding_beside_the_forward_passes(lsmnet: bool, published, picture_of) -> None:
    network, masking = from_published(published(192, lsmnet=lsmnet))
    coder = ImageCoder(network, masking, "random")
    pixels = picture_of(1024, 2048)
    image = (pixels[0] * 255).round().byte().permute(1, 2, 0).numpy()
    best = {"forward": 1e9, "encode": 1e9, "decode": 1e9}
    for _ in range(2):
        started = time.perf_counter()
        with torch.inference_mode():
            coded = network(pixels, masking(pixels) if masking else None)
        forward = time.perf_counter()
        bitstream = coder.encode(image)
        encoded = time.perf_counter()
        coder.decode(bitstream)
        decoded = time.perf_counter()
        for name, seconds in (
            ("forward", forward - started),
            ("encode", encoded - forward),
            ("decode", decoded - encoded),
        ):
            best[name] = min(best[name], seconds)
    ratio = (best["encode"] + best["decode"]) / best["forward"]
    size = 8 * len(bitstream) / float(coded.bits)
    print(f"\n{best}, {ratio:.2f} times the forward passes; size {size:.4f} of the estimate")
    assert size < 1.01
