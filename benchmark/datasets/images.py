"""Any photographs: a folder of images without annotations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.datasets.dataset import Category, Dataset, Instance, Picture
from benchmark.errors import UsageError

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".webp"}


class ImageFolder(Dataset):
    """All images below a folder; only rate, PSNR and MS-SSIM can be measured on them."""

    name = "images"
    where = "FOLDER"
    categories: Sequence[Category] = ()

    def __init__(self, root: Path) -> None:
        """Lists the images.

        Raises:
            UsageError: if the folder does not exist or holds no image.
        """
        if not root.is_dir():
            raise UsageError(f"the folder {root} does not exist")
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not paths:
            raise UsageError(f"{root} holds no images ({', '.join(sorted(_SUFFIXES))})")
        self.pictures = [
            Picture(number, path.relative_to(root).as_posix().replace("/", "_"), path)
            for number, path in enumerate(paths)
        ]
        names = [picture.name for picture in self.pictures]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"{root} holds more than one image called {twice[0]}: rename one")

    @classmethod
    def open(cls, where: str) -> Dataset:
        return cls(Path(where).expanduser())

    def instances(self, picture: Picture) -> list[Instance]:
        return []

    def annotation_bytes(self, picture: Picture) -> bytes:
        return b""
