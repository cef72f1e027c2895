"""Damaged and hostile files: every command that reads one ends with one message, and soon."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.cli_process import Netdesc
from support.damaged_files import KINDS, failures, write_samples
from support.exchange_samples import write_dense
from support.grids import slow

pytestmark = pytest.mark.usefixtures("reference_engine")

MANY = int(os.environ.get("NETDESC_FUZZ", "60"))
"""Mutations of each kind of file with ``-m slow``."""


@pytest.fixture
def samples(netdesc: Netdesc, tmp_path: Path) -> Path:
    write_samples(tmp_path / "samples", netdesc)
    return tmp_path / "samples"


def test_some_mutations_of_each_kind_of_file(
    netdesc: Netdesc, samples: Path, tmp_path: Path
) -> None:
    found = [
        problem
        for name in KINDS
        for problem in failures(netdesc, samples, tmp_path / "copy", name, seed=0, most=2)
    ]
    assert not found, "\n\n".join(found)


@slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations_through_every_command(
    netdesc: Netdesc, samples: Path, tmp_path: Path, kind: str
) -> None:
    found = [
        problem
        for seed in range(MANY)
        for problem in failures(netdesc, samples, tmp_path / "copy", kind, seed)
    ]
    assert not found, "\n\n".join(found[:20])


IMPORT = """
import sys
from netdesc import import_net

import_net(sys.argv[1])
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(int(peak.split()[1]) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(
    ("shape", "kind", "compressed"),
    [
        pytest.param((4096, 8000), "i8", True, marks=slow),
        pytest.param((4096, 2000), "i8", False, marks=slow),
        pytest.param((4096, 4000), "f4", False, marks=slow),
        pytest.param((4096, 8000), "i1", False, marks=slow),
        ((4096, 1000), "i8", True),
    ],
)
def test_a_network_of_any_64_mb_takes_less_than_a_gigabyte(
    tmp_path: Path, shape: tuple[int, int], kind: str, compressed: bool
) -> None:
    with h5py.File(tmp_path / "a.net", "w") as file:
        layer = file.create_group("layer/0")
        sizes = {"shape": np.array([shape[0]]), "outFeatures": shape[0], "inFeatures": shape[1]}
        write_dense(layer, weight=None, **sizes)
        zeros = np.zeros(shape, kind)
        layer.create_dataset("weight", data=zeros, compression="gzip" if compressed else None)
    assert (tmp_path / "a.net").stat().st_size < 64 << 20
    command = [sys.executable, "-c", IMPORT, tmp_path / "a.net"]
    ended = subprocess.run(command, capture_output=True, check=True)
    weights = shape[0] * shape[1] / 32_768_000  # a share of the most that 64 MB can hold
    assert int(ended.stdout) < (450 << 20) + weights * (574 << 20)
