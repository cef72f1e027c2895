"""How targets write the step of a neuron, and its adjoint, as source text.

A target is a ``Printer``: tables of texts. All targets write the same functions of a program, whose
values are those of one neuron or of several::

    constants_of(parameters, ...) -> constants
    step(constants, inputs, states) -> states, output, stored, extents
    adjoint(constants, stored, stored_before, is_first, output_gradient, carries)
        -> grad_inputs, carries, sums

``constants`` depend on parameters alone and are computed once, before the first step. ``states``
are the states after their reset, then 1 if the neuron fired, else 0. ``output`` is 0 or 1, or a
graded output. ``stored`` and ``stored_before`` are what the forward step stored in this step and
in the step before; ``is_first`` says that there is none before. ``extents`` are values whose
magnitude is watched: states before their reset, then what a target adds. ``carries`` are gradients
that the adjoint of the step after returned, and ``sums`` the gradients of learnable parameters.

Values are numbered in the order in which they are computed, so that equal programs have the same
text in every process. Text computes values alone: of ``with_gradient``, whose gradients are in the
adjoint, it computes the first argument.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.expressions import GRID_ZERO, Expression, Value, in_order, where
from netdesc.neurons.operations import STATE_UNIT, Type
from netdesc.neurons.program import Program
from netdesc.neurons.storage import spike_flag

TEXTS = {
    "input": "inputs[{index}]",
    "state": "states[{index}]",
    "fired_before": "states[{index}] != 0",
    "stored": "stored[{index}]",
    "stored_before": "stored_before[{index}]",
    "carry": "carries[{index}]",
    "output_gradient": "output_gradient",
    "add": "{} + {}",
    "subtract": "{} - {}",
    "negate": "-{}",
    "saturate": "saturate({})",
    "scale": "{} * {value}",
    "rest": f"{STATE_UNIT} - {{}}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "fall": "fall({})",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "and": "{} & {}",
    "or": "{} | {}",
}
"""Operation -> its text in most targets (see ``Printer.texts``)."""


@dataclass(frozen=True)
class Printer:
    """A target, by its texts. One whose functions are not Python's overrides the methods."""

    texts: Mapping[str, str]
    """Operation -> its text. ``{}`` are names of arguments, ``{value}`` is that of the expression,
    ``{type}`` the name of its type, ``{index}`` a leaf's position among those of its operation, and
    ``{kind}`` that of a parameter."""
    types: Mapping[Type, str]
    """Type -> its name in ``texts``."""
    decorator: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    """Function -> the names of its arguments."""
    results: Mapping[str, str] = field(default_factory=dict[str, str])
    """Result of a function -> the text of its item number ``{index}``, if not its name alone."""

    def line(self, name: str, type: Type, text: str) -> str:
        """Returns the line that names the value of a text."""
        return f"{name} = {text}"

    def function(
        self, name: str, lines: Iterable[str], results: Mapping[str, str | Sequence[str]]
    ) -> str:
        """Returns the source of a function: its lines, and what it returns by the result's name."""
        texts = (each if isinstance(each, str) else _tuple(each) for each in results.values())
        body = "".join(f"    {line}\n" for line in [*lines, f"return {', '.join(texts)}"])
        return f"\n\n@{self.decorator}\ndef {name}({self.arguments[name]}):\n{body}"


