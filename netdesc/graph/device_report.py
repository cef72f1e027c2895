"""What a network needs on a device: memory, connections, operations, and what does not fit."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from netdesc.graph.nodes import Graph, SynapticNode

Target = Literal["loihi2", "microcontroller"]

LOIHI2 = {"cores": 128, "neurons": 1_048_576, "synapses": 120_000_000}
CORE_NEURONS = 8192
ADD_PJ, MULTIPLY_PJ = 0.9, 3.7
NOTES = {
    "loihi2": [
        "a chip has 128 cores and 120,000,000 synapses (open-neuromorphic.org, Loihi 2), and "
        "1,048,576 neurons, 8,192 a core (en.wikichip.org, Loihi 2)",
        "cores: the fewest for the neurons; their memory, which is not published, may need more",
    ],
    "microcontroller": [
        "flash and RAM: the tables and the state of netdesc export -o net.c; beside the tables, "
        "flash holds 1 to 4 KB of code; a KB is 1,024 bytes"
    ],
    "unknown": ["operations: only a run of this netdesc has counted them"],
    "known": [
        "events, operations: in a step, by the run's samples; weights that are 0 do not count",
        f"energy: an estimate, with {ADD_PJ} pJ an addition and {MULTIPLY_PJ} pJ a multiplication "
        "of float32 on 45 nm (M. Horowitz, Computing's energy problem, ISSCC 2014); memory, "
        "neurons and communication are not in it",
    ],
}
"""What the numbers rest on, by target, and by whether operations are known."""


class LayerNeeds(NamedTuple):
    """What a layer needs.

    ``memory_bytes`` are those of its weights. ``cores`` is the least number of cores that hold its
    neurons. ``events`` are those that reach it in a step, ``operations`` the weights other than 0
    that they meet, and ``energy_pj`` what adding these takes, times the events' values if these are
    graded; None if they are not known.
    """

    layer: str
    neurons: int
    synapses: int
    fan_in: int
    weight_bits: int | None
    memory_bytes: int
    cores: int
    events: float | None = None
    operations: float | None = None
    energy_pj: float | None = None


class DeviceReport(NamedTuple):
    """What a network needs on ``target``. ``total`` has the sums over layers, and ``sizes`` the
    bytes of flash and RAM of a microcontroller. ``problems`` are sentences about what does not fit,
    ``notes`` about what the numbers rest on.
    """

    target: Target
    layers: list[LayerNeeds]
    total: LayerNeeds
    sizes: Mapping[str, int]
    problems: list[str]
    notes: list[str]

    def record(self) -> dict[str, Any]:
        layers = [layer._asdict() for layer in self.layers]
        return self._asdict() | {"layers": layers, "total": self.total._asdict()}


def device_report(
    graph: Graph,
    target: Target,
    operations: Mapping[str, Sequence[float]],
    sizes: Mapping[str, int],
    limits: Mapping[str, int | None],
) -> DeviceReport:
    """Returns what ``graph`` needs.

    ``operations`` maps layers to events, additions and multiplications in a step, as far as they
    are known. Of a microcontroller, ``sizes`` and ``limits`` map ``bytes of flash`` and ``bytes of
    RAM`` to what the network needs and to what there is, as far as it is known.
    """
    layers = [_needs(layer, operations.get(layer.name)) for layer in graph.neuron_layers]
    columns: dict[str, Any] = dict(zip(LayerNeeds._fields, zip(*layers, strict=True), strict=True))
    sums: dict[str, Any] = {
        name: None if None in column else sum(column)
        for name, column in columns.items()
        if name not in ("layer", "fan_in", "weight_bits")
    }
    total = LayerNeeds("all", fan_in=max(columns["fan_in"]), weight_bits=None, **sums)
    what, needed = "the microcontroller", sizes
    if target == "loihi2":
        what, needed, limits = "one chip", sums, LOIHI2
    problems = [
        f'layer "{layer.layer}" has weights that are not quantised: train with '
        '"quantization": {"bits": 8}'
        for layer in layers
        if layer.weight_bits is None
    ]
    problems += [
        f"the network needs {needed[name]:,} {name}; {what} has {limit:,}"
        for name, limit in limits.items()
        if limit is not None and needed.get(name, 0) > limit
    ]
    notes = NOTES[target] + NOTES["unknown" if total.operations is None else "known"]
    return DeviceReport(target, layers, total, sizes, problems, notes)


def _needs(layer: SynapticNode, operations: Sequence[float] | None) -> LayerNeeds:
    more: dict[str, Any] = {}
    if operations is not None:
        events, adds, multiplies = map(float, operations)
        energy = adds * ADD_PJ + multiplies * (ADD_PJ + MULTIPLY_PJ)
        more = {"events": events, "operations": adds + multiplies, "energy_pj": energy}
    return LayerNeeds(
        layer.name,
        layer.neurons,
        layer.synapses,
        fan_in(layer),
        layer.bits,
        memory_bytes=-(-layer.weights * (layer.bits or 32) // 8),
        cores=-(-layer.neurons // CORE_NEURONS),
        **more,
    )


def fan_in(layer: SynapticNode) -> int:
    """Returns the number of connections of a neuron, its own included, where no edge cuts them."""
    section: Any = layer.section
    if section.is_elementwise or len(layer.weight_shape) == 2:
        return math.prod(layer.weight_shape[1:]) + section.feeds_back * layer.neurons
    channels, kernel = layer.input_shape[0], section.kernel_size
    if section.is_transposed:  # taps whose distance divides the stride reach one neuron
        steps = zip(section.strides, section.dilations, strict=True)
        reach = [stride // math.gcd(stride, dilation) for stride, dilation in steps]
        kernel = [-(-taps // step) for taps, step in zip(kernel, reach, strict=True)]
    return channels // section.groups_of(channels) * math.prod(kernel)
