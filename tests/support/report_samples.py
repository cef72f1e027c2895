"""Run folders as training writes them, made without training, for the tests of the report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from netdesc.api.load import load
from netdesc.description import lock_text
from netdesc.report.page import Page
from netdesc.report.run import RunData

STEPS, INPUTS, HIDDEN, OUTPUTS = 60, 12, 16, 6
VERSIONS = {"python": "3.11.7", "netdesc": "0.1.0", "torch": "2.9.0", "numpy": "2.3.1"}


def document(*, classes: bool = False, **changes: Any) -> dict[str, Any]:
    """A network of two layers, the first of which learns its decays."""
    target = {"label": 1} if classes else {"target": {"path": "target.bs1"}}
    loss = (
        {"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03}
        if classes
        else {"type": "spike_time", "time_constant_ms": 2.0}
    )
    neuron = {"type": "cuba", "threshold": 0.5, "current_decay": 1.0, "voltage_decay": 0.3}
    learning = {
        **neuron,
        "current_decay": [0.1, 0.4],
        "per_channel": True,
        "learn": ["current_decay", "voltage_decay"],
    }
    return {
        "format": 1,
        "name": "tiny",
        "description": "A network for tests.",
        "time": {"steps": STEPS, "step_ms": 1.0},
        "data": {"type": "spike_files", "train": [{"input": {"path": "input.bs1"}, **target}]},
        "input": {"shape": [INPUTS]},
        "neurons": {"plain": neuron, "learning": learning},
        "layers": [
            {"name": "hidden", "type": "dense", "units": HIDDEN, "neuron": "learning"},
            {"name": "output", "type": "dense", "units": OUTPUTS, "neuron": "plain"},
        ],
        "loss": loss,
        "training": {"epochs": 30, "optimizer": {"type": "adam", "learning_rate": 0.01}},
    } | changes


def four_layers(**changes: Any) -> dict[str, Any]:
    """Four layers, of which the third may move without changing what any of them reads."""
    layers = [
        {"name": "first", "type": "dense", "units": 8, "neuron": "plain"},
        {"name": "second", "type": "dense", "units": 8, "neuron": "plain", "from": "first"},
        {"name": "third", "type": "dense", "units": 6, "neuron": "learning", "from": "first"},
        {"name": "output", "type": "dense", "units": 6, "neuron": "plain", "from": "second"},
    ]
    return document(layers=layers) | changes


def long_names() -> dict[str, Any]:
    """Changes to ``document``: a loss of four terms, and a name of 97 characters."""
    name = "_".join(["output"] * 14)
    hidden, output = document()["layers"]
    penalty = {"type": "event_rate", "weight": 1.25e-5}
    return {
        "name": name,
        "layers": [hidden, output | {"name": name}],
        "regularizers": [penalty | {"layers": [layer]} for layer in ("hidden", name, name)],
    }


def write_run(
    folder: Path,
    *,
    epochs: int = 30,
    status: str = "done",
    message: str | None = None,
    classes: bool = False,
    changes: dict[str, Any] | None = None,
    rows: list[dict[str, Any]] | None = None,
    arrays: dict[str, Any] | None = None,
    **record: Any,
) -> Path:
    """A whole run in ``folder``: the files of ``netdesc.runs.folder`` that a report reads. ``rows``
    replace those of ``epochs``, and ``arrays`` some of the file of activity."""
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("input.bs1", "target.bs1"):
        (folder.parent / name).write_bytes(bytes(5))
    source = folder.parent / "tiny.json"
    source.write_text(json.dumps(document(classes=classes, **(changes or {}))))
    description = load(source, with_files=False)
    (folder / "network.json").write_text(source.read_text())
    (folder / "network.lock.json").write_text(lock_text(description, folder, VERSIONS))
    (folder / "run.json").write_text(
        json.dumps(run_record(epochs, status=status, message=message) | record)
    )
    if rows is None:
        rows = [metrics_row(epoch, classes=classes) for epoch in range(epochs)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.savez_compressed(folder / "activity.npz", **activity(classes=classes) | (arrays or {}))
    for name, seed in (("initial", 0), ("best", 1)):
        save_file(weights(seed), folder / "checkpoints" / f"{name}.safetensors")
    return folder


def page_of(folder: Path, **settings: Any) -> Page:
    return Page(RunData(write_run(folder / "run", **settings)))


def write_state(folder: Path, epochs: int | None) -> None:
    """The file from which a run goes on, as far as a report reads it; None writes a damaged one."""
    path = folder / "checkpoints" / "last.state"
    if epochs is None:
        path.write_bytes(b"damaged")
        return
    notes = {"format": 1, "progress": {"epoch": epochs}}
    save_file({"x": np.zeros(1)}, path, {"netdesc": json.dumps(notes)})


def run_record(epochs: int, **fields: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "status": "done",
        "message": None,
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-02T03:14:05+00:00",
        "resumed": [],
        "lock_sha256": "0" * 64,
        "engine": "auto",
        "command": "netdesc train tiny.json --set 'training.epochs=30'",
        "versions": VERSIONS,
        "platform": "Linux-6.1",
        "device": {"type": "cpu", "name": "x86_64", "instructions": "AVX2", "threads": 2},
        "parameters": 0,
        "synapses": 0,
        "epochs_done": epochs,
        "seconds": 1.0,
        "stopped_early": False,
        "layers": [{"layer": "hidden", "engine": "cpu", "path": "events", "peaks": {"v": 36623}}],
        "best": None,
        "final": None,
    } | fields


def metrics_row(epoch: int, *, classes: bool = False) -> dict[str, Any]:
    row: dict[str, Any] = {
        "epoch": epoch,
        "loss": 100.0 / (epoch + 1),
        "seconds": 0.01 + 0.001 * (epoch % 3),
        "learning_rate": 0.01 * 0.9**epoch,
        "gradient_norms": {"hidden": 5.0 + epoch % 4, "output": 50.0},
        "spike_rates": {"hidden": 0.03, "output": 0.02 + 0.0001 * epoch},
    }
    if classes:
        counts = np.full((OUTPUTS, OUTPUTS), 1) + np.diag([18 - n for n in range(OUTPUTS)])
        right = int(np.trace(counts))
        row |= {
            "validation_loss": 120.0 / (epoch + 1),
            "accuracy": 1 - 0.8 / (epoch + 1),
            "validation_accuracy": right / (int(counts.sum()) + 4),
            "confusion": counts.tolist(),
            "undecided": 4,
            "undecided_by_label": [4, *[0] * (OUTPUTS - 1)],
        }
    return row


def weights(seed: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    tensors: dict[str, Any] = {}
    for name, inputs, units in (("hidden", INPUTS, HIDDEN), ("output", HIDDEN, OUTPUTS)):
        before = f"layers.{name}"
        tensors[f"{before}.synapse.weight"] = rng.normal(0, 0.3 + seed, (units, inputs))
        shape = (units,) if name == "hidden" else ()
        tensors[f"{before}.neuron.current_decay"] = rng.uniform(0.1, 0.4, shape)
        tensors[f"{before}.neuron.voltage_decay"] = np.full(shape, 0.3 + 0.1 * seed)
    return {name: np.asarray(value, dtype=np.float32) for name, value in tensors.items()}


def events(seed: int, cells: int, count: int) -> NDArray[np.int32]:
    """Distinct events in the order of time, int32 [events, 2] of (step, cell)."""
    rng = np.random.default_rng(seed)
    places = np.sort(rng.choice(STEPS * cells, count, replace=False))
    return np.stack([places // cells, places % cells], axis=1).astype(np.int32)


def activity(*, classes: bool = False) -> dict[str, Any]:
    rates = np.linspace(0, 0.5, HIDDEN, dtype=np.float32)
    rates[:3], rates[-1] = 0, 0.95
    arrays: dict[str, Any] = {
        "format": np.int32(1),
        "epoch": np.int32(29),
        "part": np.array("validation" if classes else "train"),
        "samples": np.int32(2),
        "rate_hidden": rates,
        "rate_output": np.full(OUTPUTS, 0.1, dtype=np.float32),
        "frame_epochs": np.array([0, 3, 30], dtype=np.int32),
    }
    for name, neurons in (("hidden", HIDDEN), ("output", OUTPUTS)):
        arrays[f"traced_{name}"] = np.array([0, neurons // 2, neurons - 1], np.int32)
        arrays[f"trace_{name}"] = np.random.default_rng(7).normal(0, 1, (5, 3, STEPS))
        arrays[f"trace_{name}"][0] = arrays[f"trace_{name}"][0] > 1  # the output
    arrays |= {f"frame_{n}": events(90 + n, OUTPUTS, 20 + 10 * n) for n in range(3)}
    for k in range(2):
        arrays[f"input_{k}"] = events(k, INPUTS, 80)
        arrays[f"output_{k}"] = events(10 + k, OUTPUTS, 40)
        arrays[f"hidden_{k}_hidden"] = events(30 + k, HIDDEN, 60)
        if classes:
            arrays[f"label_{k}"] = np.int32(1)
            arrays[f"prediction_{k}"] = np.int32(k - 1)
            arrays[f"rates_{k}"] = np.linspace(0.1, 0.4, OUTPUTS, dtype=np.float32)
        else:
            arrays[f"target_{k}"] = events(20 + k, OUTPUTS, 40)
    return arrays
