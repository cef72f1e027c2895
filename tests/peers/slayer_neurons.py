"""Writes what lava-dl's slayer and lava-nc compute of each neuron: ``tests/golden/neurons.npz``.

Run ``python tests/peers/slayer_neurons.py`` in an environment with Python 3.10, lava-dl 0.6.0 and
lava-nc 0.10.0 (netdesc is not needed there), and explain each difference.

Arrays are called ``neuron/peer_case/quantity`` and hold integers [steps, neurons]. Their unit is
that of the neuron's states: 1/4096 of a threshold unit, of sigma_delta 2^-18.

- ``input_x``, or ``input_re`` and ``input_im``: what the synapses give. Multiples of 1/64, or of
  what a payload times a weight may be
- ``before_reset_*`` (slayer), ``after_*`` (lava-nc): the states of every step. ``theta`` is the
  whole adaptive threshold, rest included.
- ``output``: spikes, or graded values in 1/4096, without an axonal step
- ``output_gradient``, ``gradient_*``: real; a gradient of the output, and slayer's of an input

``parameters`` is the JSON of each ``neuron/peer_case``'s parameters, as a document writes them; a
list has a value a neuron.

What is right, and tested: all states and spikes, and the gradients of inputs of cuba, lif, alif,
rf, rf_iz, adrf_iz and sigma_delta. slayer's gradients pass neither resets nor adaptive thresholds.

What is not taken, because slayer is wrong there:
- gradients of learnt decays: of leaky integrators they have the wrong sign, are read before the
  reset, and are not scaled; those of adaptive thresholds and refractory states are 0
- the gradient of adrf: its surrogate has the constants of the real neurons, 2.5e-6 of rf's
- ALIF's parameters as its ``neuron_params`` reads them from a file: the step is the threshold
- the forward pass of adrf_iz, which raises an error: ``dynamics`` and ``spike`` are called here
- slayer's cumulative error of sigma_delta, which raises an error: lava-nc's is taken
- a sigma_delta threshold of 0, which slayer raises to 1/4096: slayer's inputs are multiples of
  1/4096 there, where both are the same, and lava-nc's are finer
- the sine and cosine of lava-nc's RF, which are cut toward zero: it gets the rounded ones
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lava.lib.dl.slayer.neuron import adrf, adrf_iz, alif, cuba, rf, rf_iz, sigma_delta
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.atrlif.process import ATRLIF
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIF
from lava.proc.monitor.process import Monitor
from lava.proc.rf.process import RF
from lava.proc.rf_iz.process import RF_IZ
from lava.proc.sdn.process import ActivationMode, Delta, SigmaDelta

FILE = Path(__file__).parents[1] / "golden" / "neurons.npz"
STEPS, NEURONS = 32, 6

SLAYER = {
    "cuba": (cuba.Neuron, ("u", "v")),
    "lif": (cuba.Neuron, ("u", "v")),
    "integrator": (cuba.Neuron, ("u", "v")),
    "alif": (alif.Neuron, ("u", "v", "theta", "r")),
    "rf": (rf.Neuron, ("re", "im")),
    "rf_iz": (rf_iz.Neuron, ("re", "im")),
    "adrf": (adrf.Neuron, ("re", "im", "theta", "r")),
    "adrf_iz": (adrf_iz.Neuron, ("re", "im", "theta", "r")),
}
HIDDEN = {  # what slayer's CUBA wants to know of neurons that are a case of it
    "lif": {"current_decay": 1.0},
    "integrator": {"threshold": -1},
}
RESONATORS = ("rf", "rf_iz", "adrf", "adrf_iz")


@dataclass(frozen=True)
class Case:
    """A neuron with parameters, and how its ``inputs`` are drawn."""

    neuron: str
    name: str
    parameters: dict
    inputs: str = "spikes"
    has_gradient: bool = False
    steps: int = STEPS

    @property
    def input_names(self) -> tuple[str, ...]:
        return ("re", "im") if self.neuron in RESONATORS else ("x",)


CUBA = {"threshold": 0.4, "current_decay": 0.3, "voltage_decay": 0.04}
ALIF = CUBA | {"threshold_step": 0.11, "threshold_decay": 0.08, "refractory_decay": 0.3}
RESONATOR = {"threshold": 0.6, "period": 7.3, "decay": 0.05}
ADAPTIVE = RESONATOR | {"threshold_step": 0.2, "threshold_decay": 0.1, "refractory_decay": 0.4}
OWN_REAL = {
    "threshold": [0.1, 0.2, 0.3, 0.5, 0.8, 1.9],
    "current_decay": [0.0, 0.05, 0.33, 0.5, 0.9, 1.0],
    "voltage_decay": [0.02, 1.0, 0.0, 0.1, 0.7, 0.25],
}
OWN_ADAPTION = {
    "threshold_step": [0.0, 0.05, 0.3, 0.9, 0.0156, 0.12],
    "threshold_decay": [0.3, 0.0, 0.02, 0.5, 1.0, 0.1],
    "refractory_decay": [0.5, 0.2, 1.0, 0.04, 0.3, 0.9],
}
OWN_RESONATOR = {
    "threshold": [0.1, 0.2, 0.3, 0.5, 0.8, 1.9],
    "period": [4.0, 5.5, 9.0, 17.0, 60.0, 100000.0],
    "decay": [0.0, 0.01, 0.1, 0.0, 0.3, 0.02],
}
# Inputs of eighths meet the threshold if states keep all or next to nothing of the step before.
TIES_CUBA = {"threshold": 0.5, "current_decay": 1.0, "voltage_decay": 0.0}
TIES_ALIF = {"threshold": 0.5, "current_decay": 1.0, "voltage_decay": 1.0}
TIES_RESONATOR = {"threshold": 0.5, "period": 4.0, "decay": 0.9997}
TIES_ADAPTION = {"threshold_step": 0.25, "threshold_decay": 0.5, "refractory_decay": 0.5}
SURROGATE = {"tau_grad": 0.02, "scale_grad": 0.7}


def _slayer_cases() -> list[Case]:
    own = {
        "cuba": (CUBA, OWN_REAL, TIES_CUBA),
        "alif": (ALIF, OWN_REAL | OWN_ADAPTION, TIES_ALIF | TIES_ADAPTION),
        "rf": (RESONATOR, OWN_RESONATOR, TIES_RESONATOR),
        "rf_iz": (RESONATOR, OWN_RESONATOR, TIES_RESONATOR),
        "adrf": (ADAPTIVE, OWN_RESONATOR | OWN_ADAPTION, TIES_RESONATOR | TIES_ADAPTION),
        "adrf_iz": (ADAPTIVE, OWN_RESONATOR | OWN_ADAPTION, TIES_RESONATOR | TIES_ADAPTION),
    }
    lif = {"threshold": 0.4, "voltage_decay": 0.1}
    cases = [
        Case("lif", "spikes", lif | SURROGATE, has_gradient=True),
        Case("lif", "ties", {"threshold": 0.5, "voltage_decay": 0.0}, "ties"),
        Case("integrator", "spikes", {"current_decay": 0.3, "voltage_decay": 0.04}),
        Case("cuba", "one_step", CUBA, "ties", steps=1),
        Case("rf_iz", "one_step", RESONATOR, "ties", steps=1),
        Case("cuba", "graded", CUBA | {"graded": True}),
        Case("rf", "graded", RESONATOR | {"graded": True}),
        Case("delta", "spikes", {"threshold": 0.25}, "levels"),
        Case("delta", "zero", {"threshold": 0.0}, "levels"),
        Case("sigma_delta", "spikes", {"threshold": 0.2} | SURROGATE, "payloads", True),
        Case("sigma_delta", "zero", {"threshold": 0.0}),
        Case("sigma_delta", "identity", {"threshold": 0.3, "activation": "identity"}, "fine"),
        Case("sigma_delta", "bias", {"threshold": 0.1, "bias": 0.25}, "fine"),
    ]
    for neuron, (plain, values, ties) in own.items():
        # rf's constants of the surrogate are smaller by 200.
        wide = {"tau_grad": 1.5, "scale_grad": 0.7} if neuron == "rf" else SURROGATE
        has_gradient = neuron != "adrf"
        cases += [
            Case(neuron, "spikes", plain | wide, has_gradient=has_gradient),
            Case(neuron, "own_values", values | wide, "large", has_gradient),
            Case(neuron, "ties", ties, "ties"),
        ]
    return [replace(case, name=f"slayer_{case.name}") for case in cases]


def _lava_cases() -> list[Case]:
    cases = [
        Case("lif", "spikes", {"threshold": 0.4, "voltage_decay": 0.1}),
        Case("cuba", "spikes", CUBA | {"bias": 0.0625}),
        Case("cuba", "ties", TIES_CUBA, "ties"),
        Case("alif", "spikes", ALIF | {"bias": 0.0625}),
        Case("alif", "ties", TIES_ALIF | TIES_ADAPTION, "ties"),
        Case("rf", "spikes", RESONATOR),
        Case("rf_iz", "spikes", RESONATOR),
        Case("delta", "spikes", {"threshold": 0.25}, "levels"),
        Case("delta", "cumulative", {"threshold": 0.6, "cumulative_error": True}, "levels"),
        Case("sigma_delta", "spikes", {"threshold": 0.2, "bias": 0.125}, "fine"),
        Case("sigma_delta", "zero", {"threshold": 0.0}, "fine"),
        Case("sigma_delta", "identity", {"threshold": 0.3, "activation": "identity"}, "fine"),
        Case("sigma_delta", "cumulative", {"threshold": 1.2, "cumulative_error": True}, "fine"),
    ]
    return [replace(case, name=f"lava_{case.name}") for case in cases]


def _sums(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Weighted sums of twelve binary spike trains."""
    spikes = (rng.random((shape[0], 12)) < 0.3).astype(float)
    return spikes @ rng.integers(-16, 21, (12, shape[1])) * 2 / 64


