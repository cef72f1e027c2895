"""``netdesc doctor``: what it says of a sound machine, and of broken ones."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import Netdesc, netdesc_process
from support.grids import slow

from netdesc.cli.doctor import checks, probes
from netdesc.cli.doctor.checks import run_probes
from netdesc.cli.doctor.probes import Probe, ProbeResult
from netdesc.kernels import machine

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules stand before the installed ones in the doctor's other process."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def choose(*topics: str) -> list[Probe]:
    return [probe for probe in probes.PROBES if probe.topic in topics]


# A sound machine


def test_everything_is_looked_at_and_works_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)  # the interpreter takes ten seconds
    ended = netdesc_process("doctor", "--json")
    record = json.loads(ended.out)
    assert ended.code == record["exit_code"] == 0
    rows = {row["topic"]: row for row in record["rows"]}
    assert list(rows) == [*(probe.topic for probe in probes.PROBES), "terminal"]
    assert "fault" not in {row["state"] for row in rows.values()}
    assert "equals the reference" in rows["engine cpu"]["found"]
    assert not {"torch", "numba", "numpy"} & ended.loaded


def test_the_packages_are_those_of_the_project() -> None:
    lines = [*PROJECT["dependencies"]]
    for extra, more in PROJECT["optional-dependencies"].items():
        lines += more if extra != "dev" else []
    wanted = {line.split(">=")[0] for line in lines}
    assert wanted <= {probe.topic for probe in probes.PROBES}
    # These ranges are the only ones that are understood.
    for line in [*lines, "python" + PROJECT["requires-python"]]:
        assert line.count(">=") == 1
        assert not set(line) & set("<~!,=") - {"="}


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.lists(st.integers(0, 99)))
def test_versions_are_compared_by_number(low: list[int], more: list[int]) -> None:
    lowest = ".".join(map(str, low))
    assert probes._is_in_range(f"{lowest}.{'.'.join(map(str, more))}".rstrip("."), f">={lowest}")
    assert probes._is_in_range(lowest, "")
    above = ".".join(map(str, [low[0] + 1, *low[1:]]))
    assert not probes._is_in_range(f"{lowest}+cpu", f">={above}")


# Broken ones


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise ImportError('no libfoo.so.6')", "no libfoo.so.6"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "ended by SIGILL"),
        ("raise SystemExit(0)", "ended with code=0"),
        ("this is no python", "SyntaxError"),
        pytest.param("import time; time.sleep(60)", "within 5 seconds", marks=slow),
    ],
)
def test_a_broken_package_is_named_and_stops_nothing(
    source: str, problem: str, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "TIMEOUT_S", 5.0)
    (packages / "rich.py").write_text(source)
    found = run_probes(choose("click", "rich", "memory"))
    assert list(found) == ["click", "rich", "memory"]
    assert problem in found["rich"].found
    assert "pip install --force-reinstall 'rich>=" in found["rich"].way_out
    assert found["click"].state == found["memory"].state == "ok"


@pytest.mark.parametrize(("threads", "fault"), [("0", True), ("-2", True), ("10", False)])
def test_numba_is_not_installed_again_for_a_variable(
    threads: str, fault: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
    assert ("NUMBA_NUM_THREADS" in probes._numba().way_out) == fault


def test_a_package_of_an_extra_may_be_missing_but_not_broken(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = probes._optional_package("no-such-package", "no_such_package", "a test").check()
    assert (found.state, "a test" in found.found) == ("ok", True)
    monkeypatch.syspath_prepend(packages)
    (packages / "halved.py").write_text("import other_half")
    with pytest.raises(ModuleNotFoundError):
        probes._optional_package("halved", "halved", "a test").check()


def test_a_broken_numba_does_not_cost_a_process_a_probe(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = []
    run = checks._run_process
    monkeypatch.setattr(checks, "_run_process", lambda topics: processes.append(1) or run(topics))
    (packages / "numba.py").write_text("raise ImportError('no llvmlite')")
    topics = ("numpy", "numba", "torch", "engine reference", "engine cpu", "cores", "memory")
    found = run_probes(choose(*topics))
    assert "no llvmlite" in found["numba"].found
    assert "--engine reference" in found["engine cpu"].way_out
    assert found["cores"].found == "not tried, because numba is broken"
    sound = {topic for topic, each in found.items() if each.state == "ok"}
    assert sound == {"numpy", "torch", "engine reference", "memory"}
    assert len(processes) == 3  # numba ends the first, engine cpu the second


def test_talk_on_standard_output_and_files_in_the_working_directory_disturb_nothing(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packages / "sitecustomize.py").write_text("print('{\"topic\"'); print('hello')")
    (tmp_path / "rich.py").write_text("raise ImportError('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert run_probes(choose("rich"))["rich"].state == "ok"


def test_without_torch_training_does_not_work(packages: Path, netdesc: Netdesc) -> None:
    (packages / "torch.py").write_text("raise OSError('libtorch_cpu.so: cannot open')")
    (packages / "matplotlib.py").write_text("raise ImportError('no font')")
    ended = netdesc("doctor", "--quiet")
    assert ended.code == 3
    assert "OSError: libtorch_cpu.so: cannot open" in ended.out
    assert "not tried, because torch is broken" in ended.out
    assert "warning  matplotlib" in ended.out
    assert "training does not work here" in ended.out
    assert "rich" not in ended.out
    assert "Traceback" not in ended.out
    lines = ended.out.split("\n\n")[0].splitlines()
    assert all(line.lstrip().startswith("→") for line in lines[1::2])


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_an_engine_that_computes_something_else_is_a_fault(
    wrong: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes._engine_cpu()
    right = probes._training_step

    def compute(engine: str) -> list[Any]:
        results = right(engine)
        results[wrong] = results[wrong] * (1.01 if engine == "cpu" else 1.0)
        return results

    monkeypatch.setattr(probes, "_training_step", compute)
    with pytest.raises(AssertionError, match="differs from the reference"):
        probes._engine_cpu()


# Rows


@pytest.fixture
def version(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretends that every package has a version; None for one that is not installed."""

    def pretend(version: str | None) -> None:
        def look(_: str) -> str:
            if version is None:
                raise metadata.PackageNotFoundError
            return version

        monkeypatch.setattr(metadata, "version", look)
        monkeypatch.setattr(probes, "_required_versions", lambda: {"torch": ">=2.6"})

    return pretend


