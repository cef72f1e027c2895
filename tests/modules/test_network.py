"""The network as a torch module: names, wiring, copies, reports, gradients."""

import copy
import io
import pickle
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.modules_samples import dense, graph, network, neuron, spikes
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import prune

from netdesc.kernels.engines import use_engine
from netdesc.kernels.fixed_point import DEVICE_STATE_LIMIT
from netdesc.modules import Network, build


def outputs(model: Network, input_TBN: torch.Tensor) -> dict[str, torch.Tensor]:
    """The output of each layer by name."""
    by_name = {}
    for layer in model.graph.layers:
        name = layer.name
        model.layers[name].register_forward_hook(
            lambda _module, _inputs, output, name=name: by_name.__setitem__(name, output)
        )
    model(input_TBN)
    return by_name


def test_outputs_are_freed_after_their_last_reader():
    """The autograd graph does not hold them, as layers save packed spikes."""
    model = network(
        dense("first", 20),
        dense("second", 20),
        dense("third", 20),
        dense("late", 5, **{"from": ["third", "first"]}),
    )
    watched: dict[str, weakref.ref[torch.Tensor]] = {}
    alive: dict[str, list[str]] = {}

    def note(name: str, output: torch.Tensor) -> None:
        watched[name] = weakref.ref(output)
        alive[name] = [each for each, tensor in watched.items() if tensor() is not None]

    for layer in model.graph.layers:
        model.layers[layer.name].register_forward_hook(
            lambda _module, _inputs, output, name=layer.name: note(name, output)
        )
    model(spikes(40, 2, 10))
    assert alive["third"] == ["first", "second", "third"]  # the second is the third's input
    assert alive["late"] == ["late"]  # its input is the sum of the two


def test_every_kind_of_hook_runs():
    """Hooks on a layer, on all modules, and on a layer's synapses, as pruning registers them."""
    model = network(dense("first", 20), dense("second", 5))
    seen: list[str] = []
    model.layers["second"].register_full_backward_pre_hook(lambda *_: seen.append("backward"))
    global_hook = register_module_forward_hook(
        lambda module, _inputs, _output: seen.append(type(module).__name__)
    )
    model(spikes(40, 2, 10)).sum().backward()
    global_hook.remove()
    assert seen.count("SynapticBlock") == 2
    assert "backward" in seen

    synapse = model.layers["first"].synapse
    expected_TBO = model(spikes(40, 2, 10))
    prune.l1_unstructured(synapse, "weight", amount=0.0)
    for _ in range(2):  # the second step computes the weights anew
        assert torch.equal(model(spikes(40, 2, 10)), expected_TBO)
        model(spikes(40, 2, 10)).sum().backward()


@pytest.mark.parametrize(
    "change", [Network.cpu, Network.share_memory, lambda model: model.set_tau_grad(0.5)]
)
def test_a_network_may_be_moved_between_the_passes(change: Callable[[Network], object]):
    model = network(dense("first", 20), dense("second", 5))
    out_TBO = model(spikes(40, 2, 10))
    change(model)
    out_TBO.sum().backward()
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)


def test_names_in_the_state():
    model = network(
        dense("plain", 7),
        dense("normed", 6, weight_norm=True, neuron=neuron(norm="mean")),
        {"name": "flat", "type": "flatten"},
        dense("own", 5, neuron=neuron(per_channel=True, current_decay=[0.1, 0.2])),
        dense("learnt", 4, neuron=neuron(learn=["voltage_decay"])),
    )
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert shapes == {
        "layers.plain.synapse.weight": (7, 10),
        "layers.plain.neuron.current_decay": (),
        "layers.plain.neuron.voltage_decay": (),
        "layers.normed.synapse.weight": (6, 7),
        "layers.normed.synapse.gain": (6, 1),
        "layers.normed.neuron.current_decay": (),
        "layers.normed.neuron.voltage_decay": (),
        "layers.normed.neuron.norm.running_mean": (6,),
        "layers.own.synapse.weight": (5, 6),
        "layers.own.neuron.current_decay": (5,),
        "layers.own.neuron.voltage_decay": (5,),
        "layers.learnt.synapse.weight": (4, 5),
        "layers.learnt.neuron.current_decay": (),
        "layers.learnt.neuron.voltage_decay": (),
    }
    assert all(value.dtype == torch.float32 for value in model.state_dict().values())
    learnt = {name.removeprefix("layers.") for name, _ in model.named_parameters()}
    assert {name for name in learnt if "synapse" not in name} == {"learnt.neuron.voltage_decay"}
    assert sum(p.numel() for p in model.parameters()) == model.graph.parameters