INPUTS = {
    "spikes": _sums,
    # Products of the states that these give do not fit in 32 bits.
    "large": lambda rng, shape: _sums(rng, shape) * np.where(rng.random(shape) < 0.1, 64, 1),
    "ties": lambda rng, shape: rng.choice([-4, -2, -1, 0, 0, 1, 2, 4, 8], shape) / 8,
    "levels": lambda rng, shape: rng.integers(-16, 16, shape) / 32,
    "payloads": lambda rng, shape: rng.integers(-2000, 2400, shape) / 4096,
    "fine": lambda rng, shape: rng.integers(-100_000, 120_000, shape) / 2**18,
}


def run_slayer(case: Case, inputs: dict, output_gradient: np.ndarray) -> dict[str, np.ndarray]:
    """Runs the neurons one by one, so that each may have parameters of its own."""
    found: dict[str, list] = {}
    for n in range(NEURONS):
        own = {
            name: value[n] if isinstance(value, list) else value
            for name, value in case.parameters.items()
        }
        signals = {
            name: torch.tensor(x[:, n], dtype=torch.float32)[None, None].requires_grad_()
            for name, x in inputs.items()
        }
        slayer_neuron = _slayer_differences if "delta" in case.neuron else _slayer_spikes
        states, output = slayer_neuron(case.neuron, own, list(signals.values()))
        arrays = {f"before_reset_{name}": state for name, state in states.items()}
        arrays["output"] = output
        if case.has_gradient:
            gradient = torch.tensor(output_gradient[:, n], dtype=torch.float32)
            (output[0, 0] * gradient).sum().backward()
            arrays |= {f"gradient_{name}": signal.grad for name, signal in signals.items()}
        for name, array in arrays.items():
            found.setdefault(name, []).append(array[0, 0].detach().numpy())
    return {name: np.stack(columns, axis=1) for name, columns in found.items()}