def _tuple(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' * (len(items) == 1)})"


def value_of(a: Expression) -> Expression:
    """Returns the expression that computes the value of ``a``."""
    while a.operation == "with_gradient":
        a = a.arguments[0]
    return a


def _values_in_order(
    roots: Iterable[Expression], known: Container[Expression] = ()
) -> list[Expression]:
    """Returns what computes ``roots``, arguments first, without what computes ``known`` alone."""
    order = in_order(roots, with_gradients=False, known=known)
    return [a for a in order if a.operation != "with_gradient"]


LeafFields = Mapping[tuple[str, Value], Mapping[str, Any]]
"""Operation and value of a leaf -> the fields of its text."""


def leaf_fields(
    parameters: Mapping[str, ParameterKind], inputs: Sequence[str], states: Sequence[str]
) -> LeafFields:
    """Returns the fields of leaves that have names, and of ``fired_before``."""
    fields: dict[tuple[str, Value], Mapping[str, Any]] = {
        ("parameter", name): {"index": index, "kind": kind}
        for index, (name, kind) in enumerate(parameters.items())
    }
    for operation, names in (("input", inputs), ("state", states)):
        fields |= {(operation, name): {"index": index} for index, name in enumerate(names)}
    return fields | {("fired_before", None): {"index": len(states)}}


class Lines:
    """Lines of a function, each of which computes a value."""

    def __init__(
        self, printer: Printer, leaves: LeafFields, constants: Iterable[Expression] = ()
    ) -> None:
        self._printer, self._leaves = printer, leaves
        self.lines: list[str] = []
        self._names = {
            a: self.add(f"constants[{index}]", a.type) for index, a in enumerate(constants)
        }

    def compute(self, roots: Iterable[Expression]) -> list[str]:
        """Adds lines that compute ``roots``; returns the names of their values."""
        roots = [value_of(root) for root in roots]
        for a in _values_in_order(roots, self._names):
            self._names[a] = self._write(a)
        return [self._names[root] for root in roots]

    def _write(self, a: Expression) -> str:
        arguments = [self._names[value_of(argument)] for argument in a.arguments]
        fields = self._leaves.get((a.operation, a.value), {"index": a.value})
        type = self._printer.types.get(a.type)
        text = self._printer.texts[a.operation].format(
            *arguments, value=a.value, type=type, **fields
        )
        return text if text.isidentifier() else self.add(text, a.type)

    def add(self, text: str, type: Type) -> str:
        """Adds a line that computes ``text``, and returns the name of its value."""
        name = f"e{len(self.lines)}"
        self.lines.append(self._printer.line(name, type, text))
        return name


Results = Mapping[str, Sequence[Expression] | Expression]
"""What a function returns, by name: values, and tuples of values."""


def step_results(program: Program, watched: Iterable[Expression] = ()) -> Results:
    """Returns the results of ``step``. ``watched`` are more values that are among the extents."""
    forward = program.forward
    fired = GRID_ZERO if forward.spike is None else spike_flag(forward.spike)
    output = forward.output or fired
    if forward.output is not None and forward.spike is not None:
        output = where(forward.spike, forward.output, GRID_ZERO)
    return {
        "states": [*forward.after.values(), fired],
        "output": output,
        "stored": forward.stored,
        "extents": [*forward.before_reset.values(), *watched],
    }


def adjoint_results(program: Program) -> Results:
    """Returns the results of ``adjoint``."""
    return dict(zip(("grad_inputs", "carries", "sums"), program.adjoint.roots, strict=True))


def _constants_read(results: Results) -> list[Expression]:
    """Returns what is the same in all steps, is no literal, and is read or returned by a step."""
    roots = [a for result in results.values() for a in _flat(result)]
    read = dict.fromkeys(map(value_of, roots))
    for a in _values_in_order(roots):
        if not a.is_invariant:
            read |= dict.fromkeys(map(value_of, a.arguments))
    return [a for a in read if a.is_invariant and a.operation != "constant"]


def write_functions(program: Program, results: Results, printers: Mapping[str, Printer]) -> str:
    """Returns the source of functions with the same results, by name, and of ``constants_of``.

    ``constants_of`` is written by the last printer.
    """
    constants = _constants_read(results)
    leaves = leaf_fields(program.parameters, program.inputs, program.states)
    *_, last = printers.values()
    sources = [_function(last, "constants_of", Lines(last, leaves), {"constants": constants})]
    for name, printer in printers.items():
        sources.append(_function(printer, name, Lines(printer, leaves, constants), results))
    return "".join(sources)


def _function(printer: Printer, name: str, lines: Lines, results: Results) -> str:
    written: dict[str, str | list[str]] = {}
    for result, roots in results.items():
        text = printer.results.get(result, "{}")
        names = enumerate(lines.compute(_flat(roots)))
        items = [text.format(each, index=index) for index, each in names]
        written[result] = items[0] if isinstance(roots, Expression) else items
    return printer.function(name, lines.lines, written)


def _flat(result: Sequence[Expression] | Expression) -> Sequence[Expression]:
    return [result] if isinstance(result, Expression) else result
