"""The network is ordinary torch: it can be compiled, and trained by several processes."""

import copy
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support.grids import grid
from support.modules_samples import dense, graph, network, neuron, spikes
from support.scaled_examples import copy_examples
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import parametrizations, parametrize, prune

import netdesc
from netdesc.graph import loss as sections
from netdesc.kernels.engines import use_engine
from netdesc.losses import SpikeMaxLoss, SpikeRateLoss, build_loss
from netdesc.modules import Network, build

WORKER = Path(__file__).parents[1] / "support" / "distributed_worker.py"


def two_layers() -> Network:
    learnt = neuron(learn=["voltage_decay"], voltage_decay=0.2)
    return network(dense("hidden", 12, neuron=learnt), dense("output", 5))


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("float64_by_default")
def test_torchs_default_type_is_not_that_of_a_network():
    model = two_layers()
    model(spikes(8, 2, 10, density=0.5).float()).sum().backward()
    assert {each.dtype for each in model.parameters()} == {torch.float32}


def drawn() -> dict[str, torch.Tensor]:
    drawing = neuron(per_channel=True, voltage_decay=[0.03, 0.4], threshold=[0.7, 1.3])
    model = network(
        dense("hidden", 12, neuron=drawing),
        {"name": "loop", "type": "recurrent", "units": 6, "neuron": drawing},
    )
    return model.state_dict()


def test_what_is_drawn_does_not_depend_on_torchs_default_type(request):
    expected = drawn()
    request.getfixturevalue("float64_by_default")
    found = drawn()
    assert all(torch.equal(found[name], each) for name, each in expected.items())


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_another_type_is_refused(kind):
    with pytest.raises(ValueError, match="float32"):
        two_layers().to(kind)(spikes(8, 2, 10, density=0.5))


def test_a_pruned_or_parametrized_weight_is_exported():
    model = two_layers()
    weight = model.layers["hidden"].synapse.weight.detach().clone()
    prune.l1_unstructured(model.layers["hidden"].synapse, "weight", 0.5)
    halved = model.folded_state()["layers.hidden.synapse.weight"]
    assert 0.4 < (halved == 0).mean() < 0.6
    assert set(halved[halved != 0]) <= set(weight.numpy().ravel())
    parametrizations.orthogonal(model.layers["output"].synapse, "weight")
    output = model.folded_state()["layers.output.synapse.weight"]
    assert output @ output.T == pytest.approx(torch.eye(5).numpy(), abs=1e-5)
    with torch.no_grad():
        model.layers["hidden"].synapse.weight_orig.mul_(2)
    assert (model.folded_state()["layers.hidden.synapse.weight"] == 2 * halved).all()


@pytest.mark.parametrize("copied", ["deepcopy", "pickle"])
def test_a_copy_computes_with_its_own_values(copied):
    def changed(model: Network, period: float) -> Network:
        model.layers["hidden"].neuron.value("period").fill_(period)
        return model

    def resonators() -> Network:
        rf = {"type": "rf", "threshold": 0.2, "period": 8.0, "decay": 0.1}
        return network(dense("hidden", 12, neuron=rf), dense("output", 5))

    inputs = spikes(30, 2, 10, density=0.5)
    model = changed(changed(resonators(), 10), 12)
    model(inputs)
    copies = {"deepcopy": copy.deepcopy, "pickle": lambda each: pickle.loads(pickle.dumps(each))}
    expected = changed(resonators(), 30)(inputs)
    assert torch.equal(changed(copies[copied](model), 30)(inputs), expected)


def test_values_left_on_another_device_are_refused():
    state = two_layers().state_dict()
    model = two_layers().to("meta")
    model.load_state_dict(state, assign=True)  # the document's thresholds stay where they are
    with pytest.raises(ValueError, match="on device 'cpu', the network on 'cpu' and 'meta'"):
        model(spikes(8, 2, 10))
    loss, output_TBN = build_loss(graph(dense("only", 8))), torch.zeros(20, 3, 8)
    with pytest.raises(ValueError, match="target is on device 'meta'"):
        loss(output_TBN, output_TBN.to("meta"))


