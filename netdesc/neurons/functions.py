"""The functions that equations may call: their arguments, and the expressions they build.

The reader of a neuron builds three more itself (see ``ARGUMENTS``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

from netdesc.neurons.expressions import ONE, Expression, make, where, with_gradient


class ArgumentKind(Enum):
    """The kind of a function's argument, in the words of messages."""

    VALUE = "a state or a real number"
    """All values of a call have one type."""
    STATE = "a state"
    DECAY = "a decay or a number from 0 to 1"
    FACTOR = "a factor or a number from -1 to 1"
    CONDITION = "a condition"


@dataclass(frozen=True, slots=True)
class Function:
    """A function: the names of its arguments -> their kinds, and what builds its expression."""

    arguments: dict[str, ArgumentKind]
    build: Callable[..., Expression]


_VALUE, _STATE = ArgumentKind.VALUE, ArgumentKind.STATE


def _decay(state: Expression, lost: Expression) -> Expression:
    return state * make("rest", lost)


def _clip(a: Expression, low: Expression, high: Expression) -> Expression:
    return make("minimum", make("maximum", a, low), high)


def _straight_through(value: Expression, a: Expression) -> Expression:
    return with_gradient(value, a, ONE)


FUNCTIONS: dict[str, Function] = {
    "decay": Function({"state": _STATE, "decay": ArgumentKind.DECAY}, _decay),
    "scaled": Function({"state": _STATE, "factor": ArgumentKind.FACTOR}, partial(make, "times")),
    "where": Function({"condition": ArgumentKind.CONDITION, "a": _VALUE, "b": _VALUE}, where),
    "abs": Function({"a": _VALUE}, partial(make, "absolute")),
    "min": Function({"a": _VALUE, "b": _VALUE}, partial(make, "minimum")),
    "max": Function({"a": _VALUE, "b": _VALUE}, partial(make, "maximum")),
    "clip": Function({"a": _VALUE, "low": _VALUE, "high": _VALUE}, _clip),
    "stop": Function({"a": _VALUE}, with_gradient),
    "straight_through": Function({"value": _STATE, "a": _STATE}, _straight_through),
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
