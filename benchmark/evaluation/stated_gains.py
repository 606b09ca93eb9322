"""Read what the paper states: the Bjontegaard delta rates of its codecs."""

from __future__ import annotations

import importlib.resources

import pandas as pd


def stated_gains() -> pd.DataFrame:
    """Return the paper's deltas: codec, anchor, quality (its column), bd_rate (percent), source.

    They were measured on Cityscapes' validation images with Detectron2's Mask R-CNN.
    """
    path = importlib.resources.files("benchmark.results") / "paper" / "bd_rate.csv"
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file)
