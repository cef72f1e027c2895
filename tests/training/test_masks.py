"""Masks of weights that a document names as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.exchange_samples import dense, document

import netdesc

MASK = np.random.default_rng(0).random((8, 10)) < 0.4


def write(folder: Path, mask: dict[str, Any], **more: Any) -> Path:
    np.save(folder / "a.npy", MASK)
    np.savez(folder / "a.npz", mask=np.float32(MASK), other=MASK[:, :5], text=np.array("x"))
    content = document([10], [dense("a", 8, mask=mask, **more), dense("b", 3)])
    del content["data"]
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("weight_norm", [True, False])
def test_a_file_says_which_weights_exist(tmp_path: Path, name: str, weight_norm: bool) -> None:
    model = netdesc.compile(write(tmp_path, {"path": name}, weight_norm=weight_norm)).model
    synapse = model.layers["a"].synapse
    assert np.array_equal(synapse.weight.detach() != 0, MASK)
    if weight_norm:
        torch.testing.assert_close(synapse.folded(), synapse.weight)
    (synapse.folded() + 1).square().sum().backward()
    assert np.array_equal(synapse.weight.grad != 0, MASK)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ({"path": "a.npz", "array": "other"}, r"has shape \[8, 5\]; the weights have \[8, 10\]"),
        ({"path": "a.npz", "array": "text"}, "holds no numbers"),
        ({"path": "a.npz", "array": "none"}, "none"),
        ({"path": "a.json"}, "not a file of a mask"),
        ({"path": "missing.npy"}, "there is no file"),
        ({"path": "a.npy", "sha256": "0" * 64}, "SHA-256"),
        ({"path": "a.npy", "density": 0.5}, "a file and a density"),
    ],
)
def test_a_file_that_does_not_fit_is_one_diagnostic(tmp_path: Path, mask, words) -> None:
    with pytest.raises(netdesc.DescriptionError, match=words) as raised:
        netdesc.load(write(tmp_path, mask))
    assert len(raised.value.diagnostics) == 1


def test_a_run_keeps_its_mask_without_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, {"path": "a.npy"}, weight_norm=True)
    np.savez(tmp_path / "d.npz", inputs=np.ones((4, 6, 10)), targets=np.ones((4, 40, 3)))
    data = {"type": "arrays", "path": "d.npz", "targets": "targets", "split": None}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data": data}))
    run = netdesc.train(path, run_dir=tmp_path / "run", progress="quiet")
    (tmp_path / "a.npy").unlink()
    assert netdesc.evaluate(run).samples == 4
    synapse = netdesc.compile(run).model.layers["a"].synapse
    assert np.array_equal(synapse.mask != 0, MASK)
    synapse.folded().sum().backward()
    assert np.array_equal(synapse.weight.grad != 0, MASK)
