"""The values of arrays that are longer than a block."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import array_findings, labelled_data

from netdesc.description.files.npy import Header
from netdesc.description.files.npz import MAX_READ_BYTES
from netdesc.description.files.value_blocks import range_test, spike_test

TYPES = ("?", "u1", "i1", "<u2", ">i2", "<i8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8")
VALUES = (0, 1, -1, 2, 0.5, -0.0, 1e-7, 1.0000001, 2.5, -2.5, 100, 127, -128, 30000)
FLOATS_ONLY = (math.nan, -math.nan, math.inf, -math.inf, 1e300)


def header_of(array: np.ndarray) -> Header:
    """The header of an .npy file with the array."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    is_big = array.dtype.str.startswith(">")
    return Header(kind, size, is_big, array.shape, fortran_order=False)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    possible = (*VALUES, *FLOATS_ONLY) if dtype.kind == "f" else VALUES
    values = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=12))
    with np.errstate(all="ignore"):
        return np.array(values, dtype=np.float64).astype(dtype)


@given(array=arrays())
def test_a_block_is_accepted_as_spikes_only_if_all_values_are_spikes(array: np.ndarray) -> None:
    is_correct = spike_test(header_of(array))
    if is_correct(array.tobytes()):
        assert np.isin(array, (0, 1)).all()
    spikes = (array > 0).astype(array.dtype)
    assert is_correct(spikes.tobytes())


@given(array=arrays(), low=st.sampled_from((0, -1, -2.5, 0.5)), high=st.sampled_from((1, 2.5, 0)))
def test_a_block_is_accepted_only_if_all_values_lie_in_the_range(
    array: np.ndarray, low: float, high: float
) -> None:
    is_correct = range_test(header_of(array), low, high)
    is_inside = bool(((array >= low) & (array <= high)).all())
    accepted = is_correct(array.tobytes())
    assert is_inside or not accepted
    if array.dtype.kind == "f" and low <= 0:  # then nothing is left to the slow check
        assert accepted == is_inside


BATCH = "training.batch_size=8"
SAMPLES = 4 * MAX_READ_BYTES // (8 * 400)
LATE = (SAMPLES - 2, 7, 3)


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "u1"])
def test_a_late_value_that_is_no_spike_is_found(tmp_path, dtype: str) -> None:
    document = labelled_data(encoding={"type": "spikes"})
    count = SAMPLES * 8 // np.dtype(dtype).itemsize
    inputs = np.zeros((count, 100, 4), dtype)
    inputs[::3] = 1
    labels = np.arange(count) % 2
    assert array_findings(tmp_path, document, BATCH, inputs=inputs, labels=labels) == []
    inputs[LATE] = 2
    (found,) = array_findings(tmp_path, document, BATCH, inputs=inputs, labels=labels)
    assert (found.code, found.pointer) == ("ND321", "/data/inputs")
    assert f"inputs[{', '.join(map(str, LATE))}] is 2" in found.message
    assert found.notes[0].startswith("1 of ")


def test_a_late_value_beyond_the_range_is_found(tmp_path) -> None:
    inputs = np.random.default_rng(0).random((100 * SAMPLES, 4))
    labels = np.arange(len(inputs)) % 2
    assert array_findings(tmp_path, labelled_data(), BATCH, inputs=inputs, labels=labels) == []
    inputs[-2, 3] = np.nan
    (found,) = array_findings(tmp_path, labelled_data(), BATCH, inputs=inputs, labels=labels)
    assert (found.code, found.pointer) == ("ND320", "/data/range")
    assert f"inputs[{len(inputs) - 2}, 3] is nan" in found.message


def test_a_value_that_is_cut_off_hides_no_later_error(tmp_path) -> None:
    document = labelled_data(encoding={"type": "series"})
    inputs, labels = np.zeros((SAMPLES, 100, 4)), np.arange(SAMPLES) % 2
    inputs[0, 0, 0] = 600
    for value, severity, words in ((600, "warning", "cut off"), (np.nan, "error", "is nan")):
        inputs[LATE] = value
        (found,) = array_findings(tmp_path, document, BATCH, inputs=inputs, labels=labels)
        assert (found.code, found.severity) == ("ND320", severity)
        assert words in found.message
