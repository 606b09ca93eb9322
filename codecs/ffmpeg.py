"""The codecs that ffmpeg carries: VVC, HEVC, AV1, WebP and JPEG XL.

All are set for single still pictures, one thread, and the smallest squared error: what encoders
do for human viewers (adaptive quantisation, psychovisual decisions) spends bits that a machine
does not use. Nothing that no decoder needs is written: no SEI messages, access unit delimiters
or timing. The 4:2:0 codecs code the samples of `rgb_to_yuv420`; ffmpeg converts no colours.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import ffmpeg
import imageio_ffmpeg
import numpy as np
import PIL.Image

from benchmark.codec import Codec, RatePoint, rate_points
from benchmark.errors import CodecUnavailable, ProgramError, UsageError
from benchmark.image import Image
from benchmark.system.programs import run_program

from . import yuv420

_LEAST_SECONDS = 60.0
_SECONDS_PER_MEGAPIXEL = 120.0
_GLOBAL_OPTIONS = ("-hide_banner", "-loglevel", "error", "-xerror")


class FfmpegCodec(Codec):
    """An encoder and a decoder of ffmpeg, by default of 4:2:0 samples.

    The encoder's option for the rate is called as the parameter of the rate points.

    Args:
        ffmpeg: the program; by default the environment variable BENCHMARK_FFMPEG, else the one
            that the package imageio-ffmpeg carries.
    """

    encoder: ClassVar[str]
    decoder: ClassVar[str]
    muxer: ClassVar[str]
    demuxer: ClassVar[str]
    bit_depth: ClassVar[int] = 10
    settings: ClassVar[Mapping[str, str | int]]
    whole_numbers: ClassVar[bool] = True
    """Whether the encoder would silently round a fractional rate parameter."""

    def __init__(self, ffmpeg: str = "") -> None:
        self._program = _find_program(ffmpeg or os.environ.get("BENCHMARK_FFMPEG", ""))
        for kind, coder in (("encoders", self.encoder), ("decoders", self.decoder)):
            if coder not in _coders(self._program, kind):
                raise CodecUnavailable(
                    f"{self._program} has no {coder} among its {kind}: name another ffmpeg with "
                    f"--option {self.name}.ffmpeg=PATH or in BENCHMARK_FFMPEG"
                )

    def rate_point(self, name: str) -> RatePoint:
        point = super().rate_point(name)
        if self.whole_numbers and point.value % 1:
            raise UsageError(f"codec {self.name} takes whole numbers only, not {name}")
        return point

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        height, width = image.shape[:2]
        # Not through a pipe: libvvenc prints its warnings to the standard output.
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-") as folder:
            file = Path(folder, "bitstream")
            arguments = self._encoder_arguments(
                self._program, (width, height), f"{rate_point.value:g}", file
            )
            limit = max(_LEAST_SECONDS, _SECONDS_PER_MEGAPIXEL * width * height / 1e6)
            try:
                run_program(arguments, stdin=self._samples(image), timeout=limit)
            except ProgramError as error:
                raise ProgramError(f"an image of {width} x {height}: {error}") from error
            return file.read_bytes()

    def decode(self, bitstream: bytes) -> Image:
        source = ffmpeg.input(
            "pipe:", format=self.demuxer, vcodec=self.decoder, threads=1, err_detect="explode"
        )
        decoded = source.output("pipe:", **self._decoded_format()).global_args(*_GLOBAL_OPTIONS)
        output = run_program(
            decoded.compile(cmd=self._program), stdin=bitstream, timeout=_LEAST_SECONDS
        )
        return self._image(output)

    def identity(self) -> dict[str, str]:
        return {
            **_program_identity(self._program),
            "encoder": " ".join(self._encoder_arguments("ffmpeg", ("W", "H"), "RATE", "FILE")),
            "conversion": yuv420.CONVERSION,
        }

    def _encoder_arguments(
        self, program: str, size: tuple[object, object], rate: str, file: str | Path
    ) -> list[str]:
        pixels = ffmpeg.input(
            "pipe:", format="rawvideo", pixel_format=self._pixel_format(), video_size=size
        )
        options = {**self.settings, self.rate_points[0].parameter: rate}
        encoded = pixels.output(
            str(file), format=self.muxer, vcodec=self.encoder, threads=1, **options
        )
        arguments: list[str] = encoded.global_args(*_GLOBAL_OPTIONS).compile(cmd=program)
        return arguments

    def _pixel_format(self) -> str:
        return "yuv420p" if self.bit_depth == 8 else f"yuv420p{self.bit_depth}le"

    def _samples(self, image: Image) -> bytes:
        return yuv420.rgb_to_yuv420(image, self.bit_depth)

    def _decoded_format(self) -> dict[str, str | int]:
        # No pixel format is asked for, so that none is converted; strict: 10 bits are no
        # official part of Y4M.
        return {"format": "yuv4mpegpipe", "strict": -1}

    def _image(self, output: bytes) -> Image:
        return _read_y4m(output)


class Vvenc(FfmpegCodec):
    """VVC (H.266): Fraunhofer's libvvenc, all intra."""

    name = "vvenc"
    rate_points = rate_points("qp", 56, 52, 48, 44, 40, 36)
    value_range = (1, 63)
    encoder, decoder, muxer, demuxer = "libvvenc", "vvc", "vvc", "vvc"
    settings: ClassVar = {
        "preset": "slow",
        "qpa": 0,
        "vvenc-params": "intraperiod=1:gopsize=1:accessunitdelimiter=0:hrdparameterspresent=0",
    }


class Hevc(FfmpegCodec):
    """HEVC (H.265): x265, all intra."""

    name = "hevc"
    rate_points = rate_points("qp", 51, 49, 47, 44, 41, 37)
    value_range = (1, 51)
    encoder, decoder, muxer, demuxer = "libx265", "hevc", "hevc", "hevc"
    settings: ClassVar = {
        "preset": "veryslow",
        "tune": "psnr",
        "x265-params": "keyint=1:info=0:aq-mode=0:psy-rd=0:psy-rdoq=0:cutree=0"
        ":pools=none:frame-threads=1:log-level=error",
    }


class Av1(FfmpegCodec):
    """AV1: libaom, one still picture."""

    name = "av1"
    rate_points = rate_points("crf", 63, 59, 55, 50, 45, 38)
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


class Webp(FfmpegCodec):
    """WebP, lossy (VP8): libwebp.

    ffmpeg cannot switch off its noise shaping alone: the presets without it do without the
    loop filter too, which costs more than the shaping at low rates.
    """

    name = "webp"
    rate_points = rate_points("quality", 0, 1, 3, 6, 12, 25)
    value_range = (0, 100)
    encoder, decoder, muxer, demuxer = "libwebp", "webp", "webp", "webp_pipe"
    bit_depth = 8
    whole_numbers = False
    settings: ClassVar = {"compression_level": 6}


class JpegXl(FfmpegCodec):
    """JPEG XL: libjxl, of RGB.

    The rate is set as a Butteraugli distance: libjxl has no setting for squared error.
    """

    name = "jxl"
    rate_points = rate_points("distance", 15, 11, 8, 6, 4, 2.5)
    value_range = (0.1, 15)
    encoder, decoder, muxer, demuxer = "libjxl", "libjxl", "image2pipe", "jpegxl_pipe"
    whole_numbers = False
    settings: ClassVar = {"effort": 9}

    def _pixel_format(self) -> str:
        return "rgb24"

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
