"""The codecs' weights files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmark.codecs.ncn.network import NCN
from benchmark.codecs.ncn.weights_file import Description, Weights, load_weights, save_weights
from benchmark.errors import UsageError

DESCRIPTION = Description(8, 0.02, "miniscapes", {"loss": "task", "steps": 3})


@pytest.mark.parametrize("parts", ["network", "to_alpha", "both"])
def test_weights_come_back(tmp_path: Path, parts: str) -> None:
    torch.manual_seed(0)
    network = NCN(8) if parts != "to_alpha" else None
    to_alpha = torch.nn.Conv2d(5, 8, 1) if parts != "network" else None
    path = tmp_path / "ncn.safetensors"
    save_weights(path, Weights(network, to_alpha, DESCRIPTION))
    loaded = load_weights(path)
    assert loaded.description == DESCRIPTION
    for written, read in ((network, loaded.network), (to_alpha, loaded.to_alpha)):
        assert (written is None) == (read is None)
        if written is not None and read is not None:
            for name, value in written.state_dict().items():
                stored = value.half().float() if value.ndim > 1 else value
                assert torch.equal(read.state_dict()[name], stored), name
    before = path.read_bytes()
    save_weights(path, loaded)
    assert path.read_bytes() == before


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_weights(tmp_path / "missing.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UsageError, match="is not a readable safetensors file"):
        load_weights(tmp_path / "x.safetensors")
    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="does not hold the weights of a benchmark NCN"):
        load_weights(tmp_path / "other.safetensors")
    for channels in (16, 7):  # which do not fit, or fit no NCN
        wrong = Description(channels, 0.02, "", {})
        save_weights(tmp_path / "y.safetensors", Weights(NCN(8), None, wrong))
        with pytest.raises(UsageError, match=r"y\.safetensors does not hold the weights of an NCN"):
            load_weights(tmp_path / "y.safetensors")
