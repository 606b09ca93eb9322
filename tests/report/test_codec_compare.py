"""Results in the format of codec-compare, as that viewer reads them."""

import json

import pytest
from makers import make_manifest, make_record

from benchmark.evaluation.opened_run import OpenedRun
from benchmark.report.codec_compare import codec_compare_files
from benchmark.run.run_folder import RunFolder

PIXELS = 64 * 32


def read(text):
    """Constants by name, and rows by field name, of a batch; nothing that the viewer refuses."""
    batch = json.loads(text)
    names = [name for entry in batch["constant_descriptions"] for name in entry]
    fields = [name for entry in batch["field_descriptions"] for name in entry]
    assert all(isinstance(value, str) for value in batch["constant_values"])
    assert all(None not in row for row in batch["field_values"])
    return (
        dict(zip(names, batch["constant_values"], strict=True)),
        [dict(zip(fields, row, strict=True)) for row in batch["field_values"]],
    )


@pytest.fixture
def files(tmp_path):
    """What is written of a run whose records are given."""

    def written(*records):
        folder = RunFolder(tmp_path)
        codecs = [("some", {"code": "abc", "libsome": "1.2"}, ["qp32", "qp37"])]
        folder.write_manifest(make_manifest(codecs=codecs))
        for record in records:
            folder.add(record, None, [])
        return codec_compare_files(OpenedRun(folder))

    return written


def test_a_batch_holds_all_rate_points_of_a_codec_image_by_image(files):
    qualities = {"psnr": 30.5, "ms_ssim": 1}
    made = [
        make_record(rate_point=point, image=image, bytes=size, qualities=qualities)
        for point, image, size in (("qp32", "a", 512), ("qp32", "b", 256), ("qp37", "a", 128))
    ]
    constants, rows = read(files(*made)["some.json"])
    assert constants == {
        "name": "some, miniscapes",
        "codec": "some",
        "version": "code abc, libsome 1.2",
        "time": "2026-11-24T12:00:00Z",
    }
    assert rows[1] == {
        "original_name": "b",
        "width": 64,
        "height": 32,
        "quality": "qp32",
        "psnr": 30.5,
        "msssim": 1,
        "encoded_size": 256,
        "bpp": 8 * 256 / PIXELS,
        "encoding_time": 1.0,
        "decoding_time": 0.5,
    }
    assert [row["quality"] for row in rows] == ["qp32", "qp32", "qp37"]


def test_the_list_names_the_batches_of_all_codecs_but_not_the_originals(files):
    written = files(make_record("some"), make_record("other"), make_record("uncompressed"))
    assert json.loads(written["batches.json"]) == [["some.json"], ["other.json"]]
    assert set(written) == {"batches.json", "some.json", "other.json"}


def test_no_list_is_written_of_originals_alone(files):
    assert files(make_record("uncompressed")) == {}


def test_an_exact_image_counts_as_if_one_sample_were_wrong_and_no_value_is_read_as_0(files):
    exact = make_record(image="a", qualities={"psnr": None, "ms_ssim": None})
    _, rows = read(files(exact, make_record(image="b", encode_s=None))["some.json"])
    # 10 lg 255^2 and 10 lg of the number of samples
    assert [row["psnr"] for row in rows] == [pytest.approx(48.1308 + 37.8845, abs=1e-3), 30.0]
    assert not {"msssim", "lpips", "encoding_time"} & set(rows[0])
