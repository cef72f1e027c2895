"""README's "Add a neuron": a file and a line in a table make a neuron for every room."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

WITH_OTHER_MODELS = """
import sys, netdesc.neurons
netdesc.neurons.__path__.insert(0, sys.argv[1])  # other rooms stay where their kernels are cached
from support.use_neuron import use
use(sys.argv[2])
"""


def test_what_the_readme_says_makes_a_neuron(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Add a neuron$(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    (file,) = re.findall(r"`netdesc/neurons/models/(\w+\.py)`", section[1])
    (code,) = re.findall(r"^```python\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    assert sum(map(bool, code.splitlines())) <= 11
    (name,) = re.findall(r"^class (\w+)", code, re.MULTILINE)
    models = tmp_path / "models"
    shutil.copytree(ROOT / "netdesc" / "neurons" / "models", models)
    (models / file).write_text(code)
    text = (models / "__init__.py").read_text()
    text = text.replace(
        "\nfrom ", f"\nfrom netdesc.neurons.models.{file[:-3]} import {name}\nfrom ", 1
    )
    changed = re.sub(r"^(    \w+,\n)\)", rf"\1    {name},\n)", text, count=1, flags=re.MULTILINE)
    assert changed != text
    (models / "__init__.py").write_text(changed)
    result = subprocess.run(
        [sys.executable, "-c", WITH_OTHER_MODELS, tmp_path, file[:-3]],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "v = v + norm(x)" in result.stdout
