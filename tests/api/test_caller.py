"""Errors and warnings point at the line of the program that called netdesc."""

import json
import runpy
import warnings
from pathlib import Path

import pytest
from support.classify_task import classify_document, write_arrays

import netdesc
from netdesc.exchange import NetFileError

PROGRAM = """\
import torch, netdesc
from netdesc.events import Event
document, steps = "classes.json", 12
compiled = netdesc.compile(document)
compiled.model(torch.zeros(3, steps, 9))
compiled.model.signals(torch.zeros(4, steps, 9))
Event(x=[1], t=[99.0]).to_tensor((4,), steps=3)
netdesc.run(compiled, Event(x=[1], t=[99.0]))
def train(**more):
    return netdesc.train(document, progress="quiet", **more)
train()
"""
WARNED_LINES = {4, 5, 6, 7, 8, 10}


def test_warnings_name_the_line_of_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_arrays(tmp_path / "data.npz")
    document = classify_document(training={"epochs": 1})
    document["neurons"]["spare"] = {"type": "lif", "threshold": 0.5, "voltage_decay": 0.1}
    Path("classes.json").write_text(json.dumps(document))
    Path("program.py").write_text(PROGRAM)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runpy.run_path("program.py", run_name="__main__")
    assert {Path(warning.filename).name for warning in caught} == {"program.py"}
    assert {warning.lineno for warning in caught} == WARNED_LINES


def test_a_notebook_shows_message_and_line_of_an_error(tmp_path: Path) -> None:
    """IPython prints what the method returns; without it, the whole traceback."""
    with pytest.raises(netdesc.DescriptionError) as wrong:
        netdesc.compile({"format": 1, "steps": 3})
    with pytest.raises(NetFileError) as missing:
        netdesc.run_integer(tmp_path / "none.net", [])  # type: ignore[arg-type]
    for error, code in ((wrong.value, "netdesc.compile("), (missing.value, "run_integer(")):
        caller, message = error._render_traceback_()
        assert __file__ in caller
        assert code in caller
        assert message == f"{type(error).__name__}: {error}"
