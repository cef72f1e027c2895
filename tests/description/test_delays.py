"""Samples that end before a spike of the input can reach the output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.description_samples import LABELLED, codes, findings, labelled

import netdesc
from netdesc.description.diagnostics.diagnostic import Diagnostic


def layer(name: str, **fields: object) -> dict[str, object]:
    return {"name": name, "type": "dense", "units": 2, "neuron": "cuba"} | fields


THREE = [layer("a"), layer("b"), layer("c")]
SKIPPED = [layer("a"), layer("b"), layer("c", **{"from": ["b", "input"]}, units=2)]
UNDELAYED = [layer("a", axonal_delay_step=False), layer("b"), layer("c")]
FLATTENED = [{"name": "flat", "type": "flatten"}, *THREE]


def document(layers: list[dict[str, object]], steps: int) -> dict[str, Any]:
    changes = {"layers": layers, "time": {"steps": steps}, "data": None, "input": {"shape": [2]}}
    return json.loads(LABELLED) | changes


def found(folder: Path, layers: list[dict[str, object]], steps: int) -> list[Diagnostic]:
    return findings(folder, json.dumps(document(layers, steps)))


@pytest.mark.parametrize(
    ("layers", "needed"), [(THREE, 4), (SKIPPED, 2), (UNDELAYED, 3), (FLATTENED, 4)]
)
def test_the_path_with_the_fewest_delays_counts(tmp_path: Path, layers, needed: int) -> None:
    assert found(tmp_path, layers, needed) == []
    (few,) = found(tmp_path, layers, needed - 1)
    assert (few.code, few.severity, few.pointer) == ("ND245", "warning", "/time/steps")
    assert f"at least {needed}" in few.hint


@pytest.mark.parametrize("layers", [THREE, SKIPPED, UNDELAYED])
def test_the_output_spikes_exactly_if_nothing_is_said(tmp_path: Path, layers) -> None:
    for steps in range(1, 6):
        model = netdesc.compile(document(layers, steps)).model
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(4.0)
            spikes = model(torch.ones(steps, 1, 2))
        assert bool(spikes.any()) == (codes(found(tmp_path, layers, steps)) == [])


def test_an_unknown_source_hides_the_warning(tmp_path: Path) -> None:
    text = labelled(layers=[layer("a", **{"from": "nowhere"})], time={"steps": 1})
    assert "ND245" not in codes(findings(tmp_path, text, "data=null"))
