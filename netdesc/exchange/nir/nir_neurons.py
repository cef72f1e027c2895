"""Converts neurons of NIR, which are differential equations, to those of a document.

A step of Euler's method with the length dt gives the shares that states lose, and the factor by
which what arrives is multiplied (Pedersen et al. 2024, "Neuromorphic intermediate representation").
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.import_layers import ImportedNeuron, field_values
from netdesc.exchange.nir.nir_layers import Draft
from netdesc.kernels.fixed_point import DECAY_ONE

Reals = NDArray[np.float64]
"""[], or [channels] if channels differ."""
Shape = tuple[int, ...]

RESETS = ("zero", "subtract", "subtract_delayed")


@dataclass
class Dynamics:
    """Neurons whose current loses the share ``current_decay`` and gains ``gain`` times the input,
    and whose voltage loses the share ``voltage_decay`` and gains the current and ``bias``.
    ``threshold`` is None for readouts.
    """

    current_decay: Reals
    voltage_decay: Reals
    gain: Reals
    bias: Reals
    threshold: Reals | None

    @property
    def has_current(self) -> bool:
        return bool((self.current_decay != 1).any())


def channel_values(draft: Draft, role: str, name: str, shape: Shape) -> Reals:
    """Returns a parameter of a node: one number, or one a channel of values with the ``shape``.

    LayerError if there is another number of values, or they differ within a channel.
    """
    array, channels = np.asarray(draft.parts[role].fields[name], np.float64), shape[0]
    if array.size not in (1, channels, math.prod(shape)):
        problem = f"has {name} of shape {list(array.shape)}; the layer has {list(shape)} values"
        raise draft.error(role, problem)
    rows = array.reshape(1 if array.size == 1 else channels, -1)
    if (rows != rows[:, :1]).any():
        problem = f"has a {name} that differs within a channel; a document has one for it"
        raise draft.error(role, problem)
    return np.array(rows[0, 0] if (rows == rows[0, 0]).all() else rows[:, 0])


def read_dynamics(draft: Draft, shape: Shape, dt: float, reset: str) -> Dynamics:
    """Returns the neurons of a layer, whose output has the ``shape``."""
    one, zero = np.array(1.0), np.array(0.0)
    names = draft.parts["neuron"].fields
    fields = {name: channel_values(draft, "neuron", name, shape) for name in names}
    decays = {name: _decay(draft, name, fields[name], dt) for name in names if name[:3] == "tau"}
    voltage, current = decays.get("tau_mem", decays.get("tau", zero)), decays.get("tau_syn", one)
    gain, r = one, fields["r"]
    if decays:
        factor = fields.get("w_in", one) * current if len(decays) > 1 else one
        gain = np.asarray(r * voltage * factor)
    elif ((np.abs(r * dt - 1) > 1e-4) & (r != 1)).any():  # Norse writes 1
        problem = f"has r = {r.flat[0]:g}; neurons without a leak have r = 1 or r = 1/dt"
        raise draft.error("neuron", f"{problem}, which is {1 / dt:g}", "give the right --dt")
    rest = fields.get("v_reset", zero) if reset == "zero" else zero
    bias = np.array((fields.get("v_leak", rest) - rest) * voltage)
    threshold = np.array(fields["v_threshold"] - rest) if "v_threshold" in fields else None
    if "threshold" in draft.parts and threshold is None:  # behind a readout
        threshold = channel_values(draft, "threshold", "threshold", shape)
    if threshold is not None and (threshold < 0).any():
        problem = "has a threshold below the voltage after a reset, so that it spikes then"
        raise draft.error("neuron", problem)
    return Dynamics(current, voltage, gain, bias, threshold)


def _decay(draft: Draft, name: str, tau: Reals, dt: float) -> Reals:
    """Returns the share that a state with the time constant ``tau`` loses in a step."""
    if (tau <= 0).any() or (dt / tau > 1 + 1e-6).any():
        hint = "give the right --dt"
        if 0 < tau.min() <= dt / 10:
            hint += "; Norse writes dt/tau_inv in place of 1/tau_inv, so that its files need the "
            hint += "square of its dt, such as --dt 1e-6"
        problem = f"has a {name} of {tau.min():g} s, shorter than a step of {dt:g} s"
        raise draft.error("neuron", problem, hint)
    return np.minimum(dt / tau, 1)


def make_neuron(dynamics: Dynamics, scale: float, reset: str, kind: str | None) -> ImportedNeuron:
    """Converts neurons whose weights and thresholds are multiplied by ``scale``.

    ``kind`` is what the metadata say: the same neurons can be "lif" and "cuba".
    """
    decays = {"current_decay": dynamics.current_decay, "voltage_decay": dynamics.voltage_decay}
    numbers = {name: np.rint(value * DECAY_ONE) / DECAY_ONE for name, value in decays.items()}
    section: dict[str, Any] = {"type": "integrator"}
    if dynamics.threshold is not None:
        numbers["threshold"] = dynamics.threshold * scale
        section = {"type": "cuba"}
        if not dynamics.has_current and kind != "cuba" and reset != "none":
            section = {"type": "lif", "reset": reset}
            del numbers["current_decay"]
        elif reset != "zero":  # which no type of neurons has
            late = " - where(before(spike), threshold, 0)" if reset == "subtract_delayed" else ""
            voltage = f"v = decay(v, voltage_decay) + norm(u){late}"
            step = ["u = decay(u, current_decay) + x", voltage]
            lines = ["v = v - threshold"] if reset == "subtract" else []
            section = {"type": "equations", "step": step, "spike": "v > threshold", "reset": lines}
    values = {name: np.asarray(value, np.float32) for name, value in numbers.items()}
    fields = field_values(values)
    if section["type"] == "equations":
        kinds = {name: name.rpartition("_")[2] for name in fields}
        parameters = {name: {"kind": kinds[name], "value": fields[name]} for name in fields}
        fields = {"parameters": parameters}
    section |= fields
    if any(value.ndim for value in values.values()):
        section["per_channel"] = True
    return ImportedNeuron(section, values)
