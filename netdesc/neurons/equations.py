"""Definitions to neurons: reads all equations, and reports all mistakes in them."""

import ast
from collections.abc import Sequence
from functools import partial, reduce
from itertools import islice

from netdesc.neurons import expressions, names
from netdesc.neurons.definition import Definition, ParameterKind
from netdesc.neurons.mistakes import EquationError, Mistake, Part, closest
from netdesc.neurons.operations import BOOL, GRID, REAL, SHARE, Type
from netdesc.neurons.parser import STATE_AT_BEGINNING, Equation, EquationSource, parse_equation
from netdesc.neurons.program import Neuron, NormPlaces
from netdesc.neurons.reader import Operand, Reader, complete
from netdesc.neurons.surrogates import Pairs, SurrogateGradient, phase_condition

_TYPES: dict[ParameterKind, Type] = {
    "decay": SHARE,
    "factor": SHARE,
    "threshold": GRID,
    "grid": GRID,
    "real": REAL,
}

MAX_EXPRESSIONS = 500
"""Different expressions in the texts of a neuron, at most. Larger ones would compile for minutes.
Built-in neurons have up to 31."""


def read(definition: Definition) -> Neuron:
    """Returns the neuron that a definition describes.

    Raises EquationError with all mistakes. The texts may come from anywhere: they are never
    executed. ``EquationNeuron`` limits their length, and their number.
    """
    return _DefinitionReader(definition).neuron()


