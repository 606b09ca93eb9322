"""Whole runs by the command line, with real codecs, on the first images of Miniscapes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from benchmark.codec import CODECS, RatePoint
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import Picture
from benchmark.metrics.cityscapes_ap import CityscapesGroundTruth
from benchmark.run import jobs
from benchmark.run.run_folder import RunFolder

SMALL = (
    *("run", "--codecs", "jpeg", "vvenc", "--limit", "2", "--out", "out"),
    *("--rates", "jpeg:quality5", "jpeg:quality30", "vvenc:qp50", "vvenc:qp40"),
)
TIMES = ("encode_s", "decode_s", "analysis_s")


def contents(run):
    """All that a run measured, without the times and the invocations that brought it."""
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    passing = (*TIMES, "invocation", "check")  # of the whole line
    measured = [{k: v for k, v in record.items() if k not in passing} for record in records]
    files = sorted(p for part in ("bitstreams", "detections") for p in (run / part).rglob("*"))
    digests = {p.relative_to(run): sha256(p.read_bytes()).digest() for p in files if p.is_file()}
    return measured, digests


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *SMALL], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_rates_are_the_sizes_of_the_bitstream_files(small_run):
    folder, _ = small_run
    summary = pd.read_csv(folder / "out/summary.csv").set_index(["codec", "rate_point"])
    for codec, rate_point in (("jpeg", "quality5"), ("vvenc", "qp40")):
        files = list((folder / "out/bitstreams" / codec / rate_point).iterdir())
        assert len(files) == 2
        bits = 8 * sum(file.stat().st_size for file in files)
        assert summary.loc[(codec, rate_point), "bpp"] == pytest.approx(bits / (2 * 512 * 256))


def test_the_run_folder_holds_what_it_should(small_run):
    out = small_run[0] / "out"
    for name in ("run.json", "records.jsonl", "summary.csv", "bd_rate.csv", "report.html"):
        assert (out / name).stat().st_size > 0
    assert PIL.Image.open(out / "curves.png").size[0] > 600
    assert (out / "curves.svg").read_text().startswith("<?xml")
    manifest = json.loads((out / "run.json").read_text())
    assert manifest["format"] == 2
    (invocation,) = manifest["invocations"]
    assert set(invocation["codecs"]) == {"jpeg", "vvenc"}
    assert invocation["command"].startswith("python -m benchmark run --codecs jpeg vvenc")
    assert invocation["device"] == "cpu"
    assert manifest["analysis"]["identity"]["weights"]


def test_detections_are_in_cocos_result_format(small_run):
    truth = COCO()
    truth.dataset = {
        "images": [{"id": number, "width": 512, "height": 256} for number in range(2)],
        "categories": [{"id": number} for number in range(24, 34)],
        "annotations": [],
    }
    truth.createIndex()
    loaded = truth.loadRes(str(small_run[0] / "out/detections/vvenc/qp40.json"))
    assert len(loaded.getAnnIds()) > 0
    mask = loaded.annToMask(loaded.loadAnns(loaded.getAnnIds())[0])
    assert mask.shape == (256, 512)


def test_more_bits_and_no_compression_are_better(small_run):
    summary = pd.read_csv(small_run[0] / "out/summary.csv").set_index(["codec", "rate_point"])
    wap, psnr = summary["wap"], summary["psnr"]
    assert wap["uncompressed", "bits24"] > wap["vvenc", "qp50"]
    assert psnr["vvenc", "qp40"] > psnr["vvenc", "qp50"]


def test_the_tables_are_printed(small_run):
    texts = (
        "wAP/%",
        "(COCO)",
        "uncompressed",
        "quality30",
        "wall time",
        "report.html",
    )
    for text in texts:
        assert text in small_run[1]


def test_a_finished_run_is_not_done_again_and_can_be_extended(small_run):
    folder, _ = small_run
    before = contents(folder / "out")
    command = [sys.executable, "-m", "benchmark", *SMALL]
    again = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "all 10 jobs were done before" in again.stdout
    assert contents(folder / "out") == before
    more = [*command, "jpeg:quality60"]
    extended = subprocess.run(more, cwd=folder, capture_output=True, text=True, check=True)
    assert "2 jobs in" in extended.stdout
    assert "(10 were done before)" in extended.stdout


def test_a_finished_run_is_shown_with_cityscapes_ap_and_back(small_run, tmp_path):
    shutil.copytree(small_run[0] / "out", tmp_path / "out")
    before = pd.read_csv(tmp_path / "out/summary.csv")
    report = [sys.executable, "-m", "benchmark", "report", "out"]
    shown = subprocess.run(
        [*report, "--ap", "cityscapes"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "(Cityscapes)" in shown.stdout
    assert "wAP (Cityscapes)" in (tmp_path / "out/report.html").read_text()
    assert json.loads((tmp_path / "out/run.json").read_text())["ap"] == "cityscapes"
    after = pd.read_csv(tmp_path / "out/summary.csv")
    dataset = open_dataset("miniscapes")
    truth = CityscapesGroundTruth(dataset, dataset.pictures[:2])
    for line in after[after["source"] == "measured"].itertuples():
        found = RunFolder(tmp_path / "out").detections(line.codec, line.rate_point)
        assert line.wap == pytest.approx(truth.average_precision(found).wap, abs=1e-9)
    assert set(before["ap"]) == {"coco"}
    assert set(after["ap"]) == {"cityscapes"}
    assert contents(tmp_path / "out") == contents(small_run[0] / "out")
    kept = [its for its in before if its[:3] != "wap" and its[:2] != "ap" and its != "recall"]
    pd.testing.assert_frame_equal(before[kept], after[kept])
    again = subprocess.run(report, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "(Cityscapes)" in again.stdout
    subprocess.run([*report, "--ap", "coco"], cwd=tmp_path, capture_output=True, check=True)
    pd.testing.assert_frame_equal(before, pd.read_csv(tmp_path / "out/summary.csv"))


def in_cocos_format(dataset, pictures):
    """The cars and persons of some images of 512 x 256 pixels; ids differ from the data set's."""
    categories = {26: 3, 24: 1}
    annotations = []
    for picture in pictures:
        for instance in dataset.instances(picture):
            if instance.category_id in categories:
                mask = coco_mask.encode(np.asfortranarray(instance.mask, np.uint8))
                annotations.append(
                    {
                        "image_id": 70 + picture.id,
                        "category_id": categories[instance.category_id],
                        "segmentation": mask | {"counts": mask["counts"].decode()},
                        "iscrowd": int(instance.ignored),
                    }
                )
    return {
        "images": [
            {"id": 70 + picture.id, "file_name": picture.path.name, "height": 256, "width": 512}
            for picture in pictures
        ],
        "categories": [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}],
        "annotations": annotations,
    }


