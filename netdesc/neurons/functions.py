"""The functions that equations may call: their arguments, and the expressions they build.

The reader of a neuron builds three more itself (see ``ARGUMENTS``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from netdesc.neurons.expressions import ONE, Expression, make, where, with_gradient
from netdesc.neurons.operations import BOOL, GRID, Type

Argument = Type | tuple[float, float] | None
"""The type of an argument; of a share, the range of numbers in its place; or None for a state or a
real number: all such arguments of a call have one type."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its arguments by name, and what builds its expression."""

    arguments: dict[str, Argument]
    build: Callable[..., Expression]


def _decay(state: Expression, lost: Expression) -> Expression:
    return state * make("rest", lost)


def _clip(a: Expression, low: Expression, high: Expression) -> Expression:
    return make("minimum", make("maximum", a, low), high)


def _straight_through(value: Expression, a: Expression) -> Expression:
    return with_gradient(value, a, ONE)


FUNCTIONS: dict[str, Function] = {
    "decay": Function({"state": GRID, "decay": (0.0, 1.0)}, _decay),
    "scaled": Function({"state": GRID, "factor": (-1.0, 1.0)}, partial(make, "times")),
    "where": Function({"condition": BOOL, "a": None, "b": None}, where),
    "abs": Function({"a": None}, partial(make, "absolute")),
    "min": Function({"a": None, "b": None}, partial(make, "minimum")),
    "max": Function({"a": None, "b": None}, partial(make, "maximum")),
    "clip": Function({"a": None, "low": None, "high": None}, _clip),
    "stop": Function({"a": None}, with_gradient),
    "straight_through": Function({"value": GRID, "a": GRID}, _straight_through),
}

ARGUMENTS: dict[str, tuple[str, ...]] = {
    **{name: tuple(each.arguments) for name, each in FUNCTIONS.items()},
    "before": ("state",),
    "norm": ("a",),
    "phase_spike": ("re", "im", "threshold"),
}
"""Function -> the names of its arguments. Only the reader of a neuron can build the last three."""


def signature(name: str) -> str:
    """Returns a call as a user writes it, such as ``clip(a, low, high)``."""
    return f"{name}({', '.join(ARGUMENTS[name])})"
