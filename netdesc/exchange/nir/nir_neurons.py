"""Converts neurons of NIR, which are differential equations, to those of a document.

A step of Euler's method with the length dt gives the shares that states lose, and the factor by
which what arrives is multiplied (Pedersen et al. 2024, "Neuromorphic intermediate representation").
"""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.nir.nir_layers import Draft
from netdesc.exchange.nir.nir_record import NEVER
from netdesc.kernels.fixed_point import DECAY_ONE

Reals = NDArray[np.float64]
"""[], or [channels] if channels differ."""

RESETS = ("zero", "subtract", "subtract_delayed")


def _zero() -> Reals:
    return np.array(0.0)


@dataclass
class Dynamics:
    """Neurons whose current loses the share ``current_decay`` and gains ``gain`` times the input,
    and whose voltage loses the share ``voltage_decay`` and gains the current and ``bias``.
    """

    current_decay: Reals = field(default_factory=lambda: np.array(1.0))
    voltage_decay: Reals = field(default_factory=_zero)
    gain: Reals = field(default_factory=lambda: np.array(1.0))
    bias: Reals = field(default_factory=_zero)
    threshold: Reals | None = None
    """None for readouts."""
    resets: bool = True
    """False if a spike changes nothing."""
    leaks: bool = False
    """Whether the file says that the voltage leaks, if perhaps little in a step."""

    @property
    def has_current(self) -> bool:
        return bool((self.current_decay != 1).any())


def channel_values(
    draft: Draft, role: str, name: str, values: Any, shape: tuple[int, ...]
) -> Reals:
    """Returns one number, or one a channel, from values of neurons with the ``shape``.

    LayerError if there is another number of values, or they differ within a channel.
    """
    array, channels = np.asarray(values, np.float64), shape[0]
    if array.size not in (1, channels, math.prod(shape)):
        problem = f"has {name} of shape {list(array.shape)}; the layer has {list(shape)} neurons"
        raise draft.error(problem, role=role)
    rows = array.reshape(1 if array.size == 1 else channels, -1)
    if (rows != rows[:, :1]).any():
        problem = f"has a {name} that differs within a channel; a document has one for it"
        raise draft.error(problem, role=role)
    return np.array(rows[0, 0] if (rows == rows[0, 0]).all() else rows[:, 0])


def read_dynamics(draft: Draft, shape: tuple[int, ...], dt: float, reset: str) -> Dynamics | None:
    """Returns the neurons of a layer, whose output has the ``shape``; None if it has none."""
    parts = draft.parts
    role = next((role for role in ("readout", "neuron", "threshold") if role in parts), None)
    if role is None:
        return None
    node = parts[role]
    fields = {
        name: channel_values(draft, role, name, value, shape) for name, value in node.fields.items()
    }
    taus = {name: values for name, values in fields.items() if name.startswith("tau")}
    decays = {name: _decay(draft, role, name, tau, dt) for name, tau in taus.items()}
    dynamics = Dynamics(current_decay=decays.get("tau_syn", np.array(1.0)))
    if node.type == "Threshold":  # spikes where the input of a step is above it
        dynamics.voltage_decay, dynamics.threshold = np.array(1.0), fields["threshold"]
    elif not decays:
        _check_resistance(draft, role, fields["r"], dt)
    else:
        tau = "tau" if "tau" in decays else "tau_mem"
        dynamics.voltage_decay = decays[tau]
        dynamics.leaks = bool((fields[tau] < dt * NEVER / 2).any())
        scale = fields.get("w_in", 1.0) * dynamics.current_decay if "tau_syn" in decays else 1.0
        dynamics.gain = np.asarray(scale * fields["r"] * decays[tau])
    rest = fields.get("v_reset", _zero()) if reset == "zero" else _zero()
    dynamics.bias = np.asarray((fields.get("v_leak", 0.0) - rest) * dynamics.voltage_decay)
    if "v_threshold" in fields:
        dynamics.threshold = np.array(fields["v_threshold"] - rest)
    if "readout" in parts and "threshold" in parts:
        level = parts["threshold"].fields["threshold"]
        dynamics.threshold = channel_values(draft, "threshold", "threshold", level, shape)
        dynamics.resets = False
    if dynamics.threshold is not None and (dynamics.threshold < 0).any():
        problem = "has a threshold below the voltage after a reset, so that it spikes then"
        raise draft.error(problem, role=role)
    return dynamics


