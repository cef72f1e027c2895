"""Rasters as events, found in runs and packed, and arrays that files get one by one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from netdesc.bench.peers.memory import host_growth
from netdesc.kernels import spike_words
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.spike_words import SpikeWords, WordRoom
from netdesc.training import rasters
from netdesc.training.array_file import write_npz

SPIKES_TBN = of_numpy.arrays(
    np.bool_, of_numpy.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)
)


def words_of(spikes_TBN: np.ndarray) -> SpikeWords:
    room = WordRoom(spikes_TBN.shape)
    for step, sample, column in np.argwhere(spikes_TBN):
        room.add(np.array([step]), np.array([sample]), np.array([column]))
    return room.words()


@given(SPIKES_TBN, st.integers(0, 30), st.integers(1, 100), st.data())
def test_a_raster_is_all_events_in_order_or_those_of_the_first_steps(
    spikes_TBN: np.ndarray, most: int, run: int, data: st.DataObject
) -> None:
    sample = data.draw(st.integers(0, spikes_TBN.shape[1] - 1))
    expected = np.argwhere(spikes_TBN[:, sample])
    cut = int(expected[most, 0]) if len(expected) > most else None
    with (
        mock.patch.object(spike_words, "_RUN", run),
        mock.patch.object(rasters, "MOST_EVENTS", most),
    ):
        floats = spikes_TBN.astype(np.float32)
        trains = SpikeTrains.of(floats)
        assert trains is not None
        for runs in (
            rasters.runs_of(torch.from_numpy(floats)[..., None], sample),
            rasters.runs_of(words_of(spikes_TBN), sample),
            trains.runs_of_sample(sample),
        ):
            found = rasters.raster_of(runs)
            again = found.packed().unpacked()
            for raster in found, again:
                assert raster.cut == cut
                assert raster.events.dtype == np.int32
                assert raster.events.flags.f_contiguous, "files of pictures would be larger"
                kept = expected if cut is None else expected[expected[:, 0] < cut]
                np.testing.assert_array_equal(raster.events, kept)


def test_no_more_is_looked_at_than_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasters, "MOST_EVENTS", 5)
    looked_at: list[int] = []

    def runs() -> Iterator[np.ndarray]:
        for number in range(100):
            looked_at.append(number)
            yield np.ones((2, 2))

    assert rasters.raster_of(runs()).cut == 2
    assert looked_at == [0, 1]


def test_a_packed_raster_is_small() -> None:
    rng = np.random.default_rng(0)
    raster = rasters.raster_of([rng.random((1900, 200)) < 0.03])
    assert len(raster.packed().deflated) < raster.events.nbytes / 3.5


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


def test_arrays_are_not_all_there_at_once(tmp_path: Path) -> None:
    size = 1 << 22
    made = ((f"array_{number}", np.full(size, number, np.uint8)) for number in range(16))
    grown = host_growth(lambda: write_npz(tmp_path / "file.npz", made))
    assert grown is None or grown < 6 * size