def _slayer_spikes(neuron: str, parameters: dict, signals: list) -> tuple[dict, torch.Tensor]:
    own = {("graded_spike" if name == "graded" else name): p for name, p in parameters.items()}
    make, names = SLAYER[neuron]
    model = make(**own, **HIDDEN.get(neuron, {}))
    states = model.dynamics(tuple(signals) if neuron in RESONATORS else signals[0])
    if neuron == "integrator":
        return dict(zip(names, states, strict=True)), states[1]
    output = model.spike(*(states if neuron in RESONATORS else states[1:]))
    named = dict(zip(names, states, strict=True))
    if neuron == "lif":
        del named["u"]
    return named, output


def _slayer_differences(neuron: str, parameters: dict, signals: list) -> tuple[dict, torch.Tensor]:
    own = dict(parameters)
    bias = own.pop("bias", None)
    identity = own.pop("activation", "relu") == "identity"
    model = sigma_delta.Neuron(activation=(lambda a: a) if identity else torch.relu, **own)
    if neuron == "delta":
        return {}, model.delta(signals[0])
    if bias is not None:
        model.set_bias(torch.tensor([bias]))
    return {"sigma": model.sigma(signals[0])}, model(signals[0])


class LavaNeuron(NamedTuple):
    """A process, its input ports, our names of its variables, and the units of all numbers."""

    process: AbstractProcess
    ports: tuple[str, ...]
    states: dict[str, str]
    input_unit: int = 64
    state_unit: int = 4096
    output_unit: int = 1


