"""Training: each codec learns what it should and nothing else, and can be interrupted."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor

from benchmark.analysis.mask_rcnn.network import MaskRcnn
from benchmark.analysis.mask_rcnn.weights_file import Description as AnalysisDescription
from benchmark.analysis.mask_rcnn.weights_file import save_weights as save_analysis
from benchmark.analysis.targets import Objects
from benchmark.codecs.ncn.distortion import Distortion, distortion
from benchmark.codecs.ncn.network import NCN
from benchmark.codecs.ncn.starting_point import CodecRecipe, Model
from benchmark.codecs.ncn.training import train_codec
from benchmark.codecs.ncn.validation import validation
from benchmark.codecs.ncn.weights_file import Description, Weights, load_weights, save_weights
from benchmark.datasets import open_dataset
from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.dataset import Dataset, read_image
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import UsageError
from benchmark.training.loop import CHECKPOINT, LOG

SHORT = CodecRecipe(
    trained="ncn",
    loss="hvs",
    rate_weight=100,
    iterations=6,
    channels=8,
    crop=(64, 64),
    warm_up=2,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes")
    for seed in range(2):
        scene = draw_scene(seed)
        for kind, name, pixels in (
            ("leftImg8bit", "leftImg8bit", scene.image),
            ("gtFine", "gtFine_instanceIds", scene.instance_ids.astype(np.uint16)),
        ):
            folder = root / kind / "train" / "drawn"
            folder.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(pixels).save(folder / f"{seed}_{name}.png")
    for kind in ("leftImg8bit", "gtFine"):
        (root / kind / "val").symlink_to("train")
    return root


@pytest.fixture(scope="module")
def scenes(root: Path) -> Cityscapes:
    return Cityscapes(root, "train")


@pytest.fixture(scope="module")
def analysis_file(tmp_path_factory: pytest.TempPathFactory, scenes: Cityscapes) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("analysis") / "analysis.safetensors"
    categories = tuple(scenes.categories)
    save_analysis(path, MaskRcnn(8, 8), AnalysisDescription(8, categories, {}))
    return path


@pytest.fixture
def backbone(analysis_file: Path) -> str:
    return f"weights:{analysis_file}"


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def hvs(device: torch.device) -> Distortion:
    return distortion(["hvs"], None)  # type: ignore[arg-type]  # not used by this loss


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def lively_network() -> NCN:
    """Untrained, but with latents that are not all rounded to zero."""
    torch.manual_seed(0)
    network = NCN(8)
    for part, factor in ((network.analysis[8], 300), (network.hyper_encoder[2], 30)):
        part.weight.data *= factor
    return network


def test_training_lowers_the_loss(scenes: Dataset, tmp_path: Path) -> None:
    recipe = replace(SHORT, iterations=100, learning_rate=3e-4, crop=None)
    path = train_codec(scenes, tmp_path, recipe, hvs)
    losses = [line["loss"] for line in log_of(tmp_path)]
    assert len(losses) == 5
    assert losses[-1] < 0.96 * losses[0]
    description = load_weights(path).description
    assert description.rate_weight == 100
    assert description.training["recipe"]["iterations"] == 100


def test_images_and_boxes_are_not_rounded_where_layers_compute_in_bfloat16(
    scenes: Dataset, tmp_path: Path
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def watched(device: torch.device) -> Distortion:
        def measure(
            decoded: Tensor, images: Tensor, objects: Sequence[Objects]
        ) -> dict[str, Tensor]:
            seen.append((images, objects[0].boxes))
            return hvs(device)(decoded, images, objects)

        return measure

    recipe = replace(SHORT, iterations=1, crop=None, batch=1, bfloat16=True)
    train_codec(scenes, tmp_path, recipe, watched)
    ((images, boxes),) = seen
    assert images.dtype == boxes.dtype == torch.float32
    assert torch.allclose((images * 255).round() / 255, images, rtol=0, atol=1e-6)
    assert any(float(side) % 2 and float(side) > 256 for side in boxes.flatten())


def test_a_larger_lambda_costs_fewer_bits(scenes: Dataset, tmp_path: Path) -> None:
    rates = []
    for rate_weight in (10, 10_000):
        out = tmp_path / str(rate_weight)
        recipe = replace(SHORT, rate_weight=rate_weight, iterations=150, learning_rate=2e-3)
        train_codec(scenes, out, recipe, hvs)
        rates.append(log_of(out)[-1]["bpp"])
    assert rates[1] < 0.8 * rates[0]


@pytest.mark.parametrize("optimizer", ["adam", "centered-adam"])
def test_interrupted_training_ends_with_the_same_weights(
    scenes: Dataset, tmp_path: Path, optimizer: str
) -> None:
    recipe = replace(SHORT, optimizer=optimizer)
    whole = train_codec(scenes, tmp_path / "whole", recipe, hvs)

    def stop(code: object) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        return {"wap": 1.0}

    parts = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        train_codec(scenes, parts, recipe, hvs, validate=stop, validate_every=3)
    assert (parts / CHECKPOINT).exists()
    resumed = train_codec(scenes, parts, recipe, hvs)
    expected, found = load_weights(whole).network, load_weights(resumed).network
    assert expected is not None and found is not None
    for name, value in expected.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name


def test_each_codec_trains_its_own_part(scenes: Dataset, tmp_path: Path, backbone: str) -> None:
    start = tmp_path / "start.safetensors"
    save_weights(start, Weights(lively_network(), None, Description(8, 100, "", {})))
    lsm = replace(SHORT, trained="ncn-lsm", backbone=backbone)
    mask = train_codec(scenes, tmp_path / "lsm", lsm, hvs, start=start)
    stored = load_weights(mask)
    assert stored.network is None and stored.to_alpha is not None
    assert stored.description.backbone == backbone
    ft = replace(lsm, trained="ncn-lsm-ft")
    both = load_weights(train_codec(scenes, tmp_path / "ft", ft, hvs, start=start, mask=mask))
    assert both.network is not None and both.to_alpha is not None
    before = load_weights(start).network
    assert before is not None
    for part in ("analysis", "hyper_encoder", "hyper_decoder", "synthesis"):
        after = both.network.get_submodule(part)[0].weight
        assert not torch.equal(after, before.get_submodule(part)[0].weight), part
    assert not torch.equal(both.to_alpha.weight, stored.to_alpha.weight)


def test_a_network_with_a_narrower_inside_goes_on_with_coarser_steps(
    scenes: Dataset, tmp_path: Path
) -> None:
    narrow = replace(SHORT, channels=12, hidden_channels=8)
    first = train_codec(scenes, tmp_path / "first", narrow, hvs)
    # so few steps that what differs is the gain alone
    still = replace(narrow, iterations=1, learning_rate=1e-9)
    rates = {}
    for gain in (1.0, 0.5):
        out = tmp_path / str(gain)
        weights = train_codec(scenes, out, replace(still, latent_gain=gain), hvs, start=first)
        network = load_weights(weights).network
        assert network is not None
        image = read_image(scenes.pictures[0].path)
        rates[gain] = Model(network, None).code(image)[1]
        assert (network.channels, network.hidden_channels) == (12, 8)
    assert rates[0.5] < 0.9 * rates[1.0]


@pytest.mark.parametrize("loss", ["feature", "task"])
def test_the_analysis_network_s_losses_reach_the_codec(
    scenes: Dataset, tmp_path: Path, loss: str
) -> None:
    torch.manual_seed(0)
    network = MaskRcnn(8, 8).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    gradients: list[Tensor] = []

    def watched(device: torch.device) -> Distortion:
        inner = distortion([loss], network)

        def measure(
            decoded: Tensor, images: Tensor, objects: Sequence[Objects]
        ) -> dict[str, Tensor]:
            decoded.register_hook(gradients.append)
            return inner(decoded, images, objects)

        return measure

    recipe = replace(SHORT, loss=loss, iterations=2, crop=None, batch=1)
    train_codec(scenes, tmp_path, recipe, watched)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_does_not_go_together_is_refused(
    scenes: Dataset, tmp_path: Path, backbone: str
) -> None:
    start = train_codec(scenes, tmp_path / "ncn", SHORT, hvs)
    lsm = replace(SHORT, trained="ncn-lsm", backbone=backbone)
    mask = train_codec(scenes, tmp_path / "lsm", replace(lsm, iterations=1), hvs, start=start)
    (tmp_path / "photos").mkdir()
    PIL.Image.fromarray(draw_scene(0).image).save(tmp_path / "photos/a.png")
    photos = open_dataset(f"images:{tmp_path / 'photos'}")
    refused: list[tuple[str, Dataset, CodecRecipe, Path | None, Path | None]] = [
        ("no annotations", photos, replace(SHORT, loss="task"), None, None),
        ("give --start", scenes, lsm, None, None),
        ("needs --backbone", scenes, replace(lsm, backbone=""), start, None),
        ("takes no --backbone", scenes, replace(SHORT, backbone=backbone), None, None),
        ("takes no --mask", scenes, SHORT, None, mask),
        ("holds no NCN", scenes, lsm, mask, None),
        ("holds no LSMnet", scenes, lsm, start, start),
        ("change --channels", scenes, replace(SHORT, channels=16), start, None),
        ("change --hidden-channels", scenes, replace(SHORT, hidden_channels=6), start, None),
        ("changes the NCN", scenes, replace(lsm, latent_gain=0.5), start, None),
        ("changes the NCN", scenes, replace(SHORT, latent_gain=0.5), None, None),
        ("no backbone 'resnet'", scenes, replace(lsm, backbone="resnet"), start, None),
    ]
    for message, dataset, recipe, network, convolution in refused:
        with pytest.raises(UsageError, match=message):
            train_codec(dataset, tmp_path / "no", recipe, hvs, start=network, mask=convolution)
        assert not (tmp_path / "no").exists()
    with pytest.raises(UsageError, match="belongs to a training with another recipe"):
        train_codec(scenes, tmp_path / "ncn", replace(SHORT, seed=1), hvs)


def test_the_command_trains_and_validates(benchmark_command, root, tmp_path) -> None:
    command = (
        *("train", "ncn", "--out", "out", "--dataset", f"cityscapes:{root}", "--channels", 8),
        *("--lambda", 2, "--iterations", 2, "--batch", 1, "--crop", "256x128", "--threads", 1),
    )
    done = benchmark_command(*command)
    assert done.returncode == 0, done.stderr
    assert "out/weights.safetensors" in done.stdout
    assert {"wap", "psnr", "validation_bpp", "gap"} <= log_of(tmp_path / "out")[-1].keys()
    refused = benchmark_command(*command, "--batch", 0)
    assert refused.returncode == 2
    assert "--batch 0: a number above 0 is needed" in refused.stderr


def test_the_gap_of_an_exact_codec_is_zero_and_that_of_grey_is_not(
    scenes: Dataset, backbone: str
) -> None:
    validate = validation(backbone, scenes, 2, "cpu")
    assert validate is not None
    exact = validate(lambda image: (image, 1.0))
    assert exact["gap"] == 0
    grey = validate(lambda image: (np.full_like(image, 128), 1.0))
    assert grey["gap"] != 0
