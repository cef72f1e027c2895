"""What the tools that read NIR make of a file, and how a file is written for one of them.

Seen with nir 1.0.8, snnTorch 1.0.0, Norse 1.1.0, SpikingJelly 2.0.0, Spyx 1.0.0, sinabs 2.0.3 and
Rockpool 3.1.0; ``tests/peers/nir_tables.py`` repeats what it says of the first three.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.export_options import ExportOptions, Sample
from netdesc.exchange.nir.euler import FiresAt, run_euler, running_order
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


AS_IT_IS = Adaptation()


class Fault(NamedTuple):
    """What a tool does with a file for which ``applies``. ``is_fatal``: its spikes are no more
    those of the file, or it does not read it.
    """

    applies: Callable[[NirGraph], bool]
    text: str
    is_fatal: bool = True


class Tool(NamedTuple):
    """A tool. ``call`` reads a file in Python; ``fires_at`` is None if it cannot be compared."""

    name: str
    call: str
    fires_at: FiresAt | None
    faults: tuple[Fault, ...] = ()
    adaptation: Adaptation = AS_IT_IS


def _has(*types: str) -> Callable[[NirGraph], bool]:
    return lambda graph: any(node.type in types for node in graph.nodes.values())


def _fields(graph: NirGraph, name: str) -> Iterator[Any]:
    return (node.fields[name] for node in graph.nodes.values() if name in node.fields)


def _is_cyclic(graph: NirGraph) -> bool:
    return running_order(graph)[1]


def _has_rest(graph: NirGraph) -> bool:
    return any(np.any(rest) for rest in _fields(graph, "v_leak"))


def _differs(*names: str) -> Callable[[NirGraph], bool]:
    """Whether one of some parameters differs between the neurons of a node."""
    return lambda graph: any(
        np.size(values) and np.ptp(values) != 0 for name in names for values in _fields(graph, name)
    )


def _pads_sums(graph: NirGraph) -> bool:
    nodes = graph.nodes.values()
    return any(node.type == "SumPool2d" and np.any(node.fields["padding"]) for node in nodes)


def _weights_currents(graph: NirGraph) -> bool:
    """Whether a current gains more or less than what arrives."""
    for node in graph.nodes.values():
        if node.type == "CubaLIF":
            gain = np.asarray(node.fields["w_in"]) / np.asarray(node.fields["tau_syn"])
            if not np.allclose(gain * DT, 1, rtol=1e-6):
                return True
    return False


def _is_on_grid(graph: NirGraph) -> bool:
    """Whether states can be at the thresholds, in units of 1/4096."""
    return any(not np.any(level * STATE_UNIT % 1) for level in _fields(graph, "v_threshold"))


_INTEGRATORS = _has("CubaLI", "LI", "I")
_BATCH_OF_1 = Fault(_has("Flatten"), "flattens the batch, too: send one sample at a time", False)

SNNTORCH = Tool(
    "snnTorch",
    "snntorch.import_nir.import_from_nir(nir.read({file}))",
    ">",
    (
        Fault(_INTEGRATORS, "refuses a readout of voltages (CubaLI)"),
        Fault(_has("Delay"), "refuses a Delay"),
        Fault(_is_cyclic, "sends what arrives through the recurrent weights, too"),
        Fault(_has_rest, "refuses v_leak, the bias behind a current"),
        Fault(_differs("v_threshold"), "refuses thresholds that differ in a layer"),
        _BATCH_OF_1,
    ),
)
NORSE = Tool(
    "Norse",
    "norse.torch.from_nir(nir.read({file}), dt={dt:g})",
    ">",
    (
        Fault(_INTEGRATORS, "leaves out a readout of voltages (CubaLI) in silence"),
        Fault(_has("Delay"), "leaves out a Delay in silence, with all that is behind it"),
        Fault(_has_rest, "adds v_leak, the bias behind a current, to the current, too"),
        Fault(_has("AvgPool2d"), "does not read AvgPool2d"),
        Fault(_pads_sums, "ignores the padding of a SumPool2d"),
        _BATCH_OF_1,
    ),
)
SPIKINGJELLY = Tool(
    "SpikingJelly",
    "spikingjelly.activation_based.nir_exchange.import_from_nir({file}, dt={dt:g})",
    ">=",
    (
        Fault(_INTEGRATORS, "refuses a readout of voltages (CubaLI)"),
        Fault(_has("Delay"), "refuses a Delay"),
        Fault(_has_rest, "refuses v_leak, the bias behind a current"),
        Fault(
            _differs("v_threshold", "tau_mem", "tau_syn"), "refuses values that differ in a layer"
        ),
        Fault(_is_on_grid, "fires at the threshold, too; --for spikingjelly avoids that", False),
        Fault(_weights_currents, "refuses the weight of a SumPool2d: use --for spikingjelly"),
    ),
    Adaptation(threshold_shift=0.5 / STATE_UNIT, pools_by_kernels=True),
)
_SOFT = "resets by subtraction"
_MORE = f"{_SOFT}, and spikes several times a step"
SPYX = Tool(
    "Spyx",
    "spyx.nir.from_nir(nir.read({file}), …)",
    None,
    (
        Fault(_has("CubaLIF", "LIF", "IF"), _SOFT),
        Fault(_has("CubaLIF"), "ignores w_in and r"),
        Fault(_has("Conv2d", "SumPool2d"), "stops at Conv2d and SumPool2d"),
        Fault(_has("AvgPool2d"), "does not read AvgPool2d"),
        Fault(_has("Flatten"), "flattens all axes"),
    ),
    Adaptation(dt=1.0),
)
SINABS = Tool(
    "sinabs",
    "sinabs.from_nir.from_nir(nir.read({file}))",
    None,
    (
        Fault(_has("LIF"), _MORE),
        Fault(_has("LIF"), "computes decays as exp(-1/tau)"),
        Fault(_is_cyclic, "does not read recurrent layers"),
        Fault(_pads_sums, "ignores the padding of a SumPool2d"),
        Fault(_has("AvgPool2d"), "does not read AvgPool2d"),
    ),
    Adaptation(needs_affine=True, needs_lif=True),
)
ROCKPOOL = Tool(
    "Rockpool",
    "rockpool.nn.modules.from_nir(nir.read({file}))",
    None,
    (
        Fault(_has("CubaLIF"), _MORE),
        Fault(_has("CubaLIF"), "computes decays as exp(-dt/tau)"),
        Fault(_has("Conv2d", "SumPool2d", "AvgPool2d", "Flatten"), "does not read images"),
        Fault(_has("Delay"), "refuses a Delay"),
    ),
)

TOOLS = {
    each.name.lower(): each for each in (SNNTORCH, NORSE, SPIKINGJELLY, SPYX, SINABS, ROCKPOOL)
}
"""Name in lower case, as ``--for`` takes it -> the tool."""


def reading_notes(
    graph: NirGraph, path: str | Path, options: ExportOptions, early: int
) -> Iterator[str]:
    """Yields a sentence for each tool: how it reads the file, and how many spikes differ.

    The tool is the target of ``options``, or each that computes what NIR says. ``early`` is the
    number of steps by which the output of the file is early.
    """
    tools = [each for each in TOOLS.values() if each.fires_at is not None]
    if options.target is not None:
        tools = [TOOLS[options.target]]
    sample = options.sample
    if early:
        steps = "step" if early == 1 else f"{early} steps"
        yield f"the output comes {steps} earlier than in netdesc: NIR has no axonal delay step"
    if sample is not None and any(each.fires_at is not None for each in tools):
        length = f"{len(sample.input_TN):,} steps of {sample.name}"
        yield f"spikes that differ were counted with Euler steps of the file, in {length}"
    for tool in tools:
        faults = [fault for fault in tool.faults if fault.applies(graph)]
        texts = [fault.text for fault in faults]
        call = tool.call.format(file=f'"{path}"', dt=tool.adaptation.dt)
        if tool.fires_at is None:
            texts.insert(0, "runs, but not equal")
        elif sample is not None and not any(fault.is_fatal for fault in faults):
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
