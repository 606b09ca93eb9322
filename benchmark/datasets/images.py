"""Any photographs: a folder of images without annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.datasets.dataset import (
    Category,
    Dataset,
    Instance,
    Picture,
    check_names,
    picture_name,
)
from benchmark.datasets.image_file import SUFFIXES
from benchmark.errors import UsageError


class ImageFolder(Dataset):
    """All images below a folder; only rate, PSNR and MS-SSIM can be measured on them."""

    name = "images"
    categories: Sequence[Category] = ()

    def __init__(self, root: Path) -> None:
        """List the images, in linked folders too.

        Raises:
            UsageError: if the folder does not exist or holds no image, or names are unfit.
        """
        if not root.is_dir():
            raise UsageError(f"the folder {root} does not exist")
        self._root = root
        self._passed_over: list[Path] = []
        paths: list[Path] = []
        for path in _files(root):
            taken = path.suffix.lower() in SUFFIXES and not self._hidden(path)
            (paths if taken else self._passed_over).append(path)
        if not paths:
            raise UsageError(f"{root} holds no images ({', '.join(sorted(SUFFIXES))})")
        self.pictures = [
            Picture(number, picture_name(path.relative_to(root).as_posix()), path)
            for number, path in enumerate(sorted(paths))
        ]
        check_names(self.pictures, root)

    def instances(self, picture: Picture) -> list[Instance]:
        return []

    def annotation_bytes(self, picture: Picture) -> bytes:
        return b""

    def remarks(self, pictures: Sequence[Picture]) -> list[str]:
        if not self._passed_over:
            return []
        kinds = Counter(self._kind(path) for path in self._passed_over)
        named = ", ".join(f"{kind} ({number})" for kind, number in kinds.most_common())
        return [
            f"{self._root}: passed over {len(self._passed_over)} files that are not read as "
            f"images: {named}"
        ]

    def _hidden(self, path: Path) -> bool:
        return any(part.startswith(".") for part in path.relative_to(self._root).parts)

    def _kind(self, path: Path) -> str:
        return "hidden" if self._hidden(path) else path.suffix.lower() or "no ending"


def _files(root: Path) -> Iterator[Path]:
    """The files below a folder; a folder that several links lead to is entered once."""
    entered: set[Path] = set()
    folders, links = [root], list[Path]()
    while folders or links:
        folder = (folders or links).pop()  # a folder itself before links to it
        if folder.resolve() in entered:
            continue
        entered.add(folder.resolve())
        for entry in folder.iterdir():
            if not entry.is_dir():
                yield entry
            else:
                (links if entry.is_symlink() else folders).append(entry)
