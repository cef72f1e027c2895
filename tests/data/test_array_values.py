"""The first wrong value of an array is the one that numpy finds, in whichever block it lies."""

from __future__ import annotations

import io
import json
import math
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import UNHURRIED, npz

from netdesc.description.files import array_values
from netdesc.description.files.npz import Npz
from netdesc.description.models import Arrays

TYPES = ("?", "u1", "i1", "<u2", ">i2", "<i8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8")
VALUES = (0, 1, 0, 1, 0, 1, -1, 2, 0.5, -0.0, 1e-7, 100, 127, -128, 600)
FLOATS_ONLY = (math.nan, math.inf, -math.inf)
KINDS = {
    "spikes": ({"encoding": {"type": "spikes"}}, lambda each: np.isin(each, (0, 1)), "ND321"),
    "rate": ({"encoding": {"type": "rate"}}, lambda each: (each >= 0) & (each <= 1), "ND320"),
    "scaled": ({"encoding": {"type": "constant"}, "range": [-1, 100]},
     lambda each: (each >= -1) & (each <= 100), "ND320"),
    "real": ({"encoding": {"type": "series"}}, np.isfinite, "ND320"),
    "cut off": ({"encoding": {"type": "series"}}, lambda each: abs(each) <= 512, "ND320"),
}  # fmt: skip


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    possible = (*VALUES, *FLOATS_ONLY) if dtype.kind == "f" else VALUES
    values = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=40))
    with np.errstate(all="ignore"):
        return np.array(values, dtype=np.float64).astype(dtype)


@UNHURRIED
@given(array=arrays(), kind=st.sampled_from([*KINDS]))
def test_the_first_wrong_value_is_found(array: np.ndarray, kind: str) -> None:
    fields, is_right, code = KINDS[kind]
    data = Arrays.model_validate_json(json.dumps({"type": "arrays", "path": "a.npz", **fields}))
    values = array.astype(np.float64)  # abs(int8(-128)) is negative
    wrong = np.flatnonzero(~is_right(values))
    if kind == "cut off" and not np.isfinite(values).all():
        return  # "real": an error comes before a warning
    with mock.patch.object(array_values, "MAX_READ_BYTES", 16):
        opened = Npz(io.BytesIO(npz(inputs=array)))
        problem = array_values.find_input_problem(opened, data, opened.header("inputs"))
    if kind == "real" and not len(wrong):
        return
    assert (problem is None) == (len(wrong) == 0)
    if problem is not None:
        assert problem.code == code
        assert problem.message.startswith(f"inputs[{wrong[0]}] is {values[wrong[0]]:g}; ")
        assert problem.severity == ("warning" if kind == "cut off" else "error")
