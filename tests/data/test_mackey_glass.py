"""The shipped series is what its script makes, and solves its equation."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "data" / "mackey_glass"
SCRIPT = runpy.run_path(str(FOLDER / "make.py"))


def test_the_script_makes_the_same_arrays() -> None:
    made = SCRIPT["windows"]()
    with np.load(FOLDER / "mackey_glass.npz", allow_pickle=False) as archive:
        assert archive.files == list(made)
        for name, array in made.items():
            assert array.dtype == archive[name].dtype
            assert np.array_equal(array, archive[name])
    assert round(SCRIPT["persistence"](made, 2), 3) == 0.183


def test_inputs_are_the_values_before_the_target() -> None:
    with np.load(FOLDER / "mackey_glass.npz", allow_pickle=False) as archive:
        inputs, targets = archive["inputs"] / 8, archive["targets"]
    now = np.concatenate(inputs[..., 0])
    for lag in (1, 2, 3):
        assert np.array_equal(np.concatenate(inputs[..., lag])[lag:], now[:-lag])
    assert np.abs(np.concatenate(targets)[:-1, 0] - now[1:]).max() <= 1 / 1024


def test_the_series_does_not_repeat_and_stays_in_its_range() -> None:
    series = SCRIPT["mackey_glass"](1500)[100:]
    assert 0.2 < series.min() < 0.5
    assert 1.2 < series.max() < 1.5
    assert all(np.abs(series[:400] - series[k : k + 400]).max() > 0.05 for k in range(1, 1000))
