"""The CUDA engine: Triton kernels behind the same functions as the reference has.

Nothing here waits for the device or looks at what is in a tensor. The matrix product is taken in
any case, so ``notes[2]`` is 0 and there are no events.
"""

from __future__ import annotations

import functools

import torch
import triton
from torch import Tensor

from netdesc.kernels import filters
from netdesc.kernels.cuda import backward, forward, products, van_rossum
from netdesc.kernels.cuda.launch import AHEAD, INNER, TILE, block, on_its_device, parts, walk
from netdesc.kernels.parameters import Dynamics
from netdesc.kernels.quantization import half_limits

_WIDEST_IN_HALF_PRECISION = 12
"""Bits of a weight whose half, up to ±2¹¹, a 16-bit float holds exactly."""


def _per_neuron(signal: Tensor, neurons: Dynamics) -> tuple[Tensor, Tensor, Tensor]:
    values = neurons.keep_u, neurons.keep_v, neurons.bias
    for name, value in zip(("current decay", "voltage decay", "bias"), values, strict=True):
        _check_device(signal, f"the {name}", value)
    return values


def _check_device(signal: Tensor, name: str, value: Tensor) -> None:
    """A kernel would read memory of another device, or crash."""
    if value.device != signal.device:
        raise ValueError(f"{name} is on device '{value.device}', the signal on '{signal.device}'")


@on_its_device
def cuba(z_TBN: Tensor, neurons: Dynamics) -> tuple[Tensor, Tensor, Tensor]:
    """See ``reference.engine.cuba``."""
    z_TBN = z_TBN.contiguous()
    steps, batch, size = z_TBN.shape
    out_TBN = torch.empty_like(z_TBN)
    voltage_TBN = torch.empty_like(z_TBN, dtype=torch.int32)
    notes = torch.zeros(4, dtype=torch.int64, device=z_TBN.device)
    walk(
        forward.forward,
        batch * size,
        z_TBN,
        *_per_neuron(z_TBN, neurons),
        out_TBN,
        voltage_TBN,
        notes,
        steps,
        batch * size,
        size,
        neurons.threshold,
        DELAY=neurons.delay,
        AHEAD=AHEAD,
    )
    return out_TBN, voltage_TBN, notes


