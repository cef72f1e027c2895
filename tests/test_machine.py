"""Cores and memory that a process may use, in containers too."""

from pathlib import Path

import pytest

from netdesc import machine


@pytest.mark.parametrize(
    ("text", "quota"),
    [(None, None), ("max 100000", None), ("150000 100000", 1.5), ("1 0", None), ("garbage", None)],
)
def test_a_container_has_a_quota(text: str | None, quota: float | None, tmp_path: Path) -> None:
    fill(tmp_path, {} if text is None else {"cpu.max": text})
    cores = machine.cores(tmp_path)
    assert cores.quota == quota
    assert cores.usable >= 1


def test_the_quota_of_an_outer_group_counts_too(tmp_path: Path) -> None:
    fill(tmp_path, {"cpu.max": "max 100000", "job/cpu.max": "150000 100000",
                    "job/step/cpu.max": "400000 100000"})  # fmt: skip
    group = tmp_path / "proc/self/cgroup"
    group.parent.mkdir(parents=True)
    group.write_text("0::/job/step\n")
    assert machine.cores(tmp_path).quota == 1.5


@pytest.mark.parametrize(
    ("files", "total", "available"),
    [
        ({}, 1 << 30, 1 << 29),
        ({"memory.max": "max", "memory.current": "5"}, 1 << 30, 1 << 29),
        ({"memory.max": str(1 << 28), "memory.current": str(1 << 27)}, 1 << 28, 1 << 27),
        (
            {
                "memory.max": str(1 << 28),
                "memory.current": str(1 << 27),
                "memory.stat": "anon 7\ninactive_file 4096\nactive_file 9",
            },
            1 << 28,
            (1 << 27) + 4096,
        ),
        (  # a batch job is in a group within the container's
            {
                "memory.max": str(1 << 29),
                "memory.current": "0",
                "job/step/memory.max": str(1 << 27),
                "job/step/memory.current": "0",
            },
            1 << 27,
            1 << 27,
        ),
    ],
)
def test_memory_is_the_container_s(
    files: dict[str, str], total: int, available: int, tmp_path: Path
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 1048576 kB\nMemAvailable:  524288 kB\n")
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/job/step\n")
    fill(tmp_path, files)
    assert machine.memory(tmp_path) == machine.Memory(total, available)


def fill(system: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = system / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
