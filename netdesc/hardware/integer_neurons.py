"""Simulates the device's neurons in exact integers with 24-bit states, from their equations.

The time loop is written as source text for each neuron. The text runs in two ways, with the same
results: compiled by Numba, where ``n`` is one neuron, or in Python, where ``n`` are all neurons and
values are numpy arrays. Python needs no compiler, so it runs the first steps.
"""

import functools
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.kernels.fixed_point import DEVICE_STATE_LIMIT
from netdesc.kernels.printing import TEXTS, LeafFields, Lines, Printer, leaf_fields, value_of
from netdesc.neurons.definition import Definition
from netdesc.neurons.equations import read
from netdesc.neurons.expressions import Expression
from netdesc.neurons.operations import GRID, REAL, SHARE
from netdesc.neurons.program import Neuron

PAYLOAD_BITS = 12
"""Graded outputs are in units of 2⁻¹² of a threshold unit."""

MAX_PYTHON_STEPS = 4000
"""Number of steps of layers that a process runs in Python before it loads Numba.

Python takes 0.07 ms a step of a layer, and loading Numba 0.25 s. A process that has loaded torch or
Numba took longer to start, so it compiles at once. To compile a neuron, which is done once on a
machine, takes 0.5 s, or 2 s for the first one.
"""

_LOOP, _NUMBA_HEADER, _TEXTS = (
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("neuron_loop.txt", "numba_header.txt", "neuron_texts.toml")
)
_PRINTER = Printer(TEXTS | tomllib.loads(_TEXTS), {GRID: "int64", SHARE: "int64", REAL: "float32"})

_NUMPY_NAMES = {
    "np": np,
    **dict.fromkeys(("step_function", "neuron_kernel"), lambda function: function),
    "where": np.where,
    "count": np.count_nonzero,
}
"""What the text of a loop calls, for numpy arrays."""

_EACH_NEURON = "range(output_TN.shape[1])"
"""In the text itself: Numba does not learn from a function that no index is below 0."""

_ALL_NEURONS = "[np.arange(output_TN.shape[1])]"
"""Indices, because reading by a slice would not copy states that are overwritten."""


def _parameter_arrays(definition: Definition) -> tuple[list[str], list[str]]:
    """Returns the names of the parameters in the array of integers and in that of real numbers."""
    integers = [name for name, kind in definition.parameters if kind != "real"]
    reals = [name for name, kind in definition.parameters if kind == "real"]
    return [*integers, "bias"], reals


def loop_text(definition: Definition, neurons: str) -> str:
    """Returns the source text of a neuron's time loop, the function ``run``."""
    neuron = read(definition)
    parameters: LeafFields = {
        ("parameter", name): {"array": array, "index": index}
        for array, names in enumerate(_parameter_arrays(definition))
        for index, name in enumerate(names)
    }
    leaves = leaf_fields({}, definition.inputs, tuple(neuron.before_reset))
    step = StepLines(neuron, _PRINTER, {**leaves, **parameters})
    count = len(step.after)
    stores = [
        *(f"states_SN[{at}, n] = {name}" for at, name in enumerate(step.after)),
        f"states_SN[{count}, n] = {step.fired}",
        f"states_SN[{count + 1}, n] = output_TN[t, n] = {step.output}",
    ]
    return _LOOP.format(
        limit=DEVICE_STATE_LIMIT,
        neurons=neurons,
        reset=" = ".join([*(f"states_SN[{at}, n]" for at in range(count + 1)), "0"]),
        output_row=count + 1,
        zeros="".join(f"c{at} = 0; " for at in range(count)) or "pass",
        body=("\n" + 12 * " ").join([*step.lines, *stores]),
        sums="".join(f"counts_S[{at}] += c{at}; " for at in range(count)) or "pass",
    )


class StepLines(Lines):
    """Lines of one step of neurons. States wrap or are clipped where they are assigned.

    ``printer`` has texts for ``wrap``, ``clip``, ``cut`` (a division by 2^bits, rounded down),
    ``no_spike``, and ``exceeded`` if it counts values that a rule changes. ``after`` are the names
    of the states after the step, ``fired`` and ``output`` the texts of the spike and the output.
    """

    def __init__(self, neuron: Neuron, printer: Printer, leaves: LeafFields) -> None:
        super().__init__(printer, leaves)
        self._states, self._texts = [*neuron.before_reset], printer.texts
        self._assigned, self._wrapped = first_assignments(neuron), neuron.definition.wrapped
        self.compute(neuron.roots)
        self.fired = self._texts["no_spike"]
        if neuron.spike is not None:
            (self.fired,) = self.compute([neuron.spike])
        self.output = self.fired
        if neuron.output is not None:
            (self.output,) = self.compute([neuron.output])
            if bits := neuron.definition.unit_bits - PAYLOAD_BITS:
                text = self._texts["cut"].format(self.output, bits=bits, unit=1 << bits)
                self.output = self.add(text, GRID)
            if neuron.spike is not None:
                self.output = self._texts["where"].format(self.fired, self.output, 0)
        self.after = self.compute(neuron.after[state] for state in self._states)

    def _write(self, a: Expression) -> str:
        name = super()._write(a)
        state = self._assigned.get(a)
        if state is None or not a.arguments:
            return name
        rule = self._texts["wrap" if state in self._wrapped else "clip"]
        ruled = self.add(rule.format(name), a.type)
        if "exceeded" in self._texts:
            index = self._states.index(state)
            self.lines.append(self._texts["exceeded"].format(ruled, name, index=index))
        return ruled


