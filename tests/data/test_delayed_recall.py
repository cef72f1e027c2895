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


def test_only_the_third_symbol_tells_the_label() -> None:
    with np.load(FOLDER / "delayed_recall.npz", allow_pickle=False) as archive:
        inputs, labels = archive["inputs"], archive["labels"]
    counts = inputs.reshape(1600, 9, 5, 8).sum(axis=2)
    shares = (counts.argmax(axis=2) == labels[:, None]).mean(axis=0)
    assert shares[2] > 0.99
    assert np.delete(shares, 2).max() < 0.16
