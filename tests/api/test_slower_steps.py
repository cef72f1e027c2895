"""Networks whose output has longer steps than their input: all times are those of the output."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.training_task import STEPS, write_task

import netdesc
from netdesc.cli.main import main
from netdesc.events import read_events

pytestmark = pytest.mark.usefixtures("reference_engine")

FACTOR = 8


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A task whose last layer runs in steps of 8 ms."""
    path = write_task(tmp_path, epochs=2)
    content = json.loads(path.read_text())
    hidden, output = content["layers"]
    slow = {"name": "slow", "type": "time_decimation", "factor": FACTOR}
    content["layers"] = [hidden, slow, output | {"weight_scale": 20}]
    path.write_text(json.dumps(content))
    return path


def test_a_network_of_slower_output_is_trained_measured_run_and_reported(document: Path) -> None:
    folder = document.parent
    run = netdesc.train(document, run_dir=folder / "run", progress="quiet")
    evaluation = netdesc.evaluate(run)
    result = netdesc.run(run, folder / "input0.bs1")
    assert evaluation.matched is not None
    assert result.comparison is not None
    assert result.comparison.loss == pytest.approx(evaluation.loss)
    assert result.comparison.target_spikes == evaluation.matched.target_spikes
    assert result.output_TN.shape[0] == STEPS // FACTOR
    with pytest.raises(SystemExit) as ended:
        main(["run", str(run.path), f"{folder}/input0.bs1", "-o", f"{folder}/out.bs1"])
    assert ended.value.code == 0
    found = read_events(folder / "out.bs1")
    steps, neurons = np.nonzero(result.spikes_TN)
    assert len(steps)
    assert found.t.tolist() == (steps * FACTOR).tolist()
    assert found.x.tolist() == neurons.tolist()
