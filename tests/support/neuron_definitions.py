"""Neurons for tests of the compiler: the built-in ones, with the options that change equations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netdesc.neurons.definition import Definition
from netdesc.neurons.models import NEURONS


def define(neuron: str, **options: Any) -> Definition:
    """Returns the definition of a built-in neuron; the values of its parameters do not matter."""
    fields = NEURONS[neuron].model_fields.items()
    values = {name: 0.5 for name, info in fields if "x-kind" in (info.json_schema_extra or {})}
    values |= {"period": 10} if "period" in values else {}
    return NEURONS[neuron].model_validate({"type": neuron, **values, **options}).definition()


def exact(definition: Definition) -> Definition:
    """Returns the neuron whose gradients pass through its resets."""
    return replace(definition, has_exact_reset=True)


CUBA, LIF, ALIF, RF, RF_IZ = map(define, ("cuba", "lif", "alif", "rf", "rf_iz"))
SIGMA_DELTA, INTEGRATOR = define("sigma_delta"), define("integrator")
LIF_DELAYED = define("lif", reset="subtract_delayed")

DEFINITIONS = {
    "cuba": CUBA,
    "cuba_exact": exact(CUBA),
    "lif": LIF,
    "lif_subtract": define("lif", reset="subtract"),
    "lif_delayed": LIF_DELAYED,
    "lif_delayed_exact": exact(LIF_DELAYED),
    "alif": ALIF,
    "alif_exact": exact(ALIF),
    "alif_subtract": define("alif", reset="subtract", refractory_decay=None),
    "alif_zero": define("alif", reset="zero", refractory_decay=None),
    "rf": RF,
    "rf_iz": RF_IZ,
    "rf_iz_exact": exact(RF_IZ),
    "sigma_delta": SIGMA_DELTA,
    "integrator": INTEGRATOR,
}
