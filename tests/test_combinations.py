"""Every combination that the language accepts computes the same everywhere."""

import numpy as np
import torch
from hypothesis import strategies as st
from safetensors.torch import save_file
from support.grids import check_examples, slow
from support.networks import COMPILED, any_neuron, networks

import netdesc
from netdesc.exchange import NetFileError
from netdesc.hardware import HardwareError, IntegerNetwork
from netdesc.kernels.engines import use_engine


def computed(model, input, engine):
    """Returns the output of a training pass, and the gradients of all that is trained."""
    model.train()
    torch.manual_seed(1)
    leaf = input.clone().requires_grad_()
    with use_engine(engine):
        output = model(leaf)
        weight = torch.linspace(0.5, 2, output.numel()).view_as(output)
        model.zero_grad()
        (output * weight).sum().backward()
    named = {name: value.grad for name, value in model.named_parameters()}
    return output.detach(), {"input": leaf.grad, **named}


def check(document, seed, folder):
    compiled = netdesc.compile(document)
    model, graph = compiled.model, compiled.graph
    generator = torch.Generator().manual_seed(seed)
    input = (torch.rand(graph.steps, 2, *graph.input_shape, generator=generator) < 0.3).float()
    if seed % 2:  # payloads
        input *= torch.randint(-128, 129, input.shape, generator=generator) / 64
    state = {name: value.clone() for name, value in model.state_dict().items()}
    save_file(state, folder / "drawn.safetensors")
    netdesc.load({**document, "weights": {"path": str(folder / "drawn.safetensors")}})
    slow_output, slow_grads = computed(model, input, "reference")
    model.load_state_dict(state)
    output, grads = computed(model, input, "cpu")
    assert torch.equal(output, slow_output)
    for name, grad in slow_grads.items():
        assert (grad is None) == (grads[name] is None), name
        if grad is not None:
            # A layer that feeds back amplifies how sums of real weights are rounded, exact resets
            # how gradients are: a change of 6e-8 above moves those of the reference by 1e-5.
            first = graph.layers[0]
            feeds_back = getattr(first.section, "recurrent_synapses", None) is not None
            is_exact = any(each.neuron.reset_gradient == "exact" for each in graph.neuron_layers)
            amplifies = is_exact or (feeds_back and first.bits is None)
            atol = 1e-5 * max(float(grad.abs().max()), 1.0) * (10 if amplifies else 1)
            torch.testing.assert_close(grads[name], grad, rtol=1e-4, atol=atol)

    model.eval()
    output = model(input).detach()
    pieces, carried = [], None
    factor = graph.decimation
    whole = graph.steps - graph.steps % factor
    for piece in input[:whole].split(5 - 5 % factor):
        out, carried = model.stream(piece, carried)
        pieces.append(out)
    assert torch.equal(torch.cat(pieces), output[: whole // factor])
    same_in_integers(model, graph, input, output)
    path = folder / "drawn.net"
    try:
        netdesc.export_net(model, path)
    except NetFileError:  # the format cannot hold it
        return
    imported = netdesc.compile(netdesc.import_net(path, steps=graph.steps)).model.eval()
    shaped = input.reshape(*input.shape[:2], *imported.graph.input_shape)
    assert torch.equal(imported(shaped).detach(), output)
    same_in_integers(imported, imported.graph, shaped, output)


def same_in_integers(model, graph, input, output):
    """Checks the run in integers, unless states leave the device's range of 24 bits."""
    try:
        network = IntegerNetwork(graph, model.folded_state())
    except HardwareError:
        return
    output_TN = network.run_all(input[:, 0].numpy())
    if not any(sum(each.exceeded.values()) for each in network.counts):
        np.testing.assert_array_equal(output_TN, output[:, 0].numpy())


SEEDS = st.integers(0, 999)


def test_any_layer_with_four_neurons(tmp_path):
    drawn = networks(st.sampled_from(COMPILED))
    check_examples(30, lambda document, seed: check(document, seed, tmp_path), drawn, SEEDS)


@slow
def test_any_layer_with_any_neuron(tmp_path):
    drawn = networks(any_neuron())
    check_examples(2000, lambda document, seed: check(document, seed, tmp_path), drawn, SEEDS)