def test_packages_are_held_against_their_range(version: Any) -> None:
    version("2.5.1")
    found = probes._package("torch", "json").check()
    assert found.state == "warning"
    assert found.way_out.endswith("-m pip install 'torch>=2.6'")
    version("2.10.0")
    assert probes._package("torch", "json").check().state == "ok"
    version(None)
    assert probes._package("torch", "json").way_out.endswith("-m pip install 'torch>=2.6'")


def test_more_threads_than_cores_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    monkeypatch.setattr("numba.get_num_threads", lambda: 4)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    monkeypatch.setattr(machine, "cores", lambda: machine.Cores(8, 8, 1.5))
    found = probes._cores()
    assert found.state == "warning"
    assert "quota of the container: 1.5" in found.found
    assert "OMP_WAIT_POLICY=active" in found.found
    assert "OMP_NUM_THREADS=2" in found.way_out
    monkeypatch.setattr(machine, "cores", lambda: machine.Cores(8, 4, None))
    assert probes._cores().state == "ok"


@pytest.mark.parametrize(
    ("has_gpu", "obstacle", "interpreted", "state", "words"),
    [
        (True, None, False, "ok", "a step of training equals the reference"),
        (True, "it needs Triton", False, "warning", "cannot run: it needs Triton"),
        (False, "no CUDA in torch", False, "ok", "not used: no CUDA in torch"),
        (True, None, True, "warning", "interpreted on the CPU"),
        (False, None, True, "ok", "interpreted on the CPU"),
    ],
)
def test_the_engine_for_gpus_runs_or_says_why_not(
    has_gpu: bool, obstacle: str | None, interpreted: bool, state: str, words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    reference = functools.partial(probes._training_step, "reference")
    monkeypatch.setattr(probes, "_training_step", lambda *_: reference())
    monkeypatch.setattr("torch.cuda.is_available", lambda: has_gpu)
    monkeypatch.setattr("netdesc.kernels.cuda.availability.why_unavailable", lambda _: obstacle)
    monkeypatch.setattr("netdesc.kernels.cuda.availability.is_interpreted", lambda: interpreted)
    found = probes._engine_cuda()
    assert found.state == state
    assert words in found.found
    assert bool(found.way_out) == (state != "ok")


def test_a_torch_that_cannot_use_the_gpu_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(probes.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    found = probes._cuda()
    assert found.state == "warning"
    assert "pytorch.org" in found.way_out


# The machine


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


def test_a_disk_that_cannot_be_written_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert probes._runs().state == "ok"
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(probes.shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    assert probes._runs().state == "warning"
    monkeypatch.setattr(checks, "_run_process", lambda _: ({}, "OSError: Read-only file system"))
    (found,) = run_probes(choose("runs")).values()
    assert (found.state, "--run-dir" in found.way_out) == ("warning", True)


@slow
def test_another_encoding_is_a_warning_and_no_failure(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-m", "netdesc", "doctor"],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": "", "PYTHONPATH": str(REPOSITORY)},
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == 0
    assert b"PYTHONUTF8" in ended.stdout
    assert b"?" in ended.stdout


def test_a_narrow_terminal_gets_short_lines(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = ProbeResult("warning", "word " * 30, "do " * 30)
    monkeypatch.setattr(checks, "run_all_probes", lambda: {"runs": long})
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "70")
    ended = netdesc("doctor")
    assert ended.code == 0
    assert max(map(len, ended.out.replace("\x1b[33m", "").splitlines())) <= 74
    assert ended.out.split().count("do") == 30
