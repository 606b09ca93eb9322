"""Plans: what a run will take, and all that is missing at once."""

import json

import numpy as np
import PIL.Image
import pytest


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    for name, rows in zip("abc", (64, 32, 16), strict=True):
        PIL.Image.fromarray(noise[:rows]).save(folder / f"{name}.png")
    return folder


def test_a_plan_names_jobs_hours_disk_and_memory_and_the_run_goes_on(
    benchmark_command, photos, tmp_path
):
    command = ("--codecs", "jpeg", "--rates", "quality8", "--dataset", f"images:{photos}")
    planned = benchmark_command("plan", *command, "--out", "out", "--jobs", 1)
    assert planned.returncode == 0, planned.stderr
    assert "6 jobs: " in planned.stdout
    assert "GB a worker" in planned.stdout
    records = (tmp_path / "out/records.jsonl").read_text().splitlines()
    assert {json.loads(line)["image"] for line in records} == {"b.png"}  # of median size
    again = benchmark_command("plan", *command, "--out", "out", "--jobs", 1)
    assert "6 jobs: " in again.stdout and "not measured" in again.stdout
    done = benchmark_command("run", *command, "--out", "out", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert "4 jobs in" in done.stdout and "(2 were done before)" in done.stdout


def test_all_that_is_missing_is_named_at_once(benchmark_command):
    done = benchmark_command(
        *("run", "--preset", "paper", "--dataset", "cityscapes:nowhere"),
        *("--checkpoints", "no-checkpoints", "--analysis", "detectron2:no.pkl"),
    )
    assert done.returncode == 2
    for missing in ("VTM_ENCODER", "ncn_maskLoss_CS_", "nowhere/leftImg8bit/val", "no.pkl"):
        assert missing in done.stderr
    assert "Traceback" not in done.stderr
