"""A small finished run of two images: JPEG and JPEG 2000, with detections made up."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import PIL.Image
import pytest
from makers import make_manifest, make_record

from benchmark.analysis.analysis_network import Detection
from benchmark.codec import identity_of, open_codec
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import fingerprint, read_image
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.metrics.average_precision import encoded
from benchmark.metrics.image_quality import psnr
from benchmark.run.jobs import pixels_hash
from benchmark.run.manifest import CodecEntry, ImageEntry
from benchmark.run.record import UNCOMPRESSED, Record
from benchmark.run.run_folder import RunFolder

RATES = {"jpeg": ("quality5", "quality14", "quality35"), "jpeg2000": ("psnr20", "psnr22", "psnr26")}
CAR = 26


def write_dataset(root: Path) -> str:
    """Two scenes and one car in each, in COCO's format."""
    for number in (0, 1):
        PIL.Image.fromarray(draw_scene(number).image).save(root / f"scene{number}.png")
    images = [
        {"id": number, "file_name": f"scene{number}.png", "height": 256, "width": 512}
        for number in (0, 1)
    ]
    square = [[100, 100, 180, 100, 180, 160, 100, 160]]
    annotations = [
        {"image_id": number, "category_id": 1, "segmentation": square} for number in (0, 1)
    ]
    content = {
        "images": images,
        "categories": [{"id": 1, "name": "car"}],
        "annotations": annotations,
    }
    (root / "instances.json").write_text(json.dumps(content))
    return f"coco:{root}/instances.json:{root}"


def made_up_detection(image: np.ndarray) -> Detection:
    mask = np.zeros(image.shape[:2], bool)
    mask[100:160, 100:180] = True
    counts = encoded(mask)["counts"].decode()
    return Detection(CAR, 0.9, (100, 100, 80, 60), image.shape[:2], counts)


def add(folder: RunFolder, codec: str, rate: str, picture, codecs) -> Record:
    image = read_image(picture.path)
    bitstream = decoded = None
    if codec != UNCOMPRESSED:
        bitstream = codecs[codec].encode(image, codecs[codec].rate_point(rate))
        decoded = codecs[codec].decode(bitstream)
    record = make_record(
        codec,
        rate,
        picture.name,
        image_id=picture.id,
        width=512,
        height=256,
        bytes=image.size if bitstream is None else len(bitstream),
        sha256="" if bitstream is None else hashlib.sha256(bitstream).hexdigest(),
        decoded_sha256=pixels_hash(image if decoded is None else decoded),
        detections=1,
        qualities={"psnr": None if decoded is None else psnr(image, decoded), "ms_ssim": None},
        encode_s=0.1,
    )
    folder.add(record, bitstream, [made_up_detection(image)])
    return record


def summary_of(records: list[Record]) -> pd.DataFrame:
    """As an evaluation makes it, with a wAP that is made up to rise with the PSNR."""
    shown = ("codec", "rate_point", "bpp", "encode_s", "decode_s", "analysis_s")
    rows = [
        {name: getattr(record, name) for name in shown} | {"psnr": record.qualities["psnr"]}
        for record in records
    ]
    frame = pd.DataFrame(rows).astype({"psnr": float})
    table = frame.groupby(["codec", "rate_point"]).mean()
    table = table.reset_index().assign(images=2, ms_ssim=0.9, ap="coco", source="measured")
    table["wap"] = (2 * table["psnr"] - 20).fillna(50)
    return table.assign(ap50=table["wap"] + 20, ap_car=table["wap"])


def write_run(path: Path, dataset: str, rates) -> RunFolder:
    """A run of these codecs and rate points, as `benchmark.run.perform` leaves it."""
    folder = RunFolder(path)
    opened = open_dataset(dataset)
    codecs = {name: open_codec(name, options) for name, (options, _) in rates.items()}
    manifest = make_manifest(spec=dataset, analysis="made up")
    invocation = msgspec.structs.replace(
        manifest.invocations[0],
        images={
            its.name: ImageEntry(**asdict(fingerprint(opened, its)), id=its.id)
            for its in opened.pictures
        },
        codecs={
            name: CodecEntry(
                options=options, identity=identity_of(codecs[name]), rate_points=list(points)
            )
            for name, (options, points) in rates.items()
        },
    )
    folder.write_manifest(msgspec.structs.replace(manifest, invocations=[invocation]))
    points = [(UNCOMPRESSED, "bits24")]
    points += [(name, point) for name, (_, its) in rates.items() for point in its]
    records = [
        add(folder, *point, picture, codecs) for point in points for picture in opened.pictures
    ]
    folder.write_file("summary.csv", summary_of(records).to_csv(index=False).encode())
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> str:
    return write_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, dataset) -> RunFolder:
    rates = {name: ({}, points) for name, points in RATES.items()}
    return write_run(tmp_path_factory.mktemp("run"), dataset, rates)


@pytest.fixture(scope="session")
def run_of():
    """`write_run`, for tests."""
    return write_run
