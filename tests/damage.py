"""Damage to run folders, as disks, copies and editors do it: seeded, one thing at a time."""

import random
import re
from collections.abc import Callable
from pathlib import Path


def damage(folder: Path, seed: int) -> tuple[Path, str]:
    """Damage one file of a run folder; return the file and what was done to it."""
    dice = random.Random(seed)
    kind = dice.choice(["records.jsonl", "records.jsonl", "run.json", "detections", "bitstreams"])
    place = folder / kind
    files = [place] if place.is_file() else sorted(its for its in place.rglob("*") if its.is_file())
    file = dice.choice(files)
    others = [its for its in files if its != file]
    ways = dict(_BYTES if kind == "bitstreams" else _BYTES | _LINES)
    name = dice.choice([*ways, "remove", *(["swap"] if others else [])])
    if name == "remove":
        file.unlink()
    elif name == "swap":
        other = dice.choice(others)
        mine, theirs = file.read_bytes(), other.read_bytes()
        file.write_bytes(theirs)
        other.write_bytes(mine)
    else:
        file.write_bytes(ways[name](file.read_bytes(), dice))
    return file, name


def _flip_a_byte(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + bytes([content[at] ^ dice.randrange(1, 256)]) + content[at + 1 :]


def _alter_a_digit(content: bytes, dice: random.Random) -> bytes:
    at = dice.choice([found.start() for found in re.finditer(rb"[0-9]", content)] or [0])
    return content[:at] + str(dice.randrange(10)).encode() + content[at + 1 :]


def _truncate(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def _alter_a_hash(content: bytes, dice: random.Random) -> bytes:
    found = [its.start() for its in re.finditer(rb"(?<=\")[0-9a-f]{16,64}(?=\")", content)]
    if not found:
        return _flip_a_byte(content, dice)
    at = dice.choice(found)
    return content[:at] + (b"1" if content[at : at + 1] == b"0" else b"0") + content[at + 1 :]


def _on_a_line(change: Callable[[list[bytes], int, random.Random], None]):
    def changed(content: bytes, dice: random.Random) -> bytes:
        lines = content.splitlines(keepends=True)
        change(lines, dice.randrange(len(lines)), dice)
        return b"".join(lines)

    return changed


def _drop(lines: list[bytes], at: int, dice: random.Random) -> None:
    del lines[at]


def _double(lines: list[bytes], at: int, dice: random.Random) -> None:
    lines.insert(at, lines[at])


def _cut(lines: list[bytes], at: int, dice: random.Random) -> None:
    lines[at] = lines[at][: dice.randrange(len(lines[at]))] + b"\n"


def _swap(lines: list[bytes], at: int, dice: random.Random) -> None:
    other = dice.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


_BYTES = {"flip a byte": _flip_a_byte, "truncate": _truncate, "alter a digit": _alter_a_digit}
_LINES = {
    "alter a hash": _alter_a_hash,
    "drop a line": _on_a_line(_drop),
    "double a line": _on_a_line(_double),
    "cut a line": _on_a_line(_cut),
    "swap lines": _on_a_line(_swap),
}
