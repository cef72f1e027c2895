"""What the tools that read NIR make of a file, and how a file is written for one of them."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.export_options import ExportOptions, Sample
from netdesc.exchange.nir.euler import SPIKING, FiresAt, run_euler, running_order
from netdesc.exchange.nir.nir_record import DT, NirGraph
from netdesc.kernels.fixed_point import STATE_UNIT


class Adaptation(NamedTuple):
    """How a file is written for a tool.

    ``threshold_shift`` is added to thresholds: half a unit of the states makes ``>=`` of ``>``. A
    tool may need an Affine, with a bias of zeros, in place of a Linear, a LIF in place of a
    CubaLIF, and kernels in place of a SumPool2d with a weight.
    """

    dt: float = DT
    threshold_shift: float = 0.0
    needs_affine: bool = False
    needs_lif: bool = False
    pools_by_kernels: bool = False


class Tool(NamedTuple):
    """A tool, as ``tools.toml`` describes it."""

    name: str
    call: str
    fatal: Mapping[str, str]
    other: Mapping[str, str] = MappingProxyType({})
    fires_at: FiresAt | None = None
    adaptation: Adaptation = Adaptation()


_TEXT = Path(__file__).with_name("tools.toml").read_text("utf-8")
TOOLS = {
    name: Tool(**{**fields, "adaptation": Adaptation(**fields.get("adaptation", {}))})
    for name, fields in tomllib.loads(_TEXT).items()
}
"""Name as ``--for`` takes it -> the tool."""


def _has(*types: str) -> Callable[[NirGraph], bool]:
    return lambda graph: any(node.type in types for node in graph.nodes.values())


def _any(
    test: Callable[[NDArray[Any]], Any], *names: str, kind: str = ""
) -> Callable[[NirGraph], bool]:
    """Whether a test holds for one of the fields that are named, of nodes of a type or of all."""
    return lambda graph: any(
        bool(np.any(test(np.asarray(node.fields[name]))))
        for node in graph.nodes.values()
        for name in names
        if name in node.fields and kind in ("", node.type)
    )


def _weights_sums(graph: NirGraph) -> bool:
    """Whether a current gains more or less than what arrives, times a weight of a pool."""
    nodes = [node.fields for node in graph.nodes.values() if node.type == "CubaLIF"]
    gains = (np.asarray(node["w_in"]) * DT / np.asarray(node["tau_syn"]) for node in nodes)
    return not all(np.allclose(gain, 1, rtol=1e-6) for gain in gains)


PROPERTIES: dict[str, Callable[[NirGraph], bool]] = {
    "average": _has("AvgPool2d"),
    "constants": _any(np.ptp, "tau_mem", "tau_syn"),
    "current": _has("CubaLIF"),
    "cycle": lambda graph: running_order(graph)[1],
    "delay": _has("Delay"),
    "flatten": _has("Flatten"),
    "integrator": _has("CubaLI"),
    "kernel": _has("Conv2d", "SumPool2d", "AvgPool2d"),
    "on_grid": _any(lambda level: level * STATE_UNIT % 1 == 0, "v_threshold"),
    "padded_sum": _any(lambda padding: padding, "padding", kind="SumPool2d"),
    "rest": _any(lambda rest: rest, "v_leak"),
    "spiking": _has(*SPIKING),
    "thresholds": _any(np.ptp, "v_threshold"),
    "weighted_sum": _weights_sums,
}
"""Name in ``tools.toml`` -> whether a file has the property."""


def reading_notes(
    graph: NirGraph, path: str | Path, options: ExportOptions, early: int
) -> Iterator[str]:
    """Yields a sentence for each tool: how it reads the file, and how many spikes differ.

    The tool is the target of ``options``, or each that computes what NIR says. ``early`` is the
    number of steps by which the output of the file is early.
    """
    tools = [tool for tool in TOOLS.values() if tool.fires_at is not None]
    if options.target is not None:
        tools = [TOOLS[options.target]]
    sample = options.sample
    if early:
        steps = "step" if early == 1 else f"{early} steps"
        yield f"the output comes {steps} earlier than in netdesc: NIR has no axonal delay step"
    if sample is not None and any(tool.fires_at is not None for tool in tools):
        length = f"{len(sample.input_TN):,} steps of {sample.name}"
        yield f"spikes that differ were counted with Euler steps of the file, in {length}"
    for tool in tools:
        texts = [text for name, text in tool.fatal.items() if PROPERTIES[name](graph)]
        is_equal = not texts
        texts += [text for name, text in tool.other.items() if PROPERTIES[name](graph)]
        call = tool.call.format(file=f'"{path}"', dt=tool.adaptation.dt)
        if tool.fires_at is None:
            texts.insert(0, "not equal")
        elif sample is not None and is_equal:
            different, wanted, what = count_differences(graph, sample, early, tool.fires_at)
            texts.insert(0, f"{different:,} of {wanted:,} {what} differ")
        yield f"{tool.name}: {call}: {'; '.join(texts)}"


def count_differences(
    graph: NirGraph, sample: Sample, early: int, fires_at: FiresAt
) -> tuple[int, int, str]:
    """Returns the ``differences`` of an Euler run of a file."""
    dt = float(graph.metadata["dt"])
    return differences(run_euler(graph, sample.input_TN, dt, fires_at), sample, early)


def differences(output_TN: NDArray[Any], sample: Sample, early: int) -> tuple[int, int, str]:
    """Returns how many outputs differ, how many are not 0 in the network, and what these are.

    ``output_TN`` [steps, neurons] comes ``early`` steps earlier than that of the sample.
    """
    wanted_TN = np.asarray(sample.output_TN, np.float64)
    ours_TN = output_TN[: len(wanted_TN) - early]
    difference = np.abs(ours_TN - wanted_TN[early:]) > 0.5 / STATE_UNIT
    what = "spikes" if set(np.unique(wanted_TN)) <= {0.0, 1.0} else "values"
    return int(difference.sum()), int(np.count_nonzero(wanted_TN)), what