def test_a_run_on_cocos_format_has_the_aps_of_the_same_instances(
    small_run, benchmark_command, tmp_path
):
    dataset = open_dataset("miniscapes")
    content = in_cocos_format(dataset, dataset.pictures[:2])
    (tmp_path / "instances.json").write_text(json.dumps(content))
    images = dataset.pictures[0].path.parent
    done = benchmark_command(
        *("run", "--dataset", f"coco:instances.json:{images}", "--codecs", "jpeg"),
        *("--rates", "quality30", "--out", "out"),
    )
    assert done.returncode == 0, done.stderr
    summary = pd.read_csv(tmp_path / "out/summary.csv").set_index("codec")
    same = pd.read_csv(small_run[0] / "out/summary.csv").query("codec == 'uncompressed'")
    classes = ["ap_person", "ap_car"]
    assert [name for name in summary if name.startswith("ap_")] == classes
    for name in classes:
        assert summary.loc["uncompressed", name] == pytest.approx(same[name].item(), nan_ok=True)


def test_bitstreams_of_another_run_are_taken(small_run, tmp_path):
    folder, _ = small_run
    command = [sys.executable, "-m", "benchmark", *SMALL, "--analysis", "none"]
    command[command.index("out")] = str(tmp_path / "other")
    subprocess.run(
        [*command, "--bitstreams", "out"], cwd=folder, capture_output=True, text=True, check=True
    )
    ours = [json.loads(line) for line in (folder / "out/records.jsonl").read_text().splitlines()]
    times = {(r["codec"], r["rate_point"], r["image"]): r["encode_s"] for r in ours}
    taken = (tmp_path / "other/records.jsonl").read_text().splitlines()
    for record in map(json.loads, taken):
        assert record["encode_s"] == times[record["codec"], record["rate_point"], record["image"]]
        assert record["detections"] == 0


def lines_of(records):
    return records.read_text().splitlines() if records.exists() else []


def killed_at_random_and_resumed(folder, arguments, kills, seed):
    """Kills the run with SIGKILL at random moments, again and again, then lets it finish.

    Returns the lines of whole records that each kill left.
    """
    moments = random.Random(seed)
    command = [sys.executable, "-m", "benchmark", *arguments]
    records = folder / "out/records.jsonl"
    left = []
    for _ in range(kills):
        enough = len(lines_of(records)) + moments.randrange(4)
        process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
        while len(lines_of(records)) < enough and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 1.5))
        process.kill()
        process.wait()
        left.append(lines_of(records)[:-1])
    last = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    return left


