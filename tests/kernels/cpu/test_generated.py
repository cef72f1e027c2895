"""Generated modules: equal text in each process, files that Numba's cache finds again."""

import json
import os
from pathlib import Path

import pytest
from support.cli_process import run_python
from support.neuron_definitions import DEFINITIONS

from netdesc.kernels.cpu.walk.generated import delete_unused, kernels_of, module_source
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.models import NEURONS

TEXTS = """
import sys
from support.neuron_definitions import DEFINITIONS
from netdesc.kernels.cpu.walk.generated import kernels_of, module_source
from netdesc.neurons.compile import compile_neuron

for name in sys.argv[1:]:  # what is built before must not change the text
    compile_neuron(DEFINITIONS[name], learn=True)
definition = DEFINITIONS["integrator"]
program = compile_neuron(definition, learn=False)
for direction in ("forward", "backward"):
    kernels_of(program, 12, direction)
    print(module_source(program, 12, direction))
"""
"""Prints the texts of a neuron's modules, which are written to the cache."""

RUN = """
import torch
from netdesc.kernels import operators

values = [torch.tensor(0.5)] * len(program.parameters)
arguments = [torch.ones(5, 1, 2)], [], values, [], definition.to_text(), 0, False, False
print(operators.neurons(*arguments)[0])
"""
"""Compiles one of the modules."""


def run(script: str, cache: dict[str, str], *names: str) -> str:
    env = {name: each for name, each in os.environ.items() if name != "NETDESC_CACHE"} | cache
    result = run_python(script, *names, env=env, cwd=Path(__file__).parents[2])
    assert "Warning" not in result.stderr
    return result.stdout


def files_of(folder: Path) -> dict[str, int]:
    files = [each for each in folder.rglob("*") if each.is_file() and each.suffix != ".pyc"]
    return {each.name: each.stat().st_mtime_ns for each in files}


def test_a_second_process_finds_the_kernels(tmp_path: Path) -> None:
    cache = {"NETDESC_CACHE": str(tmp_path / "kernels")}
    text = run(TEXTS + RUN, cache)
    files = files_of(tmp_path)
    assert sorted(Path(name).suffix for name in files) == [".nbc", ".py", ".py"]
    assert run(TEXTS + RUN, cache, "rf", "alif") == text
    assert files_of(tmp_path) == files


def texts_of(state: str, leak: str, threshold: str) -> list[str]:
    section = {
        "type": "equations",
        "parameters": {
            threshold: {"kind": "threshold", "value": 1},
            leak: {"kind": "decay", "value": 0.1},
        },
        "surrogate": {"width": 0.5, "peak": 1},
        "step": [f"{state} = decay({state}, {leak}) + x"],
        "spike": f"{state} > {threshold}",
    }
    neuron = NEURONS["equations"].model_validate_json(json.dumps(section))
    program = compile_neuron(neuron.definition(), learn=True)
    return [module_source(program, 12, direction) for direction in ("forward", "backward")]


def test_names_do_not_change_the_text() -> None:
    """Else a neuron would be compiled again for a new name."""
    assert texts_of("v", "leak", "threshold") == texts_of("w", "fade", "alarm")


FORKS = f"""
import json, os, sys
import netdesc.kernels.cpu.walk.generated, support.neuron_definitions

for cache in json.loads(sys.argv.pop()):
    if os.fork() == 0:
        os.environ.update(cache)
        exec({TEXTS!r})
        os._exit(0)
    assert os.wait()[1] == 0
"""
"""Writes the modules into several folders, each of which is that of another process."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_the_folder_is_that_of_the_user_if_it_can_be_written(tmp_path: Path) -> None:
    program = compile_neuron(DEFINITIONS["integrator"], learn=False)
    forward, backward = (
        Path(str(kernels_of(program, 12, direction).__file__)).name
        for direction in ("forward", "backward")
    )
    (tmp_path / "netdesc" / forward).mkdir(parents=True)  # cannot be written, as on a full disk
    (tmp_path / "blocked").touch()
    user = {"XDG_CACHE_HOME": str(tmp_path)}
    run(FORKS, {}, json.dumps([user, user | {"NETDESC_CACHE": str(tmp_path / "blocked")}]))
    assert set(files_of(tmp_path)) == {backward, "blocked"}


def test_modules_that_were_not_used_for_long_are_deleted(tmp_path: Path) -> None:
    kernels = tmp_path / "__pycache__"
    kernels.mkdir()
    for second, name in enumerate(("forward_b", "backward_c", "forward_a", "backward_d")):
        (tmp_path / f"{name}.py").touch()
        os.utime(tmp_path / f"{name}.py", (second, 9))
        (kernels / f"{name}.run.0123.nbc").touch()
    (tmp_path / "notes.py").touch()
    delete_unused(tmp_path, 2)
    assert sorted(each.name for each in tmp_path.glob("*.py")) == [
        "backward_d.py",
        "forward_a.py",
        "notes.py",
    ]
    assert {each.name.split(".")[0] for each in kernels.iterdir()} == {"forward_a", "backward_d"}
    delete_unused(tmp_path, 2)
    assert len(files_of(tmp_path)) == 5
