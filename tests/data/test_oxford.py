"""The shipped Oxford pair is as its script draws it and as large as the examples assume."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "data" / "oxford"


def read_words(name: str) -> np.ndarray:
    content = np.fromfile(FOLDER / name, np.uint8)
    assert content.size % 5 == 0
    return np.pad(content.reshape(-1, 5), ((0, 0), (3, 0))).view(">u8").ravel().astype(np.int64)


def test_drawing_again_gives_the_shipped_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(FOLDER / "draw.py"), str(tmp_path)], check=True)
    for name in ("input.bs1", "target.bs1"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
    # The compressed bytes vary with the version of zlib, but not the picture.
    with Image.open(tmp_path / "target.png") as drawn, Image.open(FOLDER / "target.png") as shipped:
        assert drawn.convert("L").tobytes() == shipped.convert("L").tobytes()


@pytest.mark.parametrize(
    ("name", "fewest", "most"), [("input.bs1", 1_800, 2_000), ("target.bs1", 9_500, 10_500)]
)
def test_events_are_as_documented(name: str, fewest: int, most: int) -> None:
    word = read_words(name)
    neuron, polarity, microseconds = word >> 24, word >> 23 & 1, word & (1 << 23) - 1
    assert fewest <= word.size <= most
    assert neuron.max() < 200
    assert (polarity == 1).all()
    assert (np.diff(microseconds) >= 0).all()
    assert microseconds.max() < 1_900_000
    assert (microseconds % 1000 == 0).all()
    assert np.unique(word).size == word.size


def test_target_spikes_of_a_neuron_keep_their_distance() -> None:
    word = read_words("target.bs1")
    step, neuron = (word & (1 << 23) - 1) // 1000, word >> 24
    for row in range(200):
        assert (np.diff(np.sort(step[neuron == row])) >= 3).all()
