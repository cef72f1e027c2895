"""Converts a layer's neurons to those of a ``.net`` file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from netdesc.exchange.errors import LayerError
from netdesc.exchange.net_neurons import FORMS, NUMBERS, READOUT_THRESHOLD, NetNeuron
from netdesc.hardware.integers import Integers, LayerIntegers
from netdesc.kernels.fixed_point import DECAY_ONE
from netdesc.neurons.models import NeuronSection

Parameters = Mapping[str, Integers]
"""Parameters of the equations, [] or [neurons]."""

Exporter = Callable[[NeuronSection, Parameters], NetNeuron]


def require_form(section: NeuronSection) -> None:
    """LayerError if the format has no such neurons; its text goes on from the layer's name."""
    if section.net_problem is not None:
        problem, hint = section.net_problem
        raise LayerError("", problem, hint=hint)


def export_neuron(section: NeuronSection, layer: LayerIntegers) -> NetNeuron:
    """Converts neurons that have a form, or raises LayerError. ``layer`` holds their integers."""
    return EXPORTERS[section.type_name()](section, layer.parameters)


def _as(kind: str, **more: int) -> Exporter:
    """Returns what exports neurons as ``kind``. ``more`` are integers that the neurons lack."""

    def export(section: NeuronSection, integers: Parameters) -> NetNeuron:
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

    return export


def _export_sigma_delta(section: NeuronSection, integers: Parameters) -> NetNeuron:
    numbers = _as("SDNN")(section, integers).numbers
    return NetNeuron("SDNN", numbers, getattr(section, "activation", ""))


def _export_delta(section: NeuronSection, integers: Parameters) -> NetNeuron:
    """slayer names an activation of its delta encoders, which do not compute it."""
    return NetNeuron("SDNN", _as("SDNN")(section, integers).numbers, "relu", is_delta=True)


def _export_integrator(section: NeuronSection, integers: Parameters) -> NetNeuron:
    """A sum in fine units is the output layer of slayer's sigma-delta networks."""
    if not getattr(section, "fine_units", False):
        return _as("CUBA", threshold=READOUT_THRESHOLD)(section, integers)
    current, voltage = (integers[name] for name in ("current_decay", "voltage_decay"))
    if (current != DECAY_ONE).any() or voltage.any():
        hint = 'train with "current_decay": 1 and "voltage_decay": 0'
        raise LayerError("", "has decays beside fine_units", hint=hint)
    return NetNeuron("SDNN", {"vThMant": np.array(0, np.int32)}, "identity", is_sum=True)


EXPORTERS: dict[str, Exporter] = {form.kind: _as(kind) for kind, form in FORMS.items()} | {
    "lif": _as("CUBA", current_decay=DECAY_ONE),
    "sigma_delta": _export_sigma_delta,
    "delta": _export_delta,
    "integrator": _export_integrator,
}
"""Type of a neuron in a document -> what converts it. The others have a ``net_problem``."""
