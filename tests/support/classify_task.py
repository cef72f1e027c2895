"""Small classification tasks for the tests of training and evaluation."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from netdesc.events import from_dense, write_events

CLASSES, CELLS, STEPS = 3, 9, 12


def samples(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values 0 to 4 [count, CELLS], brightest in the three cells of the class, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    bright = np.arange(CELLS) // 3 == labels[:, None]
    return np.where(
        bright, rng.integers(2, 5, bright.shape), rng.integers(0, 2, bright.shape)
    ), labels


def write_arrays(path: Path, count: int = 60, **changes: Any) -> None:
    values, labels = samples(count)
    split = np.zeros(count, int)
    split[count // 2 :] = 1
    split[-count // 4 :] = 2
    np.savez(path, **{"inputs": values, "labels": labels, "split": split} | changes)


def classify_document(
    data: dict[str, Any] | None = None, training: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    neuron = {"type": "cuba", "threshold": 0.3, "current_decay": 0.5, "voltage_decay": 0.2}
    neuron["tau_grad"] = 0.05
    layer = {"type": "dense", "neuron": "cuba", "weight_scale": 1}
    arrays = {
        "type": "arrays",
        "path": "data.npz",
        "split": "split",
        "range": [0, 4],
        "encoding": {"type": "rate"},
    }
    return {
        "format": 1,
        "name": "classes",
        "time": {"steps": STEPS},
        "data": arrays | (data or {}),
        "input": {"shape": [CELLS]},
        "neurons": {"cuba": neuron},
        "layers": [
            {"name": "hidden", "units": 12, **layer},
            {"name": "output", "units": CLASSES, **layer},
        ],
        "loss": {"type": "spike_max"},
        "training": {
            "epochs": 6,
            "batch_size": 8,
            "optimizer": {"type": "adam", "learning_rate": 0.02},
        }
        | (training or {}),
    } | more


def write_classify_task(folder: Path, **changes: Any) -> Path:
    """Writes arrays and a document into ``folder`` and returns the document's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_arrays(folder / "data.npz")
    path = folder / "classes.json"
    path.write_text(json.dumps(classify_document(**changes)))
    return path


def write_labelled_files(folder: Path, count: int, **changes: Any) -> Path:
    """As ``write_classify_task``, with a file of spikes for each sample."""
    values, labels = samples(count)
    pairs = []
    for number, (row, label) in enumerate(zip(values, labels, strict=True)):
        write_events(folder / f"{number}.bs1", from_dense(np.tile(row > 1, (STEPS, 1)), 1.0))
        pairs.append({"input": {"path": f"{number}.bs1"}, "label": int(label)})
    path = write_classify_task(folder, **changes)
    document = json.loads(path.read_text()) | {"data": {"type": "spike_files", "train": pairs}}
    path.write_text(json.dumps(document))
    return path


def labels_by_step(folder: Path) -> Path:
    """As ``write_classify_task``, with spikes and a label for each step."""
    path = write_classify_task(folder, data={"encoding": {"type": "spikes"}})
    rng = np.random.default_rng(3)
    inputs, classes = rng.random((60, 12, 9)) < 0.4, rng.integers(0, 3, (60, 12))
    write_arrays(folder / "data.npz", inputs=inputs, labels=classes)
    return path
