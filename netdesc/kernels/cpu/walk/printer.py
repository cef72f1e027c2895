"""Writes the step of a neuron, and its adjoint, as source text for Numba.

``walk.neuron_step`` describes the functions that are written. Their values are SIMD vectors of
neurons. Names are numbered in the order in which values are computed, so that equal programs give
the same text in every process.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from netdesc.kernels.printing import (
    TEXTS,
    Leaf,
    Lines,
    invariants_read,
    value_of,
    write_function,
    write_tuple,
)
from netdesc.neurons.expressions import Expression
from netdesc.neurons.operations import BOOL, REAL, STATE_UNIT
from netdesc.neurons.program import Program

_IMPORTS = """\
from netdesc.kernels.cpu.runtime.numba_internals import step_function
from netdesc.kernels.cpu.runtime.simd import as_floats, as_ints, broadcast, where, zeros_like
from netdesc.kernels.cpu.runtime.simd_memory import load
from netdesc.kernels.cpu.runtime.state_arithmetic import (
    decay_near, decay_state, fall, magnitude, maximum, minimum, saturate, scale_to_state,
)

"""

_FAR_TEXTS = {
    **TEXTS,
    "negate": "zeros_like({0}) - {0}",
    "absolute": "magnitude({})",
    "minimum": "minimum({}, {})",
    "maximum": "maximum({}, {})",
    "where": "where({}, {}, {})",
    "times": "decay_state({}, {})",
    "scale": "{} * broadcast(np.int32({value}))",
    "rest": f"broadcast(np.int32({STATE_UNIT})) - {{}}",
    "to_real": f"as_floats({{}}) * broadcast(np.float32({1 / STATE_UNIT!r}))",
    "unless_first": "zeros_like({0}) if is_first else {0}",
}

_NEAR_TEXTS = {**_FAR_TEXTS, "times": "decay_near({}, {})", "saturate": "{}"}
"""The texts for states and products that are within the near limit."""

_OUTPUT_BITS = 12
"""A graded output is in units of ``2^-12`` of a threshold unit."""


def _literal(constant: Expression) -> str:
    assert constant.type is not BOOL, "conditions have no constants"
    number = "np.float32" if constant.type is REAL else "np.int32"
    return f"broadcast({number}({constant.value!r}))"


def _unpack(prefix: str, count: int, source: str) -> list[str]:
    """Returns the line that names the vectors of a tuple; none if the tuple is empty."""
    return [f"{write_tuple(_numbered(prefix, count))} = {source}"] if count else []


def _numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def _constants(program: Program, roots: list[Expression]) -> tuple[str, dict[Expression, str]]:
    """Returns the text of ``constants_of``, and the names of its results in a step."""
    shared = [each for each in invariants_read(roots) if each.operation != "constant"]
    places = {name: at for at, name in enumerate(program.parameters)}
    loads: dict[str, str] = {}

    def load(each: Expression) -> str:
        place = places[str(each.value)]
        loads[f"p{place}"] = f"p{place} = load(parameters[{place}], first, count)"
        return f"p{place}"

    printed = Lines({}, _FAR_TEXTS, {"constant": _literal, "parameter": load})
    result = f"return {write_tuple(printed.compute(shared))}"
    lines = [*loads.values(), *printed.lines, result]
    text = write_function("step_function", "constants_of", "parameters, first, count", lines)
    return text, dict(zip(shared, _numbered("k", len(shared)), strict=True))


def forward_source(program: Program, unit_bits: int) -> str:
    """Returns the constants and functions of ``neuron_step`` that a forward pass needs.

    A state's unit is ``2^-unit_bits`` of a threshold unit.
    """
    step = _ForwardStep(program, unit_bits)
    constants, known = _constants(program, step.roots)
    states, stored = len(program.states), len(program.forward.stored)
    return "".join(
        [
            _IMPORTS,
            f"STATES, EXTENTS, STORED = {states}, {states + len(step.watched)}, {stored}\n",
            f"NEAR_LIMIT = {program.near_limit}\n",
            constants,
            _to_states(len(program.inputs), unit_bits),
            _to_values(program.forward.output is not None),
            step.text("step_near", known, _NEAR_TEXTS),
            step.text("step_far", known, _FAR_TEXTS),
        ]
    )


def _to_states(inputs: int, unit_bits: int) -> str:
    unit = f"broadcast(np.float32({2.0**unit_bits!r}))"
    states = write_tuple(f"scale_to_state({name}, {unit})" for name in _numbered("x", inputs))
    lines = [*_unpack("x", inputs, "values"), f"return {states}"]
    return write_function("step_function", "to_states", "values", lines)


def _to_values(is_graded: bool) -> str:
    spikes = (
        "where(output != zeros_like(output), broadcast(np.float32(1)), broadcast(np.float32(0)))"
    )
    graded = f"as_floats(output) * broadcast(np.float32({2.0**-_OUTPUT_BITS!r}))"
    lines = [f"return {graded if is_graded else spikes}"]
    return write_function("step_function", "to_values", "output", lines)


class _ForwardStep:
    def __init__(self, program: Program, unit_bits: int) -> None:
        forward = program.forward
        self._program, self._forward, self._unit_bits = program, forward, unit_bits
        self._after = [forward.after[name] for name in program.states]
        self._before_reset = [forward.before_reset[name] for name in program.states]
        self.watched = [*_enlarged_by_reset(program), *forward.products]
        """What must be near besides the states before their reset."""
        emitted = [each for each in (forward.spike, forward.output) if each is not None]
        self.roots = [
            *self._before_reset, *self._after, *emitted, *forward.stored, *self.watched
        ]  # fmt: skip

    def text(self, name: str, known: Mapping[Expression, str], texts: Mapping[str, str]) -> str:
        program, forward = self._program, self._forward
        states, inputs, extents = (
            len(program.states), len(program.inputs), len(program.states) + len(self.watched)
        )  # fmt: skip
        leaves: Mapping[str, Leaf] = {
            "constant": _literal,
            "input": lambda each: f"x{program.inputs.index(str(each.value))}",
            "state": lambda each: f"s{program.states.index(str(each.value))}",
            "fired_before": lambda _: "has_fired",
        }
        printed = Lines(known, texts, leaves)
        sizes = printed.compute(self._before_reset)
        if texts is _NEAR_TEXTS:
            sizes += printed.compute(self.watched)
        largest = [f"maximum(m{at}, magnitude({size}))" for at, size in enumerate(sizes)]
        largest += _numbered("m", extents)[len(sizes) :]
        after, stored = printed.compute(self._after), printed.compute(forward.stored)
        fired, output = self._emit(printed)
        results = [write_tuple([*after, fired]), output, write_tuple(stored), write_tuple(largest)]
        lines = [
            *_unpack("k", len(known), "constants"),
            *_unpack("x", inputs, "arrived"),
            *_unpack("s", states + 1, "states"),
            *_unpack("m", extents, "extents"),
            f"has_fired = s{states} != zeros_like(s{states})",
            *printed.lines,
            f"return {', '.join(results)}",
        ]
        return write_function("step_function", name, "constants, arrived, states, extents", lines)

    def _emit(self, printed: Lines) -> tuple[str, str]:
        spike, output = self._forward.spike, self._forward.output
        zeros = f"zeros_like(s{len(self._program.states)})"
        (condition,) = printed.compute([spike] if spike is not None else []) or [None]
        fired = printed.add(f"as_ints({condition})") if condition else zeros
        if output is None:
            return fired, fired
        (value,) = printed.compute([output])
        if self._unit_bits > _OUTPUT_BITS:
            shift = self._unit_bits - _OUTPUT_BITS
            value = printed.add(f"{value} >> broadcast(np.int32({shift}))")
        return fired, f"where({condition}, {value}, {zeros})" if condition else value


def _enlarged_by_reset(program: Program) -> Iterator[Expression]:
    """Yields the states after a reset that may be beyond the near limit though none was before."""
    forward = program.forward
    for name in program.states:
        after, before = value_of(forward.after[name]), value_of(forward.before_reset[name])
        branches = [*map(value_of, after.arguments)][1:] if after.operation == "where" else (after,)
        if not all(
            each is before
            or (each.operation == "constant" and abs(int(each.value or 0)) <= program.near_limit)
            for each in branches
        ):
            yield after


def backward_source(program: Program) -> str:
    """Returns the constants and functions of ``neuron_step`` that a backward pass needs."""
    roots = program.backward.roots
    constants, known = _constants(program, [*chain(*roots)])
    _, carries, sums = map(len, roots)
    return "".join(
        [
            _IMPORTS,
            f"CARRIES, SUMS, STORED = {carries}, {sums}, {len(program.forward.stored)}\n",
            constants,
            _adjoint(program, known),
        ]
    )


def _adjoint(program: Program, known: Mapping[Expression, str]) -> str:
    leaves: Mapping[str, Leaf] = {
        "constant": _literal,
        "stored": lambda each: f"n{each.value}",
        "stored_before": lambda each: f"b{each.value}",
        "carry": lambda each: f"c{each.value}",
        "output_gradient": lambda _: "gradient",
    }
    printed = Lines(known, _FAR_TEXTS, leaves)
    inputs, carries, parameters = map(printed.compute, program.backward.roots)
    stored = len(program.forward.stored)
    results = [
        write_tuple(inputs),
        write_tuple(carries),
        write_tuple(f"g{at} + {name}" for at, name in enumerate(parameters)),
    ]
    lines = [
        *_unpack("k", len(known), "constants"),
        *_unpack("n", stored, "stored_now"),
        *_unpack("b", stored, "stored_before"),
        *_unpack("c", len(carries), "carries"),
        *_unpack("g", len(parameters), "sums"),
        *printed.lines,
        f"return {', '.join(results)}",
    ]
    arguments = "constants, stored_now, stored_before, is_first, gradient, carries, sums"
    return write_function("step_function", "adjoint", arguments, lines)
