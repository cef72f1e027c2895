"""The operators of synapses without neurons, of weights, and of what losses compare."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import (
    check_device,
    check_float32,
    check_same_shape,
    check_signal,
    check_weight,
)
from netdesc.kernels.engines import assumed_engine, engine_for
from netdesc.kernels.grid import quantize, straight_through
from netdesc.kernels.kernel_shape import KernelShape
from netdesc.kernels.packing import SavedImages, holds_spikes, packed_size
from netdesc.kernels.registration import fake, gradient, operator


def _check_linear(signal_TBI: Tensor, weight_OI: Tensor) -> None:
    check_signal("an input", signal_TBI)
    check_weight(weight_OI, signal_TBI.shape, signal_TBI.device)


@operator(_check_linear)
def linear(signal_TBI: Tensor, weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ``z = W s``, float32 [steps, batch, units], and the input's packed spikes.

    The packed spikes (see ``kernels.packing``) are empty if the engine does not pack spikes. If z
    is computed as a matrix product, a NaN or infinite weight affects every step. If z is computed
    from events, such a weight affects only the steps in which its input spikes.
    """
    return engine_for(signal_TBI.device).linear(signal_TBI, weight_OI)


@operator()
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
def _(signal_TBI, weight_OI):
    steps, batch, inputs = signal_TBI.shape
    packs = assumed_engine(signal_TBI.device) == "cpu"
    size = packed_size((steps, batch, inputs)) if packs else 0
    z_TBO = signal_TBI.new_empty(steps, batch, weight_OI.shape[0])
    return z_TBO, signal_TBI.new_empty(size, dtype=torch.int32)


@fake("linear_backward")
def _(grad_z_TBO, signal_TBI, packed, weight_OI, want):
    steps, batch, _ = grad_z_TBO.shape
    return (
        grad_z_TBO.new_empty((steps, batch, weight_OI.shape[1]) if want else (0,)),
        weight_OI.new_empty(weight_OI.shape),
    )


def _context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    (signal, weight, *shape), packed = inputs, output[1]
    ctx.geometry = [*shape, list(signal.shape[2:])] if shape else []
    ctx.save_for_backward(None if holds_spikes(packed) else signal, packed, weight)


def _gradient(backward: Callable[..., Any], ctx: Any, grad_z: Tensor) -> tuple[Any, ...]:
    want_input = ctx.needs_input_grad[0]
    grad_input, grad_weight = backward(grad_z, *ctx.saved_tensors, *ctx.geometry, want_input)
    return grad_input if want_input else None, grad_weight


gradient(linear, partial(_gradient, linear_backward), _context)


@operator()
def quantize_weight(weight: Tensor, bits: int) -> Tensor:
    """Quantises weights: ``clamp(2 · round(32 · w), −2^bits, 2^bits − 2) / 64``, in float32.

    Rounding takes ties to even. The gradient passes straight through, but is 0 for clamped weights.
    """
    check_float32("a weight", weight)
    return quantize(weight, bits)


@fake("quantize_weight")
def _(weight, bits):
    return weight.new_empty(weight.shape)


def _quantize_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
    weight, ctx.bits = inputs
    ctx.save_for_backward(weight)


def _quantize_gradient(ctx: Any, grad: Tensor) -> tuple[Tensor]:
    (weight,) = ctx.saved_tensors
    return (straight_through(grad, weight, ctx.bits),)


gradient(quantize_weight, _quantize_gradient, _quantize_context)


def _check_convolution(signal_TBCHW: Tensor, weight: Tensor, numbers: list[int]) -> None:
    check_float32("an input", signal_TBCHW)
    check_float32("a weight", weight)
    shape = KernelShape.of(numbers)
    channels = signal_TBCHW.shape[2] if signal_TBCHW.dim() == 5 else 0
    fits = (
        signal_TBCHW.numel()
        and weight.dim() == 4
        and weight.numel()
        and weight.shape[0] % shape.groups == 0
        and weight.shape[1] * shape.groups == channels
        and min(_output_size(signal_TBCHW, weight, shape)) >= 1
    )
    if not fits:
        raise ValueError(
            f"weights of shape {list(weight.shape)} in {shape.groups} groups do not fit an input "
            f"of shape {list(signal_TBCHW.shape)}, which is [steps, batch, channels, height, width]"
        )
    check_device("a weight", weight, signal_TBCHW.device)


def _output_size(signal_TBCHW: Tensor, weight: Tensor, shape: KernelShape) -> tuple[int, int]:
    _, _, _, height, width = signal_TBCHW.shape
    return shape.output_size((height, width), (weight.shape[2], weight.shape[3]))


