"""A run folder that was damaged goes on to the same results, or is refused in one clear line."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from damage import damage
from here_runner import HereRunner

from benchmark.analysis.analysis_network import NETWORKS, AnalysisNetwork, Detection
from benchmark.analysis.masks import encode_mask
from benchmark.datasets.dataset import Category, read_image
from benchmark.errors import UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.rate_points import rate_point_table
from benchmark.metrics.ground_truth import RunTruth
from benchmark.run.experiment import Experiment, Prepared, prepare
from benchmark.run.perform import perform
from benchmark.run.run_folder import RunFolder

SIZE = (24, 32)
PASSING = ("encode_s", "decode_s", "analysis_s", "invocation")


class Brighter(AnalysisNetwork):
    """Finds what is brighter than the mean, once in red and once in green.

    It stands for Mask R-CNN, which takes a hundred times as long.
    """

    name = "brighter"
    categories = (Category(1, "person"), Category(2, "car"))

    @classmethod
    def open(cls, where, device):
        return cls()

    def identity(self):
        return {"version": "1"}

    def detect(self, images):
        return [[self._found(image, channel) for channel in (0, 1)] for image in images]

    def _found(self, image, channel):
        pixels = image[..., channel] > image[..., channel].mean()
        score = float(image[..., channel].mean()) / 255
        box = np.array([0, 0, SIZE[1], SIZE[0]], np.float32)
        return Detection.from_mask(channel + 1, score, box, pixels, (0, 0), SIZE)


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Prepared:
    """JPEG at two rate points on three small images with two objects each."""
    root = tmp_path_factory.mktemp("whole")
    dice = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(3):
        small = dice.integers(0, 256, (6, 8, 3), np.uint8)
        name = f"image{number}.png"
        PIL.Image.fromarray(small).resize(SIZE[::-1], PIL.Image.Resampling.BICUBIC).save(
            root / name
        )
        images.append({"id": number + 7, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
        pixels = read_image(root / name)
        for channel in (0, 1):
            mask = pixels[..., channel] > pixels[..., channel].mean()
            outline = encode_mask(np.roll(mask, number, axis=1), (0, 0), SIZE)
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number + 7, "category_id": channel + 1,
                 "segmentation": {"size": SIZE, "counts": outline}, "iscrowd": 0}
            )  # fmt: skip
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "instances.json").write_text(json.dumps(content))
    if NETWORKS.handed_over(Brighter.name) is None:
        NETWORKS.hand_over(Brighter)
    experiment = Experiment(
        dataset=f"coco:{root}/instances.json:{root}", codecs=["jpeg"], analysis=Brighter.name,
        rates=["quality20", "quality80"], device="cpu",
    )  # fmt: skip
    prepared = replace(prepare(experiment, root / "run", "local", 1), runner=HereRunner())
    performed = perform(prepared)
    assert not performed.unfinished and performed.outcome.finished == 9
    return prepared


def contents(folder: Path) -> tuple[list[dict], dict[str, bytes]]:
    """All that a run holds, without times and the invocations that brought it."""
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    measured = [
        {key: value for key, value in record.items() if key not in (*PASSING, "check")}
        for record in records
    ]
    files = [its for part in ("bitstreams", "detections") for its in (folder / part).rglob("*")]
    kept = {str(its.relative_to(folder)): its.read_bytes() for its in files if its.is_file()}
    return measured, kept


def touched(whole: Path, damaged: Path) -> int:
    """How many images' results were damaged, counted in the files themselves."""
    lost = Counter((whole / "records.jsonl").read_bytes().splitlines())
    if (damaged / "records.jsonl").exists():
        lost -= Counter((damaged / "records.jsonl").read_bytes().splitlines())
    jobs = {
        tuple(json.loads(line)[key] for key in ("codec", "rate_point", "image")) for line in lost
    }
    for file in (whole / "bitstreams").rglob("*"):
        other = damaged / file.relative_to(whole)
        if file.is_file() and not (other.is_file() and other.read_bytes() == file.read_bytes()):
            jobs.add(file.relative_to(whole / "bitstreams").parts)
    names = {7: "image0.png", 8: "image1.png", 9: "image2.png"}
    for file in (whole / "detections").rglob("*.json"):
        other = damaged / file.relative_to(whole)
        before, after = _by_image(file), _by_image(other)
        point = (file.parent.name, file.stem)
        jobs |= {(*point, names[at]) for at in names if before.get(at) != after.get(at)}
    return len(jobs)


def _by_image(file: Path) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for line in file.read_bytes().splitlines() if file.exists() else ():
        try:
            found.setdefault(json.loads(line.rstrip(b",\n"))["image_id"], []).append(
                line.rstrip(b",")
            )
        except (ValueError, KeyError, TypeError):
            continue
    return found


def damage_and_go_on(asked: Prepared, folder: Path, seed: int) -> str:
    """Damage a copy of the whole run and carry on; return what became of it."""
    whole = asked.folder.path
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    file, what = damage(folder, seed)
    most = touched(whole, folder)
    described = f"seed {seed}: {what} in {file.relative_to(folder)}"
    try:
        performed = perform(replace(asked, folder=RunFolder(folder)))
    except UsageError as error:
        assert file.name == "run.json", f"{described}: {error}"
        assert "\n" not in str(error) and str(folder) in str(error), described
        return "refused"
    assert contents(folder) == contents(whole), described
    assert not performed.unfinished and not performed.outcome.failures, described
    assert performed.outcome.finished <= most, f"{described}: whole work was done again"
    return f"{performed.outcome.finished} done again"


def table(prepared: Prepared) -> pd.DataFrame:
    truth = RunTruth(prepared.dataset, prepared.pictures, "coco")
    opened = OpenedRun(prepared.folder, prepared.dataset)
    found = rate_point_table(opened, prepared.pictures, truth, prepared.runner).summary
    return found.drop(columns=["encode_s", "decode_s", "analysis_s"])


def test_a_damaged_run_goes_on_to_the_same_tables(asked, tmp_path):
    whole = table(asked)
    assert len(whole) == 3 and whole["wap"].between(1, 99).all()
    for seed in range(20):
        if damage_and_go_on(asked, tmp_path / "run", seed) != "refused":
            again = table(replace(asked, folder=RunFolder(tmp_path / "run")))
            pd.testing.assert_frame_equal(again, whole)


@pytest.mark.long
def test_a_thousand_damaged_runs_go_on_to_the_same_results(asked, tmp_path):
    became = Counter(damage_and_go_on(asked, tmp_path / "run", seed) for seed in range(1000))
    print(dict(became.most_common()))
    assert became["refused"] < 200
