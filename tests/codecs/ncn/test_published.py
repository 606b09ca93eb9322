"""Published checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.codecs.ncn.published import from_published, load_published
from benchmark.errors import UsageError

PRIOR = "LSUnits.0.priorNetwork."


def test_a_published_checkpoint_gives_network_and_lsmnet(tmp_path: Path, published) -> None:
    torch.save(published(8, lsmnet=True), tmp_path / "ncn.pth.tar")
    network, lsmnet = load_published(tmp_path / "ncn.pth.tar")
    assert network.channels == 8
    assert not network.training
    assert lsmnet is not None and not lsmnet.training


def test_the_inputs_that_are_all_zeros_are_left_out(published) -> None:
    stored = published(8)
    network, _ = from_published(stored)
    own = dict(network.named_parameters())
    synthesis = stored["LSUnits.0.deconvDec.weight"][8:]
    assert torch.equal(own["synthesis.0.weight"], synthesis)
    final = stored[PRIOR + "decoder_final.weight"][:, :16]
    assert torch.equal(own["hyper_decoder.4.weight"], final)
    assert torch.equal(own["analysis.8.weight"], stored["LSUnits.0.LSGen.weight"][:, :8])


def test_every_wrong_key_is_named_in_one_error(tmp_path: Path, published) -> None:
    stored = published(8)
    del stored["encoder.1.bias"]
    stored["surprise"] = torch.zeros(1)
    stored[PRIOR + "decoder_GDN.1.beta"] = torch.ones(3)
    torch.save(stored, tmp_path / "ncn.pth.tar")
    with pytest.raises(UsageError) as error:
        load_published(tmp_path / "ncn.pth.tar")
    message = str(error.value)
    assert "ncn.pth.tar is not a published NCN checkpoint" in message
    assert "missing: encoder.1.bias" in message
    assert "unknown: surprise" in message
    assert f"{PRIOR}decoder_GDN.1.beta of shape (3,) instead of (16,)" in message


def test_an_lsmnet_without_its_backbone_is_refused(published) -> None:
    stored = published(8, lsmnet=True)
    kept = {key: value for key, value in stored.items() if "parallelBranch.2" not in key}
    with pytest.raises(UsageError, match=r"missing: parallelBranch\.2\.0\..* and \d+ more"):
        from_published(kept)


def test_another_mask_is_refused(published) -> None:
    stored = published(8)
    stored[PRIOR + "autoregressive.conv1.mask"][:] = False
    with pytest.raises(UsageError, match="masks other weights"):
        from_published(stored)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x80\x02cos\nsystem\n."])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth.tar").write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.pth\.tar is no"):
        load_published(tmp_path / "x.pth.tar")


def test_what_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    for other in ([1, 2], {"a": 1}, {"LSUnits.0.LSGen.bias": torch.zeros(3)}):
        torch.save(other, tmp_path / "x.pth.tar")
        with pytest.raises(UsageError, match=r"x\.pth\.tar is not a published NCN"):
            load_published(tmp_path / "x.pth.tar")
    with pytest.raises(UsageError, match="does not exist"):
        load_published(tmp_path / "missing.pth.tar")