NAMES = (
    "keys", "forward", "training", "items", "pop", "layers", "parameters", "_modules", "T",
    "weight", "__init__", "state_dict", "a-b", "to", "train", "register_buffer",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_may_have_any_name_that_a_document_allows(name):
    model = network(dense(name, 4), dense("end", 3))
    assert f"layers.{name}.synapse.weight" in model.state_dict()
    out = model(spikes(20, 2, 10))
    out.sum().backward()
    assert model.layers[name].synapse.weight.grad is not None
    other = network(dense(name, 4), dense("end", 3), seed=1)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(spikes(20, 2, 10)), out)
    assert not model.eval().layers[name].training
    assert [report.name for report in model.engine_report()] == [name, "end"]
    assert torch.equal(copy.deepcopy(model)(spikes(20, 2, 10)), out)


def test_a_seed_fixes_weights_and_drawn_decays():
    layers = [
        dense("a", 30, weight_norm=True, neuron=neuron(per_channel=True, current_decay=[0.2, 0.6])),
        dense("b", 5, weight_scale=3.0),
    ]
    one, same, other = (network(*layers, seed=seed).state_dict() for seed in (1, 1, 2))
    drawn = {name for name in one if not torch.equal(one[name], other[name])}
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert drawn == {
        "layers.a.synapse.weight",
        "layers.a.synapse.gain",
        "layers.a.neuron.current_decay",
        "layers.b.synapse.weight",
    }
    decay = one["layers.a.neuron.current_decay"]
    assert ((decay >= 0.2) & (decay <= 0.6)).all()
    assert decay.std() > 0.05
    assert (one["layers.a.neuron.voltage_decay"] == 0.1).all()
    for name, bound in (("a", 1 / np.sqrt(10)), ("b", 3 / np.sqrt(30))):
        weight = one[f"layers.{name}.synapse.weight"]
        assert weight.abs().max() <= bound
        assert weight.abs().max() > 0.9 * bound
        assert abs(weight.mean()) < 0.2 * bound


def test_building_leaves_torch_s_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    network(dense("a", 4, neuron=neuron(per_channel=True, voltage_decay=[0.0, 1.0])))
    assert torch.equal(torch.rand(3), expected)


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    units=st.integers(1, 20),
    seed=st.integers(0, 1000),
    engine=st.sampled_from(["reference", "cpu"]),
)
@settings(max_examples=25)
def test_flatten_is_row_major(shape, units, seed, engine):
    flat = [{"name": "flat", "type": "flatten"}] if len(shape) > 1 else []
    size = int(np.prod(shape))
    shaped = network(*flat, dense("a", units), shape=tuple(shape), seed=seed)
    plain = network(dense("a", units), shape=(size,), seed=seed)
    input_TBN = spikes(15, 2, size, density=0.2, seed=seed)
    with use_engine(engine):
        assert torch.equal(shaped(input_TBN.reshape(15, 2, *shape)), plain(input_TBN))


def test_sources_are_summed():
    """Coinciding spikes of two layers, or of a layer and the input, sum up to 2."""
    model = network(
        dense("a", 10),
        dense("b", 10, **{"from": "input"}),
        dense("c", 6, **{"from": ["a", "b", "input"]}),
        dense("d", 6, **{"from": ["c"]}),
    )
    for name in ("a", "b"):
        model.layers[name].synapse.weight.data.mul_(10)
    input_TBN = spikes(40, 2, 10, density=0.2)
    kept = outputs(model, input_TBN)
    total = kept["a"] + kept["b"] + input_TBN
    assert total.max() >= 2
    assert torch.equal(model.layers["c"](total), kept["c"])
    assert model.engine_report()[2].path == "product"
    kept["d"].sum().backward()
    a, b = (model.layers[name].synapse.weight.grad for name in ("a", "b"))
    assert a.abs().sum() > 0
    assert b.abs().sum() > 0


def test_engines_agree_on_a_network():
    layers = [
        dense("a", 12, neuron=neuron(learn=["current_decay", "voltage_decay"])),
        dense("b", 9, weight_norm=True, neuron=neuron(per_channel=True, current_decay=[0.1, 0.9])),
        dense("c", 5, quantization=None, axonal_delay_step=False),
    ]
    found = []
    for engine in ("reference", "cpu"):
        model = network(*layers)
        for _, block in model.blocks():
            block.synapse.weight.data.mul_(4)
        input_TBN = spikes(60, 3, 10).requires_grad_()
        with use_engine(engine):
            out = model(input_TBN)
        (out * torch.linspace(-1, 1, 5)).sum().backward()
        grads = {name: p.grad for name, p in model.named_parameters()}
        found.append((out, grads | {"input": input_TBN.grad}))
        assert {report.engine for report in model.engine_report()} == {engine}
    (slow, slow_grads), (fast, fast_grads) = found
    assert slow.sum() > 0
    assert torch.equal(slow, fast)
    for name, grad in slow_grads.items():
        size = grad.abs().max()
        assert size > 0, name
        assert (fast_grads[name] - grad).abs().max() <= 1e-5 * size + 1e-7, name


