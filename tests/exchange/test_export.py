"""Layers that a file has only at its input, and those that are a part of another layer in it."""

from pathlib import Path
from typing import Any

import pytest
from support.exchange_samples import dense, document, model_of

import netdesc
from netdesc.exchange import NetFileError, export_net, import_net, read_net

CUBA = {"type": "cuba", "threshold": 0.5, "current_decay": 1.0, "voltage_decay": 0.1}
EACH = {"name": "each", "type": "neurons", "neuron": CUBA, "axonal_delay_step": False}
LATER = {"name": "later", "type": "neurons", "neuron": None, "delay": {"steps": 3}}
DELTA = {"type": "delta", "threshold": 0.5}
READOUT = {"type": "integrator", "fine_units": True}
MEANS = {"name": "means", "type": "population_average", "units": 2}
RESONATOR = {"type": "rf", "threshold": 1.0, "period": 10.0, "decay": 0.05}


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([dense("a", 2), EACH], '"each" gives each value a neuron, and is not the first'),
        ([dense("a", 2) | {"neuron": DELTA}], '"a" has delta neurons behind synapses'),
        ([EACH | {"neuron": RESONATOR}], '"each" gives each value a resonator'),
        ([EACH | {"neuron": CUBA | {"norm": "mean"}}], '"each" has a norm at the input'),
        ([EACH | {"delay": {"steps": 2}}], '"each" has a delay at the input'),
        ([EACH | {"neuron": READOUT}, dense("a", 2)], '"each" has an integrator with fine units'),
        ([dense("a", 2), LATER], '"later" only delays the output'),
        ([LATER, dense("a", 4)], '"a" reads a layer that only delays'),
        ([LATER, dense("a", 2, delay={"steps": 1})], '"a" reads a layer that only delays'),
    ],
)
def test_layers_without_a_form(tmp_path: Path, layers: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(NetFileError, match=f"layer {words}.*: train with") as raised:
        export_net(model_of(document([4], layers)), tmp_path / "a.net")
    assert "ND401" in str(raised.value)
    assert not (tmp_path / "a.net").exists()


def test_what_is_lost_of_input_neurons_is_warned_of(tmp_path: Path) -> None:
    layers = [EACH | {"axonal_delay_step": True}, dense("a", 2)]
    warnings = export_net(model_of(document([4], layers)), tmp_path / "a.net")
    assert any('"each": a .net file has no axonal delay step' in each for each in warnings)


def test_warnings_name_the_layers_behind_one_that_only_delays(tmp_path: Path) -> None:
    layers = [LATER, dense("a", 2, bias=True), dense("b", 3, bias=True)]
    warnings = export_net(model_of(document([4], layers)), tmp_path / "a.net")
    assert any('layers "a", "b": netx adds the bias' in each for each in warnings)
    (_, first), (_, second) = read_net(tmp_path / "a.net").net.neuron_layers
    assert (first.delay is None, second.delay is None) == (False, True)


@pytest.mark.parametrize(
    "layers",
    [
        [EACH],
        [EACH | {"neuron": DELTA}],
        [EACH | {"neuron": READOUT | {"fine_units": False}}],
        [EACH, MEANS],
        [MEANS, dense("a", 3)],
        [MEANS, MEANS | {"name": "again", "units": 1}, dense("a", 3)],
    ],
)
def test_networks_that_do_not_begin_with_weights_are_read_back(
    tmp_path: Path, layers: list[dict[str, Any]]
) -> None:
    compiled = netdesc.compile(
        document([4], layers, data=None, loss={"type": "mean_squared_error"})
    )
    netdesc.export_net(compiled.model, tmp_path / "a.net")
    assert import_net(tmp_path / "a.net").description["input"] == {"shape": [4]}
    assert netdesc.verify(compiled).is_identical
