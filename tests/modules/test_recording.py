"""Recorded spikes and voltages, against the equations of CUBA neurons."""

import numpy as np
import pytest
import torch
from support.cuba_cases import ENGINES
from support.cuba_oracle import integer_weight, run
from support.modules_samples import dense, network, spikes

from netdesc.kernels.engines import use_engine


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("delay", [True, False])
def test_voltages_are_those_of_the_equations(engine: str, delay: bool) -> None:
    model = network(
        dense("first", 20, axonal_delay_step=delay, weight_scale=4),
        dense("last", 5, weight_scale=4),
    )
    input_TBN = spikes(40, 2, 10, density=0.3)
    with use_engine(engine), model.record(["first"]) as recording:
        model(input_TBN)
    weight = integer_weight(model.state_dict()["layers.first.synapse.weight"].numpy())
    synaptic_input = 64 * np.einsum("tbi,oi->tbo", input_TBN.numpy().astype(np.int64), weight)
    expected = run(synaptic_input, 0.3, 0.1, 0.5, delay=delay)
    first = recording["first"]
    assert list(recording) == ["first"]
    assert first.voltages.dtype == torch.float32
    assert np.array_equal(first.voltages.numpy() * 4096, expected.v)
    assert np.array_equal(first.spikes.numpy() != 0, expected.out)
    assert expected.out.any()
    fired = np.argwhere((first.voltages > 0.5).numpy())
    assert np.array_equal(fired, np.argwhere(expected.spikes)), "voltages are before the reset"


def test_recording_changes_no_output_and_no_gradient() -> None:
    model = network(dense("a", 20), dense("b", 20), dense("c", 5))
    input_TBN = spikes(40, 2, 10, density=0.3)

    def compute() -> tuple[torch.Tensor, list[torch.Tensor]]:
        model.zero_grad()
        output = model(input_TBN)
        output.sum().backward()
        return output.detach(), [each.grad.clone() for each in model.parameters()]

    plain, gradients = compute()
    with model.record() as recording:
        output, with_recording = compute()
    assert list(recording) == ["a", "b", "c"]
    with model.record("b") as one:
        model(input_TBN)
    assert list(one) == ["b"]
    assert torch.equal(output, plain)
    assert torch.equal(recording["c"].spikes, plain)
    for one, other in zip(gradients, with_recording, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6 * one.abs().max().item())


def test_a_recording_holds_the_last_pass_and_ends_with_the_block() -> None:
    model = network(dense("a", 20), dense("b", 5))
    first, second = spikes(40, 2, 10, density=0.3), spikes(30, 1, 10, seed=1)
    with model.record(["a"]) as outer:
        model(first)
        with model.record(["a"]) as inner:
            model(second)
        assert inner["a"].spikes.shape == (30, 1, 20)
        assert outer["a"].spikes.shape == (40, 2, 20)
    kept = outer["a"].spikes
    model(second)
    assert outer["a"].spikes is kept
    assert all(block.is_fused for _, block in model.blocks())


def test_layers_that_cannot_be_recorded() -> None:
    flat = {"name": "flat", "type": "flatten"}
    model = network(flat, dense("a", 20), shape=(2, 5))
    for name in ("flat", "hidden", "input"):
        with pytest.raises(ValueError, match=f'no layer "{name}" with neurons; there are: a'):
            model.record([name])