def run_lava(case: Case, inputs: dict) -> dict[str, np.ndarray]:
    """Runs the bit-accurate process."""
    process, ports, states, *units = LAVA[case.neuron](case)
    input_unit, state_unit, output_unit = units
    for x, port in zip(inputs.values(), ports, strict=True):
        source = Source(data=(x.T * input_unit).astype(np.int32))
        source.s_out.connect(getattr(process, port))
    sink = Sink(shape=(NEURONS,), buffer=case.steps)
    process.s_out.connect(sink.a_in)
    monitors = {name: Monitor() for name in states}
    for name, variable in states.items():
        monitors[name].probe(getattr(process, variable), case.steps)
    process.run(RunSteps(case.steps), Loihi2SimCfg(select_tag="fixed_pt"))
    arrays = {"output": sink.data.get().T / output_unit}
    for name, variable in states.items():
        data = monitors[name].get_data()[process.name][variable]
        arrays[f"after_{name}"] = data / state_unit
    process.stop()
    return arrays


def _lava_lif(case: Case) -> LavaNeuron:
    p = case.parameters
    process = LIF(
        shape=(NEURONS,),
        vth=int(64 * p["threshold"]),
        du=round(4096 * p.get("current_decay", 1)) - 1,  # LIF adds 1
        dv=round(4096 * p["voltage_decay"]),
        bias_mant=int(64 * p.get("bias", 0)),
        bias_exp=6,
    )
    return LavaNeuron(process, ("a_in",), {"v": "v"} | ({"u": "u"} if "current_decay" in p else {}))


def _lava_alif(case: Case) -> LavaNeuron:
    p = case.parameters
    process = ATRLIF(
        shape=(NEURONS,),
        theta=int(64 * p["threshold"]),
        theta_0=int(64 * p["threshold"]),
        theta_step=int(64 * p["threshold_step"]),
        delta_i=(round(4096 * p["current_decay"]) - 1) / 4096,  # ATRLIF adds 1, too
        delta_v=round(4096 * p["voltage_decay"]) / 4096,
        delta_theta=round(4096 * p["threshold_decay"]) / 4096,
        delta_r=round(4096 * p["refractory_decay"]) / 4096,
        bias_mant=int(64 * p.get("bias", 0)),
        bias_exp=6,
    )
    return LavaNeuron(process, ("a_in",), {"u": "i", "v": "v", "theta": "theta", "r": "r"})


