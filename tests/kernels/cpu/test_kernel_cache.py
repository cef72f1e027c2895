"""Cached kernels are compiled anew when a source has changed."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numba.core import caching, config
from support.cli_process import run_python

import netdesc
from netdesc.kernels.cpu.runtime.kernel_cache import invalidate_cache, kernel

KERNEL = """
import numpy as np
from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast
from netdesc.kernels.cpu.runtime.simd_memory import store
from netdesc.kernels.cpu.runtime.state_arithmetic import decay_state, saturate

@kernel
def halve(state, result, threads, thread):
    share = broadcast(np.int32(2048))
    if thread == 0:
        store(result, 0, saturate(decay_state(broadcast(np.int32(state)), share)), LANES)
"""

CALL = """
import numpy as np
from netdesc.kernels.cpu.halve import LANES, halve
result = np.zeros(LANES, np.int32)
halve(8192, result)
print(result[0], len(halve.stats.cache_hits))
"""


def run(script: str, folder: Path) -> str:
    env = os.environ | {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": ""}
    return run_python(script, env=env, cwd=folder).stdout.strip()


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder of a copy of netdesc without compiled kernels."""
    copy = tmp_path / "netdesc"
    source = Path(netdesc.__file__).parent
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_changes_in_other_files_recompile_a_kernel(package: Path) -> None:
    """The changes are in other files than the kernel."""
    (package / "kernels/cpu/halve.py").write_text(KERNEL, encoding="utf-8")
    assert run(CALL, package.parent) == "4096 0"
    assert run(CALL, package.parent) == "4096 1"
    change(package / "kernels/fixed_point.py", "STATE_LIMIT = 1 << 29", "STATE_LIMIT = 1 << 8")
    assert run(CALL, package.parent) == "256 0"
    change(
        package / "kernels/cpu/runtime/state_arithmetic.py",
        "(state >> broadcast(_SHIFT)) * share + ",
        "(state >> broadcast(_SHIFT)) + ",
    )
    assert run(CALL, package.parent) == "2 0"


def test_kernels_stay_while_their_sources_do(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    invalidate_cache(folder, b"one")
    names = ("kernel.run-1.py311.nbi", "kernel.run-1.py311.1.nbc", "kernel.cpython-311.pyc")
    for name in names:
        (folder / name).touch()
    invalidate_cache(folder, b"one")
    assert all((folder / name).exists() for name in names)
    invalidate_cache(folder, b"two")
    assert [(folder / name).exists() for name in names] == [False, False, True]


def test_kernels_compile_where_no_folder_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [caching.UserProvidedCacheLocator])

    @kernel
    def count(numbers, threads, thread):
        if thread == 0:
            numbers[0] += 1

    numbers = np.zeros(1)
    count(numbers)
    assert numbers == 1
    assert config.CACHE_DIR


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    invalidate_cache(tmp_path / "file", b"one")
    assert os.listdir(tmp_path) == ["file"]
