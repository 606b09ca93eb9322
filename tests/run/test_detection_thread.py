"""Detection apart from the encoding. These tests let it run on the CPU instead of CUDA."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmark.analysis import AnalysisNetwork, Detection
from benchmark.codec import RatePoint
from benchmark.datasets.dataset import Dataset
from benchmark.image import Image
from benchmark.run import detection_thread
from benchmark.run.detection_thread import BATCH, DetectionApart
from benchmark.run.jobs import CodecChoice, carry_out, plan_jobs
from benchmark.run.run_folder import RunFolder
from benchmark.runner import Failed, Finished, Outcome, open_runner

WHITE = 255


class Watched(AnalysisNetwork):
    """Waits until it is let go, and notes the sizes of its batches."""

    name = "watched"

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


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched = Watched()
    monkeypatch.setattr(detection_thread, "open_analysis", lambda spec, device: watched)
    return watched


def grey(value: int) -> Image:
    return np.full((4, 4, 3), value, np.uint8)


def test_what_waits_is_detected_in_batches_by_another_thread(network: Watched) -> None:
    found: list[int] = []

    def done(outcome: Outcome[Image, Sequence[Detection]], seconds: float) -> None:
        assert isinstance(outcome, Finished)
        assert outcome.result[0].category_id == outcome.task[0, 0, 0]
        found.append(outcome.result[0].category_id)

    with DetectionApart("any", "cpu") as detection:
        for value in range(2 * BATCH + 1):
            detection.detect(grey(value), done)
        network.go.set()
    assert found == list(range(2 * BATCH + 1))
    # the first may have been taken before the others came
    assert max(network.batches) == BATCH
    assert len(network.batches) in (3, 4)
    assert threading.get_ident() not in network.threads


def test_a_failure_is_that_of_its_batch_only(network: Watched) -> None:
    network.go.set()
    reasons: list[str] = []

    def done(outcome: Outcome[Image, Sequence[Detection]], seconds: float) -> None:
        reasons.append(outcome.reason if isinstance(outcome, Failed) else "")

    for value in (WHITE, 3):
        with DetectionApart("any", "cpu") as detection:
            detection.detect(grey(value), done)
    assert "snow-blind" in reasons[0]
    assert reasons[1] == ""


def test_what_goes_wrong_with_the_results_is_raised(network: Watched) -> None:
    network.go.set()

    def done(outcome: Outcome[Image, Sequence[Detection]], seconds: float) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"), DetectionApart("any", "cpu") as detection:
        detection.detect(grey(3), done)


def test_a_run_finds_the_same_whether_detection_is_apart_or_not(
    scenes: Dataset, tmp_path: Path
) -> None:
    codec = CodecChoice("jpeg", (), (RatePoint("quality", 20), RatePoint("quality", 60)))
    jobs = plan_jobs([codec], scenes.pictures, "miniscapes")
    folders = RunFolder(tmp_path / "together"), RunFolder(tmp_path / "apart")
    for folder, device in zip(folders, (None, "cpu"), strict=True):
        folder.path.mkdir()
        progress = carry_out(jobs, folder, open_runner("local", 1), device)
        assert progress.finished == len(jobs)
    together, by_thread = ({r.key: r for r in folder.records()} for folder in folders)
    assert together.keys() == by_thread.keys()
    for key, record in together.items():
        other = by_thread[key]
        assert other.sha256 == record.sha256
        assert other.decoded_sha256 == record.decoded_sha256
        assert other.analysis_s > 0
        # batches are computed in another order: the last digits differ
        assert other.detections == pytest.approx(record.detections, abs=1)
        found, others = (folder.detections(*key[:2])[record.image_id] for folder in folders)
        for detection, same in zip(found[:3], others[:3], strict=True):
            assert same.category_id == detection.category_id
            assert same.score == pytest.approx(detection.score, abs=1e-3)
            assert same.box == pytest.approx(detection.box, abs=0.1)
