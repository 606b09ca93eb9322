"""The adapters of the NCN: alone, with LSMnet, and fine-tuned with LSMnet."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmark.codec import RatePoint, TrainableCodec
from benchmark.errors import CodecUnavailable
from benchmark.image import Image

from .bitstream import BitstreamError, fingerprint, unpack

if TYPE_CHECKING:
    from benchmark.codec import Explanation
    from benchmark.complexity import Complexity

    from .coder import ImageCoder

# torch and CompressAI take seconds to import, and listing the codecs does not need them: modules
# that import them are imported where they are used.

_WEIGHTS = Path(__file__).parent / "weights"
_PREFIX = "lambda"
_MASKED = "maskLatentSpaceNonFrozen"


class _NcnCodec(TrainableCodec):
    """An NCN with weights of its own at each rate point, which is named by their lambda."""

    trained: ClassVar[str]
    """What training trains (`training.TRAINED`)."""

    backbone: ClassVar[str] = "miniscapes"
    """LSMnet's backbone where training is not told another."""

    published: ClassVar[str | None] = None
    """What the names of its published checkpoints hold; None where there are none."""

    def __init__(
        self, weights: str = str(_WEIGHTS), checkpoints: str = "", device: str = "cpu"
    ) -> None:
        """Lists the weights.

        Args:
            weights: a folder that has a folder for each codec of this family, with a file
                ``lambdaVALUE.safetensors`` for each rate point.
            checkpoints: a folder to be used instead, which may hold published checkpoints
                (``*.pth.tar``) beside such folders.
            device: where the networks compute: ``cpu``, the reference, or ``cuda``, of whose
                devices each process takes one.

        Raises:
            CodecUnavailable: if there are none, or there is no such device.
        """
        self._device = _device(device)
        folder = Path(checkpoints or weights).expanduser()
        if not folder.is_dir():
            raise CodecUnavailable(f"{folder} is no folder; it should hold {self._wanted()}")
        self._files = _each_once(self.name, [*self._own(folder), *self._published(folder)])
        if not self._files:
            raise CodecUnavailable(f"{folder} holds no weights of {self.name}: {self._wanted()}")
        self.rate_points = tuple(sorted(self._files, key=lambda point: point.value))
        self._decoders = {point: self._decoder(path) for point, path in self._files.items()}
        self._hashes = {point: _hash(path) for point, path in self._decoders.items()}
        self._coders: dict[RatePoint, ImageCoder] = {}

    def _wanted(self) -> str:
        """What files would do, and how to have some."""
        own = (
            f"{self.name}/{_PREFIX}VALUE.safetensors (train some: `python -m benchmark train "
            f"{self.name} --help`)"
        )
        if self.published is None:
            return f"{own}; none were published, docs/reproducing-the-paper.md has the commands"
        return f"{own}, or published ncn_maskLoss_CS_{self.published}_lambda_0_02.pth.tar and such"

    def _own(self, folder: Path) -> list[tuple[RatePoint, Path]]:
        paths = sorted((folder / self.name).glob(f"{_PREFIX}*.safetensors"))
        return [(_rate_point(path), path) for path in paths]

    def _published(self, folder: Path) -> list[tuple[RatePoint, Path]]:
        return _published(folder, self.published) if self.published is not None else []

    def _decoder(self, path: Path) -> Path:
        """The file that holds the NCN of a weights file."""
        return path

    def prepare(self, rate_point: RatePoint) -> None:
        self._coder(rate_point)

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        return self._coder(rate_point).encode(image)

    def decode(self, bitstream: bytes) -> Image:
        header, _ = unpack(bitstream)
        for rate_point, weights in self._hashes.items():
            if header.fingerprint == fingerprint(weights, header.height, header.width):
                return self._coder(rate_point).decode(bitstream)
        raise BitstreamError(
            f"the bitstream was made with other weights than {self.name} has, or is damaged"
        )

    def explain(self, image: Image, rate_point: RatePoint) -> Explanation:
        """What encoding does to the latent of an image."""
        return self._coder(rate_point).explain(image)

    def complexity(self, rate_point: RatePoint) -> Complexity:
        """What network and LSMnet compute."""
        from .complexity import complexity_of

        return complexity_of(self._files[rate_point], self._decoders[rate_point])

    def _coder(self, rate_point: RatePoint) -> ImageCoder:
        from .coder import ImageCoder
        from .weights_file import load_ncn

        if rate_point not in self._coders:
            network, lsmnet = load_ncn(self._files[rate_point], self._decoders[rate_point])
            self._coders[rate_point] = ImageCoder(
                network, lsmnet, self._hashes[rate_point], self._device
            )
        return self._coders[rate_point]

    def identity(self) -> dict[str, str]:
        from .weights_file import backbones_of

        versions = {name: importlib.metadata.version(name) for name in ("torch", "compressai")}
        return {**versions, **backbones_of(self._files.values()), **_named(self._device)}

    def identity_at(self, rate_point: RatePoint) -> dict[str, str]:
        weights, decoder = self._files[rate_point], self._decoders[rate_point]
        masked = {"ncn": self._hashes[rate_point]} if decoder != weights else {}
        return {"weights": _hash(weights), **masked}

    @classmethod
    def add_training_options(cls, parser: argparse.ArgumentParser) -> None:
        from .train_command import add_options

        add_options(parser, cls.trained, cls.backbone)

    @classmethod
    def train(cls, options: argparse.Namespace) -> Path | str:
        from .train_command import train

        return train(options, cls.trained)