class _DefinitionReader(Reader):
    def __init__(self, definition: Definition) -> None:
        calls = {"before": self._before, "norm": self._norm, "phase_spike": self._misplaced_phase}
        super().__init__(definition.unit_bits, calls)
        self.definition = definition
        self.norm: NormPlaces | None = None
        self.surrogate = SurrogateGradient(definition.surrogate, definition.unit_bits)
        self.step = self._equations("step", definition.step)
        self.reset = self._equations("reset", definition.reset)
        self.mistakes += names.missing_mistakes(definition)
        self._declare_names()

    def neuron(self) -> Neuron:
        spike_text, output_text = self.definition.spike, self.definition.output
        for assignment in self.step:
            value = self.read_text(assignment.source, GRID)
            if value is not None and assignment.state in self.values_before:
                self.values[assignment.state] = expressions.make("saturate", value)
        before_reset = {state: self.values[state] for state in self.values_before}
        spike, output = None if spike_text is None else self._spike(spike_text), None
        if output_text is not None:
            output = self.read_text(EquationSource.of("output", 0, output_text), GRID)
        after = self._after_reset(before_reset, spike)
        if self.definition.signal is not None and spike is not None:
            # The spike is no output then, so that a state remembers whether the neuron fired.
            fired = expressions.where(
                spike,
                expressions.constant(1 << self.definition.unit_bits, GRID),
                expressions.GRID_ZERO,
            )
            before_reset["spike"] = after["spike"] = fired
        if self.definition.signal is not None:
            spike, output = None, before_reset.get(self.definition.signal)
        self._check_names()
        if self.mistakes:
            raise EquationError(self.mistakes)
        assert set(self.definition.wrapped) <= set(before_reset)
        step = after, before_reset, spike, output
        parameters = dict(self.definition.parameters) | self._added_parameters()
        return Neuron(*step, self.definition, parameters, self.norm, self.places)

    def _equations(self, part: Part, texts: Sequence[str]) -> list[Equation]:
        parsed = (parse_equation(part, at, text, self.mistakes) for at, text in enumerate(texts))
        return [each for each in parsed if each is not None]

    def _declare_names(self) -> None:
        self.values |= {name: _leaf("input", name) for name in self.definition.inputs}
        for name, kind in self.definition.parameters:
            value = expressions.parameter(name, _TYPES[kind])
            # A name stands for its value: a decay is what it loses, its share what it keeps.
            self.values[name] = expressions.make("rest", value) if kind == "decay" else value
        # Also of texts that are no equations, so that no name is called unknown because of them.
        begun = map(STATE_AT_BEGINNING.match, (*self.definition.step, *self.definition.reset))
        assigned = dict.fromkeys(found[1] for found in begun if found is not None)
        new = [
            each for each in assigned if each not in self.values and not names.reserved_use(each)
        ]
        self.values_before |= {name: _leaf("state", name) for name in new}
        self.values |= self.values_before

    def _spike(self, text: str) -> expressions.Expression | None:
        """Returns the spike: a comparison or a phase, and conditions joined to it by ``and``."""
        if (tree := self.parse(EquationSource.of("spike", 0, text))) is None:
            return None
        first, *further = _terms(tree)
        fires = self._first_term(first)
        conditions = complete([self.read_as(each, BOOL) for each in further])
        if fires is None or conditions is None:
            return None
        joined, pairs = reduce(partial(expressions.make, "and"), conditions, fires[0]), fires[1]
        return expressions.with_gradient(joined, *pairs)

    def _first_term(self, node: ast.expr) -> tuple[expressions.Expression, Pairs] | None:
        """Returns the condition that has a surrogate, and its gradients."""
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "phase_spike":
            return self._phase(node)
        if not isinstance(node, ast.Compare):
            message = "The first condition of spike is a comparison, as in 'v > 1'"
            if isinstance(node, ast.BoolOp):
                message += ": write 'max(a, b) > 0' for 'a > 0 or b > 0'"
            return None if self.read(node) is None else self.fail(node, f"{message}.")
        if (fires := self.read_as(node, BOOL)) is None:
            return None
        a, b = fires.arguments
        if a.type is not GRID:
            return self.fail(node, "The first comparison of spike compares states.")
        larger, smaller = (a, b) if fires.operation.startswith("greater") else (b, a)
        return fires, self.surrogate.of_comparison(larger, smaller)

    def _phase(self, node: ast.Call) -> tuple[expressions.Expression, Pairs] | None:
        if not self.has_arguments(node, "phase_spike"):
            return None
        im_node = node.args[1]
        read = complete([self.read_as(each, GRID) for each in node.args])
        if not isinstance(im_node, ast.Name) or im_node.id not in self.values_before:
            message = "im must be a state: its value of the step before counts, too."
            return self.fail(im_node, message)
        if read is None:
            return None
        re, im, threshold = read
        condition = phase_condition(re, im, self.values_before[im_node.id], threshold)
        return condition, self.surrogate.of_phase(re, im, threshold)

    def _misplaced_phase(self, node: ast.Call) -> Operand:
        return self.fail(node, "phase_spike stands in spike alone, as its first condition.")

    def _before(self, node: ast.Call) -> Operand:
        (named,) = node.args
        states = self.values_before
        if not isinstance(named, ast.Name):
            return self.fail(named, "before takes the name of a state, or spike.")
        if named.id in states:
            return states[named.id]
        if named.id != "spike":
            message = f"before takes a state or spike, and '{named.id}' is neither."
            return self.fail(named, message, closest(named.id, [*states, "spike"]))
        if self.definition.spike is None:
            return self.fail(named, "The neuron has no spike.")
        exact = self.definition.has_exact_reset
        if self.definition.signal is not None:
            state = _leaf("state", "spike")
            return expressions.with_gradient(
                expressions.make("less", expressions.GRID_ZERO, state),
                *((state, expressions.ONE) if exact else ()),
            )
        fired = expressions.expression("fired_before", type=BOOL)
        return fired if exact else expressions.with_gradient(fired)

    def _norm(self, node: ast.Call) -> Operand:
        argument = self.read_as(node.args[0], GRID)
        if self.source.part != "step":
            return self.fail(node, "norm stands in step alone.")
        if self.norm is not None:
            return self.fail(node, "A neuron has one norm, and this is the second.")
        if argument is None:
            return None
        place = self.source.place(node.args[0])
        self.norm = NormPlaces(self.source.place(node), place)
        text = self.source.text_of(node.args[0])
        self.mistakes += names.norm_mistakes(text, place, self.step, self.reset)
        return argument + expressions.parameter("bias", GRID)

    def _after_reset(
        self, before_reset: dict[str, expressions.Expression], spike: expressions.Expression | None
    ) -> dict[str, expressions.Expression]:
        after = dict(before_reset)
        for each in self.reset:
            value = self.read_text(each.source, GRID)
            if value is None or spike is None or each.state not in before_reset:
                continue
            state = before_reset[each.state]
            after[each.state] = expressions.where(spike, expressions.make("saturate", value), state)
            if not self.definition.has_exact_reset:
                after[each.state] = expressions.with_gradient(
                    after[each.state], state, expressions.ONE
                )
        return after

    def _added_parameters(self) -> dict[str, ParameterKind]:
        added: dict[str, ParameterKind] = {} if self.norm is None else {"bias": "grid"}
        if self.definition.spike is not None:
            added |= {"peak": "real", "width": "real"}
        return added

    def _check_names(self) -> None:
        """Adds the mistakes that concern names and no single expression."""
        equations = [*self.step, *self.reset]
        added = {*self._added_parameters(), "bias"}  # a norm or the layer may add a bias
        self.mistakes += names.declared_mistakes(self.definition, added)
        self.mistakes += names.state_mistakes(self.definition, equations)
        for place in islice(self.places.values(), MAX_EXPRESSIONS, MAX_EXPRESSIONS + 1):
            message = f"This is one expression too many; at most {MAX_EXPRESSIONS} are allowed."
            self.mistakes.append(Mistake(place, message))
        if not self.mistakes:  # a mistake may be the reason why nothing reads a name
            self.mistakes += names.unread_mistakes(self.definition, equations)


def _leaf(operation: str, name: str) -> expressions.Expression:
    return expressions.expression(operation, value=name, type=GRID)


def _terms(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [term for each in tree.values for term in _terms(each)]
    return [tree]
