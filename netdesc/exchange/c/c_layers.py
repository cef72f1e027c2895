"""What each kind of layer is in C: a function that reads events and hands on events."""

import math
from collections.abc import Callable

from netdesc.exchange.c.c_neurons import HandOn, neurons
from netdesc.exchange.c.c_program import UNIT, LayerJob, Source, event_loops, integer_type, unit_of
from netdesc.exchange.c.c_synapses import SYNAPSES
from netdesc.exchange.c.templates import fill
from netdesc.graph import layers


def _concat(job: LayerJob) -> tuple[Source, ...]:
    shape, first, sources = job.layer.input_shape, 0, list[Source]()
    before = math.prod(shape[: job.layer.section.axis])
    for part_shape, signal in job.inputs:
        part, whole = math.prod(part_shape) // before, math.prod(shape) // before
        text = f"i = i / {part} * {whole} + i % {part} + {first};"
        sources += [each._replace(maps=(*each.maps, text)) for each in signal]
        first += part
    return tuple(sources)


def _add(job: LayerJob, x: str, num: str, unit: int) -> list[str]:
    """Returns text that adds the values of events, in 1/``unit``, to an array of the input."""
    return event_loops(
        job.sources, num, lambda each: f"{x}[i] += {'value' if each.graded else unit};"
    )


def _most(job: LayerJob, unit: int) -> int:
    return sum(each.most_in(unit) for each in job.sources)


def _is_spike(job: LayerJob) -> bool:
    """Whether the sum of all inputs is 0 or 1 everywhere."""
    return len(job.sources) == 1 and job.sources[0].unique and not job.sources[0].graded


def _pool(job: LayerJob) -> tuple[Source, ...]:
    section, (_, height, width) = job.layer.section, job.layer.input_shape
    (rows, columns), stride, padding = section.window
    channels, out_height, out_width = job.layer.output_shape
    unit = 1 if _is_spike(job) and not section.is_mean else UNIT
    count, most = rows * columns if section.is_mean else 1, _most(job, unit)
    num = integer_type(most * count)
    start, join = (
        (0, "result += v;")
        if count > 1 or section.is_mean
        else (f"-({num}){most}", "if (v > result) result = v;")
    )
    index = f"(c * {out_height} + y) * {out_width} + x"
    return _reduced(
        job, "pool", (unit, num, most), index, CHANNELS=channels, OUT_HEIGHT=out_height,
        OUT_WIDTH=out_width, HEIGHT=height, WIDTH=width, ROWS=rows, COLUMNS=columns,
        DOWN_Y=stride[0], DOWN_X=stride[1], PAD_Y=padding[0], PAD_X=padding[1],
        START=start, JOIN=join, DIVISOR=count,
    )  # fmt: skip


def _reduced(
    job: LayerJob, template: str, numbers: tuple[int, str, int], index: str, **texts: object
) -> tuple[Source, ...]:
    """Writes a layer that adds its input up in an array, from which ``template`` makes events.

    ``numbers`` are the unit of the array, its type and its largest magnitude.
    """
    (unit, num, most), program, tag = numbers, job.program, job.tag
    length, inputs = math.prod(job.layer.output_shape), math.prod(job.layer.input_shape)
    program.list(tag, length, unit > 1)
    x = program.sums(num, 0, inputs)
    push = program.push(tag, unit > 1, index, "result")
    clear = fill("clear", LENGTH=inputs, X=x)
    texts |= {"X": x, "NUM": num, "PUSH": push, "CLEAR": clear, "LENGTH": length}
    program.function(job, [*_add(job, x, num, unit), fill(template, **texts)])
    return (Source(f"&{tag}", unit > 1, most, length, True),)


def _average(job: LayerJob) -> tuple[Source, ...]:
    count = math.prod(job.layer.input_shape) // math.prod(job.layer.output_shape)
    most = _most(job, UNIT)
    numbers = UNIT, integer_type(most * count), most
    return _reduced(job, "mean", numbers, "n", COUNT=count, DIVISOR=count)


def _decimation(job: LayerJob) -> tuple[Source, ...]:
    factor, length, tag = job.layer.section.decimation, math.prod(job.layer.output_shape), job.tag
    most, program = _most(job, UNIT), job.program
    num = integer_type(most * factor)
    x = program.field(num, f"{tag}_total", length)
    program.field("uint32_t", f"{tag}_steps")
    program.list(tag, length, True)
    mean = fill(
        "mean", LENGTH=length, NUM=num, COUNT=1, X=x, DIVISOR=factor,
        PUSH=program.push(tag, True, "n", "result"), CLEAR=fill("clear", LENGTH=length, X=x),
    )  # fmt: skip
    end = fill("decimation", TAG=tag, DIVISOR=factor, MEAN=mean)
    program.function(job, [*_add(job, x, num, UNIT), end])
    return (Source(f"&{tag}", True, most, length, True),)


def _delay(job: LayerJob) -> tuple[Source, ...]:
    steps, length = job.layer.section.own_delay, math.prod(job.layer.output_shape)
    if steps == 0:
        return job.sources
    unit = 1 if _is_spike(job) else UNIT
    most = _most(job, unit)
    num = integer_type(most)
    hand_on, x = (
        HandOn(job, length, unit > 1, (steps, str(steps))),
        job.program.sums(num, 0, length),
    )
    job.program.function(job, [*_add(job, x, num, unit), hand_on.text(x)])
    return (hand_on.source(most),)


EMITTERS: dict[type[layers.LayerSection], Callable[[LayerJob], tuple[Source, ...]]] = {
    **dict.fromkeys((layers.Flatten, layers.Reshape), lambda job: job.sources),
    layers.Concat: _concat,
    **dict.fromkeys((layers.MaxPool, layers.AveragePool), _pool),
    layers.PopulationAverage: _average,
    layers.TimeDecimation: _decimation,
    layers.Delay: _delay,
    **dict.fromkeys(SYNAPSES, neurons),
}
"""Class of a section -> what writes its layer, and returns what that hands on."""


def copy_output(job: LayerJob) -> Source:
    """Writes a layer that hands on its input in one list."""
    sources, unit = job.sources, unit_of(job.sources)
    job.program.list(job.tag, sum(each.total for each in sources), unit > 1)

    def body(source: Source) -> str:
        return job.program.push(job.tag, unit > 1, "i", "value" if source.graded else str(UNIT))

    job.program.function(job, event_loops(sources, job.program.value_type, body))
    return Source(f"&{job.tag}", unit > 1, 0, 0, False)
