"""Each neuron of the language: it is trained, resumed, evaluated and run from a document."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.classify_task import CELLS, STEPS, classify_document, write_arrays
from support.grids import grid
from support.neuron_definitions import example_fields

import netdesc
from netdesc.description.neuron_text import example_neuron
from netdesc.events import Event
from netdesc.neurons.models import NEURONS

pytestmark = pytest.mark.usefixtures("reference_engine")

ADAPTION = {
    "threshold_step": [0.1, 0.3], "threshold_decay": [0.1, 0.3], "refractory_decay": 0.5,
}  # fmt: skip
ADAPTION_LEARNT = ["threshold_step", "threshold_decay", "refractory_decay"]
RESONANCE = {"threshold": 0.2, "period": [4.0, 12.0], "decay": [0.05, 0.3]}
LEAKY = {"threshold": [0.2, 0.4], "voltage_decay": [0.1, 0.3]}
TWO_INPUTS = {
    "parameters": {
        "threshold": {"kind": "threshold", "value": [0.2, 0.4]},
        "leak": {"kind": "decay", "value": [0.1, 0.3]},
        "gain": {"kind": "factor", "value": 0.8},
        "offset": {"kind": "grid", "value": 0.01},
    },
    "inputs": ["x", "gate"],
    "step": [
        "g = decay(g, leak) + gate",
        "v = decay(v, leak) + where(g > 0, scaled(x, gain), 0) + offset",
        "w = straight_through(v, v)",
    ],
    "spike": "w > threshold and v > 0",
    "reset": ["v = v - threshold"],
    "surrogate": {"width": 0.5},
    "learn": ["threshold", "leak", "gain", "offset"],
}
NARROWER = {"type": "geometric", "start": 1.0, "end": 0.2}
CASES: dict[str, dict[str, Any]] = {
    "cuba": {"threshold": 0.3, "current_decay": [0.3, 0.6], "voltage_decay": 0.2, "norm": "mean",
             "learn": ["threshold", "current_decay", "voltage_decay"], "tau_grad": 0.01},
    "lif": LEAKY | {"learn": ["threshold", "voltage_decay"], "reset": "subtract_delayed",
                    "reset_gradient": "exact",
                    "surrogate": {"width": NARROWER, "shape": "atan"}, "norm": "mean_variance"},
    "alif": LEAKY | ADAPTION | {"current_decay": 0.5, "dropout": 0.1, "surrogate": {"width": 0.5,
                                "shape": "fast_sigmoid"}, "graded": True, "reset_gradient": "exact",
                                "learn": ["threshold", "current_decay", *ADAPTION_LEARNT]},
    "rf": RESONANCE | {"learn": ["threshold", "period", "decay"]},
    "rf_iz": RESONANCE | {"learn": ["period", "decay"], "surrogate": {"width": None, "peak": 0.5,
                          "shape": "triangle"}},
    "adrf": RESONANCE | ADAPTION | {"reset_gradient": "exact",
                                    "learn": ["period", "decay", *ADAPTION_LEARNT]},
    "adrf_iz": RESONANCE | ADAPTION | {"learn": ["threshold", "period"], "tau_grad": 0.01},
    "delta": {"threshold": 0.1},
    "sigma_delta": {"threshold": 0.1, "cumulative_error": True, "norm": "mean"},
    "integrator": {"current_decay": [0.3, 0.6], "voltage_decay": 0.2,
                   "learn": ["current_decay", "voltage_decay"]},
    "equations": TWO_INPUTS,
}  # fmt: skip


def fields_of(kind: str) -> dict[str, Any]:
    """Returns the fields of a neuron that learns what it can."""
    return CASES.get(kind) or example_fields(kind) | {"learn": [*example_neuron(kind).learnable()]}


class StopError(Exception):
    pass


def stop_after(epochs: int):
    def callback(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == epochs:
            raise StopError

    return callback


def document(folder: Path, kind: str) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    write_arrays(folder / "data.npz")
    made = classify_document({"path": str(folder / "data.npz")}, {"epochs": 4})
    made["neurons"]["own"] = {"type": kind, "per_channel": True} | fields_of(kind)
    made["layers"][0] |= {"neuron": "own", "weight_norm": kind == "rf", "weight_scale": 3.0}
    return made


@pytest.mark.parametrize("kind", grid(NEURONS, ["lif", "alif", "equations"]))
def test_a_neuron_is_trained_resumed_evaluated_and_run(kind: str, tmp_path: Path) -> None:
    made = document(tmp_path, kind)
    quiet: dict[str, Any] = {"progress": "quiet", "engine": "reference"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of neurons that no .net file can hold
        whole = netdesc.train(made, run_dir=tmp_path / "whole", **quiet)
        with pytest.raises(StopError):
            netdesc.train(made, run_dir=tmp_path / "cut", callbacks=stop_after(2), **quiet)
        again = netdesc.train(resume=tmp_path / "cut", **quiet)
    assert (whole.status, again.status, whole.exit_code) == ("done", "done", 0)
    models = [netdesc.compile(run).model for run in (whole, again)]
    states = [model.state_dict() for model in models]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert (whole.metrics["loss"] == again.metrics["loss"]).all()
    assert whole.metrics["loss"][-1] < whole.metrics["loss"][0]
    initial = netdesc.compile(made).model.state_dict()
    learnt = [f"layers.hidden.neuron.{name}" for name in fields_of(kind).get("learn", [])]
    assert all((states[0][name] != initial[name]).any() for name in learnt)
    evaluation = netdesc.evaluate(whole, "validation")
    assert evaluation.loss == pytest.approx(whole.best["validation_loss"], rel=1e-6)
    assert {each.layer: each.rate > 0 for each in evaluation.layers}["hidden"]
    times = np.arange(STEPS, dtype=np.float64)
    event = Event(x=times.astype(int) % CELLS, t=times)
    result = netdesc.run(whole, event)
    assert result.spikes_TN.shape == (STEPS, 3)
    assert whole.report_path is not None
