"""Cached kernels are compiled anew when a source has changed or a file is damaged."""

import os
import shutil
from pathlib import Path

import pytest
from support.cli_process import netdesc_process, run_python
from support.grids import slow
from support.training_task import write_task

import netdesc
from netdesc.kernels import cache_folder

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
    env = os.environ | {"PYTHONPATH": str(folder), "NETDESC_CACHE": str(folder / "cache")}
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


def test_kernels_are_compiled_anew_if_a_file_changes_or_is_damaged(package: Path) -> None:
    (package / "kernels/cpu/halve.py").write_text(KERNEL, encoding="utf-8")
    assert run(CALL, package.parent) == "4096 0"
    (cached,) = package.parent.glob("cache/numba/*/*.nbc")
    content = bytearray(cached.read_bytes())
    content[len(content) // 2] ^= 1
    cached.write_bytes(content)
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


def test_versions_that_were_not_used_for_long_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETDESC_CACHE", str(tmp_path))
    monkeypatch.setattr(cache_folder, "_MAX_VERSIONS", 2)
    for second, name in enumerate(("b", "c", "a")):
        (tmp_path / "numba" / name).mkdir(parents=True)
        os.utime(tmp_path / "numba" / name, (second, second))
    cache_folder.version_folder.__wrapped__()
    assert os.listdir(tmp_path / "numba") == ["a"]


def test_triton_caches_in_the_chosen_folder_unless_it_was_told_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NETDESC_CACHE", raising=False)
    monkeypatch.setenv("TRITON_CACHE_DIR", "")
    cache_folder.choose_triton_folder()
    assert not os.environ["TRITON_CACHE_DIR"]
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked/triton").touch()  # cannot be written
    for name, is_there in (("free", True), ("blocked", False)):
        monkeypatch.setenv("TRITON_CACHE_DIR", "")
        monkeypatch.setenv("NETDESC_CACHE", str(tmp_path / name))
        cache_folder.choose_triton_folder()
        chosen = os.environ["TRITON_CACHE_DIR"]
        assert (chosen == str(tmp_path / name / "triton")) is is_there
        assert Path(chosen).is_dir()
    cache_folder.choose_triton_folder()
    assert os.environ["TRITON_CACHE_DIR"] == chosen


FOLDERS = """
import os, sys
from pathlib import Path
from netdesc.kernels import cache_folder

os.umask(0)
for name in sys.argv[1:]:
    os.environ["NETDESC_CACHE"] = name
    folder = cache_folder.cache_folder()
    print(folder == Path(name))
    assert cache_folder.write(folder / "numba/a/b", b"content")
    for path, mode in ((folder / "numba/a/b", 0o600), (folder / "numba/a", 0o700)):
        assert path.stat().st_mode & 0o777 == mode
print(cache_folder.problem())
"""


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    folders: dict[str, Path] = {}
    for name, at, mode in (
        ("new", "", 0o755), ("mine", "c", 0o755), ("sticky", "c", 0o1777), ("open", "c", 0o777),
        ("kernels", "c/__pycache__", 0o777), ("numba", "c/numba", 0o777), ("parent", ".", 0o777),
    ):  # fmt: skip
        folders[name] = tmp_path / name / "c"
        (tmp_path / name / at).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / at).chmod(mode)
    if os.geteuid() == 0:
        folders["other"] = tmp_path / "other"
        folders["other"].mkdir()
        os.chown(folders["other"], 12345, -1)
        folders["link"] = tmp_path / "link"
        folders["link"].symlink_to(tmp_path / "mine/c")
        os.chown(folders["link"], 12345, -1, follow_symlinks=False)
    *used, problem = run_python(FOLDERS, *folders.values()).stdout.splitlines()
    assert used == ["True", "True"] + ["False"] * (len(folders) - 2)
    assert str(folders["sticky"]) in problem


def test_damaged_and_exchanged_files_are_deleted(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        cache_folder.write_checked(path, b"content of " + path.name.encode())
    content = paths[0].read_bytes()
    assert cache_folder.read_checked(paths[0]) == b"content of a"
    cut = [content[:5], content[:-1], content + b"c", b"", paths[1].read_bytes()]
    flips = [content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :] for at in range(0, 44, 4)]
    for damaged in (*cut, *flips):
        paths[0].write_bytes(damaged)
        assert cache_folder.read_checked(paths[0]) is None
        assert not paths[0].exists()
    paths[1].chmod(0o666)
    assert cache_folder.read_checked(paths[1]) is None


TRAIN = """
import sys
from netdesc.cli.main import main
from netdesc.kernels.cpu.runtime.numba_internals import KernelCache

counts = []
for arguments in (["compile", sys.argv[1]], ["train", sys.argv[1], "--run-dir", sys.argv[2]]):
    try:
        main([*arguments, "--quiet"])
    except SystemExit as exit:
        assert exit.code == 0
    counts.append(KernelCache.begun)
print(*counts)
"""
"""Prints how many kernels were looked up in the cache after compiling, and after training."""


def test_training_needs_no_kernel_that_compiling_does_not(tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", epochs=2)
    *_, compiled, trained = run_python(TRAIN, task, tmp_path / "run").stdout.split()
    assert compiled == trained != "0"


@slow
@pytest.mark.parametrize("name", ["digits_alif", "digits_conv", "oxford_slayer", "vowels"])
def test_training_writes_no_kernel_to_a_folder_that_compiling_has_filled(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETDESC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "nothing"))
    document = str(Path(netdesc.__file__).parents[1] / f"examples/{name}.json")
    assert netdesc_process("compile", document).code == 0
    before = sorted((tmp_path / "cache").rglob("*.nbc"))
    epochs = "--set", "training.epochs=2"
    assert netdesc_process("train", document, "--run-dir", tmp_path / "run", *epochs).code == 0
    assert sorted((tmp_path / "cache").rglob("*.nbc")) == before
    assert before
    assert not (tmp_path / "nothing").exists()


@slow
def test_a_cache_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    task = write_task(tmp_path / "task", epochs=1)
    env = os.environ | {"NETDESC_CACHE": str(tmp_path / "file")}
    code = "import sys; from netdesc.cli.program import program; program()"
    ended = run_python(code, "compile", task, "--quiet", env=env)
    (line,) = ended.stderr.splitlines()
    assert f"{tmp_path / 'file'}" in line
    assert "NETDESC_CACHE" in line
