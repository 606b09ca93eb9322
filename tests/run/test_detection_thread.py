"""Detection apart from the encoding. These tests let it run on the CPU instead of CUDA."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.analysis import AnalysisNetwork, Detection, open_analysis
from benchmark.codec import RatePoint
from benchmark.datasets.dataset import Dataset
from benchmark.image import Image
from benchmark.run.carry_out import carry_out, detected
from benchmark.run.detection_thread import BATCH, DetectionThreads
from benchmark.run.jobs import CodecChoice, do_job, plan_jobs
from benchmark.run.run_folder import RunFolder
from benchmark.runner import Failed, Finished, open_runner

WHITE = 255


class Watched(AnalysisNetwork):
    """Waits until it is let go, and notes the sizes of its batches."""

    name = "watched"
    categories = ()

    @classmethod
    def open(cls, where: str, device: str) -> "Watched":
        return cls()

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[int] = []
        self.threads: set[int] = set()

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self.go.wait(timeout=60)
        self.batches.append(len(images))
        self.threads.add(threading.get_ident())
        values = [int(image[0, 0, 0]) for image in images]
        if WHITE in values:
            raise ValueError("snow-blind")
        return [[Detection(value, 1.0, (0, 0, 4, 4), (4, 4), "")] for value in values]

    def identity(self) -> dict[str, str]:
        return {}


def grey(value: int) -> Image:
    return np.full((4, 4, 3), value, np.uint8)


def test_what_waits_is_detected_in_batches_by_another_thread() -> None:
    network = Watched()
    with DetectionThreads([network]) as threads:
        found = [threads.detect(grey(value)) for value in range(2 * BATCH + 1)]
        network.go.set()
    for value, future in enumerate(found):
        outcome, _ = future.result()
        assert isinstance(outcome, Finished)
        assert outcome.result[0].category_id == value
    # the first may have been taken before the others came
    assert max(network.batches) == BATCH
    assert len(network.batches) in (3, 4)
    assert threading.get_ident() not in network.threads


def test_each_of_several_networks_has_a_thread() -> None:
    networks = [Watched(), Watched()]
    with DetectionThreads(networks) as threads:
        found = [threads.detect(grey(value)) for value in range(8 * BATCH)]
        for network in networks:
            network.go.set()
    assert all(network.batches for network in networks)
    assert sum(map(sum, (network.batches for network in networks))) == len(found)
    for value, future in enumerate(found):
        outcome, _ = future.result()
        assert isinstance(outcome, Finished)
        assert outcome.result[0].category_id == value


def test_a_failure_is_that_of_its_batch_only() -> None:
    network = Watched()
    network.go.set()
    outcomes = []
    for value in (WHITE, 3):
        with DetectionThreads([network]) as threads:
            outcomes.append(threads.detect(grey(value)).result()[0])
    assert isinstance(outcomes[0], Failed) and "snow-blind" in outcomes[0].reason
    assert isinstance(outcomes[1], Finished)


def test_a_run_finds_the_same_whether_detection_is_apart_or_not(
    scenes: Dataset, tmp_path: Path
) -> None:
    codec = CodecChoice("jpeg", (), (RatePoint("quality", 20), RatePoint("quality", 60)))
    categories = tuple(scenes.categories)
    jobs = [
        replace(job, categories=categories)
        for job in plan_jobs([codec], scenes.pictures, "miniscapes")
    ]
    folders = RunFolder(tmp_path / "together"), RunFolder(tmp_path / "apart")
    for folder in folders:
        folder.path.mkdir()
    runner = open_runner("local", 1)
    assert carry_out(jobs, folders[0], runner).finished == len(jobs)
    with DetectionThreads([open_analysis("miniscapes") for _ in range(2)]) as threads:
        coded = runner.run(functools.partial(do_job, detect=False), jobs)
        for outcome in detected(coded, threads):
            assert isinstance(outcome, Finished)
            result = outcome.result
            folders[1].add(result.record, result.bitstream, result.detections)
    together, by_thread = ({r.key: r for r in folder.records()} for folder in folders)
    assert together.keys() == by_thread.keys()
    for key, record in together.items():
        other = by_thread[key]
        assert other.sha256 == record.sha256
        assert other.decoded_sha256 == record.decoded_sha256
        assert other.analysis_s and other.analysis_s > 0
        # batches are computed in another order: the last digits differ
        assert other.detections == pytest.approx(record.detections, abs=1)
        found, others = (folder.detections(*key[:2])[record.image_id] for folder in folders)
        for detection, same in zip(found[:3], others[:3], strict=True):
            assert same.category_id == detection.category_id
            assert same.score == pytest.approx(detection.score, abs=1e-3)
            assert same.box == pytest.approx(detection.box, abs=0.1)
