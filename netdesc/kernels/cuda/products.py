"""Matrix products of dense synapses for Triton, which quantise the weights when they load them.

The kernels compute with ``round(32 · w)``, which is half the integer weight. With 8 bits this half
is −128..127, which 16-bit floats hold exactly. A signal is ``[rows, size]`` with steps · batch
rows.
"""

import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import ROUNDING
from netdesc.kernels.fixed_point import DEVICE_BITS, WEIGHT_UNIT
from netdesc.kernels.grid import half_limits

_HALVES = tl.constexpr(WEIGHT_UNIT / 2)
_PER_HALF = tl.constexpr(2 / WEIGHT_UNIT)
_LOW, _HIGH = map(tl.constexpr, map(float, half_limits(DEVICE_BITS)))


@triton.jit
def _halves(weight):
    """Returns ``round(32 · weight)``, with ties to even. Results beyond ±2²² are not rounded."""
    scaled = weight * _HALVES
    rounded = (scaled + ROUNDING) - ROUNDING
    return tl.where(tl.abs(scaled) < 4194304.0, rounded, scaled)


@triton.jit
def _on_grid(weight):
    halves = tl.where(weight == weight, _halves(weight), 0.0)
    halves = tl.where(halves < _LOW, _LOW, halves)
    return tl.where(halves > _HIGH, _HIGH, halves)


@triton.jit
def _tile(at, row, rows, column, columns):
    """Loads a tile of a row-major matrix [rows, columns]; 0 outside the matrix."""
    mask = (row < rows)[:, None] & (column < columns)[None, :]
    return tl.load(at + row.to(tl.int64)[:, None] * columns + column[None, :], mask=mask, other=0.0)


@triton.jit
def _store(at, row, rows, column, columns, tile):
    mask = (row < rows)[:, None] & (column < columns)[None, :]
    tl.store(at + row.to(tl.int64)[:, None] * columns + column[None, :], tile, mask=mask)


@triton.jit
def input_currents(
    signal,
    weight,
    z,
    rows,
    inputs,
    outputs,
    ROWS: tl.constexpr,
    INNER: tl.constexpr,
    OUTPUTS: tl.constexpr,
):
    """Computes ``z = signal · Wᵀ``, float32 [rows, outputs], where W is ``weight`` quantised.

    ``weight`` is [outputs, inputs]. Tensor cores multiply 16-bit floats if these hold the signal's
    values exactly, as for spikes. Products and float32 sums are then exact up to 2²⁴; a state
    already saturates at a sum of 2²². Other values (graded spikes, NaN) are multiplied in float32.
    Each program checks its own rows for such values, so that the host does not have to.
    """
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    output = tl.program_id(1) * OUTPUTS + tl.arange(0, OUTPUTS)
    column = tl.arange(0, INNER)
    odd = tl.zeros((ROWS, INNER), tl.int32)
    for start in range(0, inputs, INNER):
        s = _tile(signal, row, rows, start + column, inputs)
        odd += (s.to(tl.float16).to(tl.float32) != s).to(tl.int32)
    sums = tl.zeros((ROWS, OUTPUTS), tl.float32)
    if tl.max(tl.max(odd, 1), 0) == 0:
        for start in range(0, inputs, INNER):
            s = _tile(signal, row, rows, start + column, inputs).to(tl.float16)
            w = _on_grid(_tile(weight, output, outputs, start + column, inputs))
            sums = tl.dot(s, tl.trans(w.to(tl.float16)), sums)
        sums *= _PER_HALF
    else:
        for start in range(0, inputs, INNER):
            s = _tile(signal, row, rows, start + column, inputs)
            w = _on_grid(_tile(weight, output, outputs, start + column, inputs))
            # Weights are in threshold units, so that large values overflow as in the reference.
            sums = tl.dot(s, tl.trans(w * _PER_HALF), sums, input_precision="ieee")
    _store(z, row, rows, output, outputs, sums)


@triton.jit
def input_gradient(
    grad_z,
    weight,
    grad,
    rows,
    inputs,
    outputs,
    ROWS: tl.constexpr,
    INNER: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """Computes ``grad = grad_z · W``, float32 [rows, inputs], where W is ``weight`` quantised."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    input = tl.program_id(1) * INPUTS + tl.arange(0, INPUTS)
    column = tl.arange(0, INNER)
    sums = tl.zeros((ROWS, INPUTS), tl.float32)
    for start in range(0, outputs, INNER):
        g = _tile(grad_z, row, rows, start + column, outputs)
        w = _tile(weight, start + column, outputs, input, inputs)
        w = _on_grid(w) * _PER_HALF
        sums = tl.dot(g, w, sums, input_precision="tf32x3")
    _store(grad, row, rows, input, inputs, sums)


@triton.jit
def weight_gradient_parts(
    grad_z,
    signal,
    parts,
    rows,
    inputs,
    outputs,
    share,
    ROWS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """Computes ``grad_zᵀ · signal`` for each part of ``share`` rows, [parts, outputs, inputs].

    There are many more rows than weights, so the rows are divided among the programs.
    """
    output = tl.program_id(0) * OUTPUTS + tl.arange(0, OUTPUTS)
    input = tl.program_id(1) * INPUTS + tl.arange(0, INPUTS)
    part = tl.program_id(2)
    end = tl.minimum((part + 1) * share, rows)
    sums = tl.zeros((OUTPUTS, INPUTS), tl.float32)
    for start in range(part * share, end, ROWS):
        row = start + tl.arange(0, ROWS)
        g = _tile(grad_z, row, end, output, outputs)
        s = _tile(signal, row, end, input, inputs)
        sums = tl.dot(tl.trans(g), s, sums, input_precision="tf32x3")
    at = parts + part.to(tl.int64) * outputs * inputs
    _store(at, output, outputs, input, inputs, sums)


@triton.jit
def weight_gradient(parts, weight, grad, count, weights, BLOCK: tl.constexpr):
    """Adds up ``count`` parts of the gradient, each [weights]. Clamped weights get gradient 0."""
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    exists = index < weights
    total = tl.zeros((BLOCK,), tl.float32)
    at = parts + index
    for _ in range(count):
        total += tl.load(at, mask=exists, other=0.0)
        at += weights
    halves = _halves(tl.load(weight + index, mask=exists, other=0.0))
    inside = (halves >= _LOW) & (halves <= _HIGH)
    tl.store(grad + index, tl.where(inside, total, 0.0), mask=exists)
