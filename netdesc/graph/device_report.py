"""What a network needs on a device: memory, connections, operations, and what does not fit."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.description.shapes import INPUT
from netdesc.graph.connections import events_into, fan_in, fan_out
from netdesc.graph.nodes import Graph, SynapticNode

Target = Literal["loihi2", "microcontroller"]

KILOBYTE = 1024
"""Bytes of a KB in data sheets of microcontrollers."""


class Limit(NamedTuple):
    """What a chip has, and who states it."""

    value: int
    source: str


LOIHI2 = {
    "cores": Limit(128, "https://open-neuromorphic.org, Loihi 2"),
    "neurons": Limit(1_048_576, "https://en.wikichip.org, Loihi 2"),
    "neurons a core": Limit(8192, "https://en.wikichip.org, Loihi 2"),
    "synapses": Limit(120_000_000, "https://open-neuromorphic.org, Loihi 2"),
}
"""What a chip has. The memory of a core is not published, so a network may need more cores."""

ADD_PJ, MULTIPLY_PJ = 0.9, 3.7
ENERGY_NOTE = (
    f"energy: an estimate, with {ADD_PJ} pJ an addition and {MULTIPLY_PJ} pJ a multiplication of "
    "float32 on 45 nm (M. Horowitz, Computing's energy problem, ISSCC 2014); memory, neurons and "
    "communication are not in it"
)


class LayerNeeds(NamedTuple):
    """What a layer needs.

    ``events`` are those that reach it in a step, ``operations`` the connections that they have,
    and ``energy_pj`` what adding so many weights takes, times the events' values if these are
    graded; None if the events are not known. There would be ``synapses`` operations a step if every
    value were an event. ``cores`` is the least number of cores that hold its neurons.
    """

    layer: str
    neurons: int
    synapses: int
    fan_in: int
    weight_bits: int | None
    table_bytes: int
    state_bytes: int
    cores: int
    events: float | None = None
    operations: float | None = None
    energy_pj: float | None = None


class DeviceReport(NamedTuple):
    """What a network needs on ``target``. ``total`` has the sums over layers. ``problems`` are
    sentences about what does not fit, ``notes`` about what the numbers rest on.
    """

    target: Target
    layers: list[LayerNeeds]
    total: LayerNeeds
    problems: list[str]
    notes: list[str]

    def record(self) -> dict[str, Any]:
        layers = [layer._asdict() for layer in self.layers]
        return self._asdict() | {"layers": layers, "total": self.total._asdict()}


def device_report(
    graph: Graph,
    target: Target,
    events: Mapping[str, NDArray[Any]],
    *,
    flash: int | None = None,
    ram: int | None = None,
) -> DeviceReport:
    """Returns what ``graph`` needs.

    ``events`` are those of a step (see ``events_into``). If there are some of neurons and none of
    the input, the input holds real numbers, each of which is an event. ``flash`` and ``ram`` are
    those of a microcontroller, in bytes.
    """
    layers = list(_needs(graph, events))
    columns: dict[str, Any] = {
        name: [getattr(each, name) for each in layers] for name in LayerNeeds._fields[1:]
    }
    sums: dict[str, Any] = {
        name: None if None in column else sum(column) for name, column in columns.items()
    }
    total = LayerNeeds("all", **sums)._replace(fan_in=max(columns["fan_in"]), weight_bits=None)
    problems = [
        f'layer "{each.layer}" has weights that are not quantised: train with '
        '"quantization": {"bits": 8}'
        for each in layers
        if each.weight_bits is None
    ]
    what, rows = (
        "the microcontroller",
        [
            ("bytes of flash for its tables", total.table_bytes, flash),
            ("bytes of RAM for its state", total.state_bytes, ram),
        ],
    )
    if target == "loihi2":
        what, names = "one chip", ("cores", "neurons", "synapses")
        rows = [(name, getattr(total, name), LOIHI2[name].value) for name in names]
    problems += [
        f"the network needs {needed:,} {name}; {what} has {limit:,}"
        for name, needed, limit in rows
        if limit is not None and needed > limit
    ]
    notes = ["tables are in flash, beside 1 to 3 KB of code; the state is in RAM"]
    if target == "loihi2":
        notes = [
            f"a chip has {each.value:,} {name} ({each.source})" for name, each in LOIHI2.items()
        ]
        notes.append(
            "cores: the fewest for the neurons; their memory, which is not published, may need more"
        )
    if not events:
        notes.append("operations: only a run has spikes to count them from")
    elif total.operations is None:
        notes.append("operations: not known behind layers that pool or average")
    else:
        notes += ["events, operations: in a step, by the spikes of the run's samples", ENERGY_NOTE]
    return DeviceReport(target, layers, total, problems, notes)


def _needs(graph: Graph, events: Mapping[str, NDArray[Any]]) -> Iterator[LayerNeeds]:
    known = dict(events)
    graded = set[str]()
    if events and INPUT not in events:
        known[INPUT] = np.ones(math.prod(graph.input_shape))
        graded.add(INPUT)
    reached = events_into(graph, known)
    for layer in graph.layers:
        reads_graded = not graded.isdisjoint(layer.inputs)
        if not isinstance(layer, SynapticNode):
            graded |= {layer.name} if reads_graded else set()
            continue
        is_graded = layer.neuron.equations().output is not None
        graded |= {layer.name} if is_graded else set()
        more: dict[str, Any] = {}
        if (arriving := reached.get(layer.name)) is not None:
            sets, own = len(layer.weight_names), 0.0
            if layer.section.feeds_back:
                own = float(events[layer.name].sum())
            sums = float(arriving @ fan_out(layer)) * sets
            back = own * layer.neurons * sets
            energy = sums * (ADD_PJ + MULTIPLY_PJ * reads_graded)
            energy += back * (ADD_PJ + MULTIPLY_PJ * is_graded)
            more = {"events": float(arriving.sum()) + own, "operations": sums + back}
            more |= {"energy_pj": energy}
        states = len(layer.neuron.definition().states)
        yield LayerNeeds(
            layer.name,
            layer.neurons,
            layer.synapses,
            fan_in(layer),
            layer.bits,
            table_bytes=layer.weights,
            state_bytes=layer.neurons * 4 * (states + 1),
            cores=-(-layer.neurons // LOIHI2["neurons a core"].value),
            **more,
        )