@on_its_device
def cuba_backward(
    grad_out_TBN: Tensor, voltage_TBN: Tensor, neurons: Dynamics, learn: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.cuba_backward``."""
    grad_out_TBN = grad_out_TBN.contiguous()
    steps, batch, size = voltage_TBN.shape
    grad_z_TBN = torch.empty_like(grad_out_TBN)
    grad_decays = (
        grad_out_TBN.new_empty(2, batch, size) if learn else grad_out_TBN.new_zeros(2, size)
    )
    walk(
        backward.adjoint,
        batch * size,
        grad_out_TBN,
        voltage_TBN.contiguous(),
        *_per_neuron(grad_out_TBN, neurons),
        grad_z_TBN,
        grad_decays,
        steps,
        batch * size,
        size,
        neurons.threshold,
        neurons.height,
        1.0 / neurons.width,
        DELAY=neurons.delay,
        LEARN=int(learn),
        AHEAD=AHEAD,
    )
    return grad_z_TBN, grad_decays.sum(1) if learn else grad_decays


@on_its_device
def leaky(z_TBN: Tensor, keep: Tensor) -> Tensor:
    """See ``reference.engine.leaky``."""
    _check_device(z_TBN, "the decay", keep)
    z_TBN = z_TBN.contiguous()
    steps, batch, size = z_TBN.shape
    u_TBN = torch.empty_like(z_TBN)
    columns = batch * size
    walk(forward.leaky, columns, z_TBN, keep, u_TBN, steps, columns, size, AHEAD=AHEAD)
    return u_TBN


@on_its_device
def leaky_backward(
    grad_u_TBN: Tensor, u_TBN: Tensor, keep: Tensor, learn: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.leaky_backward``."""
    _check_device(grad_u_TBN, "the decay", keep)
    grad_u_TBN = grad_u_TBN.contiguous()
    steps, batch, size = u_TBN.shape
    grad_z_TBN = torch.empty_like(grad_u_TBN)
    empty, zeros = grad_u_TBN.new_empty, grad_u_TBN.new_zeros
    grad_decay = empty(batch, size) if learn else zeros(size)
    walk(
        backward.leaky_adjoint,
        batch * size,
        grad_u_TBN,
        u_TBN.contiguous(),
        keep,
        grad_z_TBN,
        grad_decay,
        steps,
        batch * size,
        size,
        LEARN=int(learn),
        AHEAD=AHEAD,
    )
    return grad_z_TBN, grad_decay.sum(0) if learn else grad_decay


@on_its_device
def dense_cuba(
    spikes_TBI: Tensor, weight_OI: Tensor, bits: int, neurons: Dynamics
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See ``reference.engine.dense_cuba``."""
    spikes_TBI, weight_OI = spikes_TBI.contiguous(), weight_OI.contiguous()
    steps, batch, inputs = spikes_TBI.shape
    outputs, rows = weight_OI.shape[0], steps * batch
    z_TBO = spikes_TBI.new_empty(steps, batch, outputs)
    low, high = half_limits(bits)
    products.input_currents[(triton.cdiv(rows, TILE), triton.cdiv(outputs, TILE))](
        spikes_TBI,
        weight_OI,
        z_TBO,
        rows,
        inputs,
        outputs,
        float(low),
        float(high),
        WEIGHTS_FIT=bits <= _WIDEST_IN_HALF_PRECISION,
        ROWS=TILE,
        INNER=INNER,
        OUTPUTS=TILE,
    )
    out_TBO, voltage_TBO, notes = cuba(z_TBO, neurons)
    return out_TBO, voltage_TBO, notes, voltage_TBO.new_empty(0)


@on_its_device
def dense_cuba_backward(
    grad_out_TBO: Tensor,
    spikes_TBI: Tensor,
    events: Tensor,
    weight_OI: Tensor,
    bits: int,
    voltage_TBO: Tensor,
    neurons: Dynamics,
    learn: bool,
    want_input: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """See ``reference.engine.dense_cuba_backward``."""
    weight_OI = weight_OI.contiguous()
    grad_z_TBO, grad_decays = cuba_backward(grad_out_TBO, voltage_TBO, neurons, learn)
    grad_weight = _weight_gradient(grad_z_TBO, spikes_TBI.contiguous(), weight_OI, bits)
    grad_input = grad_z_TBO.new_empty(0)
    if want_input:
        grad_input = _input_gradient(grad_z_TBO, weight_OI, bits)
    return grad_input, grad_weight, grad_decays


def _weight_gradient(
    grad_z_TBO: Tensor, spikes_TBI: Tensor, weight_OI: Tensor, bits: int
) -> Tensor:
    outputs, inputs = weight_OI.shape
    rows = spikes_TBI.shape[0] * spikes_TBI.shape[1]
    count, share = parts(rows, outputs, inputs)
    sums = grad_z_TBO.new_empty(count, outputs, inputs)
    products.weight_gradient_parts[(triton.cdiv(outputs, TILE), triton.cdiv(inputs, TILE), count)](
        grad_z_TBO,
        spikes_TBI,
        sums,
        rows,
        inputs,
        outputs,
        share,
        ROWS=INNER,
        OUTPUTS=TILE,
        INPUTS=TILE,
    )
    grad_OI = torch.empty_like(weight_OI)
    low, high = half_limits(bits)
    width = 4 * TILE
    products.weight_gradient[(triton.cdiv(outputs * inputs, width),)](
        sums, weight_OI, grad_OI, count, outputs * inputs, float(low), float(high), BLOCK=width
    )
    return grad_OI


def _input_gradient(grad_z_TBO: Tensor, weight_OI: Tensor, bits: int) -> Tensor:
    steps, batch, outputs = grad_z_TBO.shape
    inputs, rows = weight_OI.shape[1], steps * batch
    grad_TBI = grad_z_TBO.new_empty(steps, batch, inputs)
    low, high = half_limits(bits)
    products.input_gradient[(triton.cdiv(rows, TILE), triton.cdiv(inputs, TILE))](
        grad_z_TBO,
        weight_OI,
        grad_TBI,
        rows,
        inputs,
        outputs,
        float(low),
        float(high),
        ROWS=TILE,
        INNER=INNER,
        INPUTS=TILE,
    )
    return grad_TBI


@functools.cache
def _recurrence(decay: float, order: int, length: int, device: torch.device) -> tuple[Tensor, bool]:
    """``constants`` of ``van_rossum``, and whether there is a tail to subtract.

    Made once and never given up, because copying them makes the device wait, and a captured step
    goes on reading them.
    """
    a, tail = filters.recurrence(decay, order, length)
    width = torch.float64 if tail.dtype == "float64" else torch.float32
    constants = torch.tensor([float(a), *tail.tolist()], dtype=width, device=device)
    return constants, bool(tail.max() > 0)


@functools.cache
def _convolved(
    decay: float, order: int, length: int, steps: int, device: torch.device
) -> Tensor | None:
    """The filter itself where recurrences would lose it; None elsewhere."""
    h = filters.convolved(decay, order, length, steps)
    return None if h is None else torch.tensor(h, dtype=torch.float64, device=device)


@on_its_device
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int
) -> tuple[Tensor, Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    _check_device(output_TBN, "the target", target_TBN)
    output_TBN, target_TBN = output_TBN.contiguous(), target_TBN.contiguous()
    steps, batch, size = output_TBN.shape
    columns, device = batch * size, output_TBN.device
    filtered_TBN = torch.empty_like(output_TBN)
    programs = triton.cdiv(columns, block(columns))
    h = _convolved(decay, order, length, steps, device)
    if h is None:
        constants, has_tail = _recurrence(decay, order, length, device)
        squares = torch.empty(programs, dtype=torch.float64, device=device)
        walk(
            van_rossum.filter_difference,
            columns,
            output_TBN,
            target_TBN,
            filtered_TBN,
            squares,
            constants,
            steps,
            columns,
            length,
            ORDER=order,
            TAIL=has_tail and length < steps,
            AHEAD=AHEAD,
        )
    else:
        squares = torch.empty(steps * programs, dtype=torch.float64, device=device)
        van_rossum.convolve_difference[(steps, programs)](
            output_TBN, target_TBN, filtered_TBN, squares, h, steps, columns, len(h),
            BLOCK=block(columns),
        )  # fmt: skip
    return squares.sum().to(torch.float32), filtered_TBN


@on_its_device
def spike_time_backward(
    filtered_TBN: Tensor, grad_loss: Tensor, decay: float, order: int, length: int
) -> Tensor:
    """See ``reference.van_rossum.spike_time_backward``."""
    _check_device(filtered_TBN, "the loss", grad_loss)
    filtered_TBN = filtered_TBN.contiguous()
    steps, batch, size = filtered_TBN.shape
    columns, device = batch * size, filtered_TBN.device
    grad_TBN = torch.empty_like(filtered_TBN)
    h = _convolved(decay, order, length, steps, device)
    if h is None:
        constants, has_tail = _recurrence(decay, order, length, device)
        walk(
            van_rossum.filter_adjoint,
            columns,
            filtered_TBN,
            grad_loss,
            grad_TBN,
            constants,
            steps,
            columns,
            length,
            ORDER=order,
            TAIL=has_tail and length < steps,
            AHEAD=AHEAD,
        )
    else:
        van_rossum.convolve_adjoint[(steps, triton.cdiv(columns, block(columns)))](
            filtered_TBN, grad_loss, grad_TBN, h, steps, columns, len(h), BLOCK=block(columns)
        )  # fmt: skip
    return grad_TBN
