"""``run`` encodes one array as the samples are encoded that a network learns from."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.classify_task import CELLS, STEPS, samples, write_arrays, write_classify_task

import netdesc
from netdesc.events import EventFileError


@pytest.mark.parametrize(
    ("kind", "in_memory"),
    [("latency", True), ("constant", False), ("spikes", False), ("series", True), ("delta", False)],
)
def test_an_array_is_encoded_as_samples_are(tmp_path: Path, kind: str, in_memory: bool) -> None:
    """Those of the document's data, or those that a run had in memory."""
    values, labels = samples(60)
    if kind in ("spikes", "series", "delta"):
        values = np.random.default_rng(0).integers(0, 2, (60, STEPS - 4, CELLS))
    encoding = {"type": kind} | ({"threshold": 0.2} if kind == "delta" else {})
    task = write_classify_task(tmp_path, data={"encoding": encoding}, training={"epochs": 1})
    write_arrays(tmp_path / "data.npz", inputs=values)
    if in_memory:
        content = json.loads(task.read_text())
        parts = {"train": (values, labels), "encoding": encoding, "range": [0, 4]}
        del content["data"]
        run = netdesc.train(content, data=parts, run_dir=tmp_path / "run", progress="quiet")
    else:
        run = netdesc.train(task, run_dir=tmp_path / "run", progress="quiet")
    evaluated = netdesc.evaluate(run, "train", data=parts if in_memory else None)
    found = np.zeros_like(evaluated.score.confusion)
    numbers = range(60) if in_memory else range(30)
    for number in numbers:
        result = netdesc.run(run, values[number])
        if result.classification.prediction is not None:
            found[labels[number], result.classification.prediction] += 1
    assert found.any()
    assert np.array_equal(found, evaluated.score.confusion)


def test_what_is_not_encoded_is_told(tmp_path: Path) -> None:
    def told(task: object, values: np.ndarray) -> bool:
        return any("input.npy" in each for each in netdesc.run(task, save(values)).warnings)

    def save(values: np.ndarray) -> Path:
        np.save(tmp_path / "input.npy", values)
        return tmp_path / "input.npy"

    task = write_classify_task(tmp_path)
    assert told(netdesc.compile(task), np.ones(CELLS))
    assert not told(task, np.ones((STEPS, CELLS)))

    def task_of(kind: str) -> Path:
        path = write_classify_task(tmp_path / kind, data={"encoding": {"type": kind}})
        write_arrays(path.with_name("data.npz"), inputs=np.ones((60, STEPS, CELLS), int))
        return path

    for value, is_told in ((1, False), (0.5, True), (2, True)):
        assert told(task_of("spikes"), np.full((STEPS, CELLS), value)) == is_told
    assert told(task_of("series"), np.ones(CELLS))


def test_a_value_that_samples_cannot_have_is_refused(tmp_path: Path) -> None:
    task = write_classify_task(tmp_path)
    with pytest.raises(EventFileError, match="holds 5, not a number from 0 to 4"):
        netdesc.run(task, np.full(CELLS, 5))
    whole = np.full((STEPS, CELLS), 5)  # the input itself, not an image
    assert netdesc.run(task, whole).steps == STEPS
    assert any("hardly" in each for each in netdesc.run(task, np.full(CELLS, 0.1)).warnings)
    assert any("as 5 steps" in each for each in netdesc.run(task, whole[:5]).warnings)
