"""The tasks. None of them states a surrogate gradient, a scale of weights or an optimizer.

Settings are chosen on the tasks of ``CHOSEN_ON`` and confirmed on the others.
"""

from collections.abc import Mapping
from typing import Any

from support.tasks import samples
from support.tasks.task import Task

CUBA = {"type": "cuba", "threshold": 1.0, "current_decay": 0.3, "voltage_decay": 0.1}
LIF = {"type": "lif", "threshold": 1.0, "voltage_decay": 0.1}
ALIF = CUBA | {
    "type": "alif",
    "threshold_step": 0.2,
    "threshold_decay": 0.05,
    "refractory_decay": 0.5,
}
RF = {"type": "rf", "threshold": 1.0, "period": [6, 30], "decay": 0.05, "per_channel": True}
DELTA = {"type": "delta", "threshold": 0.05}
RELU = {"type": "sigma_delta", "threshold": 0.05}
SUM = {"type": "integrator"}
LEAKY = {"type": "integrator", "voltage_decay": 0.1}

Sections = list[dict[str, Any]]


def _document(
    shape: tuple[int, int], neurons: Mapping[str, Any], layers: Sections, loss: Any, training: Any
) -> dict[str, Any]:
    """``shape`` is the number of steps and of inputs, ``training`` has the number of epochs."""
    return {
        "format": 1,
        "name": "task",
        "time": {"steps": shape[0]},
        "input": {"shape": [shape[1]]},
        "neurons": dict(neurons),
        "layers": layers,
        "loss": loss,
        "training": {"seed": 0, **training},
    }


def _layer(name: str, units: int, neuron: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "dense", "units": units, "neuron": neuron, **more}


def _layers(hidden: int, neuron: str, outputs: int, last: str, **more: Any) -> Sections:
    """Returns a hidden layer and the output."""
    return [_layer("hidden", hidden, neuron, **more), _layer("output", outputs, last)]


def _three(units: int, neuron: str, outputs: int, last: str) -> Sections:
    hidden = [_layer(name, units, neuron) for name in ("first", "second", "third")]
    return [*hidden, _layer("output", outputs, last)]


def _cross_entropy(over: str) -> dict[str, Any]:
    return {"type": "cross_entropy", "over": over}


_DOCUMENTS = {
    "timing_patterns": _document(
        (100, 30),
        {"alif": ALIF, "readout": LEAKY},
        _layers(64, "alif", 3, "readout", type="recurrent"),
        _cross_entropy("mean"),
        {"epochs": 20},
    ),
    "spike_rates": _document(
        (50, 40),
        {"lif": LIF | {"threshold": 0.5}},
        _layers(64, "lif", 8, "lif"),
        {"type": "spike_rate", "true_rate": 0.5, "false_rate": 0.05},
        {"epochs": 30},
    ),
    "digits_by_rate": _document(
        (25, 64),
        {"cuba": CUBA | {"current_decay": 1.0}},
        _three(64, "cuba", 10, "cuba"),
        {"type": "spike_max"},
        {"epochs": 30},
    ),
    "digits_by_latency": _document(
        (30, 64),
        {"lif": LIF | {"reset": "subtract"}, "readout": LEAKY},
        _layers(128, "lif", 10, "readout"),
        _cross_entropy("max"),
        {"epochs": 30},
    ),
    "vowels": _document(
        (32, 12),
        {"alif": ALIF | {"current_decay": 0.7, "voltage_decay": 0.5}, "readout": SUM},
        _layers(128, "alif", 9, "readout"),
        _cross_entropy("mean"),
        {"epochs": 40},
    ),
    "spike_targets": _document(
        (200, 40),
        {"cuba": CUBA | {"threshold": 0.25}},
        _layers(64, "cuba", 10, "cuba"),
        {"type": "spike_time", "time_constant_ms": 5.0},
        {"epochs": 100},
    ),
    "digits_by_current": _document(
        (25, 64),
        {"lif": LIF | {"reset": "subtract_delayed"}},
        _layers(128, "lif", 10, "lif"),
        {"type": "spike_rate"},
        {"epochs": 30},
    ),
    "delayed_recall": _document(
        (45, 8),
        {"cuba": CUBA | {"current_decay": 1.0, "voltage_decay": 0.3}},
        _layers(64, "cuba", 8, "cuba", delay={"learn": True, "initial_steps": [0, 40]}),
        {"type": "spike_rate", "true_rate": 0.8, "false_rate": 0.1, "skip_steps": 40},
        {"epochs": 20},
    ),
    "yin_yang": _document(
        (30, 5),
        {"lif": LIF | {"threshold": 0.5}, "readout": LEAKY},
        _layers(128, "lif", 3, "readout"),
        _cross_entropy("max"),
        {"epochs": 50},
    ),
    "random_manifolds": _document(
        (100, 20),
        {"cuba": CUBA | {"threshold": 0.1, "current_decay": 0.2}, "readout": LEAKY},
        _three(64, "cuba", 10, "readout"),
        _cross_entropy("mean"),
        {"epochs": 20},
    ),
    "evidence": _document(
        (500, 30),
        {"lif": LIF | {"voltage_decay": 0.05}, "readout": SUM},
        _layers(32, "lif", 2, "readout", type="recurrent"),
        _cross_entropy("last"),
        {"epochs": 15},
    ),
    "tones": _document(
        (150, 8),
        {"rf": RF, "readout": SUM},
        _layers(64, "rf", 5, "readout"),
        _cross_entropy("mean"),
        {"epochs": 20},
    ),
    "mackey_glass": _document(
        (100, 4),
        {"delta": DELTA, "relu": RELU, "readout": SUM},
        [
            _layer("changes", 32, "delta"),
            _layer("first", 64, "relu"),
            *_layers(64, "relu", 1, "readout"),
        ],
        {"type": "mean_squared_error"},
        {"epochs": 40, "batch_size": 4},
    ),
}

TASKS = {
    name: Task(name, document | {"name": name}, getattr(samples, name))
    for name, document in _DOCUMENTS.items()
}

CHOSEN_ON = ("timing_patterns", "spike_rates", "digits_by_rate", "digits_by_latency")
CHOSEN_ON += ("spike_targets", "yin_yang")
