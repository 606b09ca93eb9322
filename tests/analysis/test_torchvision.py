"""torchvision's Mask R-CNN as a judge, with weights from a seed instead of COCO's."""

from pathlib import Path
from urllib.error import URLError

import numpy as np
import PIL.Image
import pytest
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import nn
from torchvision.models.detection import maskrcnn_resnet50_fpn

from benchmark.analysis import open_analysis, open_training_network
from benchmark.analysis.labels import COCO_NAMES
from benchmark.analysis.torchvision import TorchvisionAnalysis, untrained
from benchmark.errors import UsageError

FILE = "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights with which the network finds objects of the classes that Cityscapes has."""
    torch.manual_seed(0)
    network = untrained()
    predictor = network.roi_heads.box_predictor.cls_score
    nn.init.normal_(predictor.weight, std=0.01)
    with torch.no_grad():
        predictor.bias[1:9] += 5
    path = tmp_path_factory.mktemp("torchvision") / FILE
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def analysis(weights: Path) -> TorchvisionAnalysis:
    network = open_analysis(f"torchvision:{weights}")
    assert isinstance(network, TorchvisionAnalysis)
    return network


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    coarse = np.random.default_rng(0).integers(0, 256, (4, 84, 3), np.uint8)
    # so low that the network, which wants 800 rows and at most 1333 columns, sees it as it is
    return np.array(PIL.Image.fromarray(coarse).resize((1333, 64), PIL.Image.Resampling.BICUBIC))


def test_detections_are_those_of_torchvisions_own_model(
    analysis: TorchvisionAnalysis, weights: Path, image: NDArray[np.uint8]
) -> None:
    model = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).eval()
    model.load_state_dict(torch.load(weights, weights_only=True))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0  # torchvision does the same to its COCO weights
    with torch.inference_mode():
        (expected,) = model([torch.from_numpy(image).permute(2, 0, 1) / 255])
    known = [n for n, label in enumerate(expected["labels"]) if COCO_NAMES[int(label) - 1]]
    (found,) = analysis.detect([image])
    assert len(found) == len(known) > 10
    for detection, n in zip(found, known, strict=True):
        x0, y0, x1, y1 = expected["boxes"][n].tolist()
        assert detection.category_id == int(expected["labels"][n])
        assert detection.score == pytest.approx(float(expected["scores"][n]), abs=1e-4)
        assert detection.box == pytest.approx((x0, y0, x1 - x0, y1 - y0), abs=0.02)
        assert detection.size == (64, 1333)
        mask = coco_mask.decode({"size": list(detection.size), "counts": detection.counts})
        assert np.mean(mask != (expected["masks"][n, 0] > 0.5).numpy()) < 1e-4


def test_identity_names_the_weights_and_torchvisions_settings(
    analysis: TorchvisionAnalysis,
) -> None:
    identity = analysis.identity()
    assert len(identity.pop("weights")) == 64
    assert identity == {
        "name": "torchvision",
        "size": "800, at most 1333",
        "score_threshold": "0.05",
        "nms_threshold": "0.5",
        "detections": "100",
    }


def test_weights_in_the_cache_are_found(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / FILE).symlink_to(weights)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    network = open_analysis("torchvision")
    assert network.identity() == TorchvisionAnalysis.load(weights).identity()


def test_without_weights_and_network_the_place_of_the_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(UsageError, match=rf"put the file at {tmp_path}/checkpoints/{FILE}"):
        open_analysis("torchvision")


def test_missing_and_wrong_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with pytest.raises(UsageError, match=r"weights\.pth does not exist"):
        open_analysis(f"torchvision:{path}")
    path.write_bytes(b"no weights")
    with pytest.raises(UsageError, match=r"weights\.pth does not hold the weights of"):
        open_analysis(f"torchvision:{path}")
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(UsageError, match=r"weights\.pth does not hold the weights of"):
        open_analysis(f"torchvision:{path}")


def test_name_without_its_path_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'torchvision:' is not of the form torchvision\[:FILE\]"):
        open_analysis("torchvision:")


def test_codecs_are_not_trained_with_it() -> None:
    with pytest.raises(UsageError, match=r"codecs cannot be trained with .* 'torchvision'"):
        open_training_network("torchvision", ())
