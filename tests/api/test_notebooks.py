"""The notebooks among the examples run, and a notebook shows progress and errors in its cells."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RUN_CELLS = r"""
import re, sys
import nbformat
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

class Shell(InteractiveShell):
    kernel = "shows HTML"

shell = Shell.instance(display_pub_class=CapturingDisplayPublisher, colors="nocolor")
shell.run_cell("import matplotlib; matplotlib.use('agg')")
book = nbformat.read(sys.argv[1], 4)
nbformat.validate(book)
assert not any(cell.get("outputs") for cell in book.cells), "outputs are saved"
for cell in book.cells:
    if cell.cell_type == "code":
        text = re.sub(r"^epochs = \d+$", "epochs = 6", cell.source, flags=re.M)
        shell.run_cell(text).raise_error()
for output in shell.display_pub.outputs:
    print("UPDATED" if output["update"] else "SHOWN", output["data"].get("text/html"))
print("END OF NOTEBOOK")
shell.run_cell("wrong = {'format': 2}\nnetdesc.compile(wrong)")
"""


@pytest.mark.parametrize(
    ("name", "folder"), [("first_network", "."), ("oxford", "examples")], ids=str
)
def test_a_notebook_runs(name: str, folder: str, tmp_path: Path) -> None:
    """Jupyter starts in the folder of the notebook, other programs in that of the repository."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    document = tmp_path / "examples" / "oxford.json"
    text = document.read_text()  # with scales, which take long to find
    document.write_text(text.replace('"cuba"}', '"cuba", "weight_scale": 4}'))
    notebook = tmp_path / "examples" / f"{name}.ipynb"
    command = [sys.executable, "-c", RUN_CELLS, notebook]
    run = subprocess.run(
        command, cwd=tmp_path / folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert run.stderr == ""
    shown, error = run.stdout.split("END OF NOTEBOOK\n")
    *_, last = (line for line in shown.splitlines() if "<progress" in line)
    assert 'value="1.0000"' in last
    assert "epoch 6/6" in last
    assert "training" in shown, "a message"
    assert error.startswith("line 2: netdesc.compile(wrong)\nDescriptionError: <dict>:")
    assert "load.py" not in error
