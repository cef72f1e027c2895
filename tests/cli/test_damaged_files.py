"""Damaged and hostile files: every command that reads one ends with one message, and soon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.damaged_files import KINDS, failures, write_samples
from support.exchange_samples import write_dense
from support.forked_commands import MAX_MEMORY, ForkedCommands
from support.grids import slow

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the commands are forked")

OWN_MEMORY = 450 << 20
"""Bytes of memory that a process holds that has imported everything, and some room."""

MANY = int(os.environ.get("NETDESC_FUZZ", "60"))
"""Mutations of each kind of file with ``-m slow``."""


@pytest.fixture(scope="module")
def commands() -> Iterator[ForkedCommands]:
    with ForkedCommands() as commands:
        yield commands


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, commands: ForkedCommands) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder, commands)
    return folder


def test_some_mutations_of_each_kind_of_file(
    commands: ForkedCommands, samples: Path, tmp_path: Path
) -> None:
    """In one test, because importing all of netdesc takes as long as fifty commands."""
    found = [
        problem
        for name in KINDS
        for problem in failures(commands, samples, tmp_path / "copy", name, seed=0, most=2)
    ]
    assert not found, "\n\n".join(found)


@slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations_through_every_command(
    commands: ForkedCommands, samples: Path, tmp_path: Path, kind: str
) -> None:
    found = [
        problem
        for seed in range(MANY)
        for problem in failures(commands, samples, tmp_path / "copy", kind, seed)
    ]
    assert not found, "\n\n".join(found[:20])


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
    commands: ForkedCommands, tmp_path: Path, shape: tuple[int, int], kind: str, compressed: bool
) -> None:
    with h5py.File(tmp_path / "a.net", "w") as file:
        layer = file.create_group("layer/0")
        sizes = {"shape": np.array([shape[0]]), "outFeatures": shape[0], "inFeatures": shape[1]}
        write_dense(layer, weight=None, **sizes)
        zeros = np.zeros(shape, kind)
        layer.create_dataset("weight", data=zeros, compression="gzip" if compressed else None)
    assert (tmp_path / "a.net").stat().st_size < 64 << 20
    ended = commands.run(tmp_path, "import", "a.net", "-o", "imported")
    assert ended.code == 0, ended
    weights = shape[0] * shape[1] / 32_768_000  # a share of the most that 64 MB can hold
    assert ended.memory < OWN_MEMORY + weights * (MAX_MEMORY - OWN_MEMORY), ended
