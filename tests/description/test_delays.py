"""Samples that end before a spike can reach the output, and paths of different delays."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.description_samples import LABELLED, codes, findings

import netdesc
from netdesc.description.diagnostics.diagnostic import Diagnostic


def layer(name: str, **fields: object) -> dict[str, object]:
    return {"name": name, "type": "dense", "units": 2, "neuron": "cuba"} | fields


THREE = [layer("a"), layer("b"), layer("c")]
SKIPPED = [layer("a"), layer("b"), layer("c", **{"from": ["b", "input"]}, units=2)]
UNDELAYED = [layer("a", axonal_delay_step=False), layer("b"), layer("c")]
FLATTENED = [{"name": "flat", "type": "flatten"}, *THREE]
SLOW = {"name": "slow", "type": "time_decimation", "factor": 5}
DECIMATED = [SLOW, layer("a"), layer("b")]
DECIMATED_BETWEEN = [layer("a"), SLOW, layer("b")]


def document(layers: list[dict[str, object]], steps: int) -> dict[str, Any]:
    changes = {"layers": layers, "time": {"steps": steps}, "data": None, "input": {"shape": [2]}}
    return json.loads(LABELLED) | changes


def found(folder: Path, layers: list[dict[str, object]], steps: int) -> list[Diagnostic]:
    return findings(folder, json.dumps(document(layers, steps)))


@pytest.mark.parametrize(
    ("layers", "needed"),
    [
        (THREE, 4),
        (SKIPPED, 2),
        (UNDELAYED, 3),
        (FLATTENED, 4),
        (DECIMATED, 11),
        (DECIMATED_BETWEEN, 6),
    ],
)
def test_the_path_with_the_fewest_delays_counts(tmp_path: Path, layers, needed: int) -> None:
    assert not any(each.is_error for each in found(tmp_path, layers, needed))
    few = found(tmp_path, layers, needed - 1)[0]
    assert (few.code, few.severity, few.pointer) == ("ND245", "error", "/time/steps")
    assert f"at least {needed}" in few.hint


@pytest.mark.parametrize("layers", [THREE, SKIPPED, UNDELAYED, DECIMATED, DECIMATED_BETWEEN])
def test_the_output_spikes_in_the_fewest_steps_without_an_error(tmp_path: Path, layers) -> None:
    model = netdesc.compile(document(layers, 12)).model
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(4.0)
        for steps in range(5 if SLOW in layers else 1, 12):
            spikes = model(torch.ones(steps, 1, 2))
            assert bool(spikes.any()) == ("ND245" not in codes(found(tmp_path, layers, steps)))


def test_a_loss_that_reads_a_voltage_needs_no_axonal_step(tmp_path: Path) -> None:
    loss = {"type": "cross_entropy", "signal": "v"}
    for steps, expected in ((3, []), (2, ["ND245"])):
        text = json.dumps(document(THREE, steps) | {"loss": loss})
        assert codes(findings(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        (layer("b"), ["ND249"]),
        (layer("b", axonal_delay_step=False), []),
        (layer("b", axonal_delay_step=False, delay={"steps": 1}), ["ND249"]),
        ({"name": "b", "type": "delay", "steps": 2}, ["ND249"]),
    ],
)
def test_paths_that_join_have_equal_delays(tmp_path: Path, between, expected) -> None:
    for join in (layer("c", **{"from": ["a", "b"]}), {"name": "c", "type": "concat"}):
        layers = [layer("a"), between, join | {"from": ["a", "b"]}, layer("d")]
        diagnostics = found(tmp_path, layers, 9)
        assert codes(diagnostics) == expected
        assert all(each.pointer == "/layers/2/from" for each in diagnostics)


@pytest.mark.parametrize(("slow_delay", "expected"), [(0, ["ND249"]), (5, [])])
def test_steps_after_time_decimation_are_longer(tmp_path: Path, slow_delay, expected) -> None:
    """A step of delay after time_decimation is as long as five before it."""
    early = [{"name": "first", "type": "delay", "steps": slow_delay}, SLOW | {"name": "first_slow"}]
    late = [SLOW | {"from": "input"}, {"name": "late", "type": "delay", "steps": 1}]
    join = layer("c", **{"from": ["first_slow", "late"]})
    assert codes(found(tmp_path, [*early, *late, join], 20)) == expected
