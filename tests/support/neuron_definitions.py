"""Neurons for tests of the compiler, each as short as it can be written."""

from __future__ import annotations

from dataclasses import replace

from netdesc.neurons.definition import Definition

CUBA = Definition(
    parameters=(
        ("threshold", "threshold"),
        ("current_decay", "decay"),
        ("voltage_decay", "decay"),
    ),
    step=("u = decay(u, current_decay) + x", "v = decay(v, voltage_decay) + norm(u)"),
    spike="v > threshold",
    reset=("v = 0",),
)

LIF = Definition(
    parameters=(("threshold", "threshold"), ("voltage_decay", "decay")),
    step=("v = decay(v, voltage_decay) + norm(x)",),
    spike="v > threshold",
    reset=("v = 0",),
)
LIF_SUBTRACT = replace(LIF, reset=("v = v - threshold",))
LIF_DELAYED = replace(
    LIF,
    step=("v = decay(v, voltage_decay) + norm(x) - where(before(spike), threshold, 0)",),
    reset=(),
)

ALIF = Definition(
    parameters=(
        *CUBA.parameters,
        ("threshold_step", "threshold"),
        ("threshold_decay", "decay"),
        ("refractory_decay", "decay"),
    ),
    step=(*CUBA.step, "a = decay(a, threshold_decay)", "r = decay(r, refractory_decay)"),
    spike="v >= threshold + a + r",
    reset=("a = a + threshold_step", "r = r + 2 * (threshold + a)"),
)
_WITHOUT_REFRACTORY = replace(
    ALIF,
    parameters=ALIF.parameters[:-1],
    step=ALIF.step[:-1],
    spike="v >= threshold + a",
)
ALIF_SUBTRACT = replace(
    _WITHOUT_REFRACTORY, reset=("v = v - threshold - a", "a = a + threshold_step")
)
ALIF_ZERO = replace(_WITHOUT_REFRACTORY, reset=("v = 0", "a = a + threshold_step"))

RF = Definition(
    parameters=(("threshold", "threshold"), ("cos", "factor"), ("sin", "factor")),
    step=(
        "re = scaled(re, cos) - scaled(im, sin) + x",
        "im = scaled(before(re), sin) + scaled(im, cos) + y",
    ),
    inputs=("x", "y"),
    spike="phase_spike(re, im, threshold)",
)
RF_IZ = replace(RF, spike="im >= threshold", reset=("re = 0", "im = threshold - 0.000244140625"))

SIGMA_DELTA = Definition(
    parameters=(("threshold", "threshold"),),
    step=(
        "s = s + x",
        "a = max(norm(s), 0)",
        "y = straight_through(where(abs(a - y) >= threshold, a, y), a)",
    ),
    output="y - before(y)",
    unit_bits=18,
)
INTEGRATOR = Definition(
    parameters=(("current_decay", "decay"), ("voltage_decay", "decay")),
    step=CUBA.step,
    output="v",
)


def exact(definition: Definition) -> Definition:
    """Returns the neuron whose gradients pass through its resets."""
    return replace(definition, has_exact_reset=True)


DEFINITIONS = {
    "cuba": CUBA,
    "cuba_exact": exact(CUBA),
    "lif": LIF,
    "lif_subtract": LIF_SUBTRACT,
    "lif_delayed": LIF_DELAYED,
    "lif_delayed_exact": exact(LIF_DELAYED),
    "alif": ALIF,
    "alif_exact": exact(ALIF),
    "alif_subtract": ALIF_SUBTRACT,
    "alif_zero": ALIF_ZERO,
    "rf": RF,
    "rf_iz": RF_IZ,
    "rf_iz_exact": exact(RF_IZ),
    "sigma_delta": SIGMA_DELTA,
    "integrator": INTEGRATOR,
}
