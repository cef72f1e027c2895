"""``netdesc doctor``: what it says of a sound machine, and of broken ones."""

import json
import tomllib
from pathlib import Path

import pytest
from support.cli_process import Netdesc, netdesc_process
from support.grids import slow

from netdesc.cli import doctor

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules hide the installed ones in the processes of the doctor, which tests
    but three packages."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setattr(doctor, "PACKAGES", ("torch", "matplotlib", "rich"))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def test_everything_works_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)  # the interpreter takes ten seconds
    ended = netdesc_process("doctor", "--json")
    record = json.loads(ended.out)
    assert ended.code == record["exit_code"] == 0
    rows = {row["topic"]: row for row in record["rows"]}
    assert "fault" not in {row["state"] for row in rows.values()}
    assert "equals the reference" in rows["engine cpu"]["found"]
    assert not {"torch", "numba", "numpy"} & ended.loaded


def test_the_packages_are_those_of_the_project() -> None:
    lines = [*PROJECT["dependencies"]]
    for extra, more in PROJECT["optional-dependencies"].items():
        lines += more if extra != "dev" else []
    assert {line.split(">=")[0] for line in lines} <= set(doctor.PACKAGES)
    assert all(line.count(">=") == 1 for line in lines), "the only bound that is compared"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise OSError('libtorch_cpu.so: cannot open')", "OSError: libtorch_cpu.so: cannot open"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "ended by SIGILL"),
        pytest.param("this is no python", "SyntaxError", marks=slow),
        pytest.param("raise SystemExit(0)", "ended with code 0", marks=slow),
    ],
)
def test_without_torch_training_does_not_work(
    source: str, problem: str, packages: Path, netdesc: Netdesc
) -> None:
    (packages / "torch.py").write_text(source)
    (packages / "matplotlib.py").write_text("raise ImportError('no font')")
    ended = netdesc("doctor", "--quiet")
    assert ended.code == 3
    assert problem in ended.out
    assert "pip install --force-reinstall 'torch>=" in ended.out
    assert "warning matplotlib" in ended.out
    assert "training does not work here" in ended.out
    assert "rich" not in ended.out
    assert "Traceback" not in ended.out


def test_versions_are_compared_with_what_netdesc_requires(packages: Path, netdesc: Netdesc) -> None:
    def with_version(version: str) -> str:
        folder = packages / "rich-0.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rich\nVersion: {version}\n")
        rows = netdesc("doctor", "--json").record["rows"]
        return next(row["state"] for row in rows if row["topic"] == "rich")

    (packages / "torch.py").write_text("raise ImportError")  # which leaves out the engines
    assert with_version("13.6.9") == "warning"
    assert with_version("13.10") == "ok"


def test_output_of_packages_and_files_of_the_working_directory_disturb_nothing(
    packages: Path, tmp_path: Path, netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packages / "sitecustomize.py").write_text("print('[\"fault\"'); print('hello')")
    (packages / "torch.py").write_text("raise ImportError")
    (tmp_path / "rich.py").write_text("raise ImportError('shadowed')")
    monkeypatch.chdir(tmp_path)
    rows = {row["topic"]: row["state"] for row in netdesc("doctor", "--json").record["rows"]}
    assert (rows["rich"], rows["torch"]) == ("ok", "fault")