class Ncn(_NcnCodec):
    """The NCN without LSMnet."""

    name = trained = "ncn"
    published: ClassVar[str] = "..."


class NcnLsm(_NcnCodec):
    """An LSMnet, of which only the 1x1 convolution is trained, on the NCNs of `Ncn`."""

    name = trained = "ncn-lsm"

    def _decoder(self, path: Path) -> Path:
        folder, point = path.parent.parent, _rate_point(path)
        decoder = folder / Ncn.name / path.name
        if decoder.is_file():
            return decoder
        published = dict(_published(folder, Ncn.published))
        if point not in published:
            raise CodecUnavailable(
                f"{decoder} is missing: {path} masks the latents of that NCN, or of a published "
                f"one of {point.name} in {folder}"
            )
        return published[point]


class NcnLsmCoco(NcnLsm):
    """The same with the backbone of a Mask R-CNN for COCO: the same task, another data set."""

    name = "ncn-lsm-coco"
    backbone = ""  # a file that nobody but the user knows


class NcnLsmResNet50(NcnLsm):
    """The same with a ResNet-50 for ImageNet's classes: another task and data set."""

    name = "ncn-lsm-resnet50"
    backbone = "resnet50"


class NcnLsmVgg16(NcnLsm):
    """The same with a VGG-16 for ImageNet's classes: another network, task and data set."""

    name = "ncn-lsm-vgg16"
    backbone = "vgg16"


class NcnLsmEfficientNet(NcnLsm):
    """The same with a backbone of another task and data set: ImageNet's classes."""

    name = "ncn-lsm-efficientnet"
    backbone = "efficientnet-lite0"

    def __init__(
        self, weights: str = str(_WEIGHTS), checkpoints: str = "", device: str = "cpu"
    ) -> None:
        """As `NcnLsm`.

        Raises:
            CodecUnavailable: also if the package with the backbone is missing.
        """
        super().__init__(weights, checkpoints, device)
        if importlib.util.find_spec("efficientnet_lite_pytorch") is None:
            raise CodecUnavailable("it needs `pip install 'benchmark[efficientnet]'`")


class NcnLsmFt(_NcnCodec):
    """NCN and LSMnet trained together."""

    name = trained = "ncn-lsm-ft"
    published: ClassVar[str] = _MASKED


def _published(folder: Path, named: str) -> list[tuple[RatePoint, Path]]:
    """The published checkpoints in a folder, with LSMnet or without, and their rate points."""
    found = []
    for path in sorted(folder.glob("ncn_maskLoss_*.pth.tar")):
        value = re.search(r"lambda_(\d+)_(\d+)\.pth\.tar$", path.name)
        if value and (_MASKED in path.name) == (named == _MASKED):
            found.append((RatePoint(_PREFIX, float(f"{value[1]}.{value[2]}")), path))
    return found


def _each_once(name: str, found: Iterable[tuple[RatePoint, Path]]) -> dict[RatePoint, Path]:
    """The weights by their rate point.

    Raises:
        CodecUnavailable: if two files claim the same one.
    """
    files: dict[RatePoint, Path] = {}
    for point, path in found:
        if point in files:
            raise CodecUnavailable(
                f"{files[point]} and {path} both claim {point.name} of {name}: leave one in the "
                "folder"
            )
        files[point] = path
    return files


def _rate_point(path: Path) -> RatePoint:
    value = path.name.removeprefix(_PREFIX).removesuffix(".safetensors")
    try:
        return RatePoint(_PREFIX, float(value))
    except ValueError as error:
        raise CodecUnavailable(f"{path} is not named {_PREFIX}VALUE.safetensors") from error


def _device(asked: str) -> str:
    """The device of this process: torch is not imported for the CPU.

    Raises:
        CodecUnavailable: if there is none.
    """
    if asked == "cpu":
        return asked
    if asked != "cuda":
        raise CodecUnavailable(f"device={asked}: cpu or cuda is needed")
    import torch

    if not torch.cuda.is_available():
        raise CodecUnavailable("device=cuda: PyTorch finds no CUDA device here")
    torch.backends.cudnn.allow_tf32 = False  # as coarse as 10 bits
    return f"cuda:{os.getpid() % torch.cuda.device_count()}"


def _named(device: str) -> dict[str, str]:
    """What a device is called in an identity: other GPUs make other bitstreams."""
    if device == "cpu":
        return {}
    import torch

    return {"device": torch.cuda.get_device_name(device)}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
