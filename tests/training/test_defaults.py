"""Networks learn with the defaults, without a surrogate gradient, a scale or an optimizer."""

import json
from pathlib import Path

import pytest
from support.tasks.grid import DEFAULTS, measure
from support.tasks.suite import TASKS
from support.training_task import train

import netdesc
from netdesc.data.memory_data import MemoryData
from netdesc.data.samples import SampleSpec
from netdesc.graph import build_graph

CHOSEN_FIELDS = ("surrogate", "tau_grad", "scale_grad", "scale", "weight_init", "bias_init")
CHOSEN_FIELDS += ("optimizer", "learning_rate", "schedule", "groups", "gradient_clip")
"""Fields that no task states, because the suite measures their defaults."""


def _fields(value: object) -> set[str]:
    """Returns the names of all fields of a document."""
    if isinstance(value, dict):
        return set(value).union(*map(_fields, value.values()))
    return set().union(*map(_fields, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("name", TASKS)
def test_task_is_valid_and_leaves_training_to_the_defaults(name: str) -> None:
    task = TASKS[name]
    document = json.loads(json.dumps(task.document))
    stated = {each for each in _fields(document) if each.endswith("weight_scale")}
    assert not stated | _fields(document).intersection(CHOSEN_FIELDS)
    spec = SampleSpec.of(build_graph(netdesc.load(document).document))
    warnings: list[str] = []
    samples = MemoryData.of(task.make()).samples(spec, warnings.append)
    assert list(samples) == ["train", "validation", "test"]
    assert not warnings


@pytest.mark.parametrize(("name", "least"), [("spike_rates", 0.7), ("vowels", 0.8)])
def test_network_learns_with_the_defaults(name: str, least: float) -> None:
    """Chance is 1/8 and 1/9."""
    assert measure(TASKS[name], DEFAULTS, seed=0).test > least


def test_found_learning_rate_grows_with_the_weights(tmp_path: Path) -> None:
    """A lock states it as a number, so that a run from the lock is the same."""
    task, rates = TASKS["spike_rates"], []
    for scale in (1, 4):
        changes = {f"layers.{index}.weight_scale": scale for index in range(2)}
        description = netdesc.load(dict(task.document), changes | {"training.epochs": 1})
        run = tmp_path / str(scale)
        train(description, run_dir=run, data=MemoryData.of(task.make()), progress="quiet")
        lock = json.loads((run / "network.lock.json").read_text())
        assert lock["lock"]["origins"]["/training/optimizer/learning_rate"] == "found"
        rates.append(lock["training"]["optimizer"]["learning_rate"])
    assert rates[1] == pytest.approx(4 * rates[0], rel=0.01)
