"""The operator ``convolution``: synapses with a kernel, without neurons."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_device, check_float32
from netdesc.kernels.engine import assumed_engine, engine_for
from netdesc.kernels.kernel_shape import KernelShape
from netdesc.kernels.packing import SavedImages, holds_spikes, packed_size
from netdesc.kernels.registration import fake, gradient, operator


@operator
def convolution(signal_TBCHW: Tensor, weight: Tensor, shape: list[int]) -> tuple[Tensor, Tensor]:
    """Returns what arrives at the neurons, float32 [steps, batch, neurons], and packed spikes.

    ``weight`` is [output channels, input channels / groups, height, width], also in a transposed
    convolution. ``shape`` is ``KernelShape.to_numbers()``. The neurons are [channels, height,
    width] in row-major order. The packed spikes are those of the input; they are empty if the
    engine does not pack spikes.
    """
    check_float32("an input", signal_TBCHW)
    check_float32("a weight", weight)
    kernel_shape = KernelShape.of(shape)
    _check(signal_TBCHW, weight, kernel_shape)
    return engine_for(signal_TBCHW.device).convolution(signal_TBCHW, weight, kernel_shape)


def _check(signal_TBCHW: Tensor, weight: Tensor, shape: KernelShape) -> None:
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


@operator
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
def _(signal_TBCHW: Tensor, weight: Tensor, shape: list[int]) -> tuple[Tensor, Tensor]:
    steps, batch, *sizes = signal_TBCHW.shape
    height, width = _output_size(signal_TBCHW, weight, KernelShape.of(shape))
    packs = assumed_engine(signal_TBCHW.device) == "cpu"
    size = packed_size((steps, batch, sizes[0] * sizes[1] * sizes[2])) if packs else 0
    z_TBN = signal_TBCHW.new_empty(steps, batch, weight.shape[0] * height * width)
    return z_TBN, signal_TBCHW.new_empty(size, dtype=torch.int32)


@fake("convolution_backward")
def _(
    grad_z_TBN: Tensor,
    signal_TBCHW: Tensor | None,
    packed: Tensor,
    weight: Tensor,
    shape: list[int],
    sizes: list[int],
    want_input: bool,
) -> tuple[Tensor, Tensor]:
    input_shape = *grad_z_TBN.shape[:2], *sizes
    return (
        grad_z_TBN.new_empty(input_shape if want_input else (0,)),
        weight.new_empty(weight.shape),
    )


def _context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    (signal_TBCHW, weight, ctx.shape), packed = inputs, output[1]
    ctx.sizes = list(signal_TBCHW.shape[2:])
    ctx.mark_non_differentiable(packed)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(None if holds_spikes(packed) else signal_TBCHW, packed, weight)


def _gradient(ctx: Any, grad_z: Tensor, *_: Any) -> tuple[Any, ...]:
    want_input = ctx.needs_input_grad[0]
    grad_input, grad_weight = convolution_backward(
        grad_z, *ctx.saved_tensors, ctx.shape, ctx.sizes, want_input
    )
    return grad_input if want_input else None, grad_weight, None


gradient("convolution", _gradient, _context)
