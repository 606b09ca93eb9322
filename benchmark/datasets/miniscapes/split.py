"""Miniscapes: the embedded data set, drawn when it is first asked for."""

from __future__ import annotations

import hashlib
import importlib.resources
import shutil
import tempfile
from functools import cache, partial
from pathlib import Path

import joblib
import numpy as np
import PIL.Image
import platformdirs
from joblib.externals.loky import ProcessPoolExecutor
from tqdm import tqdm

from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import UsageError

VAL_SCENES = 100
"""Number of images in the split that codecs are compared on."""

_FIRST_SEED = {"train": 0, "val": 1_000_000}


def miniscapes(split: str, scenes: int = VAL_SCENES) -> Cityscapes:
    """The first ``scenes`` images of a split, ``train`` or ``val``, 512 x 256 pixels.

    They are drawn into the user's cache folder in Cityscapes' file layout, once; a scene is the
    same on every machine.

    Raises:
        UsageError: if the cache folder cannot be written.
    """
    root = _cache() / f"{split}-{scenes}"
    if not root.is_dir():
        try:
            _draw_split(root, split, scenes)
        except OSError as error:
            raise UsageError(
                f"Miniscapes is drawn into {root.parent}, which cannot be written "
                f"({error.strerror}): name another cache folder in XDG_CACHE_HOME"
            ) from error
    return Cityscapes(root, split, name="miniscapes")


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("benchmark")) / f"miniscapes-{_drawing_version()}"


@cache
def _drawing_version() -> str:
    """Names the drawing code, so that scenes of another version are not taken for these."""
    package = importlib.resources.files("benchmark.datasets.miniscapes")
    digest = hashlib.sha256()
    for file in sorted(package.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _draw_split(root: Path, split: str, scenes: int) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{root.name}.", dir=root.parent))
    try:
        # A pool of its own: its workers end with it, and leave their memory to the run's.
        with ProcessPoolExecutor(joblib.cpu_count()) as pool:
            drawn = pool.map(partial(_draw, unfinished, split), range(scenes))
            for _ in tqdm(drawn, total=scenes, desc=f"drawing Miniscapes {split}", unit="image"):
                pass
        if not root.is_dir():
            unfinished.rename(root)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _draw(root: Path, split: str, number: int) -> None:
    scene = draw_scene(_FIRST_SEED[split] + number)
    name = f"miniscapes_{split}_{number:06d}"
    images = root / "leftImg8bit" / split / "miniscapes"
    annotations = root / "gtFine" / split / "miniscapes"
    ids = scene.instance_ids
    label_ids = np.where(ids >= 1000, ids // 1000, ids)
    for folder in (images, annotations):
        folder.mkdir(parents=True, exist_ok=True)
    _save(scene.image, images / f"{name}_leftImg8bit.png")
    _save(ids.astype(np.uint16), annotations / f"{name}_gtFine_instanceIds.png")
    _save(label_ids.astype(np.uint8), annotations / f"{name}_gtFine_labelIds.png")


def _save(pixels: np.ndarray, path: Path) -> None:
    PIL.Image.fromarray(pixels).save(path, compress_level=1)
