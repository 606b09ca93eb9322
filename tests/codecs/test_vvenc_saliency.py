"""VVC of a smoothed background, on a scene of Miniscapes."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, laplace

from benchmark.analysis import open_analysis
from benchmark.codec import open_codec
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import UsageError

IMAGE = draw_scene(3).image


@functools.cache
def saliency():
    return open_codec("vvenc-saliency")


@functools.cache
def smoothed():
    return saliency().smoothed(IMAGE)


@functools.cache
def objects():
    return np.any([its.mask() for its in open_analysis("miniscapes").detect([IMAGE])[0]], axis=0)


def detail(image, where):
    return np.abs(laplace(image.astype(float).mean(axis=2)))[where].mean()


def test_objects_reach_the_encoder_untouched_with_what_surrounds_them():
    row_and_column = np.mgrid[-12:13, -12:13]
    around = binary_dilation(objects(), np.hypot(*row_and_column) <= 12)
    assert objects().any() and np.array_equal(smoothed()[around], IMAGE[around])


def test_the_background_reaches_the_encoder_smoother():
    far = ~binary_dilation(objects(), iterations=40)
    assert far.mean() > 0.1 and detail(smoothed(), far) < 0.1 * detail(IMAGE, far)
    assert np.abs(smoothed()[far].mean(axis=0) - IMAGE[far].mean(axis=0)).max() < 2


def test_an_image_without_objects_is_smoothed_all_over(monkeypatch):
    blind = SimpleNamespace(detect=lambda images: [[] for _ in images])
    monkeypatch.setattr("benchmark.codecs.vvenc_saliency.open_analysis", lambda spec: blind)
    codec = open_codec("vvenc-saliency")
    assert detail(codec.smoothed(IMAGE), ...) < 0.1 * detail(IMAGE, ...)


def test_the_bitstream_is_shorter_than_that_of_vvenc_which_decodes_it():
    vvenc, point = open_codec("vvenc"), saliency().rate_point("qp52")
    bitstream = saliency().encode(IMAGE, point)
    assert len(bitstream) < 0.8 * len(vvenc.encode(IMAGE, point))
    assert bitstream == vvenc.encode(smoothed(), point)
    assert np.array_equal(vvenc.decode(bitstream), open_codec("vvenc-saliency").decode(bitstream))


def test_the_identity_names_encoder_network_and_smoothing():
    identity = saliency().identity()
    assert identity.items() > open_codec("vvenc").identity().items()
    network = open_analysis("miniscapes").identity()
    assert identity["analysis weights"] == network["weights"]
    assert "12 pixels" in identity["smoothing"]


def test_a_network_that_does_not_exist_is_refused():
    codec = open_codec("vvenc-saliency", {"analysis": "yolo"})
    with pytest.raises(UsageError, match="there is no analysis network 'yolo'"):
        codec.identity()
