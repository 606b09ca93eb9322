"""Every codec of this folder's adapters, run for real on a small image."""

import functools
import re

import numpy as np
import pytest

from benchmark.codec import CODECS, open_codec
from benchmark.contracts import check
from benchmark.errors import CodecUnavailable, ProgramError, UsageError

FFMPEG = ["av1", "hevc", "jxl", "vvenc", "webp"]
FOUR_TWO_ZERO = ["av1", "hevc", "jpeg", "vvenc", "webp", "yuv420"]
FINE = {
    "av1": "crf20",
    "hevc": "qp26",
    "jpeg": "quality85",
    "jpeg2000": "psnr45",
    "jxl": "distance0.7",
    "vvenc": "qp27",
    "webp": "quality90",
    "yuv420": "bits12",
}
ALL = sorted({*FFMPEG, *FOUR_TWO_ZERO, "jpeg2000"})


@functools.cache
def textured_image():
    """Grey shading, coloured boxes and a little noise: 192 x 128."""
    random = np.random.default_rng(7)
    rows, columns = np.mgrid[0:128, 0:192]
    image = np.repeat((60 + rows * 0.7 + 20 * np.sin(columns / 9))[..., None], 3, axis=2)
    for _ in range(12):
        top, left = random.integers(0, 100), random.integers(0, 160)
        image[top : top + 24, left : left + 30] = random.integers(40, 216, 3)
    image += random.normal(0, 2, (128, 192, 1))
    return np.clip(image.round(), 0, 255).astype(np.uint8)


@functools.cache
def coded(name, index):
    """The bitstream at a default rate point and what another object decodes from it."""
    codec = open_codec(name)
    bitstream = codec.encode(textured_image(), codec.rate_points[index])
    return bitstream, open_codec(name).decode(bitstream)


def psnr(image):
    error = np.mean((image.astype(float) - textured_image()) ** 2)
    return 10 * np.log10(255**2 / error)


def nal_units(bitstream):
    return re.split(rb"\x00\x00\x01", bitstream)[1:]


@pytest.mark.parametrize("name", CODECS.names())
def test_a_codec_keeps_its_contract(name):
    try:
        results = list(check(name))
    except CodecUnavailable as error:
        pytest.skip(str(error))
    assert [result.line() for result in results if not result.passed] == []


@pytest.mark.parametrize("name", ALL)
def test_a_fine_rate_point_is_near_the_original(name):
    codec = open_codec(name)
    bitstream = codec.encode(textured_image(), codec.rate_point(FINE[name]))
    assert psnr(codec.decode(bitstream)) > 30


@pytest.mark.parametrize("name", sorted({*ALL} - {"yuv420"}))
def test_rate_and_quality_rise_from_the_first_rate_point_to_the_last(name):
    (low, low_image), (high, high_image) = coded(name, 0), coded(name, -1)
    assert 1.5 * len(low) < len(high)
    assert psnr(low_image) + 2 < psnr(high_image)
    assert len(open_codec(name).rate_points) >= 5


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("colour", [(200, 30, 40), (20, 60, 190)])
def test_a_flat_colour_comes_back(name, colour):
    image = np.full((64, 96, 3), colour, np.uint8)
    codec = open_codec(name)
    decoded = codec.decode(codec.encode(image, codec.rate_point(FINE[name])))
    assert np.abs(decoded.astype(int) - image).max() <= 3


def test_vvc_streams_hold_parameter_sets_and_slices_only():
    types = [unit[1] >> 3 for unit in nal_units(coded("vvenc", 0)[0])]
    # H.266 table 5: IDR_N_LP 8, SPS 15, PPS 16, PREFIX_APS 17; AUD is 20, SEI 23 and 24.
    assert set(types) <= {8, 15, 16, 17}


def test_hevc_streams_hold_parameter_sets_and_slices_only():
    types = [unit[0] >> 1 & 63 for unit in nal_units(coded("hevc", 0)[0])]
    # H.265 table 7-1: IDR_N_LP 20, VPS 32, SPS 33, PPS 34; AUD is 35, SEI 39 and 40.
    assert set(types) <= {20, 32, 33, 34}


def test_a_vvc_stream_ends_with_its_last_slice():
    # libvvenc prints to the standard output, where the bitstream must not be taken from.
    bitstream, decoded = coded("vvenc", 0)
    try:
        shorter = open_codec("vvenc").decode(bitstream[:-20])
    except (ProgramError, ValueError):
        return
    assert not np.array_equal(shorter, decoded)


def test_jpeg_2000_streams_hold_no_comment():
    assert b"OpenJPEG" not in coded("jpeg2000", 0)[0]


def test_the_identity_of_ffmpeg_codecs_names_program_and_settings():
    identity = open_codec("vvenc").identity()
    assert identity["version"].startswith("ffmpeg version")
    assert len(identity["program"]) == 64
    assert "-qpa 0" in identity["encoder"]


@pytest.mark.parametrize("name", FFMPEG)
def test_a_missing_ffmpeg_makes_the_codec_unavailable(name, monkeypatch):
    with pytest.raises(CodecUnavailable, match="/no/ffmpeg does not exist"):
        open_codec(name, {"ffmpeg": "/no/ffmpeg"})
    monkeypatch.setenv("BENCHMARK_FFMPEG", "/other/ffmpeg")
    with pytest.raises(CodecUnavailable, match="/other/ffmpeg does not exist"):
        open_codec(name)


def test_an_ffmpeg_without_the_encoder_makes_the_codec_unavailable(tmp_path):
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho ' V..... libx264  H.264'\n")
    program.chmod(0o755)
    with pytest.raises(CodecUnavailable, match="has no libvvenc among its encoders"):
        open_codec("vvenc", {"ffmpeg": str(program)})


def test_a_fractional_qp_is_refused():
    assert open_codec("vvenc").rate_point("qp33").value == 33
    with pytest.raises(UsageError, match="whole numbers"):
        open_codec("vvenc").rate_point("qp33.5")
