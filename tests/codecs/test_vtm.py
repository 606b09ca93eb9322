"""VTM-10.0: for real where VTM_ENCODER, VTM_DECODER and VTM_CONFIG are set (``-m long``)."""

import hashlib
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from benchmark.codec import open_codec
from benchmark.codecs.vvc_sps import picture_size
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import read_image
from benchmark.errors import CodecUnavailable

# VTM-10.0 made the file from the first image of Miniscapes val at QP 52, and its decoder
# (-d 10) wrote samples of this hash.
BITSTREAM = (Path(__file__).parent / "data/vtm-10.0-qp52.266").read_bytes()
SAMPLES = "83f10189d7a1b9a5455f076d5a436268dc581e3b961160510bae3de6f0f1afbd"


def test_ffmpeg_decodes_a_vtm_bitstream_to_what_vtm_decoded():
    assert picture_size(BITSTREAM) == (512, 256)
    assert hashlib.sha256(ffmpeg_samples(BITSTREAM)).hexdigest() == SAMPLES


@pytest.fixture(scope="module")
def vtm():
    try:
        return open_codec("vtm")
    except CodecUnavailable as reason:
        pytest.skip(str(reason))


def vtm_samples(vtm, bitstream):
    """What VTM's decoder writes, in the 10 bits that VTM computes with."""
    with tempfile.TemporaryDirectory() as folder:
        source, decoded = Path(folder, "in.bin"), Path(folder, "out.yuv")
        source.write_bytes(bitstream)
        program = [vtm.decoder, "-b", source, "-o", decoded, "-d", "10"]
        subprocess.run(program, check=True, capture_output=True)
        return decoded.read_bytes()


def ffmpeg_samples(bitstream):
    """What ffmpeg's own VVC decoder makes of it."""
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "vvc", "-i", "pipe:"]
    output = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "pipe:"]
    return subprocess.run(program + output, input=bitstream, check=True, capture_output=True).stdout


@pytest.mark.long
def test_ffmpeg_decodes_our_vtm_bitstreams_to_vtms_own_output(vtm):
    point = vtm.rate_point("qp52")
    for picture in open_dataset("miniscapes").pictures:
        bitstream = vtm.encode(read_image(picture.path), point)
        assert vtm_samples(vtm, bitstream) == ffmpeg_samples(bitstream), picture.name


@pytest.mark.long
def test_a_size_that_is_no_multiple_of_8_comes_back(vtm):
    image = read_image(open_dataset("miniscapes").pictures[0].path)[:98, :150]
    bitstream = vtm.encode(image, vtm.rate_point("qp40"))
    decoded = open_codec("vtm").decode(bitstream)
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 20


@pytest.mark.long
def test_the_same_image_gives_the_same_bits_and_extra_arguments_change_them(vtm):
    image = read_image(open_dataset("miniscapes").pictures[0].path)[:64, :128]
    point = vtm.rate_point("qp40")
    assert vtm.encode(image, point) == vtm.encode(image, point)
    other = open_codec("vtm", {"extra": "--ALF=0 --CCALF=0 --SAO=0"})
    assert other.encode(image, point) != vtm.encode(image, point)
    assert other.identity() != vtm.identity()
