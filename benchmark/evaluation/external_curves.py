"""Curves from elsewhere: CompressAI's JSON files, or CSV files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import font_manager

from benchmark.errors import UsageError
from benchmark.evaluation.curves import EXTERNAL
from benchmark.metrics.qualities import COMPARED, QUALITIES

_LARGEST = {"bpp": math.inf, **{name: quality.largest for name, quality in QUALITIES.items()}}
"""The columns that are read, and the largest value of each."""

_PERCENT = [name for name, quality in QUALITIES.items() if quality.unit == "%"]
_LONGEST_NAME = 60
_SAME_RATE = 1.005
"""The ratio of rates under which two points that do not rise are of two curves."""

_SERIES = ("codec", "dataset", "method", "model", "sequence", "series")
"""Columns whose values tell curves apart even where only one of them recurs."""

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
        if not name.isprintable() or name.strip() != name or len(name) > _LONGEST_NAME:
            raise UsageError(
                f"--external {spec!r}: a curve's name has up to {_LONGEST_NAME} printable "
                "characters, without spaces around them"
            )
        if name.startswith("_"):
            raise UsageError(f"--external {spec}: legends leave out names that begin with _")
        if not_drawn := [letter for letter in name if ord(letter) not in _letters()]:
            raise UsageError(f"--external {spec}: figures have no letter {not_drawn[0]}: rename it")
        if name in (*taken, *curves):
            raise UsageError(f"--external {spec}: there is a curve {name} already: rename it")
        curve = read_curve(Path(file))
        if len(curve) < 2:
            raise UsageError(f"{file} holds a single point: a curve needs two")
        curves[name] = curve.assign(codec=name)
    return list(curves.values())


@cache
def _letters() -> Collection[int]:
    """The characters that Matplotlib's font has."""
    return font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()


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
        UsageError: if the file cannot be read as one of these, holds a value that none of its
            kind can have, or more than one curve.
    """
    readers = {".json": _read_json, ".csv": _read_csv}
    if file.suffix.lower() not in readers:
        raise UsageError(f"{file}: a curve is read from a .json or a .csv file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    name, columns, others = readers[file.suffix.lower()](file, text)
    _check_percent(file, columns)
    _check_one_curve(file, columns, others)
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


_Columns = dict[str, list[float]]
_Texts = dict[str, list[str]]
"""What has other names than the columns that are read, a text for each point."""


def _read_json(file: Path, text: str) -> tuple[str, _Columns, _Texts]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}") from error
    results = content.get("results", content) if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise UsageError(f"{file} holds no results: expected an object with lists of numbers")
    columns: _Columns = {}
    for name in filter(results.__contains__, _JSON_NAMES):
        if (column := _JSON_NAMES[name]) in columns:
            raise UsageError(f"{file} holds {column} twice, once as {name}: take one out")
        columns[column] = _json_column(f"{file}: {name}", column, results[name])
    _check_columns(str(file), columns)
    numbers = {column: len(values) for column, values in columns.items()}
    if len(set(numbers.values())) > 1:
        raise UsageError(f"{file}: the lists have different lengths: {numbers}")
    points = len(columns["bpp"])
    others = {
        str(name): [str(value) for value in values]
        for name, values in results.items()
        if name not in _JSON_NAMES and isinstance(values, list) and len(values) == points
    }
    return str(content.get("name", file.stem)), columns, others


def _json_column(where: str, column: str, values: Any) -> list[float]:
    if not isinstance(values, list) or not values:
        raise UsageError(f"{where} is no list of numbers")
    return [
        _value(f"{where}, value {number}", column, value) for number, value in enumerate(values, 1)
    ]


def _read_csv(file: Path, text: str) -> tuple[str, _Columns, _Texts]:
    lines = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(lines, [])]
    columns: _Columns = {name: [] for name in _LARGEST if name in header}
    others: _Texts = {name: [] for name in header if name not in columns}
    _check_columns(f"{file}, line 1", columns)
    if twice := [name for name in columns if header.count(name) > 1]:
        raise UsageError(f"{file}, line 1: there is more than one column {twice[0]}")
    for line in lines:
        if not line:
            continue
        where = f"{file}, line {lines.line_num}"
        if len(line) != len(header):
            raise UsageError(f"{where}: {len(line)} values below {len(header)} column names")
        values = dict(zip(header, line, strict=True))
        for name, column in columns.items():
            column.append(_value(where, name, values[name]))
        for name, texts in others.items():
            texts.append(values[name].strip())
    if not columns["bpp"]:
        raise UsageError(f"{file} holds no points below its column names")
    return file.stem, columns, others


def _check_columns(where: str, columns: Mapping[str, Any]) -> None:
    if "bpp" not in columns or not any(quality in columns for quality in _NEEDED):
        found = ", ".join(columns) or "none of them"
        raise UsageError(f"{where}: a curve needs bpp, and {' or '.join(_NEEDED)}; found {found}")


def _check_percent(file: Path, columns: _Columns) -> None:
    for name in filter(columns.__contains__, _PERCENT):
        if 0 < max(columns[name]) <= 1:
            raise UsageError(
                f"{file}: {name} is {max(columns[name]):g} at most, as parts of 1; it has to be in "
                "percent, from 0 to 100: multiply it by 100"
            )


def _check_one_curve(file: Path, columns: _Columns, others: _Texts) -> None:
    """Raises a `UsageError` if the points are those of several curves, and says what tells them.

    They are where another column parts them (by texts of which two recur, or by one that is named
    in `_SERIES`; by numbers, if that makes rising curves of what is none), where the rates begin
    anew and that parts them so, and where two points of the same rate, nearly, do not rise.
    """
    (column, *_) = (name for name in _NEEDED if name in columns)
    qualities = map(QUALITIES[column].rising, columns[column])
    points = list(zip(columns["bpp"], qualities, strict=True))
    for name, texts in others.items():
        if _parts_curves(name, texts, points):
            values = ", ".join(dict.fromkeys(texts))
            raise UsageError(
                f"{file} holds more than one curve: {name} is {values:.60}; keep the points of one "
                "in a file of its own"
            )
    series = _in_order_of_rates(points)
    if not _rises(points) and all(len(its) > 1 and _rises(its) for its in series):
        raise UsageError(
            f"{file} holds {len(series)} curves, one after the other: the rates begin anew at "
            f"point {len(series[0]) + 1}; keep the points of one in a file of its own, by rate"
        )
    ordered = sorted(points)
    for (rate, lower), (next_rate, higher) in pairwise(ordered):
        if next_rate == rate or (next_rate < rate * _SAME_RATE and higher <= lower):
            raise UsageError(
                f"{file} holds two points of about the same rate ({rate:g} and {next_rate:g} bpp): "
                "keep the points of one curve"
            )


def _parts_curves(name: str, texts: Sequence[str], points: Sequence[tuple[float, float]]) -> bool:
    """Whether another column tells the points of several curves apart."""
    series = [
        [point for point, text in zip(points, texts, strict=True) if text == value]
        for value in dict.fromkeys(texts)
    ]
    recurring = [its for its in series if len(its) > 1]
    if len(series) < 2 or not recurring:
        return False
    if all(map(_is_number, texts)):
        return recurring == series and not _rises(points) and all(map(_rises, series))
    return len(recurring) > 1 or name in _SERIES


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rises(points: Sequence[tuple[float, float]]) -> bool:
    """Whether the quality of points does not fall where the rate grows."""
    ordered = sorted(points)
    return all(
        rate < next_rate and lower <= higher
        for (rate, lower), (next_rate, higher) in pairwise(ordered)
    )


def _in_order_of_rates(
    points: Sequence[tuple[float, float]],
) -> list[list[tuple[float, float]]]:
    """The points, parted where the rates of their order turn."""
    series = [[points[0]]]
    for point in points[1:]:
        its = series[-1]
        growing = point[0] > its[-1][0]
        if len(its) == 1 or growing == (its[1][0] > its[0][0]):
            its.append(point)
        else:
            series.append([point])
    return series


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