def _lava_resonator(case: Case) -> LavaNeuron:
    threshold, period, decay = (case.parameters[p] for p in ("threshold", "period", "decay"))
    make = {"rf": RF, "rf_iz": RF_IZ}[case.neuron]
    process = make((NEURONS,), period, decay, state_exp=6, decay_bits=12, vth=int(64 * threshold))
    process.sin_decay.init = round(4096 * (1 - decay) * np.sin(2 * np.pi / period))
    process.cos_decay.init = round(4096 * (1 - decay) * np.cos(2 * np.pi / period))
    return LavaNeuron(process, ("a_real_in", "a_imag_in"), {"re": "real", "im": "imag"})


def _lava_differences(case: Case) -> LavaNeuron:
    p = case.parameters
    shared = {
        "shape": (NEURONS,),
        "vth": int(64 * p["threshold"]),
        "cum_error": "cumulative_error" in p,
        "spike_exp": 6,
        "state_exp": 6,
    }
    states = {"act": "act", "residue": "residue"}
    if shared["cum_error"]:
        states["error"] = "error"
    if case.neuron == "delta":
        return LavaNeuron(Delta(**shared), ("a_in",), states, 64, 2**18, 4096)
    process = SigmaDelta(
        bias=int(64 * p.get("bias", 0)),
        act_mode=ActivationMode.UNIT if "activation" in p else ActivationMode.RELU,
        **shared,
    )
    states["sigma"] = "sigma"
    return LavaNeuron(process, ("a_in",), states, 2**18, 2**18, 4096)


LAVA = {
    "lif": _lava_lif,
    "cuba": _lava_lif,
    "alif": _lava_alif,
    "rf": _lava_resonator,
    "rf_iz": _lava_resonator,
    "delta": _lava_differences,
    "sigma_delta": _lava_differences,
}


def make_arrays() -> dict[str, np.ndarray]:
    """All arrays of all cases."""
    arrays, parameters = {}, {}
    for number, case in enumerate(_slayer_cases() + _lava_cases()):
        rng = np.random.default_rng((2026, number))
        shape = case.steps, NEURONS
        inputs = {name: INPUTS[case.inputs](rng, shape) for name in case.input_names}
        gradient = rng.integers(-16, 17, shape) / 8
        if case.name.startswith("slayer"):
            found = run_slayer(case, inputs, gradient)
        else:
            found = run_lava(case, inputs)
        found |= {f"input_{name}": x for name, x in inputs.items()}
        if case.has_gradient:
            found["output_gradient"] = gradient
        for name, array in found.items():
            path = f"{case.neuron}/{case.name}/{name}"
            arrays[path] = np.float32(array) if "gradient" in name else to_integers(path, array)
        parameters[f"{case.neuron}/{case.name}"] = case.parameters
        print(f"{case.neuron}/{case.name}: {np.count_nonzero(found['output'])} outputs")
    return arrays | {"parameters": np.array(json.dumps(parameters))}


def to_integers(path: str, array: np.ndarray) -> np.ndarray:
    """The array in the unit that the file has for it, in as few bits as hold it."""
    if path.endswith("/output"):
        is_graded = any(word in path for word in ("delta/", "graded/", "integrator/"))
        unit = 4096 if is_graded else 1
    else:
        unit = 2**18 if path.startswith("sigma_delta/") else 4096
    scaled = np.float64(array) * unit
    assert (scaled == np.rint(scaled)).all(), path
    assert np.abs(scaled).max() < 2**24, path  # slayer's float32 has no more bits
    return scaled.astype(np.int16 if np.abs(scaled).max() < 2**15 else np.int32)


if __name__ == "__main__":
    np.savez_compressed(FILE, **make_arrays())
    print(f"{FILE}: {FILE.stat().st_size} bytes")
