"""A run that is killed with SIGKILL and resumed is bit-identical to an uninterrupted one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.grids import slow
from support.training_task import write_task

KILLER = Path(__file__).parents[1] / "support" / "training_killer.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs are forked")
@pytest.mark.parametrize(("stride", "moments"), [(60, 1), pytest.param(1, 4, marks=slow)])
def test_a_killed_and_resumed_run_is_bit_identical(
    tmp_path: Path, stride: int, moments: int
) -> None:
    """The run is killed at every ``stride``-th file operation and at ``moments`` other times."""
    document = write_task(
        tmp_path / "task",
        pairs=5,
        dropout=0.2,
        epochs=5,
        batch_size=2,
        validation_split=0.2,
        gradient_clip=1.0,
        schedule={"type": "cosine", "warmup_epochs": 1},
    )
    command = [sys.executable, KILLER, document, tmp_path, str(stride), str(moments)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert result.returncode == 0, result.stderr
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(outcomes) > moments + 90 // stride
    for outcome in outcomes:
        assert outcome["different"] == [], outcome
        assert outcome["status"][-1] == 0, outcome
    kills = [outcome["status"].count(-9) for outcome in outcomes]
    assert sum(kills) > len(outcomes)  # most runs were killed twice
