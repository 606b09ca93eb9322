"""Files that are written whole or not at all, and files that have to be there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from benchmark.errors import UsageError

UNFINISHED = ".unfinished-"
"""How the name of a file begins while it is being written."""

LONGEST_NAME = 255
"""Bytes that file systems take as a file's name."""


def write_whole(target: Path, content: bytes) -> None:
    """Writes a file, and the folders that it lies in; stopped half-way it leaves the old one.

    Raises:
        OSError: if it cannot be written, for example because the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # a short name, because the target's own may be as long as the file system takes
    unfinished = target.with_name(UNFINISHED + _digest(target.name))
    try:
        unfinished.write_bytes(content)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def in_utf8(text: str) -> bytes:
    """Return text for a file in UTF-8.

    Bytes of a path that the locale could not read (``surrogateescape``) are written as they were
    where they are UTF-8, and as U+FFFD elsewhere.
    """
    return text.encode(errors="surrogateescape").decode(errors="replace").encode()


def short_name(stem: str, ending: str) -> str:
    """Return a file's name of at most 255 bytes: a longer stem is cut, and a digest follows it."""
    name = stem + ending
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    ending = "-" + _digest(stem) + ending
    cut = os.fsencode(stem)[: LONGEST_NAME - len(os.fsencode(ending))]
    return cut.decode(errors="ignore") + ending


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def read_file(path: Path, what: str) -> bytes:
    """The content of a file of weights.

    Args:
        path: the file.
        what: what it should hold, for the message.

    Raises:
        UsageError: if it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: it should hold {what}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
