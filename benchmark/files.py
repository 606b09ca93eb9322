"""Files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

UNFINISHED = ".unfinished-"
"""How the name of a file begins while it is being written."""


def write_whole(target: Path, content: bytes) -> None:
    """Writes a file, and the folders that it lies in; stopped half-way it leaves the old one.

    Raises:
        OSError: if it cannot be written, for example because the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # a short name, because the target's own may be as long as the file system takes
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()
    unfinished = target.with_name(UNFINISHED + digest[:16])
    try:
        unfinished.write_bytes(content)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
