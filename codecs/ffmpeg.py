"""The codecs that ffmpeg carries: VVC, HEVC, AV1 and JPEG XL.

All are set for single still pictures, one thread, and the smallest squared error: what encoders
do for human viewers (adaptive quantisation, psychovisual decisions) spends bits that a machine
does not use. Nothing that no decoder needs is written: no SEI messages, access unit delimiters
or timing.

The 4:2:0 codecs code the samples of `rgb_to_yuv420`; ffmpeg converts no colours. What those
samples mean is written in each bitstream's own syntax (video usability information, in AV1 the
sequence header): BT.709 primaries and matrix, the transfer function of sRGB, full range, and in
HEVC and VVC that chroma lies in the centre of its pixels. So every decoder that heeds its
bitstream shows the right colours. It costs 3 bytes of an AV1 file, 3 or 4 of an HEVC file and 7
or 8 of a VVC file, whatever the size of the picture and the rate point. They count in the rate
as all bytes do; the files of the codec ``vtm`` go without them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import ffmpeg
import imageio_ffmpeg
import numpy as np
import PIL.Image

from benchmark.codec import Codec, RatePoint, rate_points
from benchmark.errors import CodecUnavailable, ProgramError
from benchmark.image import Image
from benchmark.system.programs import run_program, time_limit, working_folder

from . import yuv420

_LEAST_SECONDS = 120.0
_SECONDS_PER_MEGAPIXEL = 1200.0
_DECODING_SECONDS = 30.0
"""A damaged file may keep a decoder busy for ever; a whole one of 2048 x 1024 takes a second."""

_DECODING_SECONDS_PER_MEGABYTE = 20.0
_BIT_DEPTH = 10
_PROGRAM, _FILE = "ffmpeg", "FILE"
_GLOBAL_OPTIONS = ("-hide_banner", "-loglevel", "error", "-xerror")


class FfmpegCodec(Codec):
    """An encoder and a decoder of ffmpeg, by default of 4:2:0 samples of 10 bits.

    The encoder's option for the rate is called as the parameter of the rate points.

    Args:
        ffmpeg: the program; by default the environment variable BENCHMARK_FFMPEG, else the one
            that the package imageio-ffmpeg carries.
        timeout: seconds of processor time after which encoding or decoding an image is given up;
            by default the environment variable BENCHMARK_TIMEOUT, else 20 minutes per megapixel
            and at least 2 minutes for encoding, 30 seconds and 20 more per megabyte for decoding.
    """

    encoder: ClassVar[str]
    decoder: ClassVar[str]
    muxer: ClassVar[str]
    demuxer: ClassVar[str]
    settings: ClassVar[Mapping[str, str | int]]
    whole_numbers = True

    def __init__(self, ffmpeg: str = "", timeout: str = "") -> None:
        self._timeout = time_limit(self.name, timeout)
        self._program = _find_program(ffmpeg or os.environ.get("BENCHMARK_FFMPEG", ""))
        for kind, coder in (("encoders", self.encoder), ("decoders", self.decoder)):
            if coder not in _coders(self._program, kind):
                raise CodecUnavailable(
                    f"{self._program} has no {coder} among its {kind}: name another ffmpeg with "
                    f"--option {self.name}.ffmpeg=PATH or in BENCHMARK_FFMPEG"
                )

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        height, width = image.shape[:2]
        default = max(_LEAST_SECONDS, _SECONDS_PER_MEGAPIXEL * width * height / 1e6)
        # Not through a pipe: libvvenc prints its warnings to the standard output.
        with working_folder(self.name) as folder:
            file = folder / "bitstream"
            arguments = self._encoder_arguments((width, height), f"{rate_point.value:g}")
            # ffmpeg-python cannot compile every path that a system takes.
            named = {_PROGRAM: self._program, _FILE: str(file)}
            try:
                run_program(
                    [named.get(argument, argument) for argument in arguments],
                    stdin=self._samples(image),
                    timeout=self._timeout or default,
                )
            except ProgramError as error:
                raise ProgramError(f"an image of {width} x {height}: {error}") from error
            return file.read_bytes()

    def decode(self, bitstream: bytes) -> Image:
        source = ffmpeg.input(
            "pipe:", format=self.demuxer, vcodec=self.decoder, threads=1, err_detect="explode"
        )
        decoded = source.output("pipe:", **self._decoded_format()).global_args(*_GLOBAL_OPTIONS)
        default = _DECODING_SECONDS + _DECODING_SECONDS_PER_MEGABYTE * len(bitstream) / 1e6
        output = run_program(
            decoded.compile(cmd=self._program), stdin=bitstream, timeout=self._timeout or default
        )
        return self._image(output)

    def identity(self) -> dict[str, str]:
        return {
            **_program_identity(self._program),
            "encoder": " ".join(self._encoder_arguments(("W", "H"), "RATE")),
            "conversion": yuv420.CONVERSION,
        }

    def _encoder_arguments(self, size: tuple[object, object], rate: str) -> list[str]:
        pixels = ffmpeg.input("pipe:", format="rawvideo", video_size=size, **self._pixel_format())
        options = {**self.settings, self.rate_points[0].parameter: rate}
        encoded = pixels.output(_FILE, format=self.muxer, vcodec=self.encoder, threads=1, **options)
        arguments: list[str] = encoded.global_args(*_GLOBAL_OPTIONS).compile(cmd=_PROGRAM)
        return arguments

    def _pixel_format(self) -> dict[str, str]:
        return {
            "pixel_format": f"yuv420p{_BIT_DEPTH}le",
            "color_primaries": "bt709",
            "color_trc": "iec61966-2-1",
            "colorspace": "bt709",
            "color_range": "pc",
            "chroma_sample_location": "center",
        }

    def _samples(self, image: Image) -> bytes:
        return yuv420.rgb_to_yuv420(image, _BIT_DEPTH)

    def _decoded_format(self) -> dict[str, str | int]:
        # No pixel format is asked for, so that none is converted; strict: 10 bits are no
        # official part of Y4M.
        return {"format": "yuv4mpegpipe", "strict": -1}

    def _image(self, output: bytes) -> Image:
        return _read_y4m(output)


class Vvenc(FfmpegCodec):
    """VVC (H.266): Fraunhofer's libvvenc, all intra."""

    name = "vvenc"
    rate_points = rate_points("qp", 63, 57, 52, 47, 42, 37, 32, 27)
    value_range = (1, 63)
    encoder, decoder, muxer, demuxer = "libvvenc", "vvc", "vvc", "vvc"
    settings: ClassVar = {
        "preset": "slow",
        "qpa": 0,
        # ffmpeg hands libvvenc the matrix, but not the range and the place of the chroma.
        "vvenc-params": "intraperiod=1:gopsize=1:accessunitdelimiter=0:hrdparameterspresent=0"
        ":Range=full:ChromaLocInfoPresent=1:ChromaSampleLocType=1",
    }

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        try:
            return super().encode(image, rate_point)
        except ProgramError as error:
            if "Error submitting video frame" in str(error):
                reason = "ffmpeg leaves libvvenc one byte per pixel: a larger qp needs less"
                raise ProgramError(f"{error} ({reason})") from error
            raise


