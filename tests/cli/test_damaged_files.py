"""Damaged and hostile files: every command that reads one ends with one message, and soon."""

import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from support.cli_process import Netdesc, peak_of
from support.damaged_files import KINDS, failures, write_samples
from support.exchange_samples import write_dense
from support.grids import slow

pytestmark = pytest.mark.usefixtures("reference_engine")

OXFORD = Path(__file__).parents[2] / "examples/oxford.json"
linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")

MANY = int(os.environ.get("NETDESC_FUZZ", "60"))
"""Mutations of each kind of file with ``-m slow``."""


@pytest.fixture
def samples(netdesc: Netdesc, tmp_path: Path) -> Path:
    write_samples(tmp_path / "samples", netdesc)
    return tmp_path / "samples"


def test_mutations_of_each_kind_of_file(netdesc: Netdesc, samples: Path, tmp_path: Path) -> None:
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


@linux
@pytest.mark.parametrize(
    ("shape", "kind", "compression"),
    [
        pytest.param((4096, 8000), "i8", "gzip", marks=slow),
        pytest.param((4096, 2000), "i8", None, marks=slow),
        pytest.param((4096, 4000), "f4", None, marks=slow),
        pytest.param((5790, 5790), "i1", "gzip", marks=slow),
        ((5790, 2900), "i1", "gzip"),
    ],
)
def test_a_network_of_any_64_mb_takes_less_than_a_gigabyte(
    tmp_path: Path, shape: tuple[int, int], kind: str, compression: str | None
) -> None:
    with h5py.File(tmp_path / "a.net", "w") as file:
        layer = file.create_group("layer/0")
        sizes = {"shape": np.array([shape[0]]), "outFeatures": shape[0], "inFeatures": shape[1]}
        write_dense(layer, weight=None, **sizes)
        layer.create_dataset("weight", data=np.zeros(shape, kind), compression=compression)
    assert (tmp_path / "a.net").stat().st_size < 64 << 20
    weights = shape[0] * shape[1] / 32_768_000  # a share of the most that 64 MB can hold
    most = 450 if torch.version.cuda is None else 1100  # in MB: with CUDA, torch itself is large
    for command in (("import", "-o", tmp_path / "new"), ("verify",)):
        code, peak = peak_of(*command, tmp_path / "a.net")
        assert code == 0
        assert peak < (most << 20) + weights * (574 << 20)


SAMPLE = {"input": {"path": "a long path of a file of events.bs1"}, "target": {"path": "t.bs1"}}


@linux
@pytest.mark.parametrize(
    ("wrong", "samples", "most"),
    [
        ([{"a": 1234567}] * 120_000, 0, 130 << 20),
        pytest.param([{"a": 1234567}] * 600_000, 0, 400 << 20, marks=slow),
        pytest.param([[1234567]] * 1_200_000, 0, 400 << 20, marks=slow),
        pytest.param(None, 71_000, 400 << 20, marks=slow),
        pytest.param(None, 200_000, 400 << 20, marks=slow),
    ],
)
def test_a_document_of_16_mb_takes_less_than_400(
    tmp_path: Path, wrong: object, samples: int, most: int
) -> None:
    document = json.loads(OXFORD.read_text())
    document |= {"unknown": wrong} if wrong else {}
    if samples:
        document["data"]["train"] = [SAMPLE] * samples
    (tmp_path / "a.json").write_text(json.dumps(document))
    code, peak = peak_of("validate", tmp_path / "a.json")
    assert code in (1, 3)
    assert peak < most


@linux
@pytest.mark.parametrize(
    ("events", "arguments", "most"),
    [
        (3_000_000, (), 155 << 20),
        (3_000_000, ("-o", "a.png"), 235 << 20),
        pytest.param(20_000_000, (), 200 << 20, marks=slow),
        pytest.param(20_000_000, ("-o", "a.png"), 600 << 20, marks=slow),
    ],
)
def test_any_file_of_events_is_summarised_and_drawn_in_little_memory(
    tmp_path: Path, events: int, arguments: tuple[str, ...], most: int
) -> None:
    path = tmp_path / "a.bs1"
    path.write_bytes(np.random.default_rng(0).bytes(5 * events))
    code, peak = peak_of("events", "show", path, *arguments, cwd=tmp_path)
    assert code == 0
    assert peak < most
