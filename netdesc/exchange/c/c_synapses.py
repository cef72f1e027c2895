"""How events reach neurons: C text that adds half weights to sums, [pixels][channels] each."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from netdesc.exchange.c.c_program import UNIT, LayerJob, Source, fill
from netdesc.graph import INPUT, layers
from netdesc.hardware.integers import Integers
from netdesc.kernels.kernel_shape import KernelShape


class Synapses(NamedTuple):
    """The way from events to what neurons read.

    ``body`` returns the text for an event ``i`` of a source, from the texts of the sums, which
    count in 1/``unit``. ``sums`` are the largest magnitudes of the sums, one for each input of the
    neurons. ``arriving`` are texts of what arrives from sums ``{}``, in units of 2^-``bits`` of
    a weight, and ``bounds`` are their largest magnitudes.
    """

    unit: int
    body: Callable[[Source, Sequence[str]], list[str]]
    sums: list[int]
    bounds: list[int]
    bits: int
    arriving: Sequence[str] = ("{}", "{}")


def sum_bound(weight: Integers, sources: Sequence[Source], unit: int) -> int:
    """Bounds sums of weights [outputs, ...] over what arrives."""
    magnitudes = np.abs(weight.astype(np.int64)).reshape(len(weight), -1)
    row, largest = int(magnitudes.sum(axis=1).max()), int(magnitudes.max())
    return sum(
        row * source.most
        if source.graded
        else min(row * source.most, largest * source.total) * unit
        for source in sources
    )


def halves(values: Integers) -> Integers:
    """Returns half of the device's weights, which are even, so that 8 bits hold them."""
    assert not (values % 2).any()
    return values // 2


def _half_bits(unit: int) -> int:
    return unit.bit_length() - 2


def dense(job: LayerJob, weights: Sequence[Integers], unit: int) -> Synapses:
    tables = [job.program.table(f"{job.tag}_weights{at}", w.T) for at, w in enumerate(weights)]
    bounds = [sum_bound(weight, job.sources, unit) for weight in weights]

    def body(source: Source, sums: Sequence[str]) -> list[str]:
        pairs = zip(tables, sums, strict=True)
        return [add_row(*pair, "i", job.layer.neurons, source.times(unit)) for pair in pairs]

    return Synapses(unit, body, bounds, bounds, _half_bits(unit))


def add_row(table: str, sums: str, row: str, length: int, times: str) -> str:
    """Returns text that adds a row of weights to sums."""
    return fill("row", TABLE=table, SUM=sums, ROW=row, LENGTH=length, TIMES=times)


def kernel(job: LayerJob, weights: Sequence[Integers], unit: int) -> Synapses:
    layer, size = job.layer, job.layer.section.kernel_size
    shape = KernelShape.of_section(layer.section, layer.input_shape[0])
    tables, bounds = list[str](), list[int]()
    for at, weight in enumerate(weights):
        whole = np.broadcast_to(weight, (shape.groups, 1, *size)) if weight.ndim == 1 else weight
        grouped = whole.reshape(shape.groups, -1, *whole.shape[1:])
        table = grouped.transpose(0, 2, 3, 4, 1)  # [groups, inputs, *kernel, outputs]
        tables.append(job.program.table(f"{job.tag}_weights{at}", table))
        bounds.append(sum_bound(whole, job.sources, unit))
    first, step = np.array(shape.padding), -np.array(shape.dilation)
    up, down = (1, 1), shape.stride
    if shape.is_transposed:
        up, down, first, step = down, up, -first, -step
    outputs = layer.channels // shape.groups
    geometry = {"UP": up, "DOWN": down, "FIRST": first, "STEP": step, "SIZE": size}
    geometry |= {"IN": layer.input_shape, "OUT": layer.output_shape, "OUTPUTS": outputs}

    def body(source: Source, sums: Sequence[str]) -> list[str]:
        adds = [
            f"{total}[first + o] += {table}[tap * {outputs} + o]{source.times(unit)};"
            for table, total in zip(tables, sums, strict=True)
        ]
        return [fill("kernel", ADD=adds, GROUP=layer.input_shape[0] // shape.groups, **geometry)]

    return Synapses(unit, body, bounds, bounds, _half_bits(unit))


_LOWEST, _HIGHEST = -4 * UNIT, 127 * UNIT // 32
"""The range of weights, to which the input of the network is clipped, in 1/4096."""


def one_to_one(job: LayerJob, weights: Sequence[Integers], unit: int) -> Synapses:
    channels, pixels = job.layer.channels, job.layer.neurons // job.layer.channels
    index = "i" if pixels == 1 else f"i % {pixels} * {channels} + i / {pixels}"
    unit = UNIT if INPUT in job.layer.inputs else unit

    def body(source: Source, sums: Sequence[str]) -> list[str]:
        return [f"{x}[{index}] += {source.value(unit)};" for x in sums]

    text, fixed, most, bits = "{}", unit, job.most(unit), _half_bits(unit)
    sums = [most] * len(weights)
    if INPUT in job.layer.inputs:
        prefix, fixed, most, bits = job.program.prefix, 32, 128, 4
        rounding = fill("on_grid", P=prefix, LOW=_LOWEST, HIGH=_HIGHEST)
        job.program.functions["on_grid"], text = rounding + "\n", f"{prefix}_on_grid({{}})"
    pairs = [(int(weight), int(bias)) for weight, bias in weights]
    bounds = [most * abs(weight) + abs(bias) * fixed for weight, bias in pairs]
    texts = [f"({text} * {weight} + {fixed * bias})" for weight, bias in pairs]
    return Synapses(unit, body, sums, bounds, bits, texts)


SYNAPSES: dict[type[layers.LayerSection], Callable[..., Synapses]] = {
    **dict.fromkeys((layers.Dense, layers.Recurrent, layers.WinnerTakeAll), dense),
    **dict.fromkeys((layers.Conv, layers.ConvTranspose, layers.SumPool, layers.Upsample), kernel),
    layers.Neurons: one_to_one,
}
"""Class of a section -> what writes its synapses, from half weights for each input of a neuron."""
