"""What a C file is made of: the fields of its state, its tables, and a function for each layer."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError
from netdesc.hardware import Weights

UNIT = 4096
"""Values of events are in units of 1/4096 of a threshold unit; a spike is worth this much."""

INT32, INT64 = "int32_t", "int64_t"

_TEXT = "\n" + Path(__file__).with_name("templates.txt").read_text("utf-8")
_TEMPLATES = dict(section.split("\n", 1) for section in _TEXT.split("\n== ")[1:])


def fill(template: str, **values: Any) -> str:
    """Returns a template, in which ``@NAME@`` or ``@NAME[1]@`` is a value or a part of it.

    A name that stands alone is a text, or a list of texts below one another.
    """

    def lines(match: re.Match[str]) -> str:
        value = values[match[2]]
        text = value if isinstance(value, str) else "\n".join(value)
        return "".join(f"{match[1]}{line}".rstrip() + "\n" for line in text.splitlines())

    text = re.sub(r"^( *)@(\w+)@\n", lines, _TEMPLATES[template], flags=re.MULTILINE)
    parts = re.sub(r"@([\w.\[\]]+)@", lambda match: f"{{{match[1]}}}".format_map(values), text)
    return parts.rstrip("\n")


def integer_type(bound: int) -> str:
    """Returns the type of integers up to this magnitude. LayerError if 64 bits do not hold them."""
    if bound >= 1 << 63:
        raise LayerError("", "has values that may leave 64 bits", hint="limit states with clip")
    return INT32 if bound < 1 << 31 else INT64


class Source(NamedTuple):
    """Events that a layer reads.

    ``view`` is the C text of a pointer to them. ``most`` is the largest magnitude of the sum of
    values at one index, in units of 1/4096 if they are ``graded``, else 1. ``total`` is the largest
    number of events, in which an index occurs once if they are ``unique``. ``maps`` are statements
    that turn an index ``i`` of the events into one of the layer.
    """

    view: str
    graded: bool
    most: int
    total: int
    unique: bool = True
    maps: tuple[str, ...] = ()

    def value(self, unit: int) -> str:
        """Returns the text of the value of an event, in units of 1/``unit``."""
        return "value" if self.graded else str(unit)

    def times(self, unit: int) -> str:
        """Returns text that multiplies by the value of an event."""
        return "" if self.value(unit) == "1" else f" * {self.value(unit)}"


class LayerJob(NamedTuple):
    """A layer that is to be written. ``tag`` begins its names. ``inputs`` are the shape of each of
    its inputs, and what that hands on."""

    program: "CProgram"
    tag: str
    layer: Any
    weights: Weights
    inputs: list[tuple[tuple[int, ...], tuple[Source, ...]]]

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that its inputs hand on, which adds up."""
        return tuple(source for _, signal in self.inputs for source in signal)

    @property
    def unit(self) -> int:
        """4096 if the sum of the sources is in units of 1/4096, else 1."""
        return UNIT if any(source.graded for source in self.sources) else 1

    def most(self, unit: int) -> int:
        """Returns the largest magnitude of the sum of the sources, in units of 1/``unit``."""
        return sum(source.most if source.graded else source.most * unit for source in self.sources)

    def loops(self, num: str, body: Callable[[Source], str | Iterable[str]]) -> list[str]:
        """Returns loops over all events that it reads. ``body`` returns the text for event ``i`` of
        a source, which has a ``value`` if it is graded."""
        return [
            fill("events", AT=at, MAPS=source.maps, BODY=body(source),
                 READ=f"const {num} value = ({num})in{at}->value[k];" * source.graded)
            for at, source in enumerate(self.sources)
        ]  # fmt: skip

    def sum_up(self, x: str, num: str, unit: int) -> list[str]:
        """Returns text that adds the values of events, in 1/``unit``, to an array of the input."""
        return self.loops(num, lambda source: f"{x}[i] += {source.value(unit)};")