def _decay(draft: Draft, role: str, name: str, tau: Reals, dt: float) -> Reals:
    """Returns the share that a state with the time constant ``tau`` loses in a step."""
    if (tau <= 0).any():
        problem = f"has a {name} of {tau.min():g} s; time constants are above 0"
        raise draft.error(problem, role=role)
    decay = dt / tau
    if (decay > 1 + 1e-6).any():
        hint = "give the right --dt"
        if decay.max() >= 10:
            hint += "; Norse writes dt/tau_inv in place of 1/tau_inv, so that its files need the "
            hint += "square of its dt, such as --dt 1e-6"
        problem = f"has a {name} of {tau.min():g} s, shorter than a step of {dt:g} s"
        raise draft.error(problem, hint, role)
    return np.minimum(decay, 1)


def _check_resistance(draft: Draft, role: str, r: Reals, dt: float) -> None:
    """LayerError unless neurons without a leak gain what arrives. Norse writes r = 1 for that."""
    if ((np.abs(r * dt - 1) > 1e-4) & (r != 1)).any():
        problem = f"has r = {r.flat[0]:g}; neurons without a leak have r = 1 or r = 1/dt"
        raise draft.error(f"{problem}, which is {1 / dt:g}", "give the right --dt", role)


class NeuronImport(NamedTuple):
    """The section of neurons in a document, and their values, [] or [channels], by name."""

    section: dict[str, Any]
    values: dict[str, NDArray[np.float32]]


def make_neuron(dynamics: Dynamics, scale: float, reset: str, kind: str | None) -> NeuronImport:
    """Converts neurons whose weights and thresholds are multiplied by ``scale``.

    ``kind`` is what the metadata say: the same neurons can be "lif" and "cuba".
    """
    decays = {"current_decay": dynamics.current_decay, "voltage_decay": dynamics.voltage_decay}
    numbers = {name: np.rint(value * DECAY_ONE) / DECAY_ONE for name, value in decays.items()}
    section: dict[str, Any] = {"type": "integrator"}
    if dynamics.threshold is not None:
        numbers["threshold"] = dynamics.threshold * scale
        is_lif = not dynamics.has_current and kind != "cuba" and dynamics.resets
        section = {"type": "lif", "reset": reset} if is_lif else {"type": "cuba"}
        if is_lif:
            del numbers["current_decay"]
        elif not dynamics.resets or reset != "zero":
            section = _equations(reset if dynamics.resets else "")
    values = {name: np.asarray(value, np.float32) for name, value in numbers.items()}
    for name, value in values.items():
        low, high = float(value.min()), float(value.max())
        number = low if low == high else [low, high]
        if section["type"] == "equations":
            kinds = "threshold" if name == "threshold" else "decay"
            section["parameters"][name] = {"kind": kinds, "value": number}
        else:
            section[name] = number
    if any(value.ndim for value in values.values()):
        section["per_channel"] = True
    return NeuronImport(section, values)


def _equations(reset: str) -> dict[str, Any]:
    """Neurons with a current and with a reset, or none, that no type of neurons has."""
    late = " - where(before(spike), threshold, 0)" if reset == "subtract_delayed" else ""
    return {
        "type": "equations",
        "parameters": {},
        "step": ["u = decay(u, current_decay) + x", f"v = decay(v, voltage_decay) + norm(u){late}"],
        "spike": "v > threshold",
        "reset": ["v = v - threshold"] if reset == "subtract" else [],
    }
