"""The CPU engine: Numba kernels behind the same functions as the reference has.

A layer whose input is sparse and binary runs on event lists; where the input is dense or graded, or
the weights are not on the grid, it takes the matrix product. ``notes[2]`` says which.
"""

from __future__ import annotations

import numpy as np
import torch

from netdesc.kernels.cpu import backward, forward, van_rossum
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.product import matmul
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.event_lists import are_listed
from netdesc.kernels.parameters import Dynamics, keep
from netdesc.kernels.quantization import half_limits, straight_through

PRODUCT, EVENTS = 0, 1

EVENT_DENSITY = 0.33
"""Share of non-zero inputs up to which adding rows by events is faster than the product.

Measured on Zen 4 with AVX-512, where the product is fastest: both took the same time from 0.33 to
0.45, for layers of 200 to 2,048 inputs and 256 to 512 neurons.
"""

_MIN_TILE, _MAX_TILE = 32, 256
"""Neurons of a tile: enough to fill vectors, few enough that its states stay in the L1 cache."""


def _tile(batch: int, neurons: int, tiles_a_thread: int = 1) -> int:
    """Neurons of a tile, such that every thread gets some; no result depends on it."""
    tiles_a_sample = -(-tiles_a_thread * threads() // batch)
    share = -(-neurons // tiles_a_sample)
    return min(max(-(-share // 8) * 8, _MIN_TILE), _MAX_TILE)


def _array(tensor: torch.Tensor) -> np.ndarray:
    if tensor.requires_grad:
        tensor = tensor.detach()
    return tensor.contiguous().numpy()


def _rows(tensor_TBN: torch.Tensor) -> np.ndarray:
    return _array(tensor_TBN).reshape(-1, tensor_TBN.shape[2])


def _over_time(rows: np.ndarray, like_TBN: torch.Tensor) -> torch.Tensor:
    """Rows [steps · batch, neurons] with the steps and the batch of a tensor."""
    return torch.from_numpy(rows.reshape(*like_TBN.shape[:2], -1))


def _half_limits(bits: int) -> tuple[np.float32, np.float32]:
    low, high = half_limits(bits)
    return np.float32(low), np.float32(high)


def _quantized(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    weight = take(tuple(weight_OI.shape), np.float32)
    forward.quantized(_array(weight_OI), *_half_limits(bits), weight)
    return weight


def _outputs(
    steps: int, batch: int, neurons: int
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """A tile's width, then spikes, voltages and what each tile sees, to be filled."""
    shape = (steps, batch, neurons)
    # Two tiles, because threads that write side by side take each other's cache lines.
    tile = _tile(batch, neurons, tiles_a_thread=2)
    seen = np.zeros((batch * -(-neurons // tile), 3), np.int64)
    return tile, take(shape, np.float32), take(shape, np.int32), seen


def _finish(
    out: np.ndarray, voltage: np.ndarray, seen: np.ndarray, path: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    # Through numpy, which makes so small a tensor in a tenth of torch's time.
    notes = np.array([seen[:, 0].max(), seen[:, 1].max(), path, seen[:, 2].sum()])
    return torch.from_numpy(out), torch.from_numpy(voltage), torch.from_numpy(notes)


def _scalar(value: float) -> torch.Tensor:
    return torch.from_numpy(np.array(value, np.float32))


def _over_batch(grad_decays: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(grad_decays[0] if len(grad_decays) == 1 else grad_decays.sum(axis=0))


def _per_neuron(neurons: Dynamics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return neurons.keep_u.numpy(), neurons.keep_v.numpy(), neurons.bias.numpy()


@on_threads
def cuba(z_TBN: torch.Tensor, neurons: Dynamics) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """See ``reference.engine.cuba``."""
    tile, out, voltage, seen = _outputs(*z_TBN.shape)
    forward.forward_from_input(
        _array(z_TBN),
        *_per_neuron(neurons),
        np.int32(neurons.threshold),
        neurons.delay,
        tile,
        out,
        voltage,
        seen,
    )
    return _finish(out, voltage, seen, PRODUCT)


@on_threads
def dense_cuba(
    spikes_TBI: torch.Tensor, weight_OI: torch.Tensor, bits: int, neurons: Dynamics
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """See ``reference.engine.dense_cuba``; the last result is the input's events, if they pay."""
    events = EventLists(_rows(spikes_TBI))
    if not (events.binary and events.count <= EVENT_DENSITY * spikes_TBI.numel()):
        z = matmul(_rows(spikes_TBI), _quantized(weight_OI, bits).T)
        out, voltage, notes = cuba(_over_time(z, spikes_TBI), neurons)
        return out, voltage, notes, events.without()
    steps, batch, _ = spikes_TBI.shape
    integer_IO = take(tuple(weight_OI.shape[::-1]), np.int16)
    forward.quantized_rows(_array(weight_OI), *_half_limits(bits), integer_IO)
    tile, out, voltage, seen = _outputs(steps, batch, weight_OI.shape[0])
    forward.forward_by_events(
        events.starts,
        events.ends,
        events.sources,
        integer_IO,
        *_per_neuron(neurons),
        np.int32(neurons.threshold),
        neurons.delay,
        tile,
        out,
        voltage,
        seen,
    )
    return *_finish(out, voltage, seen, EVENTS), events.hand_over()


@on_threads
def cuba_backward(
    grad_out_TBN: torch.Tensor, voltage_TBN: torch.Tensor, neurons: Dynamics, learn: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.engine.cuba_backward``."""
    steps, batch, size = voltage_TBN.shape
    grad_z = take((steps, batch, size), np.float32)
    grad_decays = np.zeros((batch, 2, size), np.float32)
    backward.adjoint(
        _array(grad_out_TBN),
        _array(voltage_TBN),
        *_per_neuron(neurons),
        np.int32(neurons.threshold),
        neurons.delay,
        neurons.height,
        neurons.width,
        learn,
        _tile(batch, size),
        grad_z,
        grad_decays,
    )
    return torch.from_numpy(grad_z), _over_batch(grad_decays)


@on_threads
def dense_cuba_backward(
    grad_out_TBO: torch.Tensor,
    spikes_TBI: torch.Tensor | None,
    packed_events: torch.Tensor,
    weight_OI: torch.Tensor,
    bits: int,
    voltage_TBO: torch.Tensor,
    neurons: Dynamics,
    learn: bool,
    want_input: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """See ``reference.engine.dense_cuba_backward``."""
    if are_listed(packed_events):
        grad_z_TBO, grad_weight, grad_decays = _adjoint_by_events(
            grad_out_TBO, packed_events, weight_OI, bits, voltage_TBO, neurons, learn, want_input
        )
    else:
        assert spikes_TBI is not None, "without events the input itself is needed"
        grad_z_TBO, grad_decays = cuba_backward(grad_out_TBO, voltage_TBO, neurons, learn)
        product = matmul(_rows(grad_z_TBO).T, _rows(spikes_TBI))
        grad_weight = straight_through(torch.from_numpy(product), weight_OI, bits)
    if not want_input:
        return grad_out_TBO.new_empty(0), grad_weight, grad_decays
    grad_input = matmul(_rows(grad_z_TBO), _quantized(weight_OI, bits))
    return _over_time(grad_input, grad_out_TBO), grad_weight, grad_decays


def _adjoint_by_events(
    grad_out_TBO: torch.Tensor,
    packed_events: torch.Tensor,
    weight_OI: torch.Tensor,
    bits: int,
    voltage_TBO: torch.Tensor,
    neurons: Dynamics,
    learn: bool,
    want_grad_z: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of z (arbitrary unless wanted), the weight and both decays."""
    steps, batch, outputs = voltage_TBO.shape
    events = EventLists.unpack(packed_events.numpy(), steps * batch)
    grad_z = take((steps, batch, outputs) if want_grad_z else (1, 1, 1), np.float32)
    grad_decays = np.zeros((batch, 2, outputs), np.float32)
    grad_OI = take(tuple(weight_OI.shape), np.float32)
    backward.adjoint_by_events(
        events.starts,
        events.ends,
        events.sources,
        _array(weight_OI),
        *_half_limits(bits),
        _array(grad_out_TBO),
        _array(voltage_TBO),
        *_per_neuron(neurons),
        np.int32(neurons.threshold),
        neurons.delay,
        neurons.height,
        neurons.width,
        learn,
        want_grad_z,
        _tile(1, outputs),
        grad_z,
        grad_decays,
        grad_OI,
    )
    return (
        torch.from_numpy(grad_z),
        torch.from_numpy(grad_OI),
        _over_batch(grad_decays),
    )


@on_threads
def linear(signal_TBI: torch.Tensor, weight_OI: torch.Tensor) -> torch.Tensor:
    """See ``reference.engine.linear``."""
    return _over_time(matmul(_rows(signal_TBI), _array(weight_OI).T), signal_TBI)


@on_threads
def linear_backward(
    grad_z_TBO: torch.Tensor, signal_TBI: torch.Tensor, weight_OI: torch.Tensor, want_input: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.engine.linear_backward``."""
    grad_rows = _rows(grad_z_TBO)
    grad_weight = torch.from_numpy(matmul(grad_rows.T, _rows(signal_TBI)))
    if not want_input:
        return grad_z_TBO.new_empty(0), grad_weight
    return _over_time(matmul(grad_rows, _array(weight_OI)), signal_TBI), grad_weight


@on_threads
def leaky(z_TBN: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    """See ``reference.engine.leaky``."""
    u, keep_N = take(tuple(z_TBN.shape), np.float32), keep(decay, z_TBN.shape[2])
    forward.leaky_forward(_array(z_TBN), _array(keep_N), _tile(*z_TBN.shape[1:]), u)
    return torch.from_numpy(u)


@on_threads
def leaky_backward(
    grad_u_TBN: torch.Tensor, u_TBN: torch.Tensor, decay: torch.Tensor, learn: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.engine.leaky_backward``."""
    steps, batch, size = u_TBN.shape
    grad_z = take((steps, batch, size), np.float32)
    grad_decay = np.zeros((batch, size), np.float32)
    backward.leaky_adjoint(
        _array(grad_u_TBN),
        _array(u_TBN),
        _array(keep(decay, size)),
        learn,
        _tile(batch, size),
        grad_z,
        grad_decay,
    )
    return torch.from_numpy(grad_z), torch.from_numpy(grad_decay.sum(axis=0))


@on_threads
def spike_time(
    output_TBN: torch.Tensor, target_TBN: torch.Tensor, decay: float, order: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    steps, batch, neurons = output_TBN.shape
    filtered = take(tuple(output_TBN.shape), np.float32)
    h = van_rossum.convolved(decay, order, length, steps)
    if h is not None:
        difference = _array(output_TBN - target_TBN)
        van_rossum.convolve(difference, h, 1, _tile(batch, neurons), filtered)
        total = np.square(filtered, dtype=np.float64).sum()
        return _scalar(total), torch.from_numpy(filtered)
    squares = np.zeros((batch, neurons))
    van_rossum.filter_difference(
        _array(output_TBN),
        _array(target_TBN),
        *van_rossum.recurrence(decay, order, length),
        length,
        _tile(batch, neurons),
        filtered,
        squares,
    )
    return _scalar(squares.sum()), torch.from_numpy(filtered)


@on_threads
def spike_time_backward(
    filtered_TBN: torch.Tensor, grad_loss: torch.Tensor, decay: float, order: int, length: int
) -> torch.Tensor:
    """See ``reference.van_rossum.spike_time_backward``."""
    steps, batch, neurons = filtered_TBN.shape
    grad = take(tuple(filtered_TBN.shape), np.float32)
    h = van_rossum.convolved(decay, order, length, steps)
    if h is not None:
        scaled = h * (2.0 * float(grad_loss))
        van_rossum.convolve(_array(filtered_TBN), scaled, -1, _tile(batch, neurons), grad)
        return torch.from_numpy(grad)
    van_rossum.filter_adjoint(
        _array(filtered_TBN),
        *van_rossum.recurrence(decay, order, length),
        length,
        2.0 * float(grad_loss),
        _tile(batch, neurons),
        grad,
    )
    return torch.from_numpy(grad)
