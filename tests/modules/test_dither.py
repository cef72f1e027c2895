"""``dither`` moves values from the device's grid, and no output changes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from support.exchange_samples import dense, model_of
from support.exchange_samples import document as document_of
from support.training_task import write_task

import netdesc
from netdesc.kernels.engines import use_engine

QUANTIZATION = st.fixed_dictionaries(
    {"bits": st.integers(2, 8)}, optional={"range": st.sampled_from([0.25, 1.0, 4.0])}
)


@given(
    QUANTIZATION,
    st.booleans(),
    st.sampled_from([0.01, 1.0, 50.0]),
    st.none() | st.just({"density": 0.5}),
    st.integers(0, 99),
)
def test_they_round_to_the_same_weights(
    quantization: dict[str, Any], norm: bool, scale: float, mask: dict[str, float] | None, seed: int
) -> None:
    fields = {"quantization": quantization, "weight_norm": norm, "weight_scale": scale}
    layer = dense("only", 7, **fields, **({"mask": mask} if mask else {}))
    synapse = model_of(document_of([9], [layer]), seed).get_submodule("layers.only.synapse")
    generator = torch.Generator().manual_seed(seed)
    drawn = synapse.folded().clone()
    synapse.dither(generator)
    assert torch.equal(synapse.folded(), drawn), "they are not on the grid"
    with torch.no_grad():
        synapse.weight.copy_(synapse())
        if norm:
            synapse.gain.copy_(synapse.weight.norm(dim=1, keepdim=True).clamp(min=1e-12))
        before = synapse().clone()
        synapse.dither(generator)
        assert torch.equal(synapse(), before)
    spread = synapse.folded()
    exists = torch.ones_like(before) if synapse.mask is None else synapse.mask
    assert torch.equal(spread == 0, exists == 0)
    shares = (spread - before)[exists == 1] / synapse._step * 32
    assert (shares.abs() < 0.5).all()
    if len(shares) > 20:
        assert shares.min() < -0.2 < 0.2 < shares.max()


LEARNT = {"neuron": {"norm": "mean"}, "bias": True, "delay": {"learn": True, "max_steps": 6}}


@pytest.mark.parametrize("layer", [LEARNT, {"type": "recurrent"}, {"neuron": {"type": "rf"}}])
def test_outputs_stay_equal(layer: dict[str, Any]) -> None:
    if layer.get("neuron", {}).get("type") == "rf":
        neuron = {"type": "rf", "threshold": 0.5, "period": 8, "decay": 0.1}
        layers = [dense("first", 7) | {"neuron": neuron}]
    else:
        layers = [dense("first", 7) | layer | {"neuron": dense("", 1, **layer)["neuron"]}]
    model = model_of(document_of([9], [*layers, dense("last", 5, weight_scale=4)]), 3).eval()
    with torch.no_grad(), use_engine("reference"):
        for name, value in model.named_parameters():
            unit = 1 if "delay" in name else 32
            value.copy_(torch.round(value * unit) / unit)
            if "delay" in name:
                value.copy_(torch.arange(7).float())  # the last is the most
        before = {name: value.clone() for name, value in model.state_dict().items()}
        input_TBN = (torch.rand(40, 2, 9) < 0.3).float()
        expected = model(input_TBN)
        model.dither(5)
        assert torch.equal(model(input_TBN), expected)
        moved = {name: value - before[name] for name, value in model.named_parameters()}
        assert all(value.any() for value in moved.values())
        after = {name: value.clone() for name, value in model.state_dict().items()}
        model.dither(6)
        assert all(torch.equal(value, after[name]) for name, value in model.state_dict().items())
        model.load_state_dict(before)
        torch.set_default_dtype(torch.float64)
        try:
            model.dither(5)
        finally:
            torch.set_default_dtype(torch.float32)
        assert all(torch.equal(value, after[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("trainable", [True, False])
def test_training_begins_with_the_spikes_of_the_file(tmp_path: Path, trainable: bool) -> None:
    document = netdesc.load(write_task(tmp_path))
    netdesc.export_net(document, tmp_path / "first.net")
    changes = {"weights.path": str(tmp_path / "first.net"), "training.epochs": 1}
    changes["layers.hidden.trainable"] = trainable
    network = netdesc.load(tmp_path / "tiny.json", changes)
    with use_engine("reference"):
        run = netdesc.train(network, run_dir=tmp_path / "run", progress="quiet")
        begun = netdesc.compile(network).model
        file = {name: value.clone() for name, value in begun.state_dict().items()}
        input_TBN = (torch.rand(30, 2, 12) < 0.3).float()
        expected = begun(input_TBN)
        begun.load_state_dict(load_file(run.path / "checkpoints" / "initial.safetensors"))
        assert torch.equal(begun(input_TBN), expected)
    name = "layers.hidden.synapse.weight"
    moved = begun.state_dict()[name] - file[name]
    assert moved.any() == trainable
    if trainable:  # by numbers that are independent of those that the weights were drawn with
        both = torch.stack([moved.flatten(), file[name].flatten()])
        assert torch.corrcoef(both)[0, 1].abs() < 0.5
