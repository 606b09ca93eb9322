"""Say which images belong together, for bootstrap intervals over places instead of images."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.errors import UsageError

_PARTS = {"city": 1, "sequence": 2}
RESAMPLED = ("image", *_PARTS)
"""What is drawn with replacement; the first is the default."""


def clusters_of(names: Sequence[str], resampled: str) -> dict[str, str]:
    """Return the cluster of each image, by its name.

    Args:
        names: of the images. Cityscapes' are CITY_SEQUENCE_FRAME; below a folder of images, folders
            take these places (`benchmark.datasets.dataset.picture_name`).
        resampled: of `RESAMPLED`.

    Raises:
        UsageError: if all images are in one cluster, which says nothing of others.
    """
    if resampled == RESAMPLED[0]:
        return {name: name for name in names}
    found = {name: "_".join(name.split("_")[: _PARTS[resampled]]) for name in names}
    if len(set(found.values())) < 2:
        of = ", ".join(set(found.values()))
        raise UsageError(
            f"all images are of one {resampled} by their names ({of}): --resample image"
        )
    return found
