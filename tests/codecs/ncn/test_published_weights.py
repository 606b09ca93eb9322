"""The codecs' own weights: their bitstreams decode everywhere, and damage is always noticed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.codec import open_codec

CODECS = ("ncn", "ncn-lsm", "ncn-lsm-ft")

ENCODE = """
import hashlib, sys
from pathlib import Path
import torch
from benchmark.codec import open_codec
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import read_image
torch.set_num_threads(1)
out, count = Path(sys.argv[1]), int(sys.argv[2])
pictures = open_dataset("miniscapes").pictures
codecs = [open_codec(name) for name in ("ncn", "ncn-lsm", "ncn-lsm-ft")]
pairs = [(codec, point) for codec in codecs for point in codec.rate_points]
for number in range(count):
    codec, point = pairs[number % len(pairs)]
    image = read_image(pictures[number // len(pairs) % len(pictures)].path)
    bitstream = codec.encode(image, point)
    (out / f"{number:04}.{codec.name}").write_bytes(bitstream)
"""

DECODE = """
import hashlib, json, sys
from pathlib import Path
import torch
from benchmark.codec import open_codec
from benchmark.codecs.ncn import entropy_coding
torch.set_num_threads(int(sys.argv[2]))
torch.backends.mkldnn.enabled = sys.argv[3] == "on"
codecs = {name: open_codec(name) for name in ("ncn", "ncn-lsm", "ncn-lsm-ft")}
hashes, decode = {}, entropy_coding.LatentCoder.decode
def watched(self, *arguments):
    latent = decode(self, *arguments)
    digests.append(hashlib.sha256(latent.numpy().tobytes()).hexdigest())
    raise StopIteration  # the transform may differ in its last bits: it is not compared
entropy_coding.LatentCoder.decode = watched
for file in sorted(Path(sys.argv[1]).iterdir()):
    digests = []
    try:
        codecs[file.suffix[1:]].decode(file.read_bytes())
    except StopIteration:
        pass
    hashes[file.name] = digests
print(json.dumps(hashes))
"""

HOSTILE = """
import random, resource, sys, time
from pathlib import Path
import torch
from benchmark.codec import open_codec
from benchmark.codecs.ncn.bitstream import BitstreamError
torch.set_num_threads(1)
files = sorted(Path(sys.argv[1]).iterdir())
codecs = {name: open_codec(name) for name in ("ncn", "ncn-lsm", "ncn-lsm-ft")}
for file in files:
    codecs[file.suffix[1:]].decode(file.read_bytes())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rng, slowest, harmless = random.Random(0), 0, 0
for number in range(int(sys.argv[2])):
    file = rng.choice(files)
    whole = bytearray(file.read_bytes())
    kind = number % 5
    if kind == 0:  # a few bits
        for _ in range(rng.choice([1, 1, 2, 8])):
            whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    elif kind == 1:  # the header
        whole[rng.randrange(5)] = rng.randrange(256)
    elif kind == 2:
        del whole[rng.randrange(len(whole)):]
    elif kind == 3:  # a part of another file
        other = rng.choice(files).read_bytes()
        at = rng.randrange(len(whole))
        whole[at:] = other[at:]
    else:  # nothing of ours behind our header
        whole[5:] = rng.randbytes(rng.choice([0, 1, 7, 100, 5000]))
    started = time.perf_counter()
    try:
        codecs[file.suffix[1:]].decode(bytes(whole))
        assert bytes(whole) in [other.read_bytes() for other in files], (file, number)
        harmless += 1
    except BitstreamError as error:
        assert "\\n" not in str(error)
    slowest = max(slowest, time.perf_counter() - started)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert slowest < 10, slowest
assert grown < 2**20, grown
print(f"slowest {slowest:.2f} s, memory grown by {grown / 1024:.0f} MiB, {harmless} unchanged")
"""


def python(script: str, *arguments: object, **environment: str) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("count", [15, pytest.param(1000, marks=pytest.mark.long)])
def test_bitstreams_decode_to_the_same_latents_everywhere(tmp_path: Path, count: int) -> None:
    python(ENCODE, tmp_path, count)
    settings = [
        (1, "on", {}),
        (2, "on", {}),
        (1, "off", {}),
        (2, "off", {"ATEN_CPU_CAPABILITY": "default"}),
        (1, "on", {"ATEN_CPU_CAPABILITY": "avx2"}),
        (1, "on", {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}),
    ]
    found = []
    for threads, onednn, environment in settings[: 6 if count > 15 else 4 : 1 if count > 15 else 3]:
        found.append(json.loads(python(DECODE, tmp_path, threads, onednn, **environment)))
    assert len(found[0]) == count
    assert all(len(digests) == 1 for digests in found[0].values())
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=pytest.mark.long)])
def test_damaged_bitstreams_are_refused(tmp_path: Path, count: int) -> None:
    python(ENCODE, tmp_path, 30)
    print(python(HOSTILE, tmp_path, count))


def test_every_codec_has_weights() -> None:
    points = [[point.name for point in open_codec(name).rate_points] for name in CODECS]
    assert points[0] == points[1] == points[2]
    assert len(points[0]) >= 4
