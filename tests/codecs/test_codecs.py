"""Every codec of this folder's adapters, run for real on a small image."""

import functools
import io
import itertools
import re
import subprocess

import imageio_ffmpeg
import numpy as np
import PIL.Image
import pytest

from benchmark import codec as codec_module
from benchmark.codec import find_codecs, open_codec, rate_points
from benchmark.codecs.jpeg import Jpeg
from benchmark.errors import CodecUnavailable, ProgramError, UsageError

FFMPEG = ["av1", "hevc", "jxl", "vvenc"]
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


def test_the_codecs_are_found():
    assert set(ALL) <= set(find_codecs())


@pytest.mark.parametrize("name", ALL)
def test_decoding_gives_an_image_of_the_same_size(name):
    for index in (0, -1):
        _, decoded = coded(name, index)
        assert decoded.shape == (128, 192, 3)
        assert decoded.dtype == np.uint8


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
    assert len(open_codec(name).rate_points) == 8


@pytest.mark.parametrize("name", ALL)
def test_encoding_again_gives_the_same_bytes(name):
    codec = open_codec(name)
    assert codec.encode(textured_image(), codec.rate_points[0]) == coded(name, 0)[0]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("colour", [(200, 30, 40), (20, 60, 190)])
def test_a_flat_colour_comes_back(name, colour):
    image = np.full((64, 96, 3), colour, np.uint8)
    codec = open_codec(name)
    decoded = codec.decode(codec.encode(image, codec.rate_point(FINE[name])))
    assert np.abs(decoded.astype(int) - image).max() <= 3


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("garbage", [b"", b"no picture " * 60, bytes(500)])
def test_garbage_is_refused(name, garbage):
    with pytest.raises((ProgramError, ValueError, OSError)):
        open_codec(name).decode(garbage)


@pytest.mark.parametrize("name", sorted({*ALL} - {"hevc"}))  # ffmpeg's HEVC decoder conceals it
def test_a_bitstream_that_was_cut_is_refused(name):
    bitstream, _ = coded(name, -1)
    with pytest.raises((ProgramError, ValueError, OSError)):
        open_codec(name).decode(bitstream[: len(bitstream) // 2])


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


@pytest.mark.parametrize("name", ALL)
def test_an_identity_is_text_and_stays_the_same(name):
    identity = open_codec(name).identity()
    assert identity == open_codec(name).identity()
    assert all(isinstance(text, str) for text in itertools.chain(*identity.items()))


def test_the_identity_of_ffmpeg_codecs_names_program_and_settings():
    identity = open_codec("vvenc").identity()
    assert identity["version"].startswith("ffmpeg version")
    assert len(identity["program"]) == 64
    assert "-qpa 0" in identity["encoder"]


@pytest.mark.parametrize("name", FFMPEG)
def test_a_temporary_folder_of_any_name_will_do(name, monkeypatch, tmp_path):
    # What Python makes of a name like "tmp\xc3\xbc" in a locale that is not UTF-8.
    folder = tmp_path / "tmp\udcc3\udcbc = 1"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    codec = open_codec(name)
    assert codec.encode(textured_image(), codec.rate_points[0]) == coded(name, 0)[0]
    assert not any(folder.iterdir())


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


WHOLE = {"av1": "crf", "hevc": "qp", "jpeg": "quality", "vvenc": "qp", "webp": "quality"}


@pytest.mark.parametrize(("name", "parameter"), WHOLE.items())
def test_a_rate_point_that_the_encoder_would_round_is_refused(name, parameter):
    assert open_codec(name).rate_point(f"{parameter}33").value == 33
    with pytest.raises(UsageError, match=f"{name} takes whole numbers only, not {parameter}33.5"):
        open_codec(name).rate_point(f"{parameter}33.5")


@pytest.mark.parametrize("name", sorted({*ALL} - {"yuv420", *WHOLE}))
def test_other_encoders_do_not_round(name):
    codec = open_codec(name)
    parameter, value = codec.rate_points[3].parameter, codec.rate_points[3].value
    coded_at = {
        codec.encode(textured_image(), codec.rate_point(f"{parameter}{value + step:g}"))
        for step in (0, 0.3, 0.6)
    }
    assert len(coded_at) == 3


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((10, 30, 30, 50, 50, 50), "more than one rate point called quality30, quality50"),
        ((20, 40.0000001, 40), "more than one rate point called quality40"),
        ((10, 30.5), "takes whole numbers only, but has the rate points quality10, quality30.5"),
    ],
)
def test_an_adapter_whose_rate_points_cannot_be_told_apart_is_refused(monkeypatch, values, reason):
    class Other(Jpeg):
        name = "other"
        rate_points = rate_points("quality", *values)

    monkeypatch.setattr(codec_module, "find_codecs", lambda: {"other": Other})
    with pytest.raises(CodecUnavailable, match=reason) as refused:
        open_codec("other")
    assert __file__ in str(refused.value)


