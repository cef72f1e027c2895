"""The operator ``neurons``: a layer's neurons, whose equations are the text of a definition."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_signal
from netdesc.kernels.engine import assumed_engine, engine_for, engine_name
from netdesc.kernels.neurons import check_neurons, make_neurons, saved_shapes, state_names
from netdesc.kernels.operators.parameters import check_saved, gradients_of_parameters
from netdesc.kernels.recurrence import check_weights, outputs_before
from netdesc.kernels.registration import fake, gradient, operator

_Forward = tuple[Tensor, Tensor, list[Tensor], list[Tensor]]
_Backward = tuple[list[Tensor], list[Tensor], list[Tensor]]


@operator
def neurons(
    inputs_TBN: list[Tensor],
    weights_NN: list[Tensor],
    parameters: list[Tensor],
    states: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    keep: bool,
) -> _Forward:
    """Runs neurons. Returns output [steps, batch, neurons], notes, final states, saved tensors.

    ``kernels.neurons`` explains all of them, and the parts of ``states``, which may be empty.
    ``weights_NN`` are those of ``kernels.recurrence``, or empty. ``definition`` is
    ``Definition.to_text()``. ``parameters`` are the real parameters of its program, float32 [] or
    [neurons]. ``learn`` says whether their gradients are needed, ``keep`` whether a backward pass
    follows; otherwise no tensors are saved.
    """
    first = inputs_TBN[0]
    check_signal("the first input", first)
    is_recurrent = len(weights_NN) > 0
    layer = make_neurons(definition, learn, parameters, first.shape[2], delay, is_recurrent)
    check_neurons(inputs_TBN, layer, states, keep)
    engine = engine_for(first.device)
    if not is_recurrent:
        return tuple(engine.neurons(inputs_TBN, layer, states, keep))
    check_weights(weights_NN, layer, first)
    return tuple(engine.recurrent(inputs_TBN, weights_NN, layer, states, keep))


@operator
def neurons_backward(
    grad_out_TBN: Tensor,
    weights_NN: list[Tensor],
    parameters: list[Tensor],
    saved: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    want_weights: bool,
) -> _Backward:
    """Returns gradients of inputs, weights and learnable parameters, as ``NeuronsGradients``.

    With weights, ``saved`` begins with the output. Raises EngineError if another engine saved the
    tensors.
    """
    device, is_recurrent = grad_out_TBN.device, len(weights_NN) > 0
    layer = make_neurons(definition, learn, parameters, grad_out_TBN.shape[2], delay, is_recurrent)
    out_TBN, saved = saved[0], saved[1:] if is_recurrent else saved
    check_saved(saved, saved_shapes(layer, grad_out_TBN.shape, engine_name(device)))
    engine = engine_for(device)
    if not is_recurrent:
        return tuple(engine.neurons_backward(grad_out_TBN, layer, saved))
    before_TBN = outputs_before(out_TBN, delay, layer.is_graded)
    return tuple(
        engine.recurrent_backward(grad_out_TBN, before_TBN, weights_NN, layer, saved, want_weights)
    )


@fake("neurons")
def _(
    inputs_TBN: list[Tensor],
    weights_NN: list[Tensor],
    parameters: list[Tensor],
    states: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    keep: bool,
) -> _Forward:
    first = inputs_TBN[0]
    is_recurrent = len(weights_NN) > 0
    layer = make_neurons(definition, learn, parameters, first.shape[2], delay, is_recurrent)
    shapes = saved_shapes(layer, first.shape, assumed_engine(first.device)) if keep else []
    final_states = state_names(layer) if states else []
    return (
        first.new_empty(first.shape),
        first.new_empty(len(layer.program.states) + 2, dtype=torch.int64),
        [first.new_empty(first.shape[1:], dtype=torch.int32) for _ in final_states],
        [first.new_empty(shape, dtype=torch.int32) for shape in shapes],
    )


@fake("neurons_backward")
def _(
    grad_out_TBN: Tensor,
    weights_NN: list[Tensor],
    parameters: list[Tensor],
    saved: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    want_weights: bool,
) -> _Backward:
    layer = make_neurons(definition, learn, parameters, grad_out_TBN.shape[2], delay)
    return (
        [grad_out_TBN.new_empty(grad_out_TBN.shape) for _ in layer.program.inputs],
        [each.new_empty(each.shape) for each in weights_NN] if want_weights else [],
        [grad_out_TBN.new_empty(layer.count) for _ in layer.learnable],
    )


def _neurons_context(ctx: Any, inputs: tuple[Any, ...], output: _Forward) -> None:
    _, weights_NN, parameters, _, *ctx.described, ctx.keep = inputs
    out_TBN, _, _, saved = output
    ctx.matrices, ctx.parameters = len(weights_NN), len(parameters)
    own_output = [out_TBN] if weights_NN else []
    ctx.save_for_backward(*parameters, *weights_NN, *own_output, *saved)


def _neurons_gradient(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
    if not ctx.keep:
        raise RuntimeError("neurons ran without keep, so that they have no backward pass")
    kept = iter(ctx.saved_tensors)
    parameters = list(itertools.islice(kept, ctx.parameters))
    weights_NN, saved = list(itertools.islice(kept, ctx.matrices)), list(kept)
    want_weights = any(ctx.needs_input_grad[ctx.matrices : 2 * ctx.matrices])
    grad_inputs, grad_weights, found = neurons_backward(
        grad_out, weights_NN, parameters, saved, *ctx.described, want_weights
    )
    definition, delay, learn = ctx.described
    layer = make_neurons(definition, learn, parameters, grad_out.shape[2], delay)
    grads = gradients_of_parameters(parameters, layer.learnable, found)
    no_weights = [None] * ctx.matrices
    return grad_inputs, grad_weights or no_weights, grads, None, None, None, None, None


gradient("neurons", _neurons_gradient, _neurons_context)
