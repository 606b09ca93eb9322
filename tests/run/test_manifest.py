"""The manifest: every invocation is kept, and all that made the results has to agree."""

import json
from pathlib import Path

import msgspec
import pytest
from makers import make_manifest

from benchmark.errors import UsageError
from benchmark.run.agreement import brought, check_agreement
from benchmark.run.manifest import manifest_text, parse_manifest

FOLDER = Path("run")
JPEG = ("jpeg", {"code": "1", "libjpeg": "3"}, ["q5", "q30"])


def agree(before, now, prove=lambda name: ""):
    check_agreement(before, now, FOLDER, prove)


def with_device(manifest, device):
    invocation = msgspec.structs.replace(manifest.invocations[0], device=device)
    return msgspec.structs.replace(manifest, invocations=[invocation])


def test_a_manifest_comes_back_with_all_that_is_unknown():
    values = json.loads(manifest_text(make_manifest(images=["a"], codecs=[JPEG])))
    values["mood"] = "good"
    values["invocations"][0]["weather"] = {"sun": True}
    values["invocations"][0]["codecs"]["jpeg"]["colour"] = "red"
    values["invocations"][0]["images"]["a"]["taken"] = 1999
    text = json.dumps(values)
    assert json.loads(manifest_text(parse_manifest(text, FOLDER))) == values


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 2}', '{"format": "two"}', "{}"])
def test_what_is_no_manifest_is_named(text):
    with pytest.raises(UsageError, match="run"):
        parse_manifest(text, FOLDER)


def test_only_what_is_new_is_brought():
    before = make_manifest(images=["a"], codecs=[JPEG])
    now = make_manifest(images=["a", "b"], codecs=[(*JPEG[:2], ["q30", "q60"])])
    invocation = brought(before, now)
    assert invocation.codecs["jpeg"].rate_points == ["q60"]
    assert list(invocation.images) == ["b"]
    both = msgspec.structs.replace(before, invocations=[*before.invocations, invocation])
    assert both.codecs["jpeg"].rate_points == ["q5", "q30", "q60"]
    assert list(both.images) == ["a", "b"]
    again = brought(both, now)
    assert not again.codecs and not again.images


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_manifest(spec="cityscapes:x"), "made with the data set miniscapes, now it is city"),
        (make_manifest(analysis=None), "the analysis network"),
        (make_manifest(codecs=[("jpeg", {"code": "2", "libjpeg": "3"}, ["q5"])]),
         "another codec jpeg: {'code': '1'}, now it is {'code': '2'}: choose another --out"),
        (make_manifest(codecs=[("jpeg", {**JPEG[1], "option speed": "4"}, ["q5"])]),
         "now it is {'option speed': '4'}"),
        (with_device(make_manifest(), "cuda (H100)"), "cpu, now it is cuda \\(H100\\)"),
    ],
)  # fmt: skip
def test_what_differs_is_refused_by_name(other, message):
    with pytest.raises(UsageError, match=message.replace("{", r"\{")):
        agree(make_manifest(images=["a"], codecs=[JPEG]), other)


def test_other_pixels_are_refused_and_other_numbers_are_not():
    before = make_manifest(images=["a"])
    image = before.images["a"]
    for changes, same in (
        ({"id": 70}, True),
        ({"pixels": "x"}, False),
        ({"annotations": "x"}, False),
    ):
        other = msgspec.structs.replace(image, **changes)
        invocation = msgspec.structs.replace(before.invocations[0], images={"a": other})
        now = msgspec.structs.replace(before, invocations=[invocation])
        if same:
            agree(before, now)
        else:
            with pytest.raises(UsageError, match="another image a:"):
                agree(before, now)


def test_where_a_former_identity_says_too_little_an_image_is_coded_again():
    before = make_manifest(codecs=[("jpeg", {"source": "0", "libjpeg": "3"}, ["q5"])])
    now = make_manifest(codecs=[JPEG])
    asked = []
    agree(before, now, lambda name: asked.append(name) or "")
    assert asked == ["jpeg"]
    with pytest.raises(UsageError, match="another codec jpeg: it encodes"):
        agree(before, now, lambda name: "it encodes x to other bits")
    agree(now, now, lambda name: "is not asked where the identity says all")


def test_an_unknown_device_agrees_with_any():
    agree(with_device(make_manifest(), None), make_manifest())
