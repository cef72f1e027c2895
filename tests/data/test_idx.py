"""Idx files: their arrays are numpy's, and damaged or hostile files give one clear message."""

import gzip
import json
import struct
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.description_samples import LABELLED, codes, findings
from support.idx_samples import idx, write_images

from netdesc.data.array_files import ArrayFileError
from netdesc.data.array_samples import IdxFiles


def _read(path: Path, shape: tuple[int, ...] = (99,)) -> np.ndarray:
    return IdxFiles({"images": path}, shape).read("images")


@given(
    st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"]).flatmap(
        lambda kind: hnp.arrays(kind, hnp.array_shapes(max_dims=4, min_side=0, max_side=4))
    ),
    st.booleans(),
)
def test_values_are_those_of_the_array(tmp_path_factory, array: np.ndarray, packed: bool) -> None:
    path = tmp_path_factory.mktemp("idx") / "images"
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    np.testing.assert_array_equal(_read(path), array)
    with mock.patch("netdesc.data.array_samples.MAX_RESIDENT_BYTES", -1):
        assert IdxFiles({"images": path}, (99,)).is_mapped("images") != packed
        if array.size:
            np.testing.assert_array_equal(_read(path), array)


def test_images_get_the_shape_of_the_input_if_it_has_as_many_values(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    (tmp_path / "images").write_bytes(idx(images))
    for shape in ((6,), (1, 2, 3), (3, 2)):
        assert np.array_equal(_read(tmp_path / "images", shape), images.reshape(4, *shape))
    assert _read(tmp_path / "images", (7,)).shape == (4, 2, 3)


_GOOD = idx(np.arange(60, dtype=np.int32))
_HUGE = struct.pack(">4BI", 0, 0, 14, 1, 1 << 31)
_HOSTILE = [
    (b"", "not an idx file"),
    (b"\0\0\x08", "not an idx file"),
    (b"\0\1\x08\1\0\0\0\0", "not an idx file"),
    (_GOOD[:-1], "cut off: it has 247 bytes, and its header says 248"),
    (_GOOD + b"x", "damaged: it has 249 bytes, and its header says 248"),
    (gzip.compress(_GOOD)[:-20], "is damaged"),
    (b"\x1f\x8b" + bytes(40), "is damaged"),
]


@pytest.mark.parametrize(("raw", "message"), _HOSTILE, ids=range(len(_HOSTILE)))
def test_damaged_and_hostile_files(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "images").write_bytes(raw)
    with pytest.raises(ArrayFileError, match=message):
        _read(tmp_path / "images")


def _document(**data: Any) -> str:
    document = json.loads(LABELLED)
    parts = {name: {"path": f"train-{name}"} for name in ("images", "labels")}
    test = {name: {"path": f"test-{name}"} for name in ("images", "labels")}
    document["data"] = {"type": "idx", **parts, "test": test, **data}
    document["input"]["shape"] = [6]
    return json.dumps(document)


def test_sound_files_give_no_diagnostics(tmp_path: Path) -> None:
    write_images(tmp_path, {"train": 8, "test": 4})
    assert findings(tmp_path, _document()) == []
    assert codes(findings(tmp_path, _document(range=[0, 255], encoding={"type": "series"})))


@pytest.mark.parametrize(
    ("name", "array", "code", "message"),
    [
        ("train-images", np.zeros((8, 7), np.uint8), "ND313", "[8, 7]; expected: [samples, 6]"),
        ("train-images", np.zeros((8, 6), np.float32) - 1, "ND320", "images[0, 0] is -1"),
        ("train-labels", np.arange(8, dtype=np.uint8), "ND316", "labels[2] is 2"),
        ("train-labels", np.zeros(8, np.float32), "ND312", "of train-labels contains floats"),
        ("test-images", np.full((5, 6), 99, np.uint8), "ND315", "[4]; expected: [5]"),
        ("test-images", None, "ND309", "test-images is not an idx file"),
    ],
)
def test_files_that_do_not_fit_are_found_at_their_place(
    tmp_path: Path, name: str, array: np.ndarray | None, code: str, message: str
) -> None:
    write_images(tmp_path, {"train": 8, "test": 4})
    (tmp_path / name).write_bytes(b"no idx" if array is None else idx(array))
    (found,) = findings(tmp_path, _document())
    assert (found.code, message in found.message) == (code, True)
    part, field = name.split("-")
    field = "labels" if code == "ND315" else field
    place = {"train": "/data", "test": "/data/test"}[part]
    assert found.pointer in (f"{place}/{field}/path", "/data/range")
    assert found.line is not None


def test_missing_and_changed_files(tmp_path: Path) -> None:
    write_images(tmp_path, {"train": 8, "test": 4})
    (tmp_path / "train-labels").unlink()
    images = {"path": "train-images", "sha256": "0" * 64}
    found = findings(tmp_path, _document(images=images))
    assert codes(found) == ["ND303", "ND301"]
    assert found[1].pointer == "/data/labels/path"
