"""What each kind of layer is in C: a function that reads events and hands on events."""

import math
from collections.abc import Callable

from netdesc.exchange.c.c_neurons import HandOn, NeuronLayer
from netdesc.exchange.c.c_program import UNIT, LayerJob, Source, fill, integer_type
from netdesc.exchange.c.c_synapses import SYNAPSES
from netdesc.graph import layers


def _concat(job: LayerJob) -> tuple[Source, ...]:
    shape, first, sources = job.layer.input_shape, 0, list[Source]()
    before = math.prod(shape[: job.layer.section.axis])
    for part_shape, signal in job.inputs:
        part, whole = math.prod(part_shape) // before, math.prod(shape) // before
        text = f"i = i / {part} * {whole} + i % {part} + {first};"
        sources += [source._replace(maps=(*source.maps, text)) for source in signal]
        first += part
    return tuple(sources)


def _is_spike(job: LayerJob) -> bool:
    """Whether the sum of all inputs is 0 or 1 everywhere."""
    return len(job.sources) == 1 and job.sources[0].unique and not job.sources[0].graded


def _pool(job: LayerJob) -> tuple[Source, ...]:
    section = job.layer.section
    size, stride, padding = section.window
    unit = 1 if _is_spike(job) and not section.is_mean else UNIT
    texts = {"START": 0, "JOIN": "result += v;"}
    count = math.prod(size) if section.is_mean else 1
    if not section.is_mean:
        lowest = f"-({integer_type(job.most(unit))}){job.most(unit)}"
        texts = {"START": lowest, "JOIN": "if (v > result) result = v;"}
    _, height, width = shape = job.layer.output_shape
    texts |= {"SIZE": size, "STRIDE": stride, "PAD": padding, "IN": job.layer.input_shape}
    index = f"(c * {height} + y) * {width} + x"
    return _reduced(job, "pool", (unit, count), index, OUT=shape, **texts)


def _reduced(
    job: LayerJob, template: str, numbers: tuple[int, int], index: str, **texts: object
) -> tuple[Source, ...]:
    """Writes a layer that adds its input up in an array, from which ``template`` makes events.
    ``numbers`` are the unit of the array, and of how many of its values there are means."""
    (unit, count), program, tag, most = numbers, job.program, job.tag, job.most(numbers[0])
    length, inputs = math.prod(job.layer.output_shape), math.prod(job.layer.input_shape)
    num = integer_type(most * count)
    program.list(tag, length, unit > 1)
    keeps_total = job.layer.section.decimation != 1
    x = program.field(num, f"{tag}_total", inputs) if keeps_total else program.sums(num, 0, inputs)
    push = program.push(tag, unit > 1, index, "result")
    clear = fill("clear", LENGTH=inputs, X=x)
    texts |= {"X": x, "NUM": num, "PUSH": push, "CLEAR": clear, "LENGTH": length, "TAG": tag}
    body = fill(template, DIVISOR=count, **texts)
    program.function(job, [*job.sum_up(x, num, unit), body])
    return (Source(f"&{tag}", unit > 1, most, length),)


def _average(job: LayerJob) -> tuple[Source, ...]:
    count = math.prod(job.layer.input_shape) // math.prod(job.layer.output_shape)
    return _reduced(job, "mean", (UNIT, count), "n", COUNT=count)


def _decimation(job: LayerJob) -> tuple[Source, ...]:
    job.program.field("uint32_t", f"{job.tag}_steps")
    return _reduced(job, "decimation", (UNIT, job.layer.section.decimation), "n")


def _delay(job: LayerJob) -> tuple[Source, ...]:
    steps, length = job.layer.section.own_delay, math.prod(job.layer.output_shape)
    if steps == 0:
        return job.sources
    unit = 1 if _is_spike(job) else UNIT
    num = integer_type(job.most(unit))
    hand_on, x = HandOn(job, unit > 1, (steps, str(steps))), job.program.sums(num, 0, length)
    job.program.function(job, [*job.sum_up(x, num, unit), hand_on.text(x)])
    return (hand_on.source(job.most(unit)),)


EMITTERS: dict[type[layers.LayerSection], Callable[[LayerJob], tuple[Source, ...]]] = {
    **dict.fromkeys((layers.Flatten, layers.Reshape), lambda job: job.sources),
    layers.Concat: _concat,
    **dict.fromkeys((layers.MaxPool, layers.AveragePool), _pool),
    layers.PopulationAverage: _average,
    layers.TimeDecimation: _decimation,
    layers.Delay: _delay,
    **dict.fromkeys(SYNAPSES, lambda job: NeuronLayer(job).write()),
}
"""Class of a section -> what writes its layer, and returns what that hands on."""


def copy_output(job: LayerJob) -> Source:
    """Writes a layer that hands on its input in one list."""
    graded, program = job.unit > 1, job.program
    program.list(job.tag, sum(source.total for source in job.sources), graded)

    def body(source: Source) -> str:
        return program.push(job.tag, graded, "i", source.value(UNIT))

    program.function(job, job.loops(program.value_type, body))
    return Source(f"&{job.tag}", graded, 0, 0)