def test_hooks_that_do_not_run_are_warned_of():
    model, inputs = two_layers().eval(), spikes(8, 2, 10)
    model.stream(inputs)
    model.layers["hidden"].register_forward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match='"hidden"'):
        model.stream(inputs)


def test_a_layer_of_another_kind_is_refused():
    model = two_layers()
    model.layers["hidden"] = torch.nn.Linear(10, 12)
    with pytest.raises(TypeError, match="Linear"):
        model(spikes(8, 2, 10))


def test_a_value_can_be_parametrized():
    model, inputs = two_layers(), spikes(8, 2, 10, density=0.5)
    expected = model(inputs)
    model.layers["hidden"].neuron.value("voltage_decay").data.mul_(2)

    class Half(torch.nn.Module):
        def forward(self, value: torch.Tensor) -> torch.Tensor:
            return value / 2

    values = model.layers["hidden"].neuron.values
    parametrize.register_parametrization(values, "voltage_decay", Half())
    assert torch.equal(model(inputs), expected)


def gradients(model: torch.nn.Module, input_TBN: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    output_TBN = model(input_TBN)
    (output_TBN * torch.linspace(-1, 1, output_TBN.shape[2])).sum().backward()
    return [output_TBN.detach(), *(p.grad for p in model.parameters())]


@pytest.mark.parametrize("density", [0.05, 0.6], ids=["events", "product"])
def test_a_compiled_network_computes_the_same(density):
    model = two_layers()
    input_TBN = (
        torch.rand(20, 3, 10, generator=torch.Generator().manual_seed(0)) < density
    ).float()
    plain = gradients(model, input_TBN)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager")
    for found, wanted in zip(gradients(compiled, input_TBN), plain, strict=True):
        assert torch.equal(found, wanted)
    assert plain[0].any(), "a silent network would show nothing"
    assert {report.path for report in model.engine_report()} & {
        "events" if density < 0.1 else "product"
    }
    other = spikes(7, 2, 10)
    assert torch.equal(compiled(other), model(other))


def test_a_step_is_compiled_once_while_the_surrogate_narrows():
    schedule = {"type": "geometric", "start": 0.1, "end": 0.001}
    layers = [dense(name, 8, neuron=neuron(tau_grad=schedule)) for name in ("one", "two")]
    made = graph(*layers)
    model, loss = build(made, seed=0), build_loss(made)
    weight = next(model.parameters())
    input_TBN, target_TBN = spikes(20, 3, 10), spikes(20, 3, 8)

    def gradient(loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
        model.zero_grad()
        loss_of(input_TBN, target_TBN).backward()
        found = weight.grad
        return found.clone()

    def step(input_TBN: torch.Tensor, target_TBN: torch.Tensor) -> torch.Tensor:
        return loss(model(input_TBN), target_TBN)

    torch._dynamo.reset()
    compiled = torch.compile(step, backend="aot_eager", fullgraph=True)
    found = [gradient(compiled)]
    assert [layer.engine for layer in model.engine_report()] == ["cpu"] * 2
    with use_engine("reference"):
        model(input_TBN)
    compiled(input_TBN, target_TBN)
    assert [layer.engine for layer in model.engine_report()] == ["cpu"] * 2
    for fraction in (0.5, 1.0):
        model.set_tau_grad(fraction)
        with torch.compiler.set_stance("fail_on_recompile"):
            found.append(gradient(compiled))
        largest = found[-1].abs().max().item()
        torch.testing.assert_close(found[-1], gradient(step), rtol=0, atol=1e-6 * largest)
        assert not torch.allclose(found[-1], found[-2], rtol=0.01)


KINDS = {
    "plain": dense("only", 8),
    "off the grid": dense("only", 8, quantization=None),
    "dropout": dense("only", 8, neuron=neuron(dropout=0.3)),
    "mean": dense("only", 8, neuron=neuron(norm="mean")),
    "recurrent": dense("only", 8) | {"type": "recurrent"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer_can_be_traced(kind):
    """It is compiled as one graph, and traced without data."""
    model, input_TBN = network(KINDS[kind]), spikes(20, 3, 10)
    model(input_TBN)
    paths = [layer.path for layer in model.engine_report()]
    torch._dynamo.reset()
    torch.compile(model, backend="aot_eager", fullgraph=True)(input_TBN)
    assert [layer.path for layer in model.engine_report()] == paths != [""]
    for _, block in model.blocks():
        block.warns = False
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert model(torch.zeros(20, 3, 10)).shape == (20, 3, 8)


LABEL_LOSSES = [
    SpikeRateLoss(sections.SpikeRate(type="spike_rate", true_rate=0.5, false_rate=0.1)),
    SpikeRateLoss(
        sections.SpikeRate(
            type="spike_rate", true_rate=0.5, false_rate=0.1, window_steps=5, reduction="mean"
        )
    ),
    SpikeMaxLoss(sections.SpikeMax(type="spike_max")),
    SpikeMaxLoss(
        sections.SpikeMax(type="spike_max", mode="softmax", window_steps=5, reduction="mean")
    ),
]


@pytest.mark.parametrize("loss", LABEL_LOSSES, ids=str)
def test_losses_by_labels_are_compiled_with_the_network(loss):
    model = network(dense("only", 8))
    input_TBN, labels = spikes(20, 3, 10), torch.tensor([1, 7, 2])

    def step(input_TBN: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return loss(model(input_TBN), labels)

    torch._dynamo.reset()
    losses, gradients = [], []
    for each in (step, torch.compile(step, backend="aot_eager", fullgraph=True)):
        model.zero_grad()
        losses.append(each(input_TBN, labels))
        losses[-1].backward()
        (weight,) = model.parameters()
        gradients.append(weight.grad.clone())
    largest = gradients[0].abs().max().item()
    assert largest > 0
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-6 * largest)


@pytest.mark.parametrize("loss", LABEL_LOSSES, ids=str)
@pytest.mark.parametrize("wrong", grid([-1, 8], [8]))
def test_compiled_losses_refuse_invalid_labels(loss, wrong):
    has_inductor = shutil.which("c++") and loss in LABEL_LOSSES[::3]  # which takes seconds
    for backend in ("aot_eager", "inductor") if has_inductor else ("aot_eager",):
        torch._dynamo.reset()
        compiled = torch.compile(loss, backend=backend, fullgraph=True)
        output_TBN = spikes(20, 3, 8)
        assert torch.isfinite(compiled(output_TBN, torch.tensor([1, 7, 2])))
        with pytest.raises(ValueError, match=f"a label is {wrong}; with 8 classes"):
            compiled(output_TBN, torch.tensor([1, wrong, 2]))


def test_a_compiled_loss_may_be_differentiated_on_another_engine():
    torch._dynamo.reset()
    loss = build_loss(graph(dense("only", 8)))
    compiled = torch.compile(loss, backend="aot_eager")
    output_TBN, target_TBN = spikes(20, 3, 8).requires_grad_(), spikes(20, 3, 8, seed=1)
    (expected,) = torch.autograd.grad(loss(output_TBN, target_TBN), output_TBN)
    with use_engine("reference"):
        value = compiled(output_TBN, target_TBN)
    value.backward()
    torch.testing.assert_close(output_TBN.grad, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_two_processes_have_the_gradient_of_the_joint_batch(tmp_path):
    """Each gets every other sample; DistributedDataParallel averages their gradients."""
    copy_examples(tmp_path)
    document = tmp_path / "examples/oxford_slayer.json"
    random = torch.Generator().manual_seed(0)
    input_TBN = (torch.rand(60, 4, 200, generator=random) < 0.05).float()
    target_TBN = (torch.rand(60, 4, 200, generator=random) < 0.05).float()
    case = {"document": str(document), "input": input_TBN, "target": target_TBN}
    torch.save(case, tmp_path / "case.pt")
    ended = subprocess.run(
        [sys.executable, str(WORKER), str(tmp_path), "2"],
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr

    compiled = netdesc.compile(netdesc.load(document))
    with use_engine("reference"):
        compiled.loss(compiled.model(input_TBN), target_TBN).backward()
    found = torch.load(tmp_path / "gradients.pt", weights_only=True)
    for name, parameter in compiled.model.named_parameters():
        assert parameter.grad.any()
        largest = parameter.grad.abs().max().item()
        torch.testing.assert_close(
            2 * found[name], parameter.grad, rtol=0, atol=1e-6 * largest, msg=name
        )
