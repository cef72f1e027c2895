"""The shipped data are what their scripts make of them, and as their READMEs say."""

import hashlib
import json
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.idx_samples import idx

import netdesc

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data"


def shipped(name: str, folder: Path | None = None) -> dict[str, np.ndarray]:
    with np.load((folder or FOLDER / name) / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / name / "make.py"))


def assert_same(made: dict[str, np.ndarray], arrays: dict[str, np.ndarray]) -> None:
    assert list(made) == list(arrays)
    for name, array in made.items():
        assert array.dtype == arrays[name].dtype
        assert np.array_equal(array, arrays[name])


@pytest.mark.parametrize(
    ("name", "make"), [("mackey_glass", "windows"), ("delayed_recall", "sequences")]
)
def test_the_script_makes_the_same_arrays(name: str, make: str) -> None:
    assert_same(script(name)[make](), shipped(name))


def test_the_digits_are_pinned() -> None:
    """By the arrays' bytes, so that a change is also noticed without scikit-learn."""
    images = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
    assert {k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in shipped("digits").items()} == {
        "inputs": images,
        "images": images,
        "labels": "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0",
        "split": "3a026dddbb987ec111697c6b816242fde4eacd32f8664ad02ee50397e5748d84",
    }


def test_drawing_oxford_again_gives_the_shipped_files(tmp_path: Path) -> None:
    folder = FOLDER / "oxford"
    subprocess.run([sys.executable, str(folder / "draw.py"), str(tmp_path)], check=True)
    for name in ("input.bs1", "target.bs1"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    # The compressed bytes vary with the version of zlib, but not the picture.
    with Image.open(tmp_path / "target.png") as drawn, Image.open(folder / "target.png") as other:
        assert drawn.convert("L").tobytes() == other.convert("L").tobytes()


@pytest.mark.parametrize("name", ["fashion", "fashion_conv"])
def test_documents_take_images_of_the_size_of_fashion(name: str, tmp_path: Path) -> None:
    """Whose own are not shipped."""
    document = json.loads((ROOT / "examples" / f"{name}.json").read_text("utf-8"))
    (tmp_path / "images").write_bytes(idx(np.zeros((400, 28, 28), np.uint8)))
    (tmp_path / "labels").write_bytes(idx(np.arange(400, dtype=np.uint8) % 10))
    files = {part: {"path": str(tmp_path / part)} for part in ("images", "labels")}
    document["data"] |= {**files, "test": files}
    assert not netdesc.load(document).warnings


def test_recordings_of_vowels_end_where_their_length_says() -> None:
    arrays = shipped("japanese_vowels")
    inputs, steps = arrays["inputs"].astype(float), arrays["steps"]
    assert inputs.shape == (640, 32, 12)
    assert np.array_equal(inputs * 64, np.rint(inputs * 64))
    spoken = np.arange(32) < steps[:, None]
    assert np.array_equal(inputs.any(axis=2), spoken)


def test_the_script_of_the_vowels_reads_the_format_of_the_wheel(tmp_path: Path) -> None:
    make, arrays = script("japanese_vowels"), shipped("japanese_vowels")
    with zipfile.ZipFile(tmp_path / "aeon.whl", "w") as wheel:
        for name, part in (("TRAIN", 0), ("TEST", 2)):
            chosen = arrays["split"] == part
            samples = zip(
                *(arrays[key][chosen] for key in ("inputs", "steps", "labels")), strict=True
            )
            lines = [
                ":".join(
                    [*(",".join(map(str, row)) for row in values[:steps].T / 8), str(label + 1)]
                )
                for values, steps, label in samples
            ]
            text = "\n".join(["@problemName JapaneseVowels", "@data", *lines])
            wheel.writestr(make["FILES"].format(name), text)
    make["main"](tmp_path / "aeon.whl", tmp_path)
    assert_same(shipped("japanese_vowels", tmp_path), arrays)
