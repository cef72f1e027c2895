"""The description room stays light: it imports neither torch nor numpy, and is quick to import."""

from __future__ import annotations

import json
import subprocess
import sys


def test_description_and_graph_import_no_torch_and_no_numpy():
    code = (
        "import json, sys; import netdesc.description, netdesc.graph; print(json.dumps("
        "[name for name in ('torch', 'numpy', 'numba', 'jsonschema') if name in sys.modules]))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(output.stdout) == []
