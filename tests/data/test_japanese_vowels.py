"""The shipped recordings are as their README says."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "data" / "japanese_vowels"


def shipped(folder: Path = FOLDER) -> dict[str, np.ndarray]:
    with np.load(folder / "japanese_vowels.npz", allow_pickle=False) as archive:
        return dict(archive)


def test_recordings_end_where_their_length_says() -> None:
    arrays = shipped()
    inputs, steps = arrays["inputs"].astype(float), arrays["steps"]
    assert inputs.shape == (640, 32, 12)
    assert np.array_equal(inputs * 64, np.rint(inputs * 64))
    spoken = np.arange(32) < steps[:, None]
    assert np.array_equal(inputs.any(axis=2), spoken)
    assert (steps.min(), steps.max()) == (7, 29)
    train = inputs[arrays["split"] == 0][spoken[arrays["split"] == 0]]
    assert np.allclose([train.mean(axis=0), train.std(axis=0)], [[0.0] * 12, [1.0] * 12], atol=0.01)


def test_the_script_reads_the_format_of_the_wheel(tmp_path: Path) -> None:
    script = runpy.run_path(str(FOLDER / "make.py"))
    arrays = shipped()
    with zipfile.ZipFile(tmp_path / "aeon.whl", "w") as wheel:
        for name, part in (("TRAIN", 0), ("TEST", 2)):
            lines = [
                ":".join(
                    [",".join(map(str, row)) for row in values[:steps].T / 8] + [str(label + 1)]
                )
                for values, steps, label in zip(
                    *(
                        arrays[key][arrays["split"] == part]
                        for key in ("inputs", "steps", "labels")
                    ),
                    strict=True,
                )
            ]
            text = "\n".join(["@problemName JapaneseVowels", "@data", *lines])
            wheel.writestr(script["FILES"].format(name), text)
    script["main"](tmp_path / "aeon.whl", tmp_path)
    made = shipped(tmp_path)
    assert made.keys() == arrays.keys()
    assert all(np.array_equal(made[name], arrays[name]) for name in arrays)
