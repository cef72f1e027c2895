"""What the functions of netdesc return is printed in few lines, and as HTML in a notebook."""

import contextlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.classify_task import classify_document, write_arrays

import netdesc
from netdesc.api.trained_run import Run
from netdesc.description.outline import Outline, Outlined


def texts(page: str) -> list[str]:
    """Returns the words of a page that are read."""
    parser, words = HTMLParser(), list[str]()
    parser.handle_data = lambda data: words.extend(data.split())
    parser.feed(page)
    return words


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Returns what each function returns for a network of 20 hidden layers."""
    folder = tmp_path_factory.mktemp("<i>")
    write_arrays(folder / "data.npz")
    document = classify_document({"path": str(folder / "data.npz")}, time={"steps": 25})
    hidden, output = document["layers"]
    names = [f"deep{number}" for number in range(20)]
    document["layers"] = [*({**hidden, "name": name, "units": 3} for name in names), output]
    description = netdesc.load(document)
    compiled = netdesc.compile(description)
    (folder / "report.html").touch()
    metrics = {"epoch": 1, "loss": 0.5, "accuracy": 0.625}
    return {
        "description": description,
        "compiled": compiled,
        "run": Run(folder, "done", "done after 1 epoch", metrics, metrics, None, 0),
        "result": netdesc.run(compiled, np.ones((25, 9))),
        "evaluation": netdesc.evaluate(description),
    }


def test_few_lines_say_what_it_is(results: dict[str, Any]) -> None:
    for name, value in results.items():
        lines = repr(value).splitlines()
        assert len(lines) <= 15, name
        assert max(map(len, lines)) <= 320, name
        if name != "run":
            assert any(line.startswith("deep0") for line in lines), name
            assert lines[-1].startswith("output"), name
            assert any("more" in line for line in lines), name
    assert f"{results['evaluation'].score.accuracy:.2%}" in repr(results["evaluation"])
    assert "25 steps" in repr(results["result"])
    assert "62.5%" in repr(results["run"])


def test_html_has_the_same_texts_escaped(results: dict[str, Any]) -> None:
    for name, value in results.items():
        assert texts(value._repr_html_()) == repr(value).split(), name
    assert "<i>" not in results["run"]._repr_html_()  # a part of the folder's name
    named = replace(results["result"], warnings=["<script>\x1b[31m", "second", "third", "last"])
    assert "<script>" not in named._repr_html_()
    assert "\x1b" not in named._repr_html_() + repr(named)
    assert ".warnings" in repr(named)
    with contextlib.chdir(results["run"].path):
        assert '<a href="report.html"' in results["run"]._repr_html_()


def test_columns_are_equally_wide() -> None:
    class Shown(Outlined):
        def outline(self) -> Outline:
            return Outline("a", [("b", 2), ("cc", Path("d"))], [("n", "size"), ("e", 1000)])

    assert repr(Shown()).splitlines() == ["a", "b   2", "cc  d", "n   size", "e  1,000"]
