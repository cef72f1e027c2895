"""The shipped sequences are what their script makes, and only the third symbol tells the label."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "data" / "delayed_recall"


def test_the_script_makes_the_same_arrays() -> None:
    made = runpy.run_path(str(FOLDER / "make.py"))["sequences"]()
    with np.load(FOLDER / "delayed_recall.npz", allow_pickle=False) as archive:
        assert archive.files == list(made)
        assert all(np.array_equal(archive[name], made[name]) for name in made)