class Hevc(FfmpegCodec):
    """HEVC (H.265): x265, all intra."""

    name = "hevc"
    rate_points = rate_points("qp", 51, 48, 45, 42, 39, 36, 32, 27)
    value_range = (1, 51)
    encoder, decoder, muxer, demuxer = "libx265", "hevc", "hevc", "hevc"
    settings: ClassVar = {
        "preset": "veryslow",
        "tune": "psnr",
        "x265-params": "keyint=1:info=0:vui-timing-info=0:aq-mode=0:psy-rd=0:psy-rdoq=0:cutree=0"
        ":pools=none:frame-threads=1:log-level=error",
    }


class Av1(FfmpegCodec):
    """AV1: libaom, one still picture."""

    name = "av1"
    rate_points = rate_points("crf", 63, 61, 58, 54, 48, 41, 33, 23)
    value_range = (1, 63)
    encoder, decoder, muxer, demuxer = "libaom-av1", "libdav1d", "obu", "obu"
    settings: ClassVar = {
        "usage": "good",
        "cpu-used": 3,
        "still-picture": 1,
        "tune": "psnr",
        "aq-mode": 0,
        "aom-params": "deltaq-mode=0",
        "b:v": 0,
    }


class JpegXl(FfmpegCodec):
    """JPEG XL: libjxl, of RGB.

    The rate is set as a Butteraugli distance: libjxl has no setting for squared error.
    """

    name = "jxl"
    rate_points = rate_points("distance", 15, 12, 9, 7, 5, 4, 3, 2)
    value_range = (0.1, 15)
    whole_numbers = False
    encoder, decoder, muxer, demuxer = "libjxl", "libjxl", "image2pipe", "jpegxl_pipe"
    settings: ClassVar = {"effort": 9}

    def _pixel_format(self) -> dict[str, str]:
        return {"pixel_format": "rgb24"}

    def _samples(self, image: Image) -> bytes:
        return image.tobytes()

    def _decoded_format(self) -> dict[str, str | int]:
        return {"format": "image2pipe", "vcodec": "ppm", "pix_fmt": "rgb24"}

    def _image(self, output: bytes) -> Image:
        try:
            with PIL.Image.open(io.BytesIO(output)) as picture:
                return np.array(picture.convert("RGB"))
        except OSError as error:
            raise ValueError(f"the decoder wrote no picture: {error}") from error


def _read_y4m(video: bytes) -> Image:
    """The only picture of a YUV4MPEG2 video."""
    header, _, rest = video.partition(b"\n")
    found = re.match(rb"YUV4MPEG2 W(\d+) H(\d+) .*\bC420(?:p(\d+)|jpeg|mpeg2|paldv)\b", header)
    frame, _, samples = rest.partition(b"\n")
    if found is None or not frame.startswith(b"FRAME"):
        raise ValueError(f"the decoder wrote no 4:2:0 picture: {header[:80]!r}")
    width, height, bit_depth = (int(number or 8) for number in found.groups())
    return yuv420.yuv420_to_rgb(samples, width, height, bit_depth)


def _find_program(asked: str) -> str:
    try:
        program = asked or imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise CodecUnavailable(f"imageio-ffmpeg carries no ffmpeg here: {error}") from error
    found = shutil.which(program)
    if found is None:
        raise CodecUnavailable(f"the ffmpeg {program} does not exist or is no program")
    return found


@functools.cache
def _coders(program: str, kind: str) -> frozenset[str]:
    """The names of a program's encoders or decoders."""
    try:
        listed = run_program([program, "-hide_banner", f"-{kind}"], timeout=_LEAST_SECONDS)
    except ProgramError as error:
        raise CodecUnavailable(f"{program} does not list its {kind}: {error}") from error
    rows = (line.split() for line in listed.decode(errors="replace").splitlines())
    return frozenset(row[1] for row in rows if len(row) > 1)


@functools.cache
def _program_identity(program: str) -> dict[str, str]:
    version = run_program([program, "-version"], timeout=_LEAST_SECONDS).decode(errors="replace")
    return {
        "version": version.partition("\n")[0],
        "program": _sha256(Path(program).read_bytes()),
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
