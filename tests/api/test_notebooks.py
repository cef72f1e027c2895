"""The notebooks among the examples run, and a notebook shows progress and errors in its cells."""

import subprocess
import sys
from pathlib import Path

from support.scaled_examples import copy_examples

RUN_CELLS = r"""
import os, re
import nbformat
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

class Shell(InteractiveShell):
    kernel = "shows HTML"

shell = Shell.instance(display_pub_class=CapturingDisplayPublisher, colors="nocolor")
shell.run_cell("import matplotlib; matplotlib.use('agg')")
for path, folder in ("examples/first_network.ipynb", "."), ("oxford.ipynb", "examples"):
    os.chdir(folder)
    book = nbformat.read(path, 4)
    nbformat.validate(book)
    assert not any(cell.get("outputs") for cell in book.cells), "outputs are saved"
    for cell in book.cells:
        if cell.cell_type == "code":
            text = re.sub(r"^epochs = \d+$", "epochs = 3", cell.source, flags=re.M)
            shell.run_cell(text).raise_error()
    for output in shell.display_pub.outputs:
        print("UPDATED" if output["update"] else "SHOWN", output["data"].get("text/html"))
    print("END OF NOTEBOOK")
    shell.display_pub.outputs.clear()
    shell.reset()
shell.run_cell("import netdesc\nnetdesc.compile({'format': 2})")
"""


def test_notebooks_run(tmp_path: Path) -> None:
    """Jupyter starts in the folder of the notebook, other programs in that of the repository."""
    copy_examples(tmp_path)
    command = [sys.executable, "-c", RUN_CELLS]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert run.stderr == ""
    *books, error = run.stdout.split("END OF NOTEBOOK\n")
    for shown in books:
        *_, last = (line for line in shown.splitlines() if "<progress" in line)
        assert 'value="1.0000"' in last
        assert "epoch 3/3" in last
    assert error.startswith("line 2: netdesc.compile({'format': 2})\nDescriptionError: <dict>:")
    assert "load.py" not in error