def check_killing(folder, kills):
    arguments = (
        *("run", "--codecs", "jpeg", "webp", "vvenc", "--limit", "4", "--out", "out"),
        *("--rates", "jpeg:quality5", "webp:quality20", "vvenc:qp40", "vvenc:qp46"),
    )
    (folder / "undisturbed").mkdir()
    (folder / "killed").mkdir()
    command = [sys.executable, "-m", "benchmark", *arguments]
    subprocess.run(command, cwd=folder / "undisturbed", check=True, capture_output=True)
    left = killed_at_random_and_resumed(folder / "killed", arguments, kills, seed=kills)
    assert contents(folder / "killed/out") == contents(folder / "undisturbed/out")
    # Each line, with the times in it, is still there: no finished job was done again.
    last = set(lines_of(folder / "killed/out/records.jsonl"))
    assert any(left)
    for lines in left:
        assert set(lines) <= last


def test_a_killed_run_goes_on_to_the_same_results(tmp_path):
    check_killing(tmp_path, kills=2)


@pytest.mark.long
def test_a_run_killed_ten_times_goes_on_to_the_same_results(tmp_path):
    check_killing(tmp_path, kills=10)


def test_images_without_annotations_have_rate_psnr_and_ms_ssim(benchmark_command, tmp_path):
    (tmp_path / "photos").mkdir()
    for picture in open_dataset("miniscapes").pictures[:2]:
        with PIL.Image.open(picture.path) as image:
            image.crop((0, 0, 301, 203)).save(tmp_path / "photos" / f"{picture.id}.png")
    done = benchmark_command(
        *("run", "--dataset", "images:photos", "--codecs", "jpeg", "hevc", "--anchor", "hevc"),
        *("--out", "out"),
    )
    assert done.returncode == 0, done.stderr
    summary = pd.read_csv(tmp_path / "out/summary.csv")
    assert summary["wap"].isna().all()
    assert summary["ms_ssim"].between(0, 1).all()
    deltas = pd.read_csv(tmp_path / "out/bd_rate.csv")
    jpeg = deltas[(deltas["quality"] == "psnr") & (deltas["method"] == "akima")]["bd_rate"].item()
    assert jpeg > 30


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# VTM cannot be had here: these scripts stand for an encoder that goes wrong in a certain way.
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no such file; exit 3", "failed with exit code 3: no such file"),
        ("exit 0", "ended without an error, but wrote nothing"),
        ("while :; do :; done", "did not end within 0.5 s of processor time"),
        ("sleep 60", "hangs: 10 s, of which it computed 0.0 s"),
        ("kill -9 $$", "was ended by signal 9"),
    ],
)
def test_a_codec_that_fails_does_not_stop_the_others(benchmark_command, tmp_path, script, message):
    encoder = program(tmp_path / "encoder", f'[ "$1" = --help ] && exit 1\n{script}')
    (tmp_path / "intra.cfg").write_text("")
    done = benchmark_command(
        *("run", "--codecs", "vtm", "jpeg", "--limit", "1", "--analysis", "none"),
        *("--rates", "vtm:qp52", "vtm:qp48", "jpeg:quality5", "jpeg:quality50", "--out", "out"),
        *("--option", "vtm.timeout=0.5"),
        VTM_ENCODER=encoder,
        VTM_DECODER=encoder,
        VTM_CONFIG=tmp_path / "intra.cfg",
    )
    assert done.returncode == 1
    assert f"vtm: 2 jobs failed, the first: encoder {message}" in done.stdout
    summary = pd.read_csv(tmp_path / "out/summary.csv")
    images = dict(
        zip(summary["codec"] + " " + summary["rate_point"], summary["images"], strict=True)
    )
    measured = {"uncompressed bits24": 1, "jpeg quality5": 1, "jpeg quality50": 1}
    assert images == measured | {"vtm qp52": 0, "vtm qp48": 0}
    assert summary.loc[summary["codec"] == "vtm", "bpp"].isna().all()


def test_all_codecs_are_listed_with_the_reason_why_one_cannot_run(benchmark_command):
    done = benchmark_command("codecs")
    assert done.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert set(lines) == set(CODECS.names())
    variables = "VTM_ENCODER, VTM_DECODER, VTM_CONFIG"
    assert lines["vtm"] == f"cannot run here: not set: {variables}, which point to VTM's files"
    assert lines["jpeg"].startswith("quality1 ")