def first_assignments(neuron: Neuron) -> dict[Expression, str]:
    """Returns each value that is assigned, and the state whose device rule it has.

    Equal states are one expression, which has the rule of the first.
    """
    assigned: dict[Expression, str] = {}
    for state, value in [*neuron.before_reset.items(), *neuron.after.items()]:
        assigned.setdefault(value_of(value), state)
    return assigned


@functools.cache
def _python_loop(definition: Definition) -> Callable[..., None]:
    names: dict[str, Any] = dict(_NUMPY_NAMES)
    exec(compile(loop_text(definition, _ALL_NEURONS), "<neurons>", "exec"), names)
    return names["run"]


_steps_in_python = 0


def runs_compiled(steps: int) -> bool:
    """Whether the next ``steps`` of a layer's neurons are run compiled."""
    global _steps_in_python
    if "torch" in sys.modules or "numba" in sys.modules:
        return True
    _steps_in_python += steps
    return _steps_in_python > MAX_PYTHON_STEPS


@functools.cache
def _compiled_loop(definition: Definition) -> Callable[..., None]:
    from netdesc.kernels.cpu.walk.generated import load_module

    return load_module(_NUMBA_HEADER + loop_text(definition, _EACH_NEURON), "integer").run


class RecurrentIntegers(NamedTuple):
    """What arrives at neurons besides the synaptic input of their layer, in units of 1/64."""

    weights: list[NDArray[np.int32]]
    """From their own outputs of the step before, [neurons, neurons], one for each input."""
    drive: NDArray[np.int32]
    """What arrives in every step, [] or [neurons]."""


class IntegerNeurons:
    """The neurons of one layer and their states.

    Each state wraps or is clipped at 24 bits when it is assigned, as ``Definition.wrapped`` says.
    """

    def __init__(
        self,
        definition: Definition,
        parameters: Mapping[str, Any],
        count: int,
        recurrent: RecurrentIntegers | None = None,
    ) -> None:
        """``parameters`` are integers on the grid (see ``ParameterKind``), [] or [count]."""
        self.definition = definition
        self.is_graded = definition.output is not None
        arrays: list[NDArray[Any]] = []
        for names, kind in zip(_parameter_arrays(definition), (np.int64, np.float32), strict=True):
            rows = [np.broadcast_to(parameters[name], count) for name in names]
            arrays.append(np.array(rows, kind).reshape(-1, count))
        self._parameters = tuple(arrays)
        self._names = definition.states
        self._states_SN = np.zeros((len(self._names) + 2, count), np.int64)
        """The states, whether the neuron fired in the step before, and its output then."""
        self._counts_S = np.zeros(len(self._names), np.int64)
        self._recurrent_IMN = np.zeros((len(definition.inputs), 0, count), np.int64)
        self._drive: NDArray[np.int64] | None = None
        if recurrent is not None:
            matrices = np.array([each.T for each in recurrent.weights], np.int64)
            self._recurrent_IMN = matrices if self.is_graded else matrices << PAYLOAD_BITS
            self._drive = recurrent.drive.astype(np.int64) << PAYLOAD_BITS

    @property
    def states(self) -> dict[str, NDArray[np.int64]]:
        """The states after the last step and its reset, [neurons] in state units."""
        return dict(zip(self._names, self._states_SN.copy(), strict=False))

    @property
    def exceeded(self) -> dict[str, int]:
        """State -> the number of values that exceeded 24 bits, and so wrapped or were clipped."""
        return dict(zip(self._names, self._counts_S.tolist(), strict=True))

    def run(
        self,
        inputs: Sequence[NDArray[np.int64]],
        bits: int,
        resets_T: NDArray[np.bool_],
        *,
        is_compiled: bool = False,
    ) -> NDArray[Any]:
        """Runs the next steps. Returns spikes, bool [steps, neurons], or a graded output.

        ``inputs`` [steps, neurons], one for each input, are in units of 2 to the power of ``bits``
        state units: 1/4096 of that of weights for a recurrent layer. States are set to 0 before the
        steps that ``resets_T`` marks. A graded output is int64 in units of 1/4096. Numba compiles
        the loop if ``is_compiled``.
        """
        loop = (_compiled_loop if is_compiled else _python_loop)(self.definition)
        output_TN = np.empty(inputs[0].shape, np.int64 if self.is_graded else np.bool_)
        states = self._states_SN, self._counts_S
        if self._drive is not None:
            inputs = [each + self._drive for each in inputs]  # to which the loop adds
        rows = tuple(map(np.ascontiguousarray, inputs))  # Numba compiles for each layout anew
        loop(rows, bits, self._parameters, *states, resets_T, self._recurrent_IMN, output_TN)
        return output_TN
