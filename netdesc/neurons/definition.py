"""Definitions: how a neuron is written, built-in or in a document."""

import json
from dataclasses import asdict, dataclass
from typing import Literal, Self

ParameterKind = Literal["decay", "factor", "threshold", "grid", "real"]
"""How the engines round a parameter p.

``decay``: the share ``4096 - round(4096 * p)``; ``factor``: the share ``round(4096 * p)``;
``threshold``: ``trunc(64 * p) / 64`` threshold units; ``grid``: ``trunc(4096 * p) / 4096``
threshold units; ``real``: p itself, which cannot be learnt. Shares round ties to even.
"""

SurrogateShape = Literal["exponential", "fast_sigmoid", "atan", "triangle"]


@dataclass(frozen=True, slots=True)
class Definition:
    """The equations of a neuron. ``functions`` lists the functions that they may call.

    ``step`` and ``reset`` are equations ``state = expression``, read in order; ``spike`` is a
    condition, ``output`` a graded value; at least one of them is not None. States start at 0.

    A parameter's name stands for its value p: ``decay(v, p)`` keeps ``1 - p`` of a state, and
    ``scaled(v, p)`` and ``v * p`` are p times the state, whether p is a decay or a factor.
    """

    parameters: tuple[tuple[str, ParameterKind], ...]
    step: tuple[str, ...]
    spike: str | None = None
    output: str | None = None
    reset: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("x",)
    surrogate: SurrogateShape = "exponential"
    has_exact_reset: bool = False
    """Whether gradients pass through resets and through the spikes that cause them."""
    wrapped: tuple[str, ...] = ()
    """States that wrap at 24 bits on the device; the others are clipped."""
    unit_bits: int = 12
    """A state's unit is 2^-unit_bits of a threshold unit."""
    signal: str | None = None
    """The state that is the output of each step, before its reset; None for spikes and output."""

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states of valid equations, in the order of their first assignment."""
        return tuple(dict.fromkeys(split_equation(each)[0] for each in self.step))

    def to_text(self) -> str:
        """Returns the definition as JSON. Operators take it, and caches are named by it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Self:
        fields = json.loads(text)
        fields["parameters"] = map(tuple, fields["parameters"])
        lists = ("parameters", "step", "reset", "inputs", "wrapped")
        return cls(**fields | {name: tuple(fields[name]) for name in lists})


def split_equation(equation: str) -> tuple[str, str]:
    """Returns the state that an equation assigns, and the text of its expression."""
    state, _, expression = equation.partition("=")
    return state.strip(), expression
