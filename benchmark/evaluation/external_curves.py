"""Curves from elsewhere: CompressAI's JSON files, or CSV files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.errors import UsageError
from benchmark.evaluation.curves import EXTERNAL
from benchmark.metrics.qualities import COMPARED, QUALITIES

_LARGEST = {"bpp": math.inf, **{name: quality.largest for name, quality in QUALITIES.items()}}
"""The columns that are read, and the largest value of each."""

_JSON_NAMES = {"bpp": "bpp"}
_JSON_NAMES |= {name: column for column, its in QUALITIES.items() for name in its.names}
_NEEDED = [quality.column for quality in COMPARED]


def external_curves(specs: Sequence[str], taken: Sequence[str]) -> list[pd.DataFrame]:
    """The curves that ``--external NAME=FILE`` asks for, as `read_curve` reads them.

    Args:
        specs: NAME=FILE; a curve gets this name.
        taken: names that curves have already.

    Raises:
        UsageError: if one is not of that form, has a name that is taken, or its file holds no
            curve.
    """
    curves: dict[str, pd.DataFrame] = {}
    for spec in specs:
        name, equals, file = spec.partition("=")
        if not (name and equals and file):
            raise UsageError(f"--external {spec} is not of the form NAME=FILE")
        if name in (*taken, *curves):
            raise UsageError(f"--external {spec}: there is a curve {name} already: rename it")
        curve = read_curve(Path(file))
        if len(curve) < 2:
            raise UsageError(f"{file} holds a single point: a curve needs two")
        curves[name] = curve.assign(codec=name)
    return list(curves.values())


def read_curve(file: Path) -> pd.DataFrame:
    """A curve in the form of a run's summary, by falling bpp.

    Columns: codec (the name in a JSON file, or the file's name without its ending), rate_point
    (point1 and so on, in the file's order), images (unknown), bpp, wap and ap50 (percent), psnr
    (dB), ms_ssim, encode_s, decode_s, analysis_s, ap (unknown), source (`EXTERNAL`). NaN where
    the file holds none.

    Args:
        file: ``.json``: as CompressAI publishes results, with lists ``bpp`` and ``wap`` or
            ``psnr-rgb``; ``.csv``: with columns bpp and wap or psnr. Other metrics are read by
            their names, what has another name is left aside.

    Raises:
        UsageError: if the file cannot be read as one of these, or holds a value that none of its
            kind can have.
    """
    readers = {".json": _read_json, ".csv": _read_csv}
    if file.suffix.lower() not in readers:
        raise UsageError(f"{file}: a curve is read from a .json or a .csv file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    name, columns = readers[file.suffix.lower()](file, text)
    _check_percent(file, columns)
    points = len(columns["bpp"])
    curve = pd.DataFrame(
        {
            "codec": name,
            "rate_point": [f"point{number}" for number in range(1, points + 1)],
            "images": pd.array([pd.NA] * points, dtype="Int64"),
            **{column: columns.get(column, math.nan) for column in _LARGEST},
            **dict.fromkeys(("encode_s", "decode_s", "analysis_s"), math.nan),
            "ap": None,
            "source": EXTERNAL,
        }
    )
    return curve.sort_values("bpp", ascending=False, ignore_index=True)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_percent(file: Path, columns: Mapping[str, Sequence[float]]) -> None:
    """Raise a `UsageError` if values in percent are written as parts of one."""
    for name, values in columns.items():
        is_percent = name in QUALITIES and QUALITIES[name].unit == "%"
        if is_percent and 0 < max(values) <= 1:
            raise UsageError(
                f"{file}: all values of {name} are at most 1, but it is in percent: write 35.2, "
                "not 0.352"
            )


def _read_json(file: Path, text: str) -> tuple[str, dict[str, list[float]]]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}") from error
    results = content.get("results", content) if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise UsageError(f"{file} holds no results: expected an object with lists of numbers")
    columns = {
        column: _json_column(f"{file}: {name}", column, results[name])
        for name, column in _JSON_NAMES.items()
        if name in results
    }
    _check_columns(str(file), columns)
    numbers = {column: len(values) for column, values in columns.items()}
    if len(set(numbers.values())) > 1:
        raise UsageError(f"{file}: the lists have different lengths: {numbers}")
    return str(content.get("name", file.stem)), columns


def _json_column(where: str, column: str, values: Any) -> list[float]:
    if not isinstance(values, list) or not values:
        raise UsageError(f"{where} is no list of numbers")
    return [
        _value(f"{where}, value {number}", column, value) for number, value in enumerate(values, 1)
    ]


def _read_csv(file: Path, text: str) -> tuple[str, dict[str, list[float]]]:
    lines = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(lines, [])]
    columns: dict[str, list[float]] = {name: [] for name in _LARGEST if name in header}
    _check_columns(f"{file}, line 1", columns)
    rows: list[dict[str, str]] = []
    for line in lines:
        if not line:
            continue
        where = f"{file}, line {lines.line_num}"
        if len(line) != len(header):
            raise UsageError(f"{where}: {len(line)} values below {len(header)} column names")
        values = dict(zip(header, line, strict=True))
        rows.append(values)
        for name, column in columns.items():
            column.append(_value(where, name, values[name]))
    if not columns["bpp"]:
        raise UsageError(f"{file} holds no points below its column names")
    _check_one_series(file, header, rows)
    return file.stem, columns


def _check_one_series(file: Path, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Raise a `UsageError` if a column names more than one thing that was measured."""
    for name in header:
        values = list(dict.fromkeys(row[name].strip() for row in rows))
        if 1 < len(values) < len(rows) and not any(map(_is_number, values)):
            shown = ", ".join(values[:3])
            raise UsageError(
                f"{file}: the column {name!r} has several values ({shown}): a file holds the "
                "points of one curve, write one for each"
            )


def _check_columns(where: str, columns: Mapping[str, Any]) -> None:
    if "bpp" not in columns or not any(quality in columns for quality in _NEEDED):
        found = ", ".join(columns) or "none of them"
        raise UsageError(f"{where}: a curve needs bpp, and {' or '.join(_NEEDED)}; found {found}")


def _value(where: str, column: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{where}: {column} is {value!r}, which is no number")
    if number > _LARGEST[column] or number < 0 or (column == "bpp" and number == 0):
        lowest = "above 0" if column == "bpp" else "0 or more"
        most = f", at most {_LARGEST[column]}" if math.isfinite(_LARGEST[column]) else ""
        raise UsageError(f"{where}: {column} is {value!r}, but has to be {lowest}{most}")
    return number
