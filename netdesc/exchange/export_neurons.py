"""Converts a layer's neurons to those of a ``.net`` file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from netdesc.exchange.errors import LayerError
from netdesc.exchange.net_neurons import FORMS, NUMBERS, READOUT_THRESHOLD, NetNeuron
from netdesc.hardware.integers import Integers, LayerIntegers
from netdesc.kernels.fixed_point import DECAY_ONE
from netdesc.neurons.models import NeuronSection

Parameters = Mapping[str, Integers]
"""Parameters of the equations, [] or [neurons]."""


def require_form(section: NeuronSection) -> None:
    """LayerError if the format has no such neurons; its text goes on from the layer's name."""
    if section.net_problem is not None:
        problem, hint = section.net_problem
        raise LayerError("", problem, hint=hint)


def export_neuron(section: NeuronSection, layer: LayerIntegers) -> NetNeuron:
    """Converts neurons that have a form, or raises LayerError. ``layer`` holds their integers."""
    return EXPORTERS[section.type_name()](section, layer.parameters)


def _export(kind: str, section: NeuronSection, integers: Parameters, **more: int) -> NetNeuron:
    """Exports neurons as ``kind``. ``more`` are integers that the neurons lack."""
    numbers: dict[str, Integers] = {}
    for name in FORMS[kind].numbers:
        known = NUMBERS[name]
        values = np.int32(more.get(known.parameter, integers.get(known.parameter, 0)))
        if not known.can_differ and values.size:
            if (values != values.flat[0]).any():
                what = known.parameter
                hint = f"train with one {what} for the layer"
                hint += ", and do not learn it where per_channel is true"
                raise LayerError("", f"has a {what} for each neuron", hint=hint)
            values = values.flat[0]
        numbers[name] = np.asarray(values)
    return NetNeuron(kind, numbers, is_graded=section.graded)


def _export_sigma_delta(section: NeuronSection, integers: Parameters) -> NetNeuron:
    numbers = _export("SDNN", section, integers).numbers
    return NetNeuron("SDNN", numbers, getattr(section, "activation", ""))


def _export_delta(section: NeuronSection, integers: Parameters) -> NetNeuron:
    """slayer names an activation of its delta encoders, which do not compute it."""
    numbers = _export("SDNN", section, integers).numbers
    return NetNeuron("SDNN", numbers, "relu", is_delta=True)


def _export_integrator(section: NeuronSection, integers: Parameters) -> NetNeuron:
    """A sum in fine units is the output layer of slayer's sigma-delta networks."""
    if not getattr(section, "fine_units", False):
        return _export("CUBA", section, integers, threshold=READOUT_THRESHOLD)
    current, voltage = (integers[name] for name in ("current_decay", "voltage_decay"))
    if (current != DECAY_ONE).any() or voltage.any():
        hint = 'train with "current_decay": 1 and "voltage_decay": 0'
        raise LayerError("", "has decays beside fine_units", hint=hint)
    return NetNeuron("SDNN", {"vThMant": np.array(0, np.int32)}, "identity", is_sum=True)


EXPORTERS: dict[str, Callable[[NeuronSection, Parameters], NetNeuron]] = {
    **{form.kind: partial(_export, kind) for kind, form in FORMS.items()},
    "lif": partial(_export, "CUBA", current_decay=DECAY_ONE),
    "sigma_delta": _export_sigma_delta,
    "delta": _export_delta,
    "integrator": _export_integrator,
}
"""Type of a neuron in a document -> what converts it. The others have a ``net_problem``."""
