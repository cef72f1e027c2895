"""Recurrent layers and layers of winners: what the module computes, hands on and keeps."""

from typing import Any

import numpy as np
import pytest
import torch
from support.modules_samples import dense, document, network, neuron, spikes
from support.neuron_definitions import example_fields

from netdesc.api.load import check
from netdesc.kernels.engines import use_engine

pytestmark = pytest.mark.usefixtures("reference_engine")


def recurrent(name: str, units: int, **more: Any) -> dict[str, Any]:
    return dense(name, units, **more) | {"type": "recurrent"}


def winners(name: str, units: int, count: int, **more: Any) -> dict[str, Any]:
    return dense(name, units, **more) | {"type": "winner_take_all", "winners": count}


def test_a_recurrent_layer_adds_its_own_spikes_one_step_later() -> None:
    """Neurons without memory, at a low threshold, fire where what arrives is positive."""
    instant = neuron(threshold=1 / 64, current_decay=1.0, voltage_decay=1.0)
    model = network(recurrent("a", 30, neuron=instant, axonal_delay_step=False))
    synapse, own = (getattr(model.layers["a"], each)() for each in ("synapse", "recurrent"))
    input_TBN = spikes(25, 3, 10, density=0.3)
    before_BN = torch.zeros(3, 30)
    for x_BN, out_BN in zip(input_TBN, model(input_TBN), strict=True):
        before_BN = (x_BN @ synapse.T + before_BN @ own.T > 1 / 64).float()
        assert torch.equal(out_BN, before_BN)
    names = {"layers.a.synapse.weight", "layers.a.recurrent.weight"}
    assert names <= model.state_dict().keys()


@pytest.mark.parametrize("count", [1, 3, 6, 11])
def test_winners_excite_themselves_and_inhibit_others(count: int) -> None:
    instant = neuron(threshold=1.0, current_decay=1.0, voltage_decay=1.0)
    layer = winners("a", 12, count, neuron=instant, self_excitation=0.3, axonal_delay_step=False)
    model = network(layer | {"inhibition": 0.7})
    on_grid = np.round(32 * np.array([0.3, -0.7])) / 32
    input_TBN = spikes(40, 2, 10, density=0.5)
    arriving_TBN = (input_TBN @ model.layers["a"].synapse().T).detach().numpy()
    drive = np.round(32 * (12 - 2 * count) / 12) / 32
    before_BN = np.zeros((2, 12))
    for z_BN, out_BN in zip(arriving_TBN, model(input_TBN), strict=True):
        others_BN = before_BN.sum(1, keepdims=True) - before_BN
        before_BN = z_BN + drive + on_grid[0] * before_BN + on_grid[1] * others_BN > 1
        np.testing.assert_array_equal(out_BN.detach().numpy(), before_BN)
    assert not any("recurrent" in name for name in model.state_dict())


@pytest.mark.parametrize(
    ("count", "threshold", "drive"), [(1, 3.0, 2.5), (1, 10.0, 254 / 64), (11, 10.0, -4.0)]
)
def test_a_drive_beyond_the_grid_is_cut_off_with_a_warning(count, threshold, drive) -> None:
    layer = winners("a", 12, count, neuron=neuron(threshold=threshold))
    _, found = check(document(layer))
    assert ("ND262" in [each.code for each in found]) == (abs(drive) > 3.9)
    model = network(layer)
    with model.record() as recording:
        model(torch.zeros(3, 1, 10))
    (arrived_TBN,) = recording["a"].inputs.values()
    assert (arrived_TBN[0] == drive).all()


def test_the_number_of_winners_has_an_effect() -> None:
    input_TBN = spikes(200, 2, 10, density=0.3)
    rates = []
    for count in (1, 4, 8):
        model = network(winners("a", 16, count, weight_scale=6.0, neuron=neuron(threshold=1.0)))
        rates.append(int(model(input_TBN).count_nonzero()))
    assert len(set(rates)) == 3


def test_persistent_states_include_the_last_spikes() -> None:
    kept = neuron(persistent_state=True)
    model = network(recurrent("a", 20, weight_scale=4.0, neuron=kept), seed=3).eval()
    whole = network(recurrent("a", 20, weight_scale=4.0), seed=3).eval()
    input_TBN = spikes(40, 2, 10, density=0.3)
    parts = [model(each_TBN) for each_TBN in input_TBN.split(20)]
    assert torch.equal(torch.cat(parts), whole(input_TBN))
    model.reset_state()
    assert torch.equal(model(input_TBN[:20]), parts[0])


@pytest.mark.parametrize("kind", ["cuba", "rf"])
def test_recordings_hold_what_arrives_with_the_own_spikes(kind: str) -> None:
    fields = example_fields(kind) | {"type": kind}
    model = network(recurrent("a", 20, weight_scale=4.0, neuron=fields))
    input_TBN = spikes(30, 2, 10, density=0.3)
    expected_TBN = model(input_TBN)
    with model.record() as recording:
        out_TBN = model(input_TBN)
    assert expected_TBN.any()
    assert torch.equal(out_TBN, expected_TBN)
    block = model.layers["a"]
    pairs = zip(block.synapse.weights(), block.recurrent.weights(), strict=True)
    for arrived_TBN, (weight, own) in zip(recording["a"].inputs.values(), pairs, strict=True):
        assert torch.equal(arrived_TBN, input_TBN @ weight.T + out_TBN @ own.T)
    alone = network(dense("a", 20, neuron=fields))
    with use_engine("reference"):
        run_TBN, _ = alone.layers["a"].neuron(*recording["a"].inputs.values())
    assert torch.equal(run_TBN, out_TBN)


def test_weights_and_gains_learn_and_dropout_spares_the_own_spikes() -> None:
    wide = neuron(dropout=0.5, surrogate={"width": 1.0, "peak": 1.0})
    model = network(recurrent("a", 40, weight_norm=True, weight_scale=5.0, neuron=wide))
    model(spikes(40, 4, 10, density=0.3)).sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in model.parameters())
    assert {"layers.a.recurrent.gain", "layers.a.recurrent.weight"} <= {*model.state_dict()}
    assert "layers.a.recurrent.gain" not in model.folded_state()
    graph = model.graph
    assert graph.parameters == sum(each.numel() for each in model.parameters())
    assert graph.synapses == 40 * (10 + 40)


def test_a_mask_is_one_of_the_weights_from_the_input() -> None:
    model = network(recurrent("a", 20, mask={"density": 0.25}))
    block = model.layers["a"]
    assert int(block.synapse().count_nonzero()) <= 50
    assert block.recurrent.mask is None
    assert model(spikes(9, 2, 10)).shape == (9, 2, 20)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (recurrent("a", 3, neuron=neuron(norm="mean")), "cannot have a norm"),
        (winners("a", 3, 1, neuron=neuron(norm="mean")), "cannot have a norm"),
        (winners("a", 3, 4), "more winners than units"),
        (winners("a", 3, 1, neuron={"type": "integrator"}), 'spike at a "threshold"'),
        (winners("a", 3, 1, neuron=example_fields("rf") | {"type": "rf"}), "one input"),
        (
            recurrent("a", 4097, weight_scale=9.0, recurrent_weight_scale=1),
            "initial weights of layer",
        ),
        (recurrent("a", 65536), "4,294,967,296 weights"),
    ],
)
def test_layers_that_the_rules_refuse_or_warn_of(layer: dict[str, Any], words: str) -> None:
    _, found = check(document(layer))
    assert any(words in each.message for each in found), [each.message for each in found]
