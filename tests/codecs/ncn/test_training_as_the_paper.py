"""Training from published checkpoints, on Detectron2's ResNet-50, for its Mask R-CNN."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from seeded_detectron2 import pickled, seeded_weights

from benchmark.analysis import open_training_network
from benchmark.codec import RatePoint, open_codec
from benchmark.codecs.ncn.backbones import open_backbone
from benchmark.codecs.ncn.distortion import Distortion, distortion
from benchmark.codecs.ncn.published import from_published
from benchmark.codecs.ncn.starting_point import CodecRecipe
from benchmark.codecs.ncn.training import train_codec
from benchmark.codecs.ncn.weights_file import load_weights
from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import CodecUnavailable, UsageError
from benchmark.system.memory import peak_memory

NCN = "ncn_maskLoss_CS_lambda_0_02.pth.tar"
FINE_TUNED = "ncn_maskLoss_CS_maskLatentSpaceNonFrozen_resnetCS_lambda_0_02.pth.tar"
STAGES = ("stem", "res2", "res3", "res4")


@pytest.fixture(scope="module")
def stored(published) -> dict[str, torch.Tensor]:
    return published(8, lsmnet=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, published, stored) -> Path:
    """Published checkpoints, and a Detectron2 checkpoint with the ResNet-50 of one of them."""
    folder = tmp_path_factory.mktemp("files")
    torch.save(published(8), folder / NCN)
    torch.save(stored, folder / FINE_TUNED)
    weights = seeded_weights()
    for name, value in stored.items():
        if name.startswith("parallelBranch."):
            _, number, rest = name.split(".", 2)
            weights[f"backbone.bottom_up.{STAGES[int(number)]}.{rest}"] = value.numpy()
    (folder / "cityscapes.pkl").write_bytes(pickled(weights))
    return folder


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images in Cityscapes' layout and size."""
    root = tmp_path_factory.mktemp("street")
    for seed in range(2):
        scene = draw_scene(seed)
        for kind, name, pixels in (
            ("leftImg8bit", "leftImg8bit", scene.image),
            ("gtFine", "gtFine_instanceIds", scene.instance_ids.astype(np.uint16)),
        ):
            (root / kind / "train" / "drawn").mkdir(parents=True, exist_ok=True)
            large = pixels.repeat(4, 0).repeat(4, 1)
            PIL.Image.fromarray(large).save(root / kind / f"train/drawn/{seed}_{name}.png")
    for kind in ("leftImg8bit", "gtFine"):
        (root / kind / "val").symlink_to("train")
    return root


def test_the_resnet_of_a_detectron2_checkpoint_is_a_backbone(
    folder: Path, stored: dict[str, torch.Tensor], picture_of
) -> None:
    _, lsmnet = from_published(stored)
    assert lsmnet is not None
    image = picture_of(64, 128)
    with torch.inference_mode():
        red_first = open_backbone(f"detectron2:{folder / 'cityscapes.pkl'}")
        assert torch.equal(red_first(image), lsmnet.backbone(image))
        blue_first = open_backbone(f"detectron2-bgr:{folder / 'cityscapes.pkl'}")
        # as the analysis network itself sees it
        network = open_training_network(f"detectron2:{folder / 'cityscapes.pkl'}", ())
        wanted = network.stride16_features(image)
        assert torch.allclose(blue_first(image), wanted, rtol=1e-3, atol=1e-3 * float(wanted.max()))
        assert not torch.allclose(red_first(image), wanted, rtol=0.1)
    assert red_first.identity == lsmnet.backbone.identity
    assert red_first.identity != blue_first.identity
    assert (folder / "small.pkl").write_bytes(pickled({"a": np.zeros(1, np.float32)}))
    with pytest.raises(UsageError, match=r"small\.pkl holds no ResNet-50 .* has no backbone\.bot"):
        open_backbone(f"detectron2:{folder / 'small.pkl'}")


def test_a_mask_is_trained_on_a_published_codec_and_used_beside_it(
    benchmark_command, folder: Path, street: Path, tmp_path: Path
) -> None:
    command = [
        *("train", "ncn-lsm", "--out", "lsm", "--lambda", 0.02, "--loss", "task:1,feature:1"),
        *("--start", folder / NCN, "--mask", folder / FINE_TUNED, "--channels", 8),
        *("--backbone", f"detectron2:{folder / 'cityscapes.pkl'}"),
        *("--analysis", f"detectron2:{folder / 'cityscapes.pkl'}"),
        *("--dataset", f"cityscapes:{street}", "--crop", "128x64", "--batch", 1),
        *("--iterations", 2, "--threads", 1, "--validation-images", 0),
    ]
    planned = benchmark_command(*command, "--plan")
    assert planned.returncode == 0, planned.stderr
    assert "s a step on cpu" in planned.stdout and "memory: " in planned.stdout
    assert not (tmp_path / "lsm").exists()
    done = benchmark_command(*command)
    assert done.returncode == 0, done.stderr
    trained = load_weights(tmp_path / "lsm/weights.safetensors")
    before = load_weights(folder / FINE_TUNED)
    assert trained.to_alpha is not None and before.to_alpha is not None
    assert not torch.equal(trained.to_alpha.weight, before.to_alpha.weight)
    mixed = tmp_path / "mixed"
    (mixed / "ncn-lsm").mkdir(parents=True)
    for name in (NCN, FINE_TUNED):
        (mixed / name).symlink_to(folder / name)
    with pytest.raises(CodecUnavailable, match=r"no weights of ncn-lsm: .*; none were published"):
        open_codec("ncn-lsm", {"checkpoints": str(mixed)})
    shutil.copy(tmp_path / "lsm/weights.safetensors", mixed / "ncn-lsm/lambda0.02.safetensors")
    image, point = draw_scene(0).image[128:192, 128:256], RatePoint("lambda", 0.02)
    codecs = {
        name: open_codec(name, {"checkpoints": str(mixed)})
        for name in ("ncn", "ncn-lsm", "ncn-lsm-ft")
    }
    assert all(codec.rate_points == (point,) for codec in codecs.values())
    masked = codecs["ncn-lsm"].encode(image, point)
    assert masked != codecs["ncn"].encode(image, point)
    assert codecs["ncn"].decode(masked).shape == image.shape
    assert codecs["ncn-lsm-ft"].encode(image, point)


