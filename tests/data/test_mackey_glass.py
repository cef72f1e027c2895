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