@pytest.mark.parametrize("name", ["av1", "hevc", "vvenc"])
def test_any_decoder_that_heeds_the_bitstream_shows_the_right_colours(name, tmp_path):
    codec = open_codec(name)
    file = tmp_path / "bitstream"
    file.write_bytes(codec.encode(textured_image(), codec.rate_point(FINE[name])))
    described, plain = as_plain_ffmpeg_shows(file, codec.demuxer)
    assert "yuv420p10le(pc, bt709/bt709/iec61966-2-1)" in described
    # Both interpolate chroma bilinearly; another matrix, range or place of chroma shows at once.
    assert np.abs(plain - codec.decode(file.read_bytes())).max() <= 1


def as_plain_ffmpeg_shows(file, demuxer):
    """What ffmpeg says of a bitstream and the RGB picture that it makes of it by itself."""
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-f", demuxer, "-i", file]
    output = ["-sws_flags", "bilinear+accurate_rnd+full_chroma_int", "-pix_fmt", "rgb24"]
    done = subprocess.run(
        [*program, *output, "-f", "rawvideo", "pipe:"], check=True, capture_output=True
    )
    pixels = np.frombuffer(done.stdout, np.uint8).reshape(textured_image().shape)
    return done.stderr.decode(), pixels.astype(int)


@pytest.mark.parametrize("name", ["jpeg", "jpeg2000", "webp"])
def test_pillow_shows_what_was_decoded(name):
    bitstream, decoded = coded(name, -1)
    with PIL.Image.open(io.BytesIO(bitstream)) as picture:
        assert np.array_equal(np.array(picture.convert("RGB")), decoded)


def test_webp_is_coded_in_the_colours_that_its_format_prescribes():
    webp = open_codec("webp")
    image = np.full((64, 96, 3), (255, 0, 0), np.uint8)
    file = webp.encode(image, webp.rate_point("quality100"))
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "webp_pipe", "-i", "-"]
    output = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:"]
    done = subprocess.run(program + output, input=file, check=True, capture_output=True)
    planes = np.frombuffer(done.stdout, np.uint8).astype(int)
    y, cb, cr = planes[:6144], planes[6144:7680], planes[7680:]
    # Red in BT.601, limited range: Y 16 + 65.481, Cb 128 - 37.797, Cr 128 + 112.
    for plane, expected in ((y, 81), (cb, 90), (cr, 240)):
        assert np.abs(plane - expected).max() <= 1


def test_the_encoders_own_reason_is_in_the_message():
    tiny = np.zeros((8, 8, 3), np.uint8)
    hevc, vvenc = open_codec("hevc"), open_codec("vvenc")
    with pytest.raises(ProgramError, match=r"Image size is too small \(8x8\)"):
        hevc.encode(tiny, hevc.rate_points[0])
    with pytest.raises(ProgramError, match="one byte per pixel: a larger qp needs less"):
        vvenc.encode(tiny, vvenc.rate_points[-1])


@pytest.mark.parametrize("name", FFMPEG)
def test_a_time_limit_can_be_set(name, monkeypatch):
    image = np.tile(textured_image(), (4, 4, 1))
    with pytest.raises(ProgramError, match=r"did not end within 0.01 s of processor time"):
        codec = open_codec(name, {"timeout": "0.01"})
        codec.encode(image, codec.rate_points[-1])
    monkeypatch.setenv("BENCHMARK_TIMEOUT", "0.01")
    with pytest.raises(ProgramError, match=r"did not end within 0.01 s of processor time"):
        open_codec(name).encode(image, codec.rate_points[-1])
    with pytest.raises(UsageError, match=f"option {name}.timeout is 'soon', not a number"):
        open_codec(name, {"timeout": "soon"})
