"""Trainings that a sweep compares."""

from pathlib import Path

import pytest
from support.training_task import write_task

from netdesc.api.load import load
from netdesc.graph import build_graph
from netdesc.modules import build, initial_scale
from netdesc.runs.folder import ACTIVITY, NETWORK
from netdesc.training.setup import TrainingOptions
from netdesc.training.train import complete, train

AUTO = {f"layers.{name}.weight_scale": "auto" for name in ("hidden", "output")}


def test_a_trial_gets_what_it_left_out_and_has_the_bits_of_an_ordinary_run(tmp_path: Path) -> None:
    description = load(write_task(tmp_path), AUTO)
    runs = {True: tmp_path / "trial", False: tmp_path / "run"}
    for is_trial, run in runs.items():
        options = TrainingOptions(run_dir=run, progress="quiet", is_trial=is_trial)
        assert train(description, options).status == "done"
    trial, run = runs.values()
    late = {ACTIVITY, NETWORK}
    assert {p.name for p in run.iterdir()} - {p.name for p in trial.iterdir()} == late
    for _ in range(2):
        complete(trial, TrainingOptions(progress="quiet"))
    assert not late - {path.name for path in trial.iterdir()}
    names = ("network.net", *(f"checkpoints/{n}.safetensors" for n in ("initial", "best", "last")))
    for name in names:
        assert (trial / name).read_bytes() == (run / name).read_bytes()
    assert (trial / "network.lock.json").read_bytes() == (run / "network.lock.json").read_bytes()


@pytest.mark.parametrize("quantization", [{}, {"layers.hidden.quantization": None}])
def test_scales_are_the_same_with_fast_kernels(tmp_path: Path, quantization: dict) -> None:
    values = {**AUTO, **quantization}
    graph = build_graph(load(write_task(tmp_path), values).document)
    input_TBN = initial_scale.assumed_input(graph, seed=1)
    slow, fast = (
        initial_scale.find_scales(build(graph, seed=1), input_TBN, engine)
        for engine in ("reference", "cpu")
    )
    assert slow == fast