class CProgram:
    """Collects the text of a network. All names that C sees outside begin with ``prefix``."""

    def __init__(self, prefix: str, most_index: int) -> None:
        self.prefix = prefix
        self.index_type = "uint16_t" if most_index < 1 << 16 else "uint32_t"
        self.fields: dict[str, tuple[str, int]] = {}
        """Name -> type and length of an array of the state, length 0 of a number."""
        self.tables: dict[str, str] = {}
        self.table_bytes = 0
        self.functions: dict[str, str] = {}
        self.most_value = UNIT
        """The largest magnitude of the values of events."""

    @property
    def value_type(self) -> str:
        return integer_type(self.most_value)

    def field(self, type: str, name: str, length: int = 0) -> str:
        """Adds a field to the state, or lengthens it, and returns its text."""
        self.fields[name] = type, max(length, self.fields.get(name, ("", 0))[1])
        return f"s->{name}"

    def sums(self, num: str, which: int, length: int) -> str:
        """Returns the text of an array that layers share; all of it is 0 between layers."""
        return self.field(num, f"{'wide_' * (num == INT64)}x{which}", length)

    def declarations(self) -> list[str]:
        """Returns the text of the fields, largest types first, which leaves no gaps."""
        fields = sorted(self.fields.items(), key=lambda field: -self._size(field[1][0]))
        return [f"{type} {name}{f'[{length}]' * (length > 0)};" for name, (type, length) in fields]

    def state_bytes(self) -> int:
        """Returns the size of the state where pointers have 4 bytes."""
        fields = [(self._size(type), max(1, length)) for type, length in self.fields.values()]
        alignment = max(4, *(size for size, _ in fields))
        total = 3 * 4 + sum(size * length for size, length in fields)
        return -(-total // alignment) * alignment

    def _size(self, type: str) -> int:
        own = {f"{self.prefix}_index": self.index_type, f"{self.prefix}_value": self.value_type}
        return np.dtype(own.get(type, type).removesuffix("_t")).itemsize

    def table(self, name: str, values: NDArray[Any]) -> str:
        """Adds a constant array of the smallest type that holds it, and returns its name."""
        name, flat = f"{self.prefix}_{name}", values.reshape(-1)
        type, size, texts = "float", 4, (f"{float(value).hex()}f" for value in flat)
        if flat.dtype.kind != "f":
            most = max(int(flat.max()), ~int(flat.min()))
            size = next(size for size in (1, 2, 4, 8) if most < 1 << (8 * size - 1))
            type, texts = f"int{8 * size}_t", map(str, flat.tolist())
        self.table_bytes += size * flat.size
        self.tables[name] = constant_array(type, name, texts)
        return name

    def function(self, job: LayerJob, body: Iterable[str]) -> None:
        """Adds the function of a layer, which reads ``in0``, ``in1``, ... and fills ``out``."""
        inputs = (f", const {self.prefix}_events *in{at}" for at in range(len(job.sources)))
        values = f"s->{job.tag}_value" if f"{job.tag}_value" in self.fields else "0"
        texts = {"P": self.prefix, "TAG": job.tag, "INPUTS": "".join(inputs), "LIST": values}
        self.functions[job.tag] = fill("function", BODY=body, **texts) + "\n"

    def push(self, tag: str, graded: bool, index: str, value: str) -> str:
        """Returns the text that appends an event to the list of a layer."""
        name = "push_value" if graded else "push_spike"
        return fill(name, P=self.prefix, TAG=tag, INDEX=index, VALUE=value)

    def list(self, tag: str, length: int, graded: bool) -> None:
        """Adds the list of the events of a layer to the state."""
        self.field(f"{self.prefix}_index", f"{tag}_index", length)
        if graded:
            self.field(f"{self.prefix}_value", f"{tag}_value", length)


def constant_array(type: str, name: str, texts: Iterable[str]) -> str:
    """Returns a table of numbers, 16 a line."""
    numbers = [*texts]
    rows = (", ".join(numbers[at : at + 16]) for at in range(0, len(numbers), 16))
    body = ",\n    ".join(rows)
    return f"static const {type} {name}[{len(numbers)}] = {{\n    {body}}};\n"
