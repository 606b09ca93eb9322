"""Say which images belong together, for bootstrap intervals over places instead of images."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.errors import UsageError

_PARTS = {"city": 1, "sequence": 2}
RESAMPLED = ("image", *_PARTS)
"""What is drawn with replacement; the first is the default."""


def clusters_of(names: Sequence[str], resampled: str) -> list[str]:
    """Return the cluster of each image.

    Args:
        names: of the images. Cityscapes' are CITY_SEQUENCE_FRAME; below a folder of images, folders
            take these places (`benchmark.datasets.dataset.picture_name`).
        resampled: of `RESAMPLED`.

    Raises:
        UsageError: if all images are in one cluster, which says nothing of others.
    """
    if resampled == RESAMPLED[0]:
        return list(names)
    found = ["_".join(name.split("_")[: _PARTS[resampled]]) for name in names]
    if len(set(found)) < 2:
        raise UsageError(
            f"all images are of one {resampled} by their names ({found[0]}): --resample image"
        )
    return found
