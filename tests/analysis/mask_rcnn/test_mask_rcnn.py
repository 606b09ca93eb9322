"""The network: detections, features, gradients, masks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from safetensors.torch import save_file
from torch.nn import functional
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import roi_align

from benchmark.analysis.mask_rcnn.adapter import MaskRcnnAnalysis
from benchmark.analysis.mask_rcnn.heads import DETECTIONS, SCORE_THRESHOLD, _covered
from benchmark.analysis.mask_rcnn.network import MaskRcnn
from benchmark.analysis.mask_rcnn.pooling import PyramidPool
from benchmark.analysis.mask_rcnn.targets import Objects
from benchmark.analysis.mask_rcnn.weights_file import Description, load_weights, save_weights
from benchmark.analysis.masks import encode_mask, paste_mask
from benchmark.datasets.cityscapes import CATEGORIES
from benchmark.datasets.dataset import Dataset, Instance, read_image
from benchmark.errors import UsageError
from benchmark.image import images_tensor

LABEL_IDS = {category.id for category in CATEGORIES}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained: its classes are about equally likely, so that it finds a hundred objects."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(path, MaskRcnn(width=8), Description(8, CATEGORIES, {"note": "untrained"}))
    return path


@pytest.fixture(scope="module")
def analysis(weights: Path) -> MaskRcnnAnalysis:
    return MaskRcnnAnalysis.load(weights)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("height", "width"), [(256, 512), (98, 150), (32, 32), (2, 6)])
def test_detections_have_the_stated_form_at_every_size(
    analysis: MaskRcnnAnalysis, height: int, width: int
) -> None:
    (found,) = analysis.detect([noise(height, width)])
    assert 0 < len(found) <= DETECTIONS
    scores = [detection.score for detection in found]
    assert scores == sorted(scores, reverse=True)
    for detection in found:
        assert detection.category_id in LABEL_IDS
        assert SCORE_THRESHOLD <= detection.score <= 1
        assert detection.score == round(detection.score, 5)
        assert detection.size == (height, width)
        mask = coco_mask.decode({"size": list(detection.size), "counts": detection.counts})
        assert mask.shape == (height, width)
        rows, columns = np.nonzero(mask)
        x, y, w, h = detection.box
        assert detection.box == tuple(round(value, 2) for value in detection.box)
        assert x - 1 <= columns.min() and columns.max() <= x + w + 0.01
        assert y - 1 <= rows.min() and rows.max() <= y + h + 0.01


def test_images_are_judged_alike_alone_and_together(analysis: MaskRcnnAnalysis) -> None:
    first, second = noise(64, 96), noise(96, 64, seed=1)
    together = analysis.detect([first, second])
    assert together == [analysis.detect([first])[0], analysis.detect([second])[0]]


def test_network_without_proposals_above_the_threshold_finds_nothing() -> None:
    network = MaskRcnn(width=8).eval()
    torch.nn.init.zeros_(network.heads.box_predictor.cls_score.weight)
    with torch.no_grad():
        network.heads.box_predictor.cls_score.bias[0] = 20  # the background
    analysis = MaskRcnnAnalysis(network, CATEGORIES, name="blind", weights_hash="")
    assert analysis.detect([noise(64, 64)]) == [[]]


def test_saved_network_gives_the_same_detections_when_loaded(
    weights: Path, analysis: MaskRcnnAnalysis, tmp_path: Path, scenes: Dataset
) -> None:
    network, description = load_weights(weights)
    assert description == Description(8, CATEGORIES, {"note": "untrained"})
    copy = tmp_path / "copy.safetensors"
    save_weights(copy, network, description)
    assert copy.read_bytes() == weights.read_bytes()
    again = MaskRcnnAnalysis.load(copy)
    assert again.identity() == analysis.identity()
    image = read_image(scenes.pictures[0].path)
    assert again.detect([image]) == analysis.detect([image])


def test_identity_follows_the_weights(tmp_path: Path, analysis: MaskRcnnAnalysis) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(other, MaskRcnn(width=8), Description(8, CATEGORIES, {}))
    assert MaskRcnnAnalysis.load(other).identity() != analysis.identity()


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(UsageError, match=r"does not hold the weights of a benchmark Mask R-CNN"):
        load_weights(path)


def test_full_width_fits_into_16_megabytes() -> None:
    parameters = sum(parameter.numel() for parameter in MaskRcnn().parameters())
    assert 2 * parameters < 16e6


@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 70)])
def test_features_have_stride_16(height: int, width: int) -> None:
    network = MaskRcnn(width=8).eval()
    features = network.stride16_features(torch.rand(2, 3, height, width))
    rows, columns = -(-height // 16), -(-width // 16)
    assert features.shape == (2, network.stride16_channels, rows, columns)
    assert features.min() >= 0


def test_gradients_of_features_and_task_loss_reach_the_image(scenes: Dataset) -> None:
    network = MaskRcnn(width=8).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    picture = scenes.pictures[0]
    image = images_tensor([read_image(picture.path)]).requires_grad_()
    objects = Objects.of(scenes.instances(picture), CATEGORIES, (256, 512))

    (gradient,) = torch.autograd.grad(network.stride16_features(image).sum(), image)
    assert gradient.abs().sum() > 0

    losses = network.losses(network.features(image), [objects])
    assert set(losses) == {"objectness", "proposal", "class", "box", "mask"}
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(loss, image, retain_graph=True)
        assert gradient.isfinite().all() and gradient.abs().sum() > 0, name
    assert not network.rpn.training and not network.heads.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_image_without_objects_has_finite_losses() -> None:
    network = MaskRcnn(width=8)
    losses = network.losses(
        network.features(torch.rand(1, 3, 64, 64)), [Objects.of([], CATEGORIES, (64, 64))]
    )
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert total.isfinite()
    assert losses["mask"] == 0


def test_groups_are_kept_apart_from_objects() -> None:
    mask = np.zeros((20, 30), bool)
    mask[4:9, 10:17] = True
    empty = np.zeros((20, 30), bool)
    instances = [
        Instance(26, mask, ignored=False),
        Instance(24, mask, ignored=True),
        Instance(24, empty, ignored=False),
    ]
    objects = Objects.of(instances, CATEGORIES, (20, 30))
    assert objects.boxes.tolist() == [[10, 4, 17, 9]]
    assert objects.labels.tolist() == [3]
    np.testing.assert_array_equal(objects.ignored, mask)
    np.testing.assert_array_equal(objects.masks[0], mask)


def test_nothing_is_learned_inside_ignored_regions() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [4, 0, 14, 10], [20, 20, 30, 30]])
    ignored = torch.zeros(32, 32, dtype=torch.bool)
    ignored[:10, :10] = True
    assert _covered(boxes, ignored).tolist() == [True, False, True, False]
    assert not _covered(boxes, torch.zeros(0, 4)).any()

    network = MaskRcnn(width=8).eval()
    whole = [Instance(24, np.ones((64, 64), bool), ignored=True)]
    losses = network.losses(
        network.features(torch.rand(1, 3, 64, 64)), [Objects.of(whole, CATEGORIES, (64, 64))]
    )
    assert losses["mask"] == 0 and losses["box"] == 0


@pytest.mark.parametrize("cells", [7, 14])
def test_pooling_is_torchvisions_roi_align_on_the_level_of_the_box(cells: int) -> None:
    generator = torch.Generator().manual_seed(0)
    levels = [torch.rand(2, 5, 128 // s, 128 // s, generator=generator) for s in (4, 8, 16, 32)]
    # root of the area 20, 50, 100: strides 4, 8, 16
    boxes = [
        torch.tensor([[30.3, 40.1, 50.3, 60.1], [20.7, 30.2, 70.7, 80.2]]),
        torch.tensor([[10.5, 12.5, 110.5, 112.5]]),
    ]
    pooled = PyramidPool(cells, (4, 8, 16, 32))(levels, boxes)
    for row, (image, box, level) in enumerate(((0, 0, 0), (0, 1, 1), (1, 0, 2))):
        expected = roi_align(
            levels[level][image : image + 1],
            [boxes[image][box : box + 1]],
            cells,
            spatial_scale=1 / (4 * 2**level),
            sampling_ratio=1,
            aligned=True,
        )
        torch.testing.assert_close(pooled[row : row + 1], expected, rtol=1e-4, atol=1e-4)


def blob(rng: np.random.Generator) -> np.ndarray:
    """28 x 28 smooth probabilities, high in the middle."""
    rough = rng.random((1, 1, 5, 5)).astype(np.float32)
    rough[..., 1:4, 1:4] = 1
    smooth = functional.interpolate(torch.from_numpy(rough), (28, 28), mode="bilinear")
    return smooth[0, 0].numpy()


def test_masks_are_pasted_as_grid_sample_pastes_them() -> None:
    """Detectron2's way: sample the mask at every pixel's centre of the whole image."""
    rng = np.random.default_rng(0)
    height, width = 60, 80
    for _ in range(30):
        x0, y0 = rng.uniform(-5, 60), rng.uniform(-5, 45)
        box = np.array([x0, y0, x0 + rng.uniform(2, 40), y0 + rng.uniform(2, 40)], np.float32)
        mask = blob(rng)
        x = (np.arange(width) + 0.5 - box[0]) / (box[2] - box[0]) * 2 - 1
        y = (np.arange(height) + 0.5 - box[1]) / (box[3] - box[1]) * 2 - 1
        grid = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=2)[None]).float()
        whole = functional.grid_sample(
            torch.from_numpy(mask)[None, None], grid, align_corners=False
        )
        sampled = whole[0, 0].numpy()
        pixels, (row, column) = paste_mask(mask, box, (height, width))
        pasted = np.zeros((height, width), bool)
        pasted[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
        clear = np.abs(sampled - 0.5) > 1e-4
        np.testing.assert_array_equal(pasted[clear], sampled[clear] >= 0.5)


def test_masks_are_pasted_like_torchvisions_up_to_its_rounding() -> None:
    """torchvision rounds boxes to whole pixels, so outlines may differ by one."""
    rng = np.random.default_rng(1)
    height, width = 120, 160
    for _ in range(10):
        x0, y0 = rng.integers(0, 60, 2)
        box = np.array([x0, y0, x0 + rng.integers(40, 90), y0 + rng.integers(40, 60)], np.float32)
        mask = blob(rng)
        theirs = paste_masks_in_image(
            torch.from_numpy(mask)[None, None], torch.from_numpy(box)[None], (height, width)
        )[0, 0].numpy()
        pixels, (row, column) = paste_mask(mask, box, (height, width))
        ours = np.zeros((height, width), bool)
        ours[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
        shared = (ours & (theirs >= 0.5)).sum() / (ours | (theirs >= 0.5)).sum()
        assert shared > 0.95


@pytest.mark.parametrize(
    "where",
    [
        np.s_[3:7, 2:5],
        np.s_[0:12, 4:6],  # full height: the runs of its columns are one
        np.s_[0:12, 0:9],  # everything
        np.s_[8:12, 6:9],  # up to the last pixel
        np.s_[0:1, 0:1],
    ],
)
def test_masks_are_encoded_as_pycocotools_encodes_them(where: tuple[slice, slice]) -> None:
    rng = np.random.default_rng(2)
    size = (12, 9)
    for filled in (True, False):
        whole = np.zeros(size, bool)
        whole[where] = filled or rng.random(whole[where].shape) < 0.6
        expected = coco_mask.encode(np.asfortranarray(whole.astype(np.uint8)))
        corner = (where[0].start, where[1].start)
        assert encode_mask(whole[where], corner, size) == expected["counts"].decode()


def test_empty_mask_is_encoded() -> None:
    expected = coco_mask.encode(np.zeros((12, 9), np.uint8, order="F"))
    assert encode_mask(np.zeros((2, 3), bool), (1, 1), (12, 9)) == expected["counts"].decode()