@operator(_check_convolution)
def convolution(signal_TBCHW: Tensor, weight: Tensor, shape: list[int]) -> tuple[Tensor, Tensor]:
    """Returns what arrives at the neurons, float32 [steps, batch, neurons], and packed spikes.

    ``weight`` is [output channels, input channels / groups, height, width], also in a transposed
    convolution. ``shape`` is ``KernelShape.to_numbers()``. The neurons are [channels, height,
    width] in row-major order. The packed spikes are those of the input; they are empty if the
    engine does not pack spikes.
    """
    engine = engine_for(signal_TBCHW.device)
    return engine.convolution(signal_TBCHW, weight, KernelShape.of(shape))


@operator()
def convolution_backward(
    grad_z_TBN: Tensor,
    signal_TBCHW: Tensor | None,
    packed: Tensor,
    weight: Tensor,
    shape: list[int],
    sizes: list[int],
    want_input: bool,
) -> tuple[Tensor, Tensor]:
    """Returns gradients of the input (empty unless ``want_input``) and of the weight.

    ``sizes`` are channels, height and width of the input, which may be None if ``packed`` holds its
    spikes.
    """
    engine = engine_for(grad_z_TBN.device)
    saved = SavedImages(signal_TBCHW, packed, (sizes[0], sizes[1], sizes[2]))
    kernel_shape = KernelShape.of(shape)
    return engine.convolution_backward(grad_z_TBN, saved, weight, kernel_shape, want_input)


@fake("convolution")
def _(signal_TBCHW, weight, shape):
    steps, batch, *sizes = signal_TBCHW.shape
    height, width = _output_size(signal_TBCHW, weight, KernelShape.of(shape))
    packs = assumed_engine(signal_TBCHW.device) == "cpu"
    size = packed_size((steps, batch, sizes[0] * sizes[1] * sizes[2])) if packs else 0
    z_TBN = signal_TBCHW.new_empty(steps, batch, weight.shape[0] * height * width)
    return z_TBN, signal_TBCHW.new_empty(size, dtype=torch.int32)


@fake("convolution_backward")
def _(grad_z_TBN, signal_TBCHW, packed, weight, shape, sizes, want_input):
    input_shape = *grad_z_TBN.shape[:2], *sizes
    return (
        grad_z_TBN.new_empty(input_shape if want_input else (0,)),
        weight.new_empty(weight.shape),
    )


gradient(convolution, partial(_gradient, convolution_backward), _context)


def _check_spike_time(output_TBN: Tensor, target_TBN: Tensor, *_: Any) -> None:
    check_signal("an output", output_TBN)
    check_signal("a target", target_TBN)
    check_same_shape(target_TBN, output_TBN)
    check_device("the target", target_TBN, output_TBN.device)


@operator(_check_spike_time)
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int, keep: bool
) -> tuple[Tensor, Tensor]:
    """Returns the loss ``Σ f²`` [] and its gradient with respect to the output, both float32.

    f is ``h ∗ (output − target)``. The filter h is ``decayⁿ``, convolved ``order − 1`` times with
    itself and cut to ``length`` steps; ``reference.van_rossum`` defines it. ``keep`` says whether a
    backward pass follows: the gradient is [steps, batch, neurons] if it does, else empty, [0]. The
    gradient is computed together with the loss, while f is in the CPU's cache.
    """
    engine = engine_for(output_TBN.device)
    return engine.spike_time(output_TBN, target_TBN, decay, order, length, keep)


@fake("spike_time")
def _(output_TBN, target_TBN, decay, order, length, keep):
    return output_TBN.new_empty(()), output_TBN.new_empty(output_TBN.shape if keep else (0,))


def _spike_time_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    output_TBN, *_, ctx.keep = inputs
    _, grad_TBN = output
    ctx.save_for_backward(grad_TBN)
    # A segment does not change the gradient of its output, and nobody else gets it.
    ctx.is_shared = getattr(output_TBN.grad_fn, "only_reads_gradients", False)


def _spike_time_gradient(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
    if not ctx.keep:
        raise RuntimeError("a loss was computed without keep, so that it has no backward pass")
    (grad_output,) = ctx.saved_tensors
    if not (ctx.is_shared and grad_loss.is_cpu and grad_loss == 1):
        grad_output = grad_output * grad_loss
    return grad_output, -grad_output if ctx.needs_input_grad[1] else None


gradient(spike_time, _spike_time_gradient, _spike_time_context)


@operator()
def class_labels(labels: Tensor, classes: int) -> Tensor:
    """Returns integer labels as int64. Raises ValueError unless all are 0 to ``classes`` − 1."""
    labels = labels.to(torch.int64, copy=True)  # a small type may not hold ``classes``
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.numel():
        raise ValueError(
            f"a label is {wrong[0].item()}; with {classes} classes, labels are 0 to {classes - 1}"
        )
    return labels


@fake("class_labels")
def _(labels, classes):
    return labels.new_empty(labels.shape, dtype=torch.int64)
