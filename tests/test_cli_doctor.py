"""``netdesc doctor``: what it says of a sound machine, and of broken ones."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
from cli_process import netdesc_process
from hypothesis import given
from hypothesis import strategies as st

from netdesc import doctor, machine, probes
from netdesc.cli import main
from netdesc.doctor import Outcome, Row, examine, try_out

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules stand before the installed ones in the doctor's other process."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def by_topic(rows: list[Row]) -> dict[str, Row]:
    found = {row.topic: row for row in rows}
    assert len(found) == len(rows)
    return found


# A sound machine


def test_everything_is_looked_at_and_works_here() -> None:
    ended = netdesc_process("doctor", "--json")
    record = json.loads(ended.out)
    assert ended.code == record["exit_code"] == 0
    states = {row["topic"]: row["state"] for row in record["rows"]}
    assert states.keys() >= {"Python", "netdesc", "torch", "pillow", "nir", "engine reference"}
    assert states.keys() >= {"engine cpu", "compiled kernels", "cores", "CUDA", "Triton"}
    assert states.keys() >= {"memory", "runs", "terminal"}
    assert "fault" not in states.values()
    found = {row["topic"]: row["found"] for row in record["rows"]}
    assert "equals the reference" in found["engine cpu"]
    assert "torch is built" in found["CUDA"]
    assert "engine cuda" in found
    assert not {"torch", "numba", "numpy"} & ended.loaded


def test_the_packages_are_those_of_the_project() -> None:
    wanted = {line.split(">=")[0] for line in PROJECT["dependencies"]}
    assert set(doctor.PACKAGES) == wanted
    extras = {
        line.split(">=")[0]: extra
        for extra, lines in PROJECT["optional-dependencies"].items()
        for line in lines
        if extra != "dev"
    }
    assert {name: extra for name, (extra, _) in doctor.EXTRAS.items()} == extras


def test_netdesc_asks_only_for_ranges_that_are_understood() -> None:
    for line in [*PROJECT["dependencies"], "python" + PROJECT["requires-python"]]:
        assert line.count(">=") == 1
        assert not set(line) & set("<~!,=") - {"="}


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.lists(st.integers(0, 99)))
def test_versions_are_compared_by_number(low: list[int], more: list[int]) -> None:
    lowest = ".".join(map(str, low))
    assert doctor._meets(f"{lowest}.{'.'.join(map(str, more))}".rstrip("."), f">={lowest}")
    assert doctor._meets(lowest, "")
    above = ".".join(map(str, [low[0] + 1, *low[1:]]))
    assert not doctor._meets(f"{lowest}+cpu", f">={above}")


# Broken ones, in the other process


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise ImportError('no libfoo.so.6')", "no libfoo.so.6"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "ended by SIGILL"),
        ("raise SystemExit(0)", "ended with exit code 0"),
        ("this is no python", "SyntaxError"),
    ],
)
def test_a_broken_package_is_named_and_stops_nothing(
    source: str, problem: str, packages: Path
) -> None:
    (packages / "numba.py").write_text(source)
    outcomes = try_out(["import rich", "import numba", "import click"])
    assert outcomes["import rich"].found == outcomes["import click"].found == {}
    assert outcomes["import numba"].found is None
    assert problem in outcomes["import numba"].problem


def test_a_package_that_hangs_is_given_up(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE_S", 1.0)
    (packages / "PIL.py").write_text("import time; time.sleep(60)")
    outcomes = try_out(["import PIL", "import json"])
    assert "within 1 seconds" in outcomes["import PIL"].problem
    assert outcomes["import json"].found == {}


def test_talk_on_standard_output_is_no_finding(packages: Path) -> None:
    (packages / "chatty.py").write_text("print('{\"probe\"'); print('hello')")
    assert try_out(["import chatty"]) == {"import chatty": Outcome({})}


def test_files_in_the_working_directory_are_no_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise ImportError('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert try_out(["import json"])["import json"].found == {}


def test_without_torch_training_does_not_work(
    packages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (packages / "torch.py").write_text("raise OSError('libtorch_cpu.so: cannot open')")
    (packages / "PIL.py").write_text("raise ImportError('no libjpeg')")
    with pytest.raises(SystemExit) as exit:
        main(["doctor", "--quiet"])
    assert exit.value.code == 3
    out = capsys.readouterr().out
    assert "OSError: libtorch_cpu.so: cannot open" in out
    assert "pip install --force-reinstall" in out
    assert "not tried, because torch is broken" in out
    assert "warning  pillow" in out
    assert "training does not work here" in out
    assert "rich" not in out
    assert "Traceback" not in out


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_an_engine_that_computes_something_else_is_a_fault(
    wrong: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = probes._training_step

    def compute(engine: str) -> list[object]:
        results = list(right(engine))
        if engine == "cpu":
            results[wrong] = results[wrong] * 1.01
        return results

    monkeypatch.setattr(probes, "_is_kept", lambda _: True)
    probes._cpu()
    monkeypatch.setattr(probes, "_training_step", compute)
    with pytest.raises(AssertionError, match="differs from the reference"):
        probes._cpu()
    words = doctor._last_words(b"Traceback\nAssertionError: differs\n\n", 1)
    assert words == "AssertionError: differs"


def test_the_small_kernel_is_tried_where_none_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_is_kept", lambda _: False)
    assert probes._cpu()["whole"] is False
    assert probes._kernels()["kept"] == 0


# Rows


def outcomes(**changed: Outcome) -> Mapping[str, Outcome]:
    kernels = {"folder": "/cache", "writable": True, "kept": 6, "kernels": 6}
    return {
        "threads": Outcome({"torch": 4, "numba": 4}),
        "cuda": Outcome({"built_for": None, "devices": []}),
        "kernels": Outcome(kernels | dict(changed.pop("kernels", Outcome({})).found or {})),
        "engine cpu": Outcome({"seconds": 1, "whole": True}),
        **{name.replace("_", " "): outcome for name, outcome in changed.items()},
    }


def test_more_threads_than_cores_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    row = doctor._cores(outcomes(), machine.Cores(8, 8, 1.5))
    assert row.state == "warning"
    assert "quota of the container: 1.5" in row.found
    assert "OMP_WAIT_POLICY=active" in row.found
    assert "OMP_NUM_THREADS=2" in row.way_out
    assert doctor._cores(outcomes(), machine.Cores(8, 4, None)).state == "ok"


def test_kernels_that_cannot_be_kept_are_a_warning() -> None:
    row = doctor._kernels(outcomes(kernels=Outcome({"writable": False})))
    assert row.state == "warning"
    assert "NUMBA_CACHE_DIR" in row.way_out
    cold = doctor._kernels(outcomes(kernels=Outcome({"kept": 0})))
    assert cold.state == "ok"
    assert "up to a minute" in cold.found


def test_an_engine_without_a_place_for_kernels_tells_how_to_give_it_one() -> None:
    problem = "RuntimeError: cannot cache function 'f': no locator available for file 'x.py'"
    row = doctor._engine_cpu(outcomes(engine_cpu=Outcome(None, problem)))
    assert row.state == "fault"
    assert "NUMBA_CACHE_DIR" in row.way_out


def cuda_rows(devices: list[str], engine: Outcome, built_for: str | None = "12.8") -> list[Row]:
    cuda = Outcome({"built_for": built_for, "devices": devices})
    return list(doctor._cuda(outcomes(cuda=cuda, engine_cuda=engine)))


def test_a_gpu_is_named_and_its_engine_tried() -> None:
    gpu, triton, engine = cuda_rows(["Big GPU"], Outcome({"interpreted": False}))
    assert "CUDA 12.8" in gpu.found
    assert "Big GPU" in gpu.found
    assert triton.topic == "Triton"
    assert (engine.state, engine.found) == ("ok", "a step of training equals the reference")


@pytest.mark.parametrize(
    ("devices", "engine", "state", "words"),
    [
        (["GPU"], Outcome({"obstacle": "it needs Triton"}), "warning", "cannot run: it needs Trit"),
        ([], Outcome({"obstacle": "no CUDA in torch"}), "ok", "not used: no CUDA in torch"),
        (["GPU"], Outcome(None, "differs"), "fault", "differs"),
        ([], Outcome(None, "differs"), "warning", "differs"),
        (["GPU"], Outcome({"interpreted": True}), "warning", "interpreted on the CPU"),
        ([], Outcome({"interpreted": True}), "ok", "interpreted on the CPU"),
    ],
)
def test_an_engine_for_gpus_that_does_not_run_says_why(
    devices: list[str], engine: Outcome, state: str, words: str
) -> None:
    *_, row = cuda_rows(devices, engine)
    assert (row.topic, row.state) == ("engine cuda", state)
    assert words in row.found
    assert bool(row.way_out) == (state != "ok")


def test_a_torch_that_cannot_use_the_gpu_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    gpu, *_ = cuda_rows([], Outcome({"obstacle": "no CUDA"}), built_for=None)
    assert gpu.state == "warning"
    assert "pytorch.org" in gpu.way_out


def test_the_probe_compares_the_engine_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(probes.importlib.import_module("torch").cuda, "is_available", lambda: False)
    assert "torch" in probes._cuda_engine()["obstacle"]


@pytest.mark.parametrize(
    ("name", "version", "found", "state"),
    [
        ("torch", "2.5.1", {}, "warning"),
        ("torch", "", None, "fault"),
        ("torch", "2.6.0", None, "fault"),
        ("plotly", "", None, "warning"),
        ("torch", "2.10.0", {}, "ok"),
    ],
)
def test_packages_are_held_against_their_range(
    name: str,
    version: str,
    found: dict[str, object] | None,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look(_: str) -> str:
        if not version:
            raise metadata.PackageNotFoundError
        return version

    monkeypatch.setattr(metadata, "version", look)
    monkeypatch.setattr(doctor, "_requirements", lambda: {"torch": ">=2.6", "plotly": ">=5.24"})
    all_of_them = {
        f"import {package.module}": Outcome({})
        for package in [*doctor.PACKAGES.values(), *(each for _, each in doctor.EXTRAS.values())]
    }
    module = doctor.PACKAGES[name].module
    rows = by_topic(
        list(doctor._packages({**all_of_them, f"import {module}": Outcome(found, "broken")}))
    )
    assert rows[name].state == state
    assert ("pip install" in rows[name].way_out) == (state != "ok")


def test_the_metadata_s_ranges_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["torch>=2.6", "safetensors>=0.4.3", 'pillow>=10.3; extra == "gif"', "rich"]
    monkeypatch.setattr(metadata, "requires", lambda _: lines)
    assert doctor._requirements() == {
        "torch": ">=2.6", "safetensors": ">=0.4.3", "pillow": ">=10.3", "rich": "",
    }  # fmt: skip


# The machine


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "150000 0"}, None),
        ({"cpu.max": "garbage"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
    ],
)
def test_quotas_of_both_kinds_of_groups(
    files: dict[str, str], quota: float | None, tmp_path: Path
) -> None:
    fill(tmp_path, files)
    cores = machine.cores(tmp_path)
    assert cores.quota == quota
    assert cores.usable >= 1


@pytest.mark.parametrize(
    ("files", "total", "available"),
    [
        ({}, 1 << 30, 1 << 29),
        ({"memory.max": "max", "memory.current": "5"}, 1 << 30, 1 << 29),
        ({"memory.max": str(1 << 28), "memory.current": str(1 << 27)}, 1 << 28, 1 << 27),
        ({"memory/memory.limit_in_bytes": str((1 << 63) - 4096)}, 1 << 30, 1 << 29),
        ({"memory/memory.limit_in_bytes": str(1 << 29),
          "memory/memory.usage_in_bytes": "0"}, 1 << 29, 1 << 29),
    ],
)  # fmt: skip
def test_memory_is_the_container_s(
    files: dict[str, str], total: int, available: int, tmp_path: Path
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 1048576 kB\nMemAvailable:  524288 kB\n")
    fill(tmp_path, files)
    assert machine.memory(tmp_path) == machine.Memory(total, available)


def fill(system: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = system / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def test_other_systems_say_nothing_of_memory(tmp_path: Path) -> None:
    assert machine.memory(tmp_path) == machine.Memory(None, None)
    assert doctor._memory(machine.Memory(None, None)).state == "ok"
    assert doctor._memory(machine.Memory(1 << 34, 1 << 20)).state == "warning"


def test_a_disk_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    disk = machine.disk(tmp_path / "a" / "runs")
    assert (disk.folder, disk.problem) == (tmp_path, "")
    assert list(tmp_path.iterdir()) == []
    row = doctor._disk(Path("runs"), machine.Disk(tmp_path, None, "Read-only file system"))
    assert row.state == "warning"
    assert "--run-dir" in row.way_out
    assert doctor._disk(Path("runs"), machine.Disk(tmp_path, 1 << 20, "")).state == "warning"


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


def test_every_row_that_is_not_well_has_a_way_out(packages: Path) -> None:
    (packages / "torch.py").write_text("raise ImportError('no')")
    (packages / "jinja2.py").write_text("raise ImportError('no')")
    rows = by_topic(examine())
    assert rows["torch"].state == "fault"
    assert rows["jinja2"].state == "warning"
    assert all(row.way_out for row in rows.values() if row.state != "ok")