def test_reports_describe_the_last_forward_pass():
    model = network(dense("a", 12), dense("b", 9))
    assert model.engine_report() == []
    model(spikes(30, 2, 10))
    first, second = model.engine_report()
    assert (first.name, first.engine, first.path) == ("a", "cpu", "events")
    assert not first.leaves_device_range
    kept = outputs(model, spikes(30, 2, 10, density=0.9))
    first, second = model.engine_report()
    assert first.path == "product"
    assert (first.spikes, second.spikes) == (kept["a"].sum(), kept["b"].sum())
    with use_engine("reference"):
        model(spikes(30, 2, 10))
    assert [report.engine for report in model.engine_report()] == ["reference"] * 2


def test_states_beyond_the_device_are_reported():
    model = network(dense("a", 1, neuron=neuron(current_decay=0.0, threshold=32768.0)))
    model.layers["a"].synapse.weight.data.fill_(3.0)
    for steps, leaves in ((10, False), (60, True)):
        model(torch.ones(steps, 1, 10))
        (report,) = model.engine_report()
        assert report.peaks["u"] == steps * 30 * 4096
        assert report.peaks["v"] > report.peaks["u"]
        assert report.leaves_device_range == (report.peaks["v"] > DEVICE_STATE_LIMIT) == leaves


def test_copies_compute_the_same_and_are_independent():
    model = network(dense("a", 12, neuron=neuron(norm="mean", dropout=0.1)), dense("b", 9)).eval()
    out = model(spikes(30, 2, 10))
    copies = {
        "deepcopy": copy.deepcopy(model),
        "pickle": pickle.loads(pickle.dumps(model)),
        "rebuilt": build(model.graph),
    }
    copies["rebuilt"].load_state_dict(model.state_dict())
    for name, twin in copies.items():
        assert torch.equal(twin.eval()(spikes(30, 2, 10)), out), name
        twin.layers["a"].synapse.weight.data.zero_()
    assert torch.equal(model(spikes(30, 2, 10)), out)


def test_a_state_survives_a_file():
    model = network(
        dense("a", 12, weight_norm=True, neuron=neuron(norm="mean")),
        dense("b", 9, neuron=neuron(per_channel=True, voltage_decay=[0.0, 1.0])),
    )
    model(spikes(30, 2, 10, density=0.5))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    twin = build(model.graph, seed=9)
    twin.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(twin.eval()(spikes(30, 2, 10)), model.eval()(spikes(30, 2, 10)))
    with pytest.raises(RuntimeError, match="size mismatch"):
        network(dense("a", 11, weight_norm=True), dense("b", 9)).load_state_dict(
            model.state_dict(), strict=False
        )


def test_learnt_decays_are_projected_and_others_left_alone():
    model = network(
        dense("a", 4, neuron=neuron(learn=["current_decay"], per_channel=True)), dense("b", 3)
    )
    a, b = (model.layers[name].neuron for name in "ab")
    with torch.no_grad():
        a.current_decay.copy_(torch.tensor([-0.1, 0.5, 1.0, 1.7]))
    kept = a.current_decay
    model.project()
    assert a.current_decay is kept
    assert a.current_decay.tolist() == [0, 0.5, 1, 1]
    assert a.current_decay.requires_grad
    assert b.current_decay == torch.tensor(0.3)


def test_training_in_a_user_written_loop():
    """A few steps in plain torch, with learnt decays, reduce the loss."""
    from netdesc.losses import build_loss

    made = graph(
        dense("a", 20, weight_scale=3.0, neuron=neuron(learn=["current_decay", "voltage_decay"])),
        dense("b", 6, weight_scale=3.0, neuron=neuron(tau_grad=0.05)),
    )
    model, loss = build(made, seed=0), build_loss(made)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    input_TBN, target_TBN = spikes(60, 1, 10, density=0.1), spikes(60, 1, 6, density=0.1, seed=1)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(model(input_TBN), target_TBN)
        value.backward()
        optimizer.step()
        model.project()
        values.append(value.item())
    assert min(values[-10:]) < 0.7 * values[0]
    assert model.layers["a"].neuron.current_decay != torch.tensor(0.3)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_running_without_gradients(mode):
    model = network(dense("a", 12, neuron=neuron(norm="mean")), dense("b", 9)).eval()
    with mode():
        found = model(spikes(30, 2, 10))
    assert torch.equal(model(spikes(30, 2, 10)), found)
    model.train()(spikes(30, 2, 10)).sum().backward()


def test_autocast_changes_nothing():
    layers = [dense("a", 12, neuron=neuron(norm="mean")), dense("b", 9, quantization=None)]
    plain, cast = network(*layers), network(*layers)
    expected = plain(spikes(30, 2, 10, density=0.4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = cast(spikes(30, 2, 10, density=0.4))
        assert torch.is_autocast_enabled("cpu")
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    mean = "layers.a.neuron.norm.running_mean"
    assert torch.equal(plain.state_dict()[mean], cast.state_dict()[mean])
