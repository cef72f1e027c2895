"""Files of tensors: the library's bytes, without its copies."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy
from safetensors.numpy import load_file, save

from netdesc.bench.peers.memory import host_growth
from netdesc.training.tensor_file import write_tensors

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
TENSORS = st.dictionaries(
    NAMES.filter(lambda name: name != "__metadata__"),
    of_numpy.arrays(
        st.sampled_from([np.float32, np.float64, np.uint8, np.int32, np.int64]),
        of_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    min_size=1,
    max_size=6,
)


def written(tensors: dict[str, np.ndarray], metadata: dict[str, str] | None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.safetensors"
        path.write_bytes(b"what was there before" * 1000)
        write_tensors(path, tensors, metadata)
        found = load_file(path)
        assert found.keys() == tensors.keys()
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(found[name], tensor)
        return path.read_bytes()


@given(TENSORS, st.none() | st.dictionaries(NAMES, NAMES, max_size=1))
def test_the_bytes_are_those_of_the_library(tensors, metadata):
    assert written(tensors, metadata) == save(tensors, metadata)


def test_a_tensor_that_is_no_block_of_memory():
    tensor = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensors = {"turned": tensor.T, "part": tensor[:, 1:3], "one": np.broadcast_to(tensor[0, :1], 4)}
    written(tensors, None)


def test_nothing_is_copied(tmp_path):
    tensors = {name: np.ones(1 << 20, np.float32) for name in "ab"}
    write_tensors(tmp_path / "file", tensors, None)
    growth = host_growth(lambda: write_tensors(tmp_path / "file", tensors, None))
    assert growth is None or growth < 1 << 20
