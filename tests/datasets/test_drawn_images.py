"""Image files of all modes, sizes and orientations are read as Pillow shows them, or refused."""

import io
import tempfile
from pathlib import Path

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmark.datasets.image_file import read_image, shown_size
from benchmark.errors import UsageError

MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I;16B", "I", "F"),
    "WEBP": ("L", "RGB", "RGBA"),
    "PPM": ("1", "L", "RGB", "I;16"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("L", "P", "RGB"),
    "TGA": ("L", "LA", "RGB", "RGBA"),
    "JPEG2000": ("L", "RGB", "I;16"),
}
WITH_EXIF = ("PNG", "JPEG", "TIFF", "WEBP")
REFUSED = {"I": "32-bit integers", "F": "floats"}
DTYPES = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}


@st.composite
def image_files(draw):
    """The bytes of a file, and its mode before it was written."""
    kind = draw(st.sampled_from(sorted(MODES)))
    mode = draw(st.sampled_from(MODES[kind]))
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    orientation = draw(st.integers(0, 9)) if kind in WITH_EXIF else None
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if mode in DTYPES:
        values = rng.integers(0, 65536, (height, width)).astype(DTYPES[mode])
        image = PIL.Image.fromarray(values)
    elif mode == "LAB":
        image = PIL.Image.frombytes("LAB", (width, height), rng.bytes(3 * height * width))
    else:
        bands = rng.integers(0, 256, (height, width, 4), np.uint8)
        image = PIL.Image.fromarray(bands).convert(mode)
    exif = PIL.Image.Exif()
    options = {}
    if orientation is not None:
        exif[PIL.ExifTags.Base.Orientation] = orientation
        options["exif"] = exif
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue(), mode


def shown_by_pillow(content):
    """The pixels as Pillow shows them; of 16 bits the upper 8, as Pillow reads 16-bit RGB."""
    with PIL.Image.open(io.BytesIO(content)) as file:
        image = PIL.ImageOps.exif_transpose(file)
        if np.asarray(image).ndim == 2 and np.asarray(image).dtype.itemsize > 1:
            return np.repeat((np.asarray(image)[..., None] // 256).astype(np.uint8), 3, axis=2)
        return np.asarray(image.convert("RGB"))


def check_read(content, mode, path):
    path.write_bytes(content)
    if mode in REFUSED:
        with pytest.raises(UsageError, match=f"{path} holds {REFUSED[mode]}"):
            read_image(path)
        return
    expected = shown_by_pillow(content)
    assert shown_size(path) == expected.shape[:2]
    if min(expected.shape[:2]) < 2:
        with pytest.raises(UsageError, match=f"{path} is .* at least 2 x 2"):
            read_image(path)
        return
    found = read_image(path)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


def check_damaged(content, path, rng):
    """A damaged file is read as Pillow reads it, or refused by name."""
    damaged = bytearray(content[: rng.integers(1, len(content) + 1)])
    for _ in range(rng.integers(0, 3)):
        damaged[rng.integers(len(damaged))] = rng.integers(256)
    path.write_bytes(damaged)
    try:
        found = read_image(path)
    except UsageError as error:
        assert str(path) in str(error)
    else:
        assert np.array_equal(found, shown_by_pillow(bytes(damaged)))


def read_over(examples):
    """The number of different image files that were read, over so many drawn ones."""
    seen = set()

    @seed(20261)
    @settings(
        deadline=None,
        database=None,
        max_examples=examples,
        phases=[Phase.generate],  # to shrink a failure takes minutes
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(image_files(), st.integers(0, 2**32))
    def check(drawn, number):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.file"
            check_read(*drawn, path)
            check_damaged(drawn[0], path, np.random.default_rng(number))
        seen.add(drawn[0])

    check()
    return len(seen)


@pytest.mark.filterwarnings("ignore")  # Pillow's, about damaged files
def test_drawn_images_are_read_as_pillow_shows_them():
    assert read_over(150) > 100


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_two_thousand_drawn_images_are_read_as_pillow_shows_them():
    assert read_over(3500) >= 2000
