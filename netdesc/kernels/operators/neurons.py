"""The operator ``neurons``: a layer's neurons, whose equations are the text of a definition."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_signal
from netdesc.kernels.engine import assumed_engine, engine_for, engine_name
from netdesc.kernels.neurons import (
    check_neurons,
    compile_text,
    make_neurons,
    saved_shapes,
    state_names,
)
from netdesc.kernels.operators.parameters import (
    check_saved,
    gradients_of_parameters,
    keep_for_backward,
    kept_for_backward,
)
from netdesc.kernels.registration import fake, gradient, operator

_Forward = tuple[Tensor, Tensor, list[Tensor], list[Tensor]]
_Backward = tuple[list[Tensor], list[Tensor]]


@operator
def neurons(
    inputs_TBN: list[Tensor],
    parameters: list[Tensor],
    states: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    keep: bool,
) -> _Forward:
    """Runs neurons. Returns output [steps, batch, neurons], notes, final states, saved tensors.

    ``kernels.neurons`` explains all of them, and the parts of ``states``, which may be empty.
    ``definition`` is ``Definition.to_text()``. ``parameters`` are the real parameters of its
    program, float32 [] or [neurons]. ``learn`` says whether their gradients are needed, ``keep``
    whether a backward pass follows; otherwise no tensors are saved.
    """
    check_signal("the first input", inputs_TBN[0])
    layer = make_neurons(definition, learn, parameters, inputs_TBN[0].shape[2], delay)
    check_neurons(inputs_TBN, layer, states, keep)
    return tuple(engine_for(inputs_TBN[0].device).neurons(inputs_TBN, layer, states, keep))


@operator
def neurons_backward(
    grad_out_TBN: Tensor,
    parameters: list[Tensor],
    saved: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
) -> _Backward:
    """Returns gradients of the inputs, and of the learnable parameters, [neurons] each.

    The second list is empty unless ``learn``. Raises EngineError if another engine saved the
    tensors.
    """
    device = grad_out_TBN.device
    layer = make_neurons(definition, learn, parameters, grad_out_TBN.shape[2], delay)
    expected = saved_shapes(layer, grad_out_TBN.shape, engine_name(device))
    check_saved(saved, expected)
    return tuple(engine_for(device).neurons_backward(grad_out_TBN, layer, saved))


@fake("neurons")
def _(
    inputs_TBN: list[Tensor],
    parameters: list[Tensor],
    states: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    keep: bool,
) -> _Forward:
    first = inputs_TBN[0]
    layer = make_neurons(definition, learn, parameters, first.shape[2], delay)
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
    parameters: list[Tensor],
    saved: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
) -> _Backward:
    layer = make_neurons(definition, learn, parameters, grad_out_TBN.shape[2], delay)
    return (
        [grad_out_TBN.new_empty(grad_out_TBN.shape) for _ in layer.program.inputs],
        [grad_out_TBN.new_empty(layer.count) for _ in layer.learnable],
    )


def _neurons_context(ctx: Any, inputs: tuple[Any, ...], output: _Forward) -> None:
    _, parameters, _, ctx.definition, ctx.delay, ctx.learn, ctx.keep = inputs
    _, program = compile_text(ctx.definition, False)
    keep_for_backward(ctx, program.parameters.values(), parameters, output[3])


def _neurons_gradient(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
    if not ctx.keep:
        raise RuntimeError("neurons ran without keep, so that they have no backward pass")
    parameters, saved = kept_for_backward(ctx)
    described = ctx.definition, ctx.delay, ctx.learn
    grad_inputs, found = neurons_backward(grad_out, parameters, saved, *described)
    layer = make_neurons(ctx.definition, ctx.learn, parameters, grad_out.shape[2], ctx.delay)
    grads = gradients_of_parameters(parameters, layer.learnable, found)
    return grad_inputs, grads, None, None, None, None, None


gradient("neurons", _neurons_gradient, _neurons_context)