def test_all_that_does_not_go_together_is_told_at_once(
    benchmark_command, folder: Path, street: Path, tmp_path: Path
) -> None:
    refused = benchmark_command(
        *("train", "ncn-lsm", "--out", "lsm", "--lambda", 0, "--loss", "tusk"),
        *("--start", tmp_path / "absent.pth.tar", "--mask", folder / FINE_TUNED, "--channels", 16),
        *("--backbone", f"detectron2-bgr:{folder / 'cityscapes.pkl'}"),
        *("--dataset", f"cityscapes:{street}", "--crop", "4096x64"),
    )
    assert refused.returncode == 2
    for message in (
        "--lambda 0.0: a number above 0 is needed",
        "--loss tusk: 'tusk' is not NAME",
        "absent.pth.tar does not exist",
        "--crop 4096x64 is larger than",
        "does not fit 16 channels: change --channels",
        "trained on the backbone its own ResNet-50 (red first) and not on detectron2-bgr:",
    ):
        assert sum(message in line for line in refused.stderr.splitlines()) == 1, refused.stderr
    assert len(refused.stderr.splitlines()) == 7
    assert not (tmp_path / "lsm").exists()


def test_what_is_wrong_is_told_whatever_else_is_wrong(
    benchmark_command, folder: Path, tmp_path: Path
) -> None:
    refused = benchmark_command(
        *("train", "ncn-lsm", "--out", "lsm", "--lambda", "nan", "--dataset", "cityscapes:absent"),
        *("--start", folder / "cityscapes.pkl", "--mask", folder / NCN, "--channels", 7),
        *("--backbone", f"detectron2:{folder / NCN}", "--learning-rate", 0, "--seed", -1),
        *("--threads", 0, "--validation-images", -1),
    )
    assert refused.returncode == 2
    for message in (
        "--lambda nan: a number above 0 is needed",
        "--learning-rate 0.0: a number above 0 is needed",
        "--threads 0: a number above 0 is needed",
        "--seed -1: a number of at least 0 is needed",
        "--validation-images -1: a number of at least 0 is needed",
        "--channels 7: an even number is needed",
        "absent/leftImg8bit/train does not exist",
        "cityscapes.pkl is no weights file of an NCN",
        "lambda_0_02.pth.tar is no Detectron2 checkpoint",
        "lambda_0_02.pth.tar holds no LSMnet",
    ):
        assert sum(message in line for line in refused.stderr.splitlines()) == 1, refused.stderr
    assert len(refused.stderr.splitlines()) == 11
    assert not (tmp_path / "lsm").exists()


def test_images_that_the_network_judges_resized_are_refused(
    benchmark_command, folder: Path, tmp_path: Path
) -> None:
    for kind, pixels in (
        ("leftImg8bit", draw_scene(0).image),
        ("gtFine", draw_scene(0).instance_ids.astype(np.uint16)),
    ):
        (tmp_path / kind / "train/drawn").mkdir(parents=True)
        name = kind if kind == "leftImg8bit" else "gtFine_instanceIds"
        PIL.Image.fromarray(pixels).save(tmp_path / kind / f"train/drawn/0_{name}.png")
        (tmp_path / kind / "val").symlink_to("train")
    refused = benchmark_command(
        *("train", "ncn", "--out", "ncn", "--lambda", 1, "--channels", 8),
        *("--analysis", f"detectron2:{folder / 'cityscapes.pkl'}", "--dataset", "cityscapes:."),
    )
    assert refused.returncode == 2
    assert "which is 512 x 256, resized to 2048 x 1024" in refused.stderr


@pytest.mark.parametrize(
    ("channels", "crop", "steps"),
    [(8, (64, 128), 4), pytest.param(192, (512, 1024), 20, marks=pytest.mark.long)],
)
def test_interrupted_training_from_a_published_codec_ends_with_the_same_weights(
    published, street: Path, folder: Path, tmp_path: Path, channels: int, crop, steps: int
) -> None:
    torch.save(published(channels), tmp_path / NCN)
    spec = f"detectron2:{folder / 'cityscapes.pkl'}"
    recipe = CodecRecipe(
        trained="ncn-lsm",
        loss="task",
        rate_weight=0.02,
        iterations=steps,
        channels=channels,
        backbone=spec,
        batch=1,
        crop=crop,
    )
    dataset = Cityscapes(street, "train")
    network = open_training_network(spec, dataset.categories)

    def measured(device: torch.device) -> Distortion:
        return distortion(["task"], network)

    def stop(code: object) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        return {}

    start = tmp_path / NCN
    whole = train_codec(dataset, tmp_path / "whole", recipe, measured, start=start)
    print(f"at most {peak_memory() / 1e9:.1f} GB")
    assert peak_memory() < 24e9
    parts = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        train_codec(
            dataset,
            parts,
            recipe,
            measured,
            start=start,
            validate=stop,
            validate_every=steps // 2,
        )
    resumed = train_codec(dataset, parts, recipe, measured, start=start)
    expected, found = load_weights(whole).to_alpha, load_weights(resumed).to_alpha
    assert expected is not None and found is not None
    assert torch.equal(expected.weight, found.weight)
    assert torch.equal(expected.bias, found.bias)
