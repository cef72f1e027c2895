"""The tasks. None of them states a surrogate gradient, a scale of weights or an optimizer.

Settings are chosen on the tasks of ``CHOSEN_ON`` and confirmed on the others.
"""

from collections.abc import Callable
from typing import Any

from support.tasks import samples
from support.tasks.task import Net, Score, Task

CUBA = {"type": "cuba", "threshold": 1.0, "current_decay": 0.3, "voltage_decay": 0.1}
LIF = {"type": "lif", "threshold": 1.0, "voltage_decay": 0.1}
ALIF = {
    "type": "alif",
    "threshold": 1.0,
    "threshold_step": 0.2,
    "current_decay": 0.3,
    "voltage_decay": 0.1,
    "threshold_decay": 0.05,
    "refractory_decay": 0.5,
}
INTEGRATOR = {"type": "integrator"}
LEAKY = {"type": "integrator", "voltage_decay": 0.1}


def _layer(units: int, neuron: str, kind: str = "dense", **more: Any) -> dict[str, Any]:
    return {"name": "hidden", "type": kind, "units": units, "neuron": neuron, **more}


def _output(units: int, neuron: str = "readout") -> dict[str, Any]:
    return {"name": "output", "type": "dense", "units": units, "neuron": neuron}


def _three_layers(units: int, neuron: str) -> list[dict[str, Any]]:
    names = ("first", "second", "third")
    return [_layer(units, neuron) | {"name": name} for name in names]


_NETS: dict[str, tuple[Net, Callable[[], dict[str, Any]], Score]] = {
    "timing_patterns": (
        Net(
            100,
            30,
            {"alif": ALIF, "readout": LEAKY},
            [_layer(64, "alif", "recurrent"), _output(3)],
            {"type": "cross_entropy", "over": "mean"},
            20,
        ),
        samples.timing_patterns,
        "accuracy",
    ),
    "spike_rates": (
        Net(
            50,
            40,
            {"lif": LIF | {"threshold": 0.5}},
            [_layer(64, "lif"), _output(8, "lif")],
            {"type": "spike_rate", "true_rate": 0.5, "false_rate": 0.05},
            30,
        ),
        samples.spike_rates,
        "accuracy",
    ),
    "digits_by_rate": (
        Net(
            25,
            64,
            {"cuba": CUBA | {"current_decay": 1.0}},
            [*_three_layers(64, "cuba"), _output(10, "cuba")],
            {"type": "spike_max"},
            30,
        ),
        samples.digits_by_rate,
        "accuracy",
    ),
    "digits_by_latency": (
        Net(
            30,
            64,
            {"lif": LIF | {"reset": "subtract"}, "readout": LEAKY},
            [_layer(128, "lif"), _output(10)],
            {"type": "cross_entropy", "over": "max"},
            30,
        ),
        samples.digits_by_latency,
        "accuracy",
    ),
    "vowels": (
        Net(
            32,
            12,
            {"alif": ALIF | {"current_decay": 0.7, "voltage_decay": 0.5}, "readout": INTEGRATOR},
            [_layer(128, "alif"), _output(9)],
            {"type": "cross_entropy", "over": "mean"},
            40,
        ),
        samples.vowels,
        "accuracy",
    ),
    "spike_targets": (
        Net(
            200,
            40,
            {"cuba": CUBA | {"threshold": 0.25}},
            [_layer(64, "cuba"), _output(10, "cuba")],
            {"type": "spike_time", "time_constant_ms": 5.0},
            100,
        ),
        samples.spike_targets,
        "spike_distance",
    ),
    "digits_by_current": (
        Net(
            25,
            64,
            {"lif": LIF | {"reset": "subtract_delayed"}},
            [_layer(128, "lif"), _output(10, "lif")],
            {"type": "spike_rate"},
            30,
        ),
        samples.digits_by_current,
        "accuracy",
    ),
    "delayed_recall": (
        Net(
            45,
            8,
            {"cuba": CUBA | {"current_decay": 1.0, "voltage_decay": 0.3}},
            [
                _layer(64, "cuba", delay={"learn": True, "initial_steps": [0, 40]}),
                _output(8, "cuba"),
            ],
            {"type": "spike_rate", "true_rate": 0.8, "false_rate": 0.1, "skip_steps": 40},
            20,
        ),
        samples.delayed_recall,
        "accuracy",
    ),
    "yin_yang": (
        Net(
            30,
            5,
            {"lif": LIF | {"threshold": 0.5}, "readout": LEAKY},
            [_layer(128, "lif"), _output(3)],
            {"type": "cross_entropy", "over": "max"},
            50,
        ),
        samples.yin_yang,
        "accuracy",
    ),
    "random_manifolds": (
        Net(
            100,
            20,
            {"cuba": CUBA | {"threshold": 0.1, "current_decay": 0.2}, "readout": LEAKY},
            [*_three_layers(64, "cuba"), _output(10)],
            {"type": "cross_entropy", "over": "mean"},
            20,
        ),
        samples.random_manifolds,
        "accuracy",
    ),
    "evidence": (
        Net(
            500,
            30,
            {"lif": LIF | {"voltage_decay": 0.05}, "readout": INTEGRATOR},
            [_layer(32, "lif", "recurrent"), _output(2)],
            {"type": "cross_entropy", "over": "last"},
            15,
        ),
        samples.evidence,
        "accuracy",
    ),
    "tones": (
        Net(
            150,
            8,
            {
                "rf": {
                    "type": "rf",
                    "threshold": 1.0,
                    "period": [6, 30],
                    "decay": 0.05,
                    "per_channel": True,
                },
                "readout": INTEGRATOR,
            },
            [_layer(64, "rf"), _output(5)],
            {"type": "cross_entropy", "over": "mean"},
            20,
        ),
        samples.tones,
        "accuracy",
    ),
    "mackey_glass": (
        Net(
            100,
            4,
            {
                "delta": {"type": "delta", "threshold": 0.05},
                "relu": {"type": "sigma_delta", "threshold": 0.05},
                "readout": INTEGRATOR,
            },
            [
                _layer(32, "delta") | {"name": "changes"},
                _layer(64, "relu") | {"name": "first"},
                _layer(64, "relu") | {"name": "second"},
                _output(1),
            ],
            {"type": "mean_squared_error"},
            40,
            {"batch_size": 4},
        ),
        samples.mackey_glass,
        "root_mean_squared_error",
    ),
}

TASKS = {
    name: Task(name, net.document(name), make, score) for name, (net, make, score) in _NETS.items()
}

CHOSEN_ON = (
    "timing_patterns",
    "spike_rates",
    "digits_by_rate",
    "digits_by_latency",
    "spike_targets",
    "yin_yang",
)
