"""The backbones that LSMnet can stand on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models import resnet50

from benchmark.codecs.ncn.backbones import open_backbone
from benchmark.codecs.ncn.lsmnet import LSMnet
from benchmark.errors import UsageError


@pytest.mark.parametrize("spec", ["miniscapes", "efficientnet-lite0"])
def test_features_have_stride_16(spec: str, picture_of) -> None:
    backbone = open_backbone(spec)
    with torch.inference_mode():
        features = backbone(picture_of(128, 192))
        assert features.shape == (1, backbone.channels, 8, 12)
        assert features.std() > 0
        assert LSMnet(backbone, 16)(picture_of(100, 130)).shape == (1, 16, 8, 12)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_resnet50_is_taken_from_torchvision_s_cache(tmp_path: Path, picture_of) -> None:
    torch.manual_seed(0)
    network = resnet50().eval()
    (tmp_path / "checkpoints").mkdir()
    torch.save(network.state_dict(), tmp_path / "checkpoints/resnet50-0676ba61.pth")
    before = torch.hub.get_dir()
    torch.hub.set_dir(tmp_path)
    try:
        backbone = open_backbone("resnet50")
    finally:
        torch.hub.set_dir(before)
    found: list[torch.Tensor] = []
    network.layer3.register_forward_hook(lambda module, inputs, output: found.append(output))
    image = picture_of(64, 128)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    with torch.inference_mode():
        network((image - mean) / std)
        assert torch.equal(backbone(image), found[0])
    assert backbone.channels == 1024


def test_weights_that_cannot_be_had_are_named(tmp_path: Path, monkeypatch) -> None:
    """The failing download stands for a machine without a network."""

    def fail(*arguments: object, **options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    before = torch.hub.get_dir()
    torch.hub.set_dir(tmp_path)
    try:
        with pytest.raises(UsageError, match=r"vgg16 .* cannot be downloaded: no network"):
            open_backbone("vgg16")
    finally:
        torch.hub.set_dir(before)


def test_unknown_backbones_are_refused() -> None:
    with pytest.raises(UsageError, match="there is no backbone 'resnet'"):
        open_backbone("resnet")
