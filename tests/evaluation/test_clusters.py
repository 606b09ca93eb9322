"""Intervals over cities or sequences, p-values, and the line that says what a number rests on."""

import msgspec
import numpy as np
import pytest

from benchmark.datasets import open_dataset
from benchmark.errors import UsageError
from benchmark.evaluation.clusters import clusters_of
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.published_run import published_folder
from benchmark.evaluation.signature import signature
from benchmark.evaluation.tables import evaluate
from benchmark.metrics.bootstrap import Resampled, draw
from benchmark.metrics.resampled_curves import ResampledCurves
from benchmark.runner import HereRunner

NAMES = ["ulm_000000_000019", "ulm_000000_000020", "ulm_000001_000019", "bonn_000000_000019"]


def test_images_belong_together_by_their_names():
    assert clusters_of(NAMES, "image") == {name: name for name in NAMES}
    cities, sequences = (list(clusters_of(NAMES, of).values()) for of in ("city", "sequence"))
    assert cities == ["ulm", "ulm", "ulm", "bonn"]
    assert sequences == ["ulm_000000"] * 2 + ["ulm_000001", "bonn_000000"]


def test_a_single_cluster_is_refused(benchmark_command):
    shown = benchmark_command("report", published_folder().path, "--resample", "city")
    assert shown.returncode == 2
    assert (
        "all images are of one city by their names (miniscapes): --resample image" in shown.stderr
    )
    with pytest.raises(UsageError, match="one sequence"):
        clusters_of(NAMES[:2], "sequence")


class NoRunner(HereRunner):
    def run(self, function, tasks, constants=()):
        raise AssertionError("work was begun")


def test_a_single_cluster_is_refused_before_any_work():
    run = OpenedRun(published_folder(), open_dataset("miniscapes"))
    with pytest.raises(UsageError, match="one city"):
        evaluate(run, run.dataset.pictures[:2], NoRunner(), "vtm", "coco", "city")


def test_images_of_a_cluster_are_drawn_together():
    counts = draw(list(clusters_of(NAMES, "sequence").values()), 200, seed=0)
    assert (counts[0] == counts[1]).all()
    assert (counts[[0, 2, 3], 1:].sum(axis=0) == 3).all()
    assert (counts[0, 1:] != counts[2, 1:]).any()


def test_resamples_of_whole_clusters_spread_as_few_independent_ones_do():
    """100 images in 10 places that are all alike: the mean is known as well as that of 10."""
    values = np.repeat(np.random.default_rng(0).normal(size=10), 10)
    places = np.repeat(np.arange(10), 10).tolist()
    spread = [
        np.std(values @ counts[:, 1:] / counts[:, 1:].sum(axis=0))
        for counts in (draw(places, 4000, seed=1), draw(range(100), 4000, seed=1))
    ]
    assert spread[0] == pytest.approx(values.std() / np.sqrt(10), rel=0.05)
    assert spread[1] == pytest.approx(values.std() / np.sqrt(100), rel=0.05)


def points(codec, factor):
    for bpp, wap in ((0.1, 20.0), (0.2, 30.0), (0.4, 40.0)):
        values = np.full(factor.shape, wap)
        yield Resampled(codec, str(bpp), bpp * factor, values, values)


def test_the_p_value_counts_the_resamples_of_the_other_sign():
    """40 of 999 resamples have the other sign: twice (40 + 1) of (999 + 1)."""
    factor = np.full(1000, 0.9)
    factor[1:41] = 1.1
    drawn = [*points("a", np.ones(1000)), *points("b", factor)]
    table = ResampledCurves(drawn).delta_intervals().set_index("codec")
    assert table["p"].tolist() == pytest.approx([0.082] * 2)
    alike = [*points("a", np.ones(1000)), *points("b", np.ones(1000))]
    assert ResampledCurves(alike).delta_intervals()["p"].tolist() == [1, 1]


def test_the_signature_changes_with_all_that_a_number_rests_on():
    dataset = open_dataset("miniscapes")
    run = OpenedRun(published_folder(), dataset)
    pictures = dataset.pictures[:3]
    line = signature(run, pictures, "coco", "image")
    assert "data:miniscapes | images:3#" in line
    assert "ap:COCO | delta:akima | intervals:1000 resamples by image, seed 0" in line
    others = [
        signature(run, dataset.pictures[1:4], "coco", "image"),
        signature(run, pictures, "cityscapes", "image"),
        signature(run, pictures, "coco", "sequence"),
    ]
    changed = run.manifest.analysis.identity | {"weights": "others"}
    analysis = msgspec.structs.replace(run.manifest.analysis, identity=changed)
    run.manifest = msgspec.structs.replace(run.manifest, analysis=analysis)
    others.append(signature(run, pictures, "coco", "image"))
    assert len({line, *others}) == 5
