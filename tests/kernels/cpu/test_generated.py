"""Generated modules: equal text in each process, files that Numba's cache finds again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netdesc.kernels.cpu.walk.generated import delete_unused

SCRIPT = """
import sys
import torch
from support.neuron_definitions import DEFINITIONS
from netdesc.kernels import operators
from netdesc.kernels.cpu.walk.generated import module_source
from netdesc.neurons.compile import compile_neuron

for name in sys.argv[1:]:  # what is built before must not change the text
    compile_neuron(DEFINITIONS[name], learn=True)
lif = DEFINITIONS["lif"]
values = [torch.tensor(each) for each in (0.5, 0.25, 0.0, 1.0, 1.0)]
z_TBN = torch.full((5, 1, 2), 0.25).requires_grad_()
out_TBN, *_ = operators.neurons([z_TBN], values, [], lif.to_text(), 0, False, True)
out_TBN.sum().backward()
print(out_TBN[:, 0, 0].tolist())
for direction in ("forward", "backward"):
    print(module_source(compile_neuron(lif, False), 12, direction))
"""


def run(cache: dict[str, str], *names: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names],
        env={name: each for name, each in os.environ.items() if name != "NETDESC_CACHE"} | cache,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    return result.stdout


def files_of(folder: Path) -> dict[str, int]:
    files = [each for each in folder.rglob("*") if each.is_file() and each.suffix != ".pyc"]
    return {each.name: each.stat().st_mtime_ns for each in files}


def test_a_second_process_writes_and_compiles_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "kernels"
    text = run({"NETDESC_CACHE": str(cache)})
    files = files_of(cache)
    kinds = sorted(Path(name).suffix for name in files)
    assert kinds == [".nbc", ".nbc", ".nbi", ".nbi", ".py", ".py"]
    assert run({"NETDESC_CACHE": str(cache)}, "rf", "alif") == text
    assert files_of(cache) == files


def test_the_folder_is_that_of_the_user(tmp_path: Path) -> None:
    run({"XDG_CACHE_HOME": str(tmp_path)})
    assert list((tmp_path / "netdesc").glob("forward_*.py"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    run({"NETDESC_CACHE": str(tmp_path)})
    assert not files_of(tmp_path)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    run({"NETDESC_CACHE": str(blocked)})
    assert list(files_of(tmp_path)) == ["file"]


def test_modules_that_were_not_used_for_long_are_deleted(tmp_path: Path) -> None:
    kernels = tmp_path / "__pycache__"
    kernels.mkdir()
    for second, name in enumerate(("forward_b", "backward_c", "forward_a", "backward_d")):
        (tmp_path / f"{name}.py").touch()
        os.utime(tmp_path / f"{name}.py", (second, 9))
        (kernels / f"{name}.run-1.py311.nbi").touch()
        (kernels / f"{name}.run-1.py311.1.nbc").touch()
    (tmp_path / "notes.py").touch()
    delete_unused(tmp_path, 2)
    assert sorted(each.name for each in tmp_path.glob("*.py")) == [
        "backward_d.py",
        "forward_a.py",
        "notes.py",
    ]
    assert {each.name.split(".")[0] for each in kernels.iterdir()} == {"forward_a", "backward_d"}
    delete_unused(tmp_path, 2)
    assert len(files_of(tmp_path)) == 7
