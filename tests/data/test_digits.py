"""The shipped digits are as their README says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "data" / "digits"

# Of the arrays' bytes. Pinned, so that a change is also noticed without scikit-learn.
SHA256 = {
    "inputs": "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3",
    "images": "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3",
    "labels": "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0",
    "split": "3a026dddbb987ec111697c6b816242fde4eacd32f8664ad02ee50397e5748d84",
}


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "digits.npz", allow_pickle=False) as archive:
        return dict(archive)


def test_arrays_are_the_pinned_ones(arrays: dict[str, np.ndarray]) -> None:
    assert {k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in arrays.items()} == SHA256


def test_arrays_are_as_documented(arrays: dict[str, np.ndarray]) -> None:
    inputs, labels, split = arrays["inputs"], arrays["labels"], arrays["split"]
    assert (inputs.dtype, inputs.shape) == (np.uint8, (1797, 64))
    assert arrays["images"].shape == (1797, 1, 8, 8)
    assert (labels.dtype, labels.shape) == (np.uint8, (1797,))
    assert (split.dtype, split.shape) == (np.uint8, (1797,))
    assert (inputs.min(), inputs.max()) == (0, 16)
    assert np.array_equal(np.unique(labels), np.arange(10))
    assert np.array_equal(np.bincount(split), [1259, 179, 359])


@pytest.mark.parametrize(("part", "share"), [(1, 0.1), (2, 0.2)])
def test_every_digit_is_held_out_by_the_same_share(
    arrays: dict[str, np.ndarray], part: int, share: float
) -> None:
    digit_counts = np.bincount(arrays["labels"])
    held_out = np.bincount(arrays["labels"][arrays["split"] == part])
    assert (np.abs(held_out - digit_counts * share) <= 0.5).all()