WRONG = [
    (["run", "--codecs", "h264"], "there is no codec 'h264'"),
    (["run", "--codecs", "vtm"], "codec vtm cannot run here: not set: VTM_ENCODER"),
    (["run", "--codecs", "jpeg", "--rates", "qp22"], "codec jpeg has no rate point 'qp22'"),
    (["run", "--codecs", "jpeg", "--rates", "vvenc:qp22"], "which is not in this run"),
    (["run", "--dataset", "kitti"], "there is no data set 'kitti'"),
    (["run", "--dataset", "cityscapes:nowhere"], "does not exist"),
    (["run", "--dataset", "images:nowhere"], "the folder nowhere does not exist"),
    (["run", "--dataset", "coco:nowhere.json:images"], "nowhere.json cannot be read"),
    (["run", "--ap", "pascal"], "invalid choice: 'pascal'"),
    (["run", "--analysis", "yolo"], "there is no analysis network 'yolo'"),
    (["run", "--codecs", "jpeg", "--option", "jpeg.speed=1"], "codec jpeg has no option 'speed'"),
    (["run", "--runner", "cloud"], "there is no runner 'cloud'"),
    (["run", "--limit", "0"], "is not a number above 0"),
    (["train", "analysis", "--out", "x", "--learning-rate", "0"], "is not a number above 0"),
    (["report", "nowhere"], "holds no summary.csv"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_use_is_one_clear_line(benchmark_command, arguments, message):
    done = benchmark_command(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_folder_of_another_run_is_not_touched(small_run):
    folder, _ = small_run
    before = contents(folder / "out")
    another = f"vvenc.ffmpeg={other_ffmpeg(folder)}"
    for other in (["--analysis", "none"], ["--option", another]):
        command = [sys.executable, "-m", "benchmark", *SMALL, *other]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 2
        assert "choose another --out" in done.stderr
    assert contents(folder / "out") == before


def other_ffmpeg(folder):
    """The same program in another file: its hash differs, so it is another ffmpeg."""
    import imageio_ffmpeg

    copy = folder / "ffmpeg"
    if not copy.exists():
        copy.write_bytes(Path(imageio_ffmpeg.get_ffmpeg_exe()).read_bytes() + b"\0")
        copy.chmod(0o755)
    return copy


def test_an_unreadable_image_is_named(benchmark_command, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and then nothing")
    done = benchmark_command("run", "--dataset", "images:photos", "--codecs", "jpeg")
    assert done.returncode == 2
    assert "photos/broken.png is not a readable image" in done.stderr


def test_cityscapes_ap_needs_instance_ids(benchmark_command, tmp_path):
    PIL.Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    done = benchmark_command("run", "--dataset", f"images:{tmp_path}", "--ap", "cityscapes")
    assert done.returncode == 2
    assert "the data set images has none: use --ap coco" in done.stderr


def test_a_full_disk_loses_nothing_and_is_said(tmp_path):
    """A limit on the size of files stands for a full disk: writing fails in the same way."""
    command = [sys.executable, "-m", "benchmark", *SMALL, "--analysis", "none"]
    limited = ["bash", "-c", 'ulimit -f 3; trap "" XFSZ; exec "$@"', "bash", *command]
    done = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0


def test_ctrl_c_keeps_finished_work(tmp_path):
    command = [sys.executable, "-m", "benchmark", *SMALL, "--analysis", "none"]
    command[command.index("2")] = "40"
    # what a shell starts in the background ignores Ctrl-C, and what it starts does so too
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    records = tmp_path / "out/records.jsonl"
    while not (records.exists() and records.read_text().count("\n") > 3):
        time.sleep(0.05)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted; the same command goes on" in errors
    assert records.read_text().count("\n") > 3


@pytest.mark.parametrize(("memory", "opened"), [(0, 4), (2**40, 2)])
def test_a_worker_that_holds_much_memory_forgets_its_codecs(monkeypatch, tmp_path, memory, opened):
    PIL.Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(tmp_path / "black.png")
    picture = Picture(0, "black", tmp_path / "black.png")
    monkeypatch.setattr(jobs, "resident_memory", lambda: memory)
    jobs._codec.cache_clear()
    for name, rate_point in (("jpeg", RatePoint("quality", 20)), ("yuv420", RatePoint("bits", 12))):
        jobs.do_job(jobs.Job(jobs.CodecChoice(name, (), ()), rate_point, picture, None))
    assert jobs._codec.cache_info().currsize == opened
