"""VTM, the test model of VVC, through its encoder and decoder programs."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tempfile
from functools import cache
from pathlib import Path

from benchmark.codec import Codec, RatePoint, rate_points
from benchmark.errors import CodecUnavailable, ProgramError
from benchmark.image import Image
from benchmark.system.programs import run_program, time_limit, working_folder

from .vvc_sps import picture_size
from .yuv420 import CONVERSION, rgb_to_yuv420, yuv420_to_rgb

_SECONDS_PER_PIXEL = 0.01
_SHORTEST_LIMIT_S = 600.0


class VTM(Codec):
    """VTM in its all-intra configuration, as called by the paper's authors.

    8-bit YUV 4:2:0 in and out, 10 bits inside. Every bit of VTM's own file counts. The call is
    the paper's, so its files do not say what their samples mean (`rgb_to_yuv420`: BT.709, full
    range): other decoders than this one show them in other colours unless they are told.

    Args:
        encoder: path of EncoderApp; by default the environment variable VTM_ENCODER.
        decoder: path of DecoderApp; by default VTM_DECODER.
        config: path of encoder_intra_vtm.cfg; by default VTM_CONFIG.
        extra: further arguments of the encoder, for example
            ``--ScalingList=2 --ScalingListFile=FILE``.
        timeout: seconds of processor time after which encoding or decoding an image is given up;
            by default the environment variable BENCHMARK_TIMEOUT, else for encoding 10 ms per
            pixel and at least 10 minutes, for decoding 10 minutes.
    """

    name = "vtm"
    rate_points = rate_points("qp", 63, 57, 52, 47, 42, 37, 31, 25)
    value_range = (0, 63)
    whole_numbers = True

    def __init__(
        self,
        encoder: str = "",
        decoder: str = "",
        config: str = "",
        extra: str = "",
        timeout: str = "",
    ) -> None:
        self.encoder, self.decoder, self._config = _files(
            encoder=encoder, decoder=decoder, config=config
        )
        self._extra = shlex.split(extra)
        self._timeout = time_limit(self.name, timeout)

    def identity(self) -> dict[str, str]:
        return {
            "version": _version(self.encoder),
            "encoder_sha256": _sha256(self.encoder),
            "decoder_sha256": _sha256(self.decoder),
            "config_sha256": _sha256(self._config),
            "conversion": CONVERSION,
            "arguments": shlex.join([*_ARGUMENTS, *self._extra]),
        }

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        height, width = image.shape[:2]
        limit = self._timeout or max(_SHORTEST_LIMIT_S, height * width * _SECONDS_PER_PIXEL)
        with working_folder("vtm") as folder:
            source, bitstream = folder / "in.yuv", folder / "out.bin"
            source.write_bytes(rgb_to_yuv420(image))
            log = _log("encoder", source, rate_point.name)
            arguments: list[str | Path] = [self.encoder, "-c", self._config, "-i", source]
            arguments += ["-wdt", str(width), "-hgt", str(height), "-q", f"{rate_point.value:g}"]
            arguments += ["-b", bitstream, f"--ReconFile={folder / 'rec.yuv'}"]
            run_program([*arguments, *_ARGUMENTS, *self._extra], timeout=limit, log=log)
            return _written(bitstream, self.encoder)

    def decode(self, bitstream: bytes) -> Image:
        width, height = picture_size(bitstream)
        with working_folder("vtm") as folder:
            source, decoded = folder / "in.bin", folder / "rec.yuv"
            source.write_bytes(bitstream)
            log = _log("decoder", source)
            run_program(
                [self.decoder, "-b", source, "-o", decoded, "-d", "8"],
                timeout=self._timeout or _SHORTEST_LIMIT_S,
                log=log,
            )
            return yuv420_to_rgb(_written(decoded, self.decoder), width, height, bit_depth=8)


_PROGRAMS = ("encoder", "decoder")
_ARGUMENTS = (
    *("-f", "1", "-fr", "30", "--InputBitDepth=8", "--OutputBitDepth=8", "--InternalBitDepth=10"),
    "--ConformanceWindowMode=1",
)


def _files(**options: str) -> list[Path]:
    """Return the files that the options or else the environment name.

    Raises:
        CodecUnavailable: naming all that is missing, or is no program.
    """
    paths, unset, problems = [], [], []
    for name, option in options.items():
        variable = f"VTM_{name.upper()}"
        path = option or os.environ.get(variable, "")
        source = f"option vtm.{name}" if option else variable
        if not path:
            unset.append(variable)
        elif not Path(path).is_file():
            problems.append(f"{source} points to {path}, which does not exist")
        elif name in _PROGRAMS and not os.access(path, os.X_OK):
            problems.append(f"{source} points to {path}, which is not executable: chmod +x it")
        paths.append(Path(path).resolve())
    if unset:
        problems.append(f"not set: {', '.join(unset)}, which point to VTM's files")
    if problems:
        raise CodecUnavailable("; ".join(problems))
    return paths


def _log(*names: str | Path) -> Path:
    """Where a failed program's output is kept: a file for each input, named by its hash."""
    parts = [_sha256(name)[:8] if isinstance(name, Path) else name for name in names]
    return Path(tempfile.gettempdir(), f"vtm-{'-'.join(parts)}.log")


def _written(path: Path, program: Path) -> bytes:
    if not path.is_file() or path.stat().st_size == 0:
        raise ProgramError(f"{program.name} ended without an error, but wrote nothing")
    return path.read_bytes()


@cache
def _version(encoder: Path) -> str:
    """What the encoder says of itself in its help, after which it ends with an error."""
    printed = run_program([encoder, "--help"], timeout=_SHORTEST_LIMIT_S, check=False)
    found = re.search(rb"VTM Encoder Version ([\w.]+)", printed)
    return found[1].decode() if found else "unknown"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
