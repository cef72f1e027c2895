"""What keeps a network from learning is said first, with settings that its document takes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.report_samples import (
    HIDDEN,
    INPUTS,
    OUTPUTS,
    activity,
    metrics_row,
    weights,
    write_run,
)

from netdesc.api.load import load
from netdesc.report.page import Page, build_page
from netdesc.report.run import read_run

NOTHING = np.empty((0, 2), dtype=np.int32)
NO_SILENCE = {"undecided_by_label": [0] * OUTPUTS}


def built(
    folder: Path, *, arrays: dict[str, Any] | None = None, row: dict[str, Any] | None = None,
    **settings: Any,
) -> Page:  # fmt: skip
    """The page of a run with other activity and rows."""
    path = write_run(folder / "run", **settings)
    classes = settings.get("classes", False)
    np.savez(path / "activity.npz", **(activity(classes=classes) | (arrays or {})))
    rows = [metrics_row(n, classes=classes) | (row or {}) for n in range(30)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return build_page(read_run(path))


def settings(page: Page) -> list[str]:
    """What the next steps set; of a step with several settings, all of them."""
    words = [shlex.split(step.text) for step in page.steps]
    return [" ".join(each[each.index("--set") + 1 :]) for each in words if "--set" in each]


def table(rows: list[int]) -> list[list[int]]:
    """A confusion matrix in which every sample is given class 0."""
    return [[count, *[0] * (OUTPUTS - 1)] for count in rows]


def test_silent_samples_come_first_with_settings_that_work(tmp_path: Path) -> None:
    row = {
        "confusion": table([10] * 5 + [9]),
        "undecided_by_label": [141, *[0] * 5],
        "validation_accuracy": 0.05,
    }
    page = built(tmp_path, classes=True, row=row, samples={"train": 200, "validation": 200})
    assert page.notes[0].startswith("The output is silent for 141 of 200 validation samples")
    found = settings(page)
    assert found == [
        "layers.output.weight_scale=2",
        "neurons.plain.threshold=0.25",
        "neurons.plain.tau_grad=0.1",
        "training.batch_size=32",
    ]
    assert page.steps[0].text.endswith(f"--set {found[0]}")
    assert [step.purpose for step in page.steps[:4]] == [
        "Try larger initial weights",
        "Try a lower threshold",
        "Try a narrower surrogate gradient",
        "Try batches of 32 samples",
    ]
    lock = tmp_path / "run" / "network.lock.json"
    plain = load(lock, with_files=False).document
    assert all(load(lock, [each], with_files=False).document != plain for each in found)


def test_a_few_silent_samples_are_no_fault(tmp_path: Path) -> None:
    page = built(tmp_path, classes=True)
    assert "silent" not in page.notes[0]
    assert page.steps[0].text.startswith("netdesc evaluate")


@pytest.mark.parametrize(("accuracy", "is_guess"), [(0.2, True), (0.6, False)])
def test_guessing_is_called_so(tmp_path: Path, accuracy: float, is_guess: bool) -> None:
    row = {"confusion": table([10] * 6), "validation_accuracy": accuracy} | NO_SILENCE
    page = built(tmp_path, classes=True, row=row)
    assert ("hardly better than guessing" in page.notes[0]) is is_guess
    assert ("neurons.plain.tau_grad=0.1" in settings(page)) is is_guess
    if is_guess:
        assert page.steps[0].purpose == "Try a narrower surrogate gradient"


def test_naming_the_commonest_class_is_guessing(tmp_path: Path) -> None:
    row = {"confusion": table([95, 1, 1, 1, 1, 1]), "validation_accuracy": 0.95} | NO_SILENCE
    note = built(tmp_path, classes=True, row=row).notes[0]
    assert "every time would reach 95.0 %" in note


def test_an_output_without_spikes_is_a_fault_of_its_first_silent_layer(tmp_path: Path) -> None:
    page = built(
        tmp_path,
        arrays={
            "output_0": NOTHING,
            "output_1": NOTHING,
            "rate_hidden": np.zeros(HIDDEN, dtype=np.float32),
            "rate_output": np.zeros(OUTPUTS, dtype=np.float32),
        },
    )
    first, second = page.notes[:2]
    assert first.startswith("The output is silent for 2 of 2 samples shown")
    assert "No neuron spikes in hidden and output" in second
    # It spiked in the first epoch, so the rate may be too high.
    rate, *others = settings(page)
    assert rate == "training.optimizer.learning_rate=0.003"
    assert others[:2] == ["layers.hidden.weight_scale=2", "neurons.learning.threshold=0.25"]
    # The only batch is of one sample, and longer training would not help.
    assert not any("batch_size" in each or "epochs" in each for each in settings(page))


def test_an_output_whose_voltage_is_read_need_not_spike(tmp_path: Path) -> None:
    (tmp_path / "a.npz").touch()
    data = {"type": "arrays", "path": "a.npz", "targets": "targets"}
    changes = {"data": data, "loss": {"type": "mean_squared_error", "signal": "v"}}
    nothing = {"output_0": NOTHING, "output_1": NOTHING, "rate_output": np.zeros(OUTPUTS)}
    notes = built(tmp_path, arrays=nothing, changes=changes).notes
    assert not any("silent" in note or "No neuron" in note for note in notes)


def test_weights_below_the_grid_are_told(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    tiny = weights(1)
    tiny["layers.hidden.synapse.weight"] = np.full((HIDDEN, INPUTS), 1 / 64, dtype=np.float32)
    save_file(tiny, path / "checkpoints" / "best.safetensors")
    page = build_page(read_run(path))
    assert page.notes[0].startswith("All weights of layer “hidden” are 0 on the device's")
    assert settings(page)[0] == "layers.hidden.weight_scale=2"
    tiny["layers.output.synapse.weight"] = np.full((OUTPUTS, HIDDEN), 1 / 64, dtype=np.float32)
    save_file(tiny, path / "checkpoints" / "best.safetensors")
    both = "layers.hidden.weight_scale=2 --set layers.output.weight_scale=2"
    found = settings(build_page(read_run(path)))
    assert [each for each in found if not each.startswith("training.epochs")] == [both]


def test_a_neuron_in_its_layer_is_set_there(tmp_path: Path) -> None:
    inline = {"type": "cuba", "threshold": 2, "current_decay": 1, "voltage_decay": 0.1}
    layer = {"name": "output", "type": "dense", "units": OUTPUTS, "neuron": inline}
    hidden = {"name": "hidden", "type": "dense", "units": HIDDEN, "neuron": "learning"}
    nothing = {f"output_{k}": NOTHING for k in range(2)}
    page = built(tmp_path, arrays=nothing, changes={"layers": [hidden, layer]})
    assert "layers.output.neuron.threshold=1" in settings(page)
