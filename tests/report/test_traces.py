"""The data of the filtered traces; ``test_browser`` tests the script that draws them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.report_samples import STEPS, activity, write_run

from netdesc.report import traces as module
from netdesc.report import write_report
from netdesc.report.run import RunData, read_run
from netdesc.report.traces import traces


def run_with(folder: Path, **arrays: np.ndarray) -> RunData:
    path = write_run(folder / "run")
    np.savez(path / "activity.npz", **(activity() | arrays))
    return read_run(path)


def test_the_neuron_with_most_unmatched_spikes_is_shown_first(tmp_path: Path) -> None:
    """Neuron 2 has most spikes, neuron 4 most that only one of both has."""
    target = np.array([(step, 2) for step in range(30)] + [(0, 4), (9, 4)], np.int32)
    output = np.array([(step, 2) for step in range(29)] + [(5, 4)], np.int32)
    found = traces(run_with(tmp_path, target_0=target, output_0=output))
    assert found is not None
    assert found.neuron == 4


def test_the_steps_in_the_page_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STEPS", 40)
    run = run_with(tmp_path)
    found = traces(run)
    assert found is not None
    trains = [each for trains in found.data["trains"] for pair in trains.values() for each in pair]
    assert 30 < max(max(each) for each in trains if each) < 40
    assert "step 40" in found.note
    assert found.note in write_report(run.path).read_text(encoding="utf-8")


def test_steps_that_the_run_did_not_store_are_not_drawn(tmp_path: Path) -> None:
    found = traces(run_with(tmp_path, cut_target_1=np.int32(25)))
    assert found is not None
    assert found.data["steps"] == 25


def test_only_a_loss_of_spike_times_has_traces(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", classes=True)
    assert traces(read_run(folder)) is None
    assert 'id="trace-neuron"' not in write_report(folder).read_text(encoding="utf-8")


def test_the_figure_begins_where_the_shown_neuron_spikes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHOWN_STEPS", 20)
    target = np.array([(2, 4), (STEPS - 9, 4), (STEPS - 7, 4)], np.int32)
    run = run_with(tmp_path, target_0=target, output_0=target[:0])
    found = traces(run)
    assert found is not None
    start_ms, end_ms = found.plot.layout["xaxis"]["range"]
    step_ms = run.graph.step_ms
    assert end_ms - start_ms == pytest.approx(20 * step_ms)
    assert start_ms <= (STEPS - 9) * step_ms
    assert end_ms == pytest.approx(STEPS * step_ms)


def test_a_silent_pair_is_drawn(tmp_path: Path) -> None:
    none = np.zeros((0, 2), np.int32)
    found = traces(run_with(tmp_path, target_0=none, output_0=none))
    assert found is not None
    assert found.neuron == 0
    json.dumps(found.data, allow_nan=False)
