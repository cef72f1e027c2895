"""The operator ``segment``: consecutive dense layers of CUBA neurons with quantised weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.engine import EngineError, engine_for, engine_name, requested_engine
from netdesc.kernels.neuron_parameters import decay_gradients
from netdesc.kernels.registration import fake, gradient, operator
from netdesc.kernels.segments import (
    TENSORS_PER_LAYER,
    check_segment,
    holds_spikes,
    layer_sizes,
    packed_size,
    segment_layers,
    voltages_size,
)

_Forward = tuple[Tensor, Tensor, list[Tensor]]
_Backward = tuple[Tensor, list[Tensor], list[Tensor]]


@operator
def segment(
    input_TBI: Tensor, tensors: list[Tensor], numbers: list[float], learn: list[bool], keep: bool
) -> _Forward:
    """Returns the last layer's spikes [steps, batch, outputs], notes [layers, 4], saved tensors.

    ``tensors`` and ``numbers`` describe the layers, see ``kernels.segments``. ``learn`` says for
    each layer whether the gradients of its decays are needed. A layer computes ``z = W s`` with
    weights quantised by ``quantize_weight``. The saved tensors are for ``segment_backward``; the
    list is empty unless ``keep``.
    """
    check_segment(input_TBI, tensors)
    layers = segment_layers(tensors, numbers, learn)
    return tuple(engine_for(input_TBI.device).segment(input_TBI, layers, keep))


@operator
def segment_backward(
    grad_out_TBN: Tensor,
    input_TBI: Tensor | None,
    tensors: list[Tensor],
    numbers: list[float],
    learn: list[bool],
    saved_tensors: list[Tensor],
    want_input: bool,
) -> _Backward:
    """Returns the gradient of the input, and the gradients of each layer's weight and decays.

    The input's gradient is empty unless ``want_input``. The gradient of a layer's decays is [2,
    neurons]. The input may be None if ``saved_tensors`` hold its spikes. Raises EngineError if
    another engine saved these tensors. This can happen in compiled code, which does not record the
    engine.
    """
    device = grad_out_TBN.device
    are_packed = saved_tensors[0].dim() == 1
    if are_packed != (engine_name(device) == "cpu"):
        raise EngineError(
            "the forward pass ran on another engine; with torch.compile, call forward and backward "
            "pass in the same use_engine()"
        )
    layers, engine = segment_layers(tensors, numbers, learn), engine_for(device)
    gradients = engine.segment_backward(grad_out_TBN, input_TBI, layers, saved_tensors, want_input)
    return tuple(gradients)


@fake("segment")
def _(
    input_TBI: Tensor, tensors: Sequence[Tensor], numbers: Any, learn: Sequence[bool], keep: bool
) -> _Forward:
    steps, batch, inputs = input_TBI.shape
    sizes = layer_sizes(tensors)
    packs = input_TBI.device.type == "cpu" and requested_engine() in ("auto", "cpu")
    saved_tensors: list[Tensor] = []
    for size, neurons in zip([inputs, *sizes], sizes, strict=False):
        if packs:
            packed = packed_size((steps, batch, size))
            saved_tensors.append(input_TBI.new_empty(packed, dtype=torch.int32))
            saved_tensors.append(
                input_TBI.new_empty(voltages_size((steps, batch, neurons)), dtype=torch.int32)
            )
        else:
            if saved_tensors:
                saved_tensors.append(input_TBI.new_empty(steps, batch, size))
            saved_tensors.append(input_TBI.new_empty(steps, batch, neurons, dtype=torch.int32))
    out = input_TBI.new_empty(steps, batch, sizes[-1])
    return out, out.new_empty(len(sizes), 4, dtype=torch.int64), saved_tensors if keep else []


@fake("segment_backward")
def _(
    grad_out_TBN: Tensor,
    input_TBI: Tensor | None,
    tensors: Sequence[Tensor],
    numbers: Any,
    learn: Any,
    saved_tensors: Any,
    want_input: bool,
) -> _Backward:
    weights = tensors[::TENSORS_PER_LAYER]
    steps, batch, _ = grad_out_TBN.shape
    grad_input = (steps, batch, weights[0].shape[1]) if want_input else (0,)
    return (
        grad_out_TBN.new_empty(grad_input),
        [weight_OI.new_empty(weight_OI.shape) for weight_OI in weights],
        [weight_OI.new_empty(2, weight_OI.shape[0]) for weight_OI in weights],
    )


def _segment_context(ctx: Any, inputs: tuple[Any, ...], output: _Forward) -> None:
    input_TBI, tensors, ctx.numbers, ctx.learn, _ = inputs
    _, notes, saved_tensors = output
    ctx.mark_non_differentiable(notes, *saved_tensors)
    ctx.set_materialize_grads(False)
    # A schedule may change the tensors ``tau`` before the backward pass. They are not saved with
    # the others, because autograd refuses saved tensors that have changed.
    ctx.taus = tensors[TENSORS_PER_LAYER - 1 :: TENSORS_PER_LAYER]
    others = [tensor for at, tensor in enumerate(tensors, 1) if at % TENSORS_PER_LAYER]
    ctx.others = len(others)
    needed = None if saved_tensors and holds_spikes(saved_tensors[0]) else input_TBI
    ctx.save_for_backward(needed, *others, *saved_tensors)


def _segment_gradient(ctx: Any, grad_out: Tensor, *_: Any) -> tuple[Any, ...]:
    input_TBI, *saved = ctx.saved_tensors
    others, saved_tensors = iter(saved[: ctx.others]), saved[ctx.others :]
    tensors = [each for tau in ctx.taus for each in (*islice(others, TENSORS_PER_LAYER - 1), tau)]
    want_input = ctx.needs_input_grad[0]
    grad_input, grad_weights, grad_decays = segment_backward(
        grad_out, input_TBI, tensors, ctx.numbers, ctx.learn, saved_tensors, want_input
    )
    grads: list[Tensor | None] = []
    for number, (grad_weight, layer_grad_decays) in enumerate(
        zip(grad_weights, grad_decays, strict=True)
    ):
        decays = tensors[TENSORS_PER_LAYER * number + 1 : TENSORS_PER_LAYER * number + 3]
        grads += [grad_weight, *decay_gradients(layer_grad_decays, *decays), None, None]
    return grad_input if want_input else None, grads, None, None, None


gradient("segment", _segment_gradient, _segment_context)
