"""Read image files as they are shown: 8 bits, RGB, upright, of any size."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from benchmark.errors import UsageError
from benchmark.image import Image

SUFFIXES = {
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe"),
    *(".jpeg", ".jpf", ".jpg", ".jpx", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi"),
    *(".tga", ".tif", ".tiff", ".webp"),
}
"""The endings, in lower case, of the still images that Pillow reads."""

_SMALLEST_SIDE = 2
_ORIENTATION = PIL.ExifTags.Base.Orientation
_PNG_SIGNATURE_BYTES = 8
_PNG_CHECK_BYTES = 4
_PNG_METADATA = {b"eXIf", b"tEXt", b"zTXt", b"iTXt"}
_BITS_PER_SAMPLE = 258  # tag of TIFF


def read_image(path: Path) -> Image:
    """Return an image as it is shown: uint8 of shape H x W x 3, RGB, values 0 to 255.

    Its orientation (EXIF) is applied, as Detectron2 does. Of 16 bits the upper 8 are taken. Of a
    file with several frames the first is read; transparency and color profiles are left aside.

    Raises:
        UsageError: if the file is not a readable image, has a side under two pixels, or samples
            whose range it does not tell: 32-bit integers, floats, 9 to 15 bits in a TIFF.
    """
    with _upright(path, "image") as file:
        pixels = np.array(_eight_bits(file, path).convert("RGB"))
    height, width = pixels.shape[:2]
    if min(height, width) < _SMALLEST_SIDE:
        raise UsageError(f"{path} is {width} x {height}: an image needs at least 2 x 2 pixels")
    return pixels


def read_instance_ids(path: Path) -> NDArray[np.int32]:
    """Return an instance map (``instanceIds.png``) as H x W, values 0 to 65535.

    Raises:
        UsageError: if the file is no image of one channel with 16 bits, which ids of instances
            (label id * 1000 + number) need.
    """
    with _upright(path, "instance map") as file:
        if not _has_sixteen_bits(file):
            raise UsageError(
                f"{path} is not a readable instance map: mode {file.mode}, where one channel of "
                "16 bits is expected (label id * 1000 + the instance's number)"
            )
        return np.array(file).astype(np.int32)


def shown_size(path: Path) -> tuple[int, int]:
    """Return the height and the width, in pixels, that `read_image` gives an image.

    Raises:
        UsageError: if the file is not a readable image.
    """
    with _upright(path, "image", decode=False) as file:
        return file.height, file.width


def orientation(path: Path) -> int:
    """Return an image file's orientation (EXIF): 1 for one stored upright, else 2 to 8.

    Raises:
        UsageError: if the file is not a readable image.
    """
    with _opened(path, "image") as file:
        return int(_exif(file).get(_ORIENTATION, 1))


@contextmanager
def _upright(path: Path, what: str, *, decode: bool = True) -> Iterator[PIL.Image.Image]:
    """Open an image file, its orientation applied; without `decode` only as far as that takes."""
    with _opened(path, what) as file:
        if decode or _exif(file).get(_ORIENTATION, 1) != 1:
            file.load()
            PIL.ImageOps.exif_transpose(file, in_place=True)
        yield file


def _exif(file: PIL.Image.Image) -> PIL.Image.Exif:
    """A file's EXIF; Pillow alone decodes a whole PNG to look for it behind the pixels."""
    if (
        isinstance(file, PngImageFile)
        and file.fp is not None
        and not _has_metadata_behind_pixels(file.fp)
    ):
        return PIL.Image.Image.getexif(file)
    return file.getexif()


def _has_metadata_behind_pixels(png: IO[bytes]) -> bool:
    """Whether a PNG has chunks of metadata after those of the pixels (PNG 1.2, section 3.2)."""
    position = png.tell()
    png.seek(_PNG_SIGNATURE_BYTES)
    found = pixels = False
    while not found and len(start := png.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        pixels = pixels or kind == b"IDAT"
        found = pixels and kind in _PNG_METADATA
        png.seek(length + _PNG_CHECK_BYTES, os.SEEK_CUR)
    png.seek(position)
    return found


@contextmanager
def _opened(path: Path, what: str) -> Iterator[PIL.Image.Image]:
    """Open an image file; what Pillow raises until it is closed becomes a `UsageError`."""
    try:
        # from a stream, because Pillow 13 maps the rows of uncompressed TIFFs of its own opening
        # in the size as shown, which is not the stored one where the orientation is 5 to 8
        with path.open("rb") as stream, PIL.Image.open(stream) as file:
            yield file
    except UsageError:
        raise
    except PIL.UnidentifiedImageError as error:
        raise UsageError(f"{path} is not a readable {what}: of no known format") from error
    except Exception as error:  # of damaged files Pillow raises many kinds
        reason = str(error) or type(error).__name__
        raise UsageError(f"{path} is not a readable {what}: {reason}") from error


def _has_sixteen_bits(file: PIL.Image.Image) -> bool:
    """Whether an image has one channel of 16 bits; Pillow opens PGM files as 32 bits, scaled."""
    return file.mode.startswith("I;16") or (file.mode == "I" and file.format in ("PNG", "PPM"))


def _eight_bits(file: PIL.Image.Image, path: Path) -> PIL.Image.Image:
    """The image with 8 bits a sample; Pillow's own conversion would clip at 255."""
    if _has_sixteen_bits(file):
        bits = getattr(file, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
        if bits != (16,):
            raise UsageError(
                f"{path} has {bits[0]} bits a sample (mode {file.mode}), which are not known to "
                "fill their range: save it with 8 or 16 bits"
            )
        return PIL.Image.fromarray((np.asarray(file) >> 8).astype(np.uint8))
    if file.mode in ("I", "F"):
        kind = "32-bit integers" if file.mode == "I" else "floats"
        raise UsageError(
            f"{path} holds {kind} (mode {file.mode}), whose range is not known: save it with 8 or "
            "16 bits"
        )
    return file
