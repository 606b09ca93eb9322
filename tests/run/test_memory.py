"""How much memory a worker takes at full size: 2048 x 1024."""

import json
import pickle
import runpy
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest
import torch

from benchmark.analysis.detectron2.network import Detectron2MaskRcnn
from benchmark.codec import CODECS, open_codec
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import CodecUnavailable

MOST = 4 * 2**30
LAMBDAS = ("0_02", "0_05", "0_1", "0_2")

# What a worker does: jobs one after another, in a process of its own, on one thread.
WORKER = """
import json, sys
from pathlib import Path
from benchmark.codec import open_codec
from benchmark.datasets.dataset import Picture
from benchmark.run.jobs import CodecChoice, Job, do_job
image, codecs, analysis = json.loads(sys.argv[1])
picture = Picture(0, "drawn", Path(image))
for name, options, points in codecs:
    codec = open_codec(name, options)
    choice = CodecChoice(name, tuple(options.items()), ())
    for point in map(codec.rate_point, points) if points else codec.rate_points:
        result = do_job(Job(choice, point, picture, analysis))
        print(name, point.name, len(result.bitstream), "bytes", file=sys.stderr)
print(result.peak_memory)
"""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "drawn.png"
    PIL.Image.fromarray(draw_scene(1_000_000, 2048, 1024).image).save(path)
    return path


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """NCNs of the published size and form, of which each rate point has one."""
    conftest = runpy.run_path(str(Path(__file__).parents[1] / "codecs/ncn/conftest.py"))
    folder = tmp_path_factory.mktemp("checkpoints")
    for kind, lsmnet in (("", False), ("maskLatentSpaceNonFrozen_resnetCS_", True)):
        weights = conftest["published_weights"](192, lsmnet=lsmnet)
        for value in LAMBDAS:
            torch.save(weights, folder / f"ncn_maskLoss_CS_{kind}lambda_{value}.pth.tar")
    return folder


@pytest.fixture(scope="module")
def detectron2(tmp_path_factory):
    """Untrained, so that it finds as many objects as it may."""
    torch.manual_seed(0)
    weights = {name: v.numpy() for name, v in Detectron2MaskRcnn(8).state_dict().items()}
    path = tmp_path_factory.mktemp("detectron2") / "untrained.pkl"
    path.write_bytes(pickle.dumps({"model": weights, "__author__": "a test"}))
    return f"detectron2:{path}"


def peak_memory(image, codecs, analysis=None):
    """Bytes that a worker takes with the largest program that it runs."""
    arguments = json.dumps([str(image), codecs, analysis])
    done = subprocess.run(
        [sys.executable, "-c", WORKER, arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    print(f"{done.stderr}{int(done.stdout) / 2**30:.2f} GiB")
    return int(done.stdout)


@pytest.mark.parametrize("name", CODECS.names())
def test_a_codec_takes_at_most_four_gibibytes(name, image):
    try:
        codec = open_codec(name)
    except CodecUnavailable as error:
        pytest.skip(str(error))
    # the fewest bits: VTM takes minutes as it is
    assert peak_memory(image, [[name, {}, [codec.rate_points[0].name]]]) <= MOST


@pytest.mark.parametrize("name", ["ncn", "ncn-lsm-ft"])
def test_a_published_ncn_takes_at_most_four_gibibytes(name, image, checkpoints):
    options = {"checkpoints": str(checkpoints)}
    assert peak_memory(image, [[name, options, ["lambda0.02"]]]) <= MOST


def test_detection_takes_at_most_four_gibibytes(image, detectron2):
    assert peak_memory(image, [["jpeg", {}, ["quality50"]]], detectron2) <= MOST


def test_a_worker_of_the_papers_run_takes_at_most_four_gibibytes(image, checkpoints, detectron2):
    """All rate points of both NCNs in the same process, and detection."""
    options = {"checkpoints": str(checkpoints)}
    codecs = [[name, options, []] for name in ("ncn", "ncn-lsm-ft")]
    assert peak_memory(image, codecs, detectron2) <= MOST
