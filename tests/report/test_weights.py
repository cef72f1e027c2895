"""The weights of a run, as its report reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.report_samples import document, weights, write_run

from netdesc.report.page import build_page
from netdesc.report.run import read_run
from netdesc.report.weights import open_weights


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "has no layers.hidden.synapse.weight"),
        (weights(0) | {"layers.hidden.synapse.weight": np.zeros((2, 2))}, r"shape \[2, 2\]"),
        (weights(0) | {"layers.hidden.neuron.current_decay": np.zeros(3)}, r"shape \[3\]"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, tensors: dict[str, Any], message: str
) -> None:
    folder = write_run(tmp_path / "run")
    path = folder / "checkpoints" / "best.safetensors"
    save_file(tensors, path)
    page = build_page(read_run(folder))
    (told,) = page.damage
    assert told.startswith(f"{path}: ")
    assert re.search(message, told)
    assert page.weight_change.weights.rows
    assert [row[3] for row in page.weight_change.weights.rows] == ["–", "–"]


def test_weights_with_a_norm_are_what_the_synapses_have(tmp_path: Path) -> None:
    """Each row is of the length of its gain, whatever its own; a row of zeros stays zero."""
    normed = document()["layers"]
    normed[0] |= {"weight_norm": True, "bias": True}
    folder = write_run(tmp_path / "run", changes={"layers": normed})
    tensors = weights(1)
    weight_UI = tensors["layers.hidden.synapse.weight"]
    weight_UI[3] = 0
    gain_U1 = np.arange(1, len(weight_UI) + 1, dtype=np.float32)[:, None]
    tensors["layers.hidden.synapse.gain"] = gain_U1
    tensors["layers.hidden.neuron.bias"] = gain_U1[:, 0]
    path = folder / "checkpoints" / "best.safetensors"
    save_file(tensors, path)
    with open_weights(path) as file:
        assert file is not None
        layer = read_run(folder).graph.neuron_layers[0]
        found_UI, learnt = file.synapses(layer), file.learnt(layer)
    assert learnt.keys() == {"current_decay", "voltage_decay", "bias"}
    assert learnt["bias"].tolist() == gain_U1[:, 0].tolist()
    assert "bias" in [row[1] for row in build_page(read_run(folder)).weight_change.parameters.rows]
    lengths = np.linalg.norm(found_UI, axis=1)
    assert lengths[3] == 0
    assert np.delete(lengths, 3) == pytest.approx(np.delete(gain_U1[:, 0], 3))
    units = np.delete(weight_UI, 3, 0)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    assert np.delete(found_UI / gain_U1, 3, 0) == pytest.approx(units, abs=1e-6)
