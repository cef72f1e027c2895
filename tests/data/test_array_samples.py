"""Samples of ``.npz`` files: valid files are read, invalid ones raise one message."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.array_reading import check_arrays, read_arrays

from netdesc.data.samples import SampleSpec

SPEC = SampleSpec(steps=6, step_ms=1.0, input_shape=(2, 3), output_shape=(4,), classes=4)
BY_STEP = replace(SPEC, labels_by_step=True)
SAMPLES = 8


def good(**changes: Any) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "inputs": rng.integers(0, 17, (SAMPLES, 2, 3)).astype(np.uint8),
        "labels": np.arange(SAMPLES) % 4,
        "split": np.array([0, 0, 1, 0, 2, 0, 1, 0]),
    } | changes


SETTINGS: dict[str, Any] = {"encoding": {"type": "latency"}, "range": (0, 16), "split": "split"}


def read(path: Path, spec: SampleSpec = SPEC, warn: Any = lambda text: None, **data: Any):
    return read_arrays(path, spec, warn, **SETTINGS | data)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.npz"


def fails(path: Path, message: str, spec: SampleSpec = SPEC, **data: Any) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read(path, spec, **data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("largest", "data", "told"),
    [
        (16, {}, ""),
        (1.01, {}, ""),
        (1, {}, "goes up to 1, and data.range to 16: its values hardly cause a spike"),
        (1, {"range": (0, 1)}, ""),
        (0, {"range": (-1, 1), "encoding": {"type": "rate"}}, ""),
        (-1, {"range": (-1, 1), "encoding": {"type": "rate"}}, "goes up to -1, and data.range to"),
    ],
)
def test_values_that_hardly_cause_a_spike_give_a_warning(
    largest: float, data: dict[str, Any], told: str, file: Path
) -> None:
    """For example values from 0 to 1 in the range 0 to 255. They are still read."""
    inputs = np.full((SAMPLES, 2, 3), data.get("range", (0, 16))[0], np.float32)
    inputs[3, 1, 2] = largest
    np.savez(file, **good(inputs=inputs))
    warned: list[str] = []
    assert len(read(file, warn=warned.append, **data)["train"]) == 5
    assert len(warned) == bool(told)
    assert all(line.startswith(f'the array "inputs" {told}') for line in warned)


@pytest.mark.parametrize(
    ("data", "is_cut"),
    [
        ({"range": (0, 16), "to": (-4, 3.96875)}, False),
        ({"range": (0, 16), "to": (-4, 4)}, True),
        ({"range": (0, 16), "to": (3, -5)}, True),
        ({"range": (0, 16), "to": (-4, 4), "encoding": {"type": "latency"}}, False),
    ],
)
def test_inputs_beyond_the_grid_of_a_layer_give_a_warning(file: Path, data, is_cut: bool) -> None:
    np.savez(file, **good())
    for limits in (None, (-4.0, 254 / 64)):
        warned: list[str] = []
        data = {"encoding": {"type": "constant"}} | data
        read(file, replace(SPEC, limits=limits), warned.append, **data)
        assert len(warned) == (is_cut and limits is not None)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_samples_go_to_their_splits(file: Path, save: Any) -> None:
    arrays = good()
    save(file, **arrays)
    parts = read(file)
    for number, part in enumerate(("train", "validation", "test")):
        which = arrays["split"] == number
        spikes, labels = parts[part].dense(())
        assert spikes.shape == (6, which.sum(), 2, 3)
        assert labels.tolist() == arrays["labels"][which].tolist()
        values = arrays["inputs"][which]
        assert np.array_equal(spikes.any(0), values > 0)
        assert np.array_equal(spikes[0] == 1, np.rint((16 - values) * 5 / 16) == 0)


def test_spikes_may_have_fewer_steps_and_a_warning_says_so(file: Path) -> None:
    values = np.zeros((SAMPLES, 4, 2, 3), np.uint8)
    values[5, 3, 1, 2] = 1
    np.savez(file, **good(inputs=values))
    warned: list[str] = []
    samples = read(file, warn=warned.append, encoding={"type": "spikes"}, split=None)["train"]
    assert ["has 4 steps" in each for each in warned] == [True]
    spikes, _ = samples.dense(())
    assert spikes.shape == (6, SAMPLES, 2, 3)
    assert spikes.sum() == spikes[3, 5, 1, 2] == 1


def test_labels_by_step(file: Path) -> None:
    labels = np.arange(SAMPLES * 6).reshape(SAMPLES, 6) % 4
    np.savez(file, **good(labels=labels))
    samples = read(file, BY_STEP, split=None)["train"]
    _, found = samples.dense(())
    assert np.array_equal(found, labels.T)
    assert found.flags.c_contiguous
    fails(file, "only losses of each step")
    np.savez(file, **good(labels=labels[:, :5]))
    fails(file, r"has the shape \[8, 5\]; expected: \[8\], or \[8, 6\]", BY_STEP)


def test_targets_are_spikes_of_the_output_or_the_inputs(file: Path) -> None:
    spec = replace(SPEC, classes=None, learns_from="target spikes")
    spikes = np.random.default_rng(0).integers(0, 3, (SAMPLES, 6, 4))
    np.savez(file, **good(targets=spikes))
    found = read(file, spec, split=None, targets="targets")["train"]
    assert found.labels is None
    _, targets = found[[5, 2]].dense(())
    assert np.array_equal(targets, spikes[[5, 2]].swapaxes(0, 1))
    mirror = replace(spec, output_shape=spec.input_shape)
    inputs, targets = read(file, mirror, targets="inputs")["train"].dense(())
    assert targets is inputs
    fails(file, "the output has the shape", spec, targets="inputs")
    for sample, value in ((3, -1), (4, 0.5)):
        wrong = spikes.astype(float)
        wrong[sample, 2, 1] = value
        np.savez(file, **good(targets=wrong))
        message = rf"targets\[{sample}, 2, 1\] is {value:g}, not a number of spikes"
        fails(file, message, spec, targets="targets")
    np.savez(file, **good(targets=spikes * (np.arange(SAMPLES) != 6)[:, None, None]))
    fails(file, r"targets\[6\] has no spike to learn", spec, targets="targets")
    np.savez(file, **good(targets=spikes[:, 0]))
    fails(file, r"has the shape \[8, 4\]; expected: \[8, 6, 4\]", spec, targets="targets")


def test_long_arrays_are_compressed_in_chunks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = good()
    np.savez(file, **arrays)
    whole = read(file)["train"].inputs
    monkeypatch.setattr("netdesc.data.array_checks._CHUNK_VALUES", 13)
    assert np.array_equal(read(file)["train"].inputs, whole)
    arrays["inputs"][7, 1, 2] = 17
    np.savez(file, **arrays)
    fails(file, r"inputs\[7, 1, 2\] is 17, not a number from 0 to 16")


def test_inputs_larger_than_the_memory_are_not_read(file: Path) -> None:
    """Of 8 samples 5 are trained on: 6 cells of 4 bytes a step each."""
    np.savez(file, **good())
    spec = replace(SPEC, steps=200_000_000)
    fails(file, "ND324 .* needs about 24 GB of memory", spec, free=20 * 10**9)
    checks = check_arrays(file, spec, 2, 20 * 10**9, **SETTINGS)
    assert checks.problems == []
