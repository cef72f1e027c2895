"""Rasters as events, and arrays that files get one by one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from netdesc.training import rasters
from netdesc.training.array_file import write_npz

SPIKES_TBN = of_numpy.arrays(
    np.bool_, of_numpy.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)
)


@given(SPIKES_TBN, st.integers(0, 30), st.data())
def test_a_raster_is_all_events_in_order_or_those_of_the_first_steps(
    spikes_TBN: np.ndarray, most: int, data: st.DataObject
) -> None:
    sample = data.draw(st.integers(0, spikes_TBN.shape[1] - 1))
    expected = np.argwhere(spikes_TBN[:, sample])
    cut = int(expected[most, 0]) if len(expected) > most else None
    with mock.patch.object(rasters, "MOST_EVENTS", most):
        floats_TBN = torch.from_numpy(spikes_TBN.astype(np.float32))
        raster = rasters.raster_of(floats_TBN[:, sample, :, None])
    assert raster.cut == cut
    assert raster.events.dtype == np.int32
    assert raster.events.flags.f_contiguous, "files of pictures would be larger"
    kept = expected if cut is None else expected[expected[:, 0] < cut]
    np.testing.assert_array_equal(raster.events, kept)


ARRAYS = st.dictionaries(
    st.text("abc_09", min_size=1, max_size=9),
    of_numpy.arrays(
        st.sampled_from([np.float32, np.float64, np.uint8, np.int32, np.int64, "<U5"]),
        of_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=6,
)


@given(ARRAYS)
def test_files_of_arrays_are_numpys(arrays: dict[str, np.ndarray]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.of.arrays"
        write_npz(path, arrays.items())
        with np.load(path, allow_pickle=False) as file:
            assert list(file) == list(arrays)
            for name, array in arrays.items():
                assert file[name].dtype == array.dtype
                np.testing.assert_array_equal(file[name], array)
