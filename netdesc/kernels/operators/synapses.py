"""The operators ``linear`` (synapses without neurons) and ``quantize_weight``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_float32, check_signal, check_weight
from netdesc.kernels.engine import assumed_engine, engine_for
from netdesc.kernels.packing import holds_spikes, packed_size
from netdesc.kernels.quantization import quantize, straight_through
from netdesc.kernels.registration import fake, gradient, operator


@operator
def linear(signal_TBI: Tensor, weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ``z = W s``, float32 [steps, batch, units], and the input's packed spikes.

    The packed spikes (see ``kernels.packing``) are empty if the engine does not pack spikes. If z
    is computed as a matrix product, a NaN or infinite weight affects every step. If z is computed
    from events, such a weight affects only the steps in which its input spikes.
    """
    check_signal("an input", signal_TBI)
    steps, batch, inputs = signal_TBI.shape
    check_weight(weight_OI, (steps, batch, inputs), signal_TBI.device)
    return engine_for(signal_TBI.device).linear(signal_TBI, weight_OI)


@operator
def linear_backward(
    grad_z_TBO: Tensor,
    signal_TBI: Tensor | None,
    packed: Tensor,
    weight_OI: Tensor,
    want_input: bool,
) -> tuple[Tensor, Tensor]:
    """Returns gradients of the input (empty unless ``want_input``) and of the weight.

    The input ``signal_TBI`` may be None if ``packed`` holds the input's spikes.
    """
    engine = engine_for(grad_z_TBO.device)
    return engine.linear_backward(grad_z_TBO, signal_TBI, packed, weight_OI, want_input)


@fake("linear")
def _(signal_TBI: Tensor, weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    steps, batch, inputs = signal_TBI.shape
    packs = assumed_engine(signal_TBI.device) == "cpu"
    size = packed_size((steps, batch, inputs)) if packs else 0
    z_TBO = signal_TBI.new_empty(steps, batch, weight_OI.shape[0])
    return z_TBO, signal_TBI.new_empty(size, dtype=torch.int32)


@fake("linear_backward")
def _(
    grad_z_TBO: Tensor, signal_TBI: Tensor | None, packed: Tensor, weight_OI: Tensor, want: bool
) -> tuple[Tensor, Tensor]:
    steps, batch, _ = grad_z_TBO.shape
    return (
        grad_z_TBO.new_empty((steps, batch, weight_OI.shape[1]) if want else (0,)),
        weight_OI.new_empty(weight_OI.shape),
    )


def _linear_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
    (signal_TBI, weight_OI), packed = inputs, output[1]
    ctx.save_for_backward(None if holds_spikes(packed) else signal_TBI, packed, weight_OI)


def _linear_gradient(ctx: Any, grad_z: Tensor) -> tuple[Tensor | None, Tensor]:
    want_input = ctx.needs_input_grad[0]
    grad_input, grad_weight = linear_backward(grad_z, *ctx.saved_tensors, want_input)
    return grad_input if want_input else None, grad_weight


gradient("linear", _linear_gradient, _linear_context)


@operator
def quantize_weight(weight: Tensor, bits: int) -> Tensor:
    """Quantises weights: ``clamp(2 · round(32 · w), −2^bits, 2^bits − 2) / 64``, in float32.

    Rounding takes ties to even. The gradient passes straight through, but is 0 for clamped weights.
    """
    check_float32("a weight", weight)
    return quantize(weight, bits)


@fake("quantize_weight")
def _(weight: Tensor, bits: int) -> Tensor:
    return weight.new_empty(weight.shape)


def _quantize_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0])
    ctx.bits = inputs[1]


def _quantize_gradient(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    (weight,) = ctx.saved_tensors
    return straight_through(grad, weight, ctx.bits), None


gradient("quantize_weight", _quantize_gradient, _quantize_context)
