"""Which layers are computed by one operator."""

from typing import Any

import pytest
import torch
from support.modules_samples import dense, network, spikes

from netdesc.kernels.engines import use_engine
from netdesc.kernels.reference import engine


def test_layers_of_one_input_are_computed_together(monkeypatch: pytest.MonkeyPatch):
    """A graded layer ends a segment; states that stay from call to call stop one, outside training.
    A recorded layer is computed alone. Both ways give the same output and the same gradients."""
    lif = {"type": "lif", "threshold": 0.3, "voltage_decay": 0.2}
    model = network(
        dense("a", 20),
        dense("b", 15, neuron=lif | {"learn": ["voltage_decay"]}),
        dense("c", 12, neuron={"type": "sigma_delta", "threshold": 0.05}),
        dense("keeping", 5, neuron=lif | {"persistent_state": True}),
        dense("two_inputs", 9, neuron={"type": "rf", "threshold": 0.1, "period": 8, "decay": 0.1}),
    )
    sizes: list[int] = []
    segment = engine.segment

    def counted(input_TBI: torch.Tensor, layers: list[Any], keep: bool) -> object:
        sizes.append(len(layers))
        return segment(input_TBI, layers, keep)

    monkeypatch.setattr(engine, "segment", counted)
    input_TBN, results = spikes(40, 2, 10, density=0.3), []
    for names in ([], None):
        with use_engine("reference"), model.record(names):
            output_TBN = model(input_TBN)
            grads = torch.autograd.grad(output_TBN.sum(), list(model.parameters()))
        results.append([output_TBN.detach(), *grads])
    assert sizes == [3, 1], "graded values end a segment"
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6 * float(one.abs().max()))
    assert results[0][0].any()
    assert results[0][1].any()
    sizes.clear()
    with use_engine("reference"), torch.no_grad():
        model.eval()(input_TBN)
    assert sizes == [3]
