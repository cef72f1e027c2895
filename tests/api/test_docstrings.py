"""The examples in the docstrings of public names are true."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

import netdesc
from netdesc.events import Event
from netdesc.losses import SpikeTimeLoss
from netdesc.modules import Network

ROOT = Path(__file__).parents[2]

OBJECTS: dict[str, Any] = {
    **{name: getattr(netdesc, name) for name in netdesc.__all__ if name != "__version__"},
    "Event": Event,
    "Event.show": Event.show,
    "Event.animate": Event.animate,
    "Network.record": Network.record,
    "SpikeTimeLoss.filter": SpikeTimeLoss.filter,
}


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the examples use, in a folder with the project's examples and data."""
    for folder in ("examples", "data"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    compiled = netdesc.compile("examples/oxford.json")
    netdesc.export_net(compiled.model, "oxford.net")
    return {
        "netdesc": netdesc,
        "torch": torch,
        "Path": Path,
        "Event": Event,
        "compiled": compiled,
        "input_TBN": torch.zeros(1900, 1, 200),
    }


@pytest.mark.parametrize("name", OBJECTS)
def test_an_example_is_true(name: str, names: dict[str, Any]) -> None:
    documented = OBJECTS[name]
    text = inspect.getdoc(documented)
    assert text is not None
    example = doctest.DocTestParser().get_doctest(text, dict(names), name, None, 0)
    assert example.examples, f"{name} has no example"
    lines: list[str] = []
    doctest.DocTestRunner().run(example, out=lines.append)
    assert not lines, "".join(lines)


@pytest.mark.parametrize("name", OBJECTS)
def test_public_functions_are_typed(name: str) -> None:
    documented = OBJECTS[name]
    if not inspect.isfunction(documented):
        return
    signature = inspect.signature(documented)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.name == "self" or parameter.annotation is not inspect.Parameter.empty
