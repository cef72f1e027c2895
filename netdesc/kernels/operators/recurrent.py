"""The operator ``recurrent``: neurons that read their own outputs of the step before."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_signal
from netdesc.kernels.engine import assumed_engine, engine_for, engine_name
from netdesc.kernels.neurons import Neurons, check_neurons, compile_text, make_neurons
from netdesc.kernels.operators.parameters import (
    check_saved,
    gradients_of_parameters,
    keep_for_backward,
    kept_for_backward,
)
from netdesc.kernels.recurrence import check_weights, outputs_before, recurrent_saved_shapes
from netdesc.kernels.registration import fake, gradient, operator

_Forward = tuple[Tensor, Tensor, list[Tensor], list[Tensor]]
_Backward = tuple[list[Tensor], list[Tensor], list[Tensor]]
_Described = tuple[str, int, bool]
"""The arguments ``definition``, ``delay`` and ``learn``."""


def _neurons(described: _Described, parameters: list[Tensor], count: int) -> Neurons:
    definition, delay, learn = described
    return make_neurons(definition, learn, parameters, count, delay, is_recurrent=True)


@operator
def recurrent(
    inputs_TBN: list[Tensor],
    weights_NN: list[Tensor],
    parameters: list[Tensor],
    states: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    keep: bool,
) -> _Forward:
    """Runs recurrent neurons. Arguments and results are those of ``neurons``, with weights.

    ``kernels.recurrence`` explains the weights, and what ``states`` end with.
    """
    first = inputs_TBN[0]
    check_signal("the first input", first)
    layer = _neurons((definition, delay, learn), parameters, first.shape[2])
    check_neurons(inputs_TBN, layer, states, keep)
    check_weights(weights_NN, layer, first)
    engine = engine_for(first.device)
    return tuple(engine.recurrent(inputs_TBN, weights_NN, layer, states, keep))


@operator
def recurrent_backward(
    grad_out_TBN: Tensor,
    weights_NN: list[Tensor],
    parameters: list[Tensor],
    saved: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    want_weights: bool,
) -> _Backward:
    """Returns gradients of inputs, weights and learnable parameters, as ``RecurrentGradients``.

    ``saved`` is the output, and behind it what the engine has saved. Raises EngineError if another
    engine saved the tensors.
    """
    out_TBN, *saved = saved
    device = grad_out_TBN.device
    layer = _neurons((definition, delay, learn), parameters, grad_out_TBN.shape[2])
    check_saved(saved, recurrent_saved_shapes(layer, grad_out_TBN.shape, engine_name(device)))
    before_TBN = outputs_before(out_TBN, delay, layer.is_graded)
    engine = engine_for(device)
    return tuple(
        engine.recurrent_backward(grad_out_TBN, before_TBN, weights_NN, layer, saved, want_weights)
    )


@fake("recurrent")
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
    layer = _neurons((definition, delay, learn), parameters, first.shape[2])
    engine = assumed_engine(first.device)
    shapes = recurrent_saved_shapes(layer, first.shape, engine) if keep else []
    count = len(layer.program.states) + 2
    return (
        first.new_empty(first.shape),
        first.new_empty(count, dtype=torch.int64),
        [first.new_empty(first.shape[1:], dtype=torch.int32) for _ in range(count * bool(states))],
        [first.new_empty(shape, dtype=torch.int32) for shape in shapes],
    )


@fake("recurrent_backward")
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
    layer = _neurons((definition, delay, learn), parameters, grad_out_TBN.shape[2])
    return (
        [grad_out_TBN.new_empty(grad_out_TBN.shape) for _ in layer.program.inputs],
        [each.new_empty(each.shape) for each in weights_NN] if want_weights else [],
        [grad_out_TBN.new_empty(layer.count) for _ in layer.learnable],
    )


def _recurrent_context(ctx: Any, inputs: tuple[Any, ...], output: _Forward) -> None:
    _, weights_NN, parameters, _, *ctx.described, ctx.keep = inputs
    out_TBN, _, _, saved = output
    ctx.matrices = len(weights_NN)
    kinds = compile_text(ctx.described[0], False)[1].parameters.values()
    keep_for_backward(ctx, kinds, parameters, [*weights_NN, out_TBN, *saved])


def _recurrent_gradient(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
    if not ctx.keep:
        raise RuntimeError("neurons ran without keep, so that they have no backward pass")
    parameters, others = kept_for_backward(ctx)
    weights_NN, saved = others[: ctx.matrices], others[ctx.matrices :]
    want_weights = any(ctx.needs_input_grad[ctx.matrices : 2 * ctx.matrices])
    grad_inputs, grad_weights, found = recurrent_backward(
        grad_out, weights_NN, parameters, saved, *ctx.described, want_weights
    )
    layer = _neurons(tuple(ctx.described), parameters, grad_out.shape[2])
    grads = gradients_of_parameters(parameters, layer.learnable, found)
    nothing = [None] * ctx.matrices
    return grad_inputs, grad_weights or nothing, grads, None, None, None, None, None


gradient("recurrent", _recurrent_gradient, _recurrent_context)
