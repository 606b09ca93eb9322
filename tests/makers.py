"""Records and manifests for tests, with all that a test does not care about filled in."""

from hashlib import sha256

from benchmark.run.manifest import (
    AnalysisEntry,
    CodecEntry,
    DatasetEntry,
    ImageEntry,
    Invocation,
    Manifest,
)
from benchmark.run.record import Record

BITS = b"a bitstream"


def make_record(codec="some", rate_point="qp32", image="image0", **fields):
    values = {
        "image_id": 0,
        "width": 64,
        "height": 32,
        "bytes": len(BITS),
        "sha256": sha256(BITS).hexdigest(),
        "detections": 0,
        "qualities": {"psnr": 30.0, "ms_ssim": None},
        "encode_s": 1.0,
        "decode_s": 0.5,
        "analysis_s": 0.25,
    }
    return Record(codec=codec, rate_point=rate_point, image=image, **values | fields)


def make_manifest(*, spec="miniscapes", images=(), codecs=(), analysis="miniscapes", identity=()):
    """A manifest with one invocation; codecs are (name, identity, rate points)."""
    return Manifest(
        dataset=DatasetEntry(spec=spec),
        analysis=AnalysisEntry(spec=analysis, identity=dict(identity)),
        ap="coco" if analysis else None,
        invocations=[
            Invocation(
                command="python -m benchmark run",
                started="2026-11-24T12:00:00Z",
                versions={"python": "3.11"},
                machine={"processor": "one", "cores": "2", "system": "Linux"},
                device="cpu",
                codecs={
                    name: CodecEntry(identity=identity, rate_points=list(points))
                    for name, identity, points in codecs
                },
                images={
                    name: ImageEntry(pixels="", annotations="", id=number)
                    for number, name in enumerate(images)
                },
            )
        ],
    )
