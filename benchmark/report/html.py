"""The report of a run as one HTML file that needs nothing else."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from typing import Any

import jinja2
import pandas as pd

from benchmark.report.summary import ap_name


def html_report(
    manifest: Mapping[str, Any], summary: pd.DataFrame, deltas: pd.DataFrame, curves: bytes
) -> bytes:
    """What was run, the curves (an SVG file), the Bjontegaard deltas, and all rate points."""
    template = importlib.resources.files("benchmark.report").joinpath("report.html.jinja")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = _number
    page = environment.from_string(template.read_text()).render(
        manifest=manifest,
        summary=summary.to_dict("records"),
        ap=ap_name(summary),
        classes=[column for column in summary if str(column).startswith("ap_")],
        deltas=deltas[deltas["method"] == "akima"].to_dict("records"),
        curves=jinja2.utils.markupsafe.Markup(curves.decode().partition("?>")[2]),
    )
    return page.encode()


def _number(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"
