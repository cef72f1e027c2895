"""Runs NIR files in float64, as the tools do that read them: with Euler steps.

The neurons of NIR 1.0.8 are v' = v + dt/tau·(v_leak - v + r·input), which spike above or at the
threshold and are then set to v_reset. Cycles are read one step later.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from netdesc.exchange.nir.nir_record import NirGraph, NirNode
from netdesc.hardware.layers import DelayLine, Signal

FiresAt = Literal[">", ">="]
"""Whether neurons spike above the threshold only, or at it, too."""

Values = NDArray[np.float64]
"""What a node gets or hands on, [steps, *shape]."""

Fields = dict[str, Any]
NodeRun = Callable[[Values], Values]
"""Computes the next steps of a node, which keeps its states from call to call."""

CHUNK_STEPS, CHUNK_NUMBERS = 256, 1 << 24
"""Limits of a chunk: its steps, and its steps times the values that the kernels of a node read."""


def run_euler(graph: NirGraph, input_TN: NDArray[Any], dt: float, fires_at: FiresAt) -> Values:
    """Returns what arrives at the node Output, [steps, neurons], for an input [steps, *shape].

    ``dt`` is the length of a step in seconds. ValueError if a node has a type without a rule here.
    """
    order, is_cyclic = running_order(graph)
    (shape,) = (node.fields["shape"] for node in graph.nodes.values() if node.type == "Input")
    sources: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        sources[target].append(source)
    runs = {name: _make_run(node, dt, fires_at) for name, node in graph.nodes.items()}
    (end,) = (name for name, node in graph.nodes.items() if node.type == "Output")
    outputs: list[Values] = []
    values: dict[str, Values] = {}
    most = max(_values_per_step(node) for node in graph.nodes.values())
    chunk = 1 if is_cyclic else max(1, min(CHUNK_STEPS, CHUNK_NUMBERS // most))
    input_T = np.asarray(input_TN, np.float64).reshape(len(input_TN), *np.asarray(shape).tolist())
    for first in range(0, len(input_T), chunk):
        last = values
        values = {}
        for name in order:
            arriving = [values.get(source, last.get(source)) for source in sources[name]]
            present = [value for value in arriving if value is not None]  # not at a cycle's start
            is_input = graph.nodes[name].type == "Input"
            total = input_T[first : first + chunk] if is_input else sum(present[1:], present[0])
            values[name] = runs[name](total)
        outputs.append(values[end].reshape(len(values[end]), -1))
    return np.concatenate(outputs) if outputs else np.zeros((0, 0))


def running_order(graph: NirGraph) -> tuple[list[str], bool]:
    """Returns the nodes in the order in which values pass them, and whether there is a cycle.

    In a cycle, the neurons that something outside reaches come first.
    """
    waiting = Counter(target for _, target in graph.edges)
    order: list[str] = []
    ready = [name for name in graph.nodes if not waiting[name]]
    is_cyclic = False
    while len(order) < len(graph.nodes):
        if not ready:
            is_cyclic = True
            reached = {target for source, target in graph.edges if source in order}
            left = [name for name in graph.nodes if name not in order]
            neurons = [name for name in left if graph.nodes[name].type in SPIKING]
            ready = [next((n for n in neurons if n in reached), (neurons or left)[0])]
        name = ready.pop(0)
        order.append(name)
        for source, target in graph.edges:
            if source == name:
                waiting[target] -= 1
                if not waiting[target] and target not in order:
                    ready.append(target)
    return order, is_cyclic


def _values_per_step(node: NirNode) -> int:
    """Returns about how many numbers a node holds for each step."""
    fields: dict[str, Any] = node.fields
    if node.type == "Conv2d":
        return math.prod(np.shape(fields["weight"])[1:]) * math.prod(fields["input_shape"])
    return max([1, *(np.size(value) for name, value in fields.items() if name != "weight")])


def _make_run(node: NirNode, dt: float, fires_at: FiresAt) -> NodeRun:
    if "r" in node.fields:
        return _Neurons(node, dt, fires_at)
    if node.type == "Delay":
        return _make_delays(np.rint(np.asarray(node.fields["delay"]) / dt).astype(np.int64))
    if node.type not in STATELESS:
        raise ValueError(f"a node of type {node.type} cannot be run")
    rule, fields = STATELESS[node.type], node.fields
    return lambda values_T: rule(values_T, fields)


class _Neurons:
    """Neurons: a current that is filtered, if the type has one, and a voltage."""

    def __init__(self, node: NirNode, dt: float, fires_at: FiresAt) -> None:
        fields = {name: np.asarray(value, np.float64) for name, value in node.fields.items()}
        tau = fields.get("tau_mem", fields.get("tau"))
        # I and IF have no leak: dv/dt = r·input.
        self._share = dt if tau is None else dt / tau
        self._leaks = tau is not None
        self._r, self._rest = fields["r"], fields.get("v_leak", 0.0)
        self._syn = None if "tau_syn" not in fields else dt / fields["tau_syn"]
        self._w_in = fields.get("w_in", 1.0)
        self._threshold = fields.get("v_threshold")
        self._reset = fields.get("v_reset", 0.0)
        self._fires = np.greater if fires_at == ">" else np.greater_equal
        self._current = self._voltage = np.zeros(1)

    def __call__(self, input_T: Values) -> Values:
        output_T = np.empty(input_T.shape)
        current, voltage = self._current, self._voltage
        for step, arriving in enumerate(input_T):
            if self._syn is not None:
                current = current + self._syn * (self._w_in * arriving - current)
                arriving = current
            leak = self._rest - voltage if self._leaks else 0.0
            voltage = voltage + self._share * (leak + self._r * arriving)
            output_T[step] = voltage
            if self._threshold is not None:
                fired = self._fires(voltage, self._threshold)
                voltage = np.where(fired, self._reset, voltage)
                output_T[step] = fired
        self._current, self._voltage = current, voltage
        return output_T


def _make_delays(steps: NDArray[np.int64]) -> NodeRun:
    line = DelayLine(steps.reshape(-1))

    def delay(values_T: Values) -> Values:
        flat_TN = values_T.reshape(len(values_T), -1)
        return line(Signal(flat_TN, 0)).values_TN.reshape(values_T.shape)

    return delay


def _pair(value: Any) -> tuple[int, int]:
    pair = np.broadcast_to(np.asarray(value, np.int64), 2)
    return int(pair[0]), int(pair[1])


def _windows(values_T: Values, fields: Fields) -> Values:
    """Returns [steps, channels, height, width, *kernel], the windows that the kernel sees."""
    size = fields["kernel_size"] if "kernel_size" in fields else np.shape(fields["weight"])[2:]
    (rows, columns), strides = _pair(size), _pair(fields["stride"])
    dilation = _pair(fields.get("dilation", 1))
    spans = dilation[0] * (rows - 1) + 1, dilation[1] * (columns - 1) + 1
    padding = fields["padding"]
    edges = [((span - 1) // 2, span // 2) for span in spans]
    if not isinstance(padding, str):
        edges = [(pad, pad) for pad in _pair(padding)]
    elif padding == "valid":
        edges = [(0, 0), (0, 0)]
    padded = np.pad(values_T, ((0, 0), (0, 0), *edges))
    windows = sliding_window_view(padded, spans, axis=(2, 3))[:, :, :: strides[0], :: strides[1]]
    return windows[..., :: dilation[0], :: dilation[1]]


def _convolve(values_T: Values, fields: Fields) -> Values:
    weight, groups = np.asarray(fields["weight"], np.float64), _pair(fields["groups"])[0]
    windows = np.split(_windows(values_T, fields), groups, 1)
    parts = zip(windows, np.split(weight, groups, 0), strict=True)
    sums = [np.tensordot(part, kernel, ((1, 4, 5), (1, 2, 3))) for part, kernel in parts]
    return np.moveaxis(np.concatenate(sums, 3), 3, 1) + np.reshape(fields["bias"], (-1, 1, 1))


def _flatten(values_T: Values, fields: Fields) -> Values:
    shape = values_T.shape[1:]
    first, last = (_pair(fields[name])[0] % len(shape) for name in ("start_dim", "end_dim"))
    return values_T.reshape(len(values_T), *shape[:first], -1, *shape[last + 1 :])


def _product(values_T: Values, fields: Fields) -> Values:
    return values_T @ np.asarray(fields["weight"], np.float64).T


STATELESS: dict[str, Callable[[Values, Fields], Values]] = {
    **dict.fromkeys(("Input", "Output"), lambda values_T, _: values_T),
    "Linear": _product,
    "Affine": lambda values_T, fields: _product(values_T, fields) + fields["bias"],
    "Scale": lambda values_T, fields: values_T * fields["scale"],
    "Threshold": lambda values_T, fields: (values_T > fields["threshold"]).astype(np.float64),
    "Conv2d": _convolve,
    "SumPool2d": lambda values_T, fields: _windows(values_T, fields).sum(axis=(4, 5)),
    "AvgPool2d": lambda values_T, fields: _windows(values_T, fields).mean(axis=(4, 5)),
    "Flatten": _flatten,
}
"""Type of a node without states -> what it computes of steps, and its fields."""

SPIKING = ("CubaLIF", "LIF", "IF")
