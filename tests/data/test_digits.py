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
