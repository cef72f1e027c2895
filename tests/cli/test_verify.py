"""``netdesc verify``."""

from pathlib import Path

import numpy as np
import pytest
from support.cli_process import Netdesc
from support.training_task import INPUTS, write_task

pytestmark = pytest.mark.usefixtures("reference_engine")


def test_identical_spikes_are_told_for_each_layer(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path)
    ended = netdesc("verify", document)
    assert ended.code == 0
    assert "identical" in ended.out
    record = netdesc("verify", document, "--json").record
    assert record["identical"]
    assert [each["layer"] for each in record["layers"]] == ["hidden", "output"]
    for each in record["layers"]:
        assert each["float"] == each["integer"] == each["exported"]
        assert f"{each['float']:,}" in ended.out


def test_an_empty_proof_is_a_warning_with_a_code(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path)
    document.write_text(document.read_text().replace('"weight_scale": 1', '"weight_scale": 1e-6'))
    ended = netdesc("verify", document, "--quiet")
    assert (ended.code, "ND405" in ended.err) == (0, True)
    assert netdesc("verify", document, "--json").record["empty"]
    assert "ND405" not in netdesc("verify", write_task(tmp_path)).err


@pytest.mark.parametrize("name", ["missing", "missing.txt", "missing.npy", "missing.npz"])
def test_missing_inputs_and_folders_are_named(name: str, netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path)
    for command in (["verify", document, "--input"], ["run", document]):
        missing, folder = netdesc(*command, name), netdesc(*command, tmp_path)
        assert (missing.code, folder.code) == (3, 1)
        assert name in missing.err
        assert f"{tmp_path}: is a folder" in folder.err


def test_a_state_beyond_24_bits_ends_with_1(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path)
    changes = {
        '"threshold": 0.1': '"threshold": 2100',
        '"voltage_decay": 0.1': '"voltage_decay": 0',
        '"weight_scale": 1': '"weight_scale": 100',
    }
    for old, new in changes.items():
        document.write_text(document.read_text().replace(old, new))
    np.save(tmp_path / "ones.npy", np.ones((1000, INPUTS)))
    ended = netdesc("verify", document, "--input", tmp_path / "ones.npy")
    assert ended.code == 1
    assert "24-bit clip: " in ended.out
    record = netdesc("verify", document, "--input", tmp_path / "ones.npy", "--json").record
    assert not record["identical"]
    (difference,) = record["differences"]
    assert difference["layer"] == "hidden"
    assert f"step {difference['step']}" in ended.out
