"""Problems and completions that an editor shows with our schema, by VS Code's own engine.

The engine is the npm package vscode-json-languageservice. It is looked for in the folder that
NETDESC_NODE_MODULES names, and among npm's global packages; where there is no node or no such
package, these tests are skipped. CI installs it.
"""

import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.description_samples import BASE, LABELLED, with_text

from netdesc.description.codes import ENTRIES

ROOT = Path(__file__).parents[2]
PACKAGE = "vscode-json-languageservice"
PLACE = ROOT / "examples" / "anything.json"
"""Where the documents are said to lie; nothing is read or written there."""
SCHEMA = '"$schema": "../schemas/network.schema.json",'


@functools.cache
def _packages() -> Path | None:
    """The folder of npm packages that has the engine."""
    named = os.environ.get("NETDESC_NODE_MODULES")
    if named:
        folder = Path(named)
        assert (folder / PACKAGE).is_dir(), f"NETDESC_NODE_MODULES has no {PACKAGE}"
        return folder
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    found = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=False)
    folder = Path(found.stdout.strip())
    return folder if (folder / PACKAGE).is_dir() else None


pytestmark = pytest.mark.skipif(
    _packages() is None, reason=f"needs node and the npm package {PACKAGE}"
)


def _with_schema(text: str) -> str:
    return text.replace("{", "{" + SCHEMA, 1)


def _ask(*questions: dict[str, Any]) -> list[dict[str, Any]]:
    whole = [{"path": str(PLACE), "complete": None, "hover": None} | each for each in questions]
    result = subprocess.run(
        ["node", str(Path(__file__).parents[1] / "support" / "editor.cjs"), str(_packages())],
        input=json.dumps(whole),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def _offered(text: str) -> dict[str, dict[str, str]]:
    """What is completed at the bar in a text, by its label."""
    offset = text.index("|")
    (answer,) = _ask({"text": text.replace("|", "", 1), "complete": offset})
    return {each["label"]: each for each in answer["offered"]}


GOOD = _with_schema(BASE)


def test_good_documents_have_no_problems():
    texts = [_with_schema(BASE), _with_schema(LABELLED)]
    files = sorted((ROOT / "examples").glob("*.json"))
    questions = [{"text": text} for text in texts]
    questions += [{"path": str(file), "text": file.read_text(encoding="utf-8")} for file in files]
    assert len(questions) > 4
    assert [answer["problems"] for answer in _ask(*questions)] == [[]] * len(questions)


def test_a_layer_is_completed_before_and_after_its_type_is_there():
    opened = GOOD.replace('"layers": [', '"layers": [{|},')
    before = _offered(opened)
    assert {"type", "name", "units", "neuron", "from", "weight_scale"} <= set(before)
    assert "Number of neurons. Unit: neurons." in before["units"]["documentation"]
    after = _offered(opened.replace("{|}", '{"type": "dense", |}'))
    assert after["units"]["insertText"] == '"units": ${1:128}'
    assert after["weight_norm"]["insertText"] == '"weight_norm": ${1:false}'
    flat = _offered(opened.replace("{|}", '{"type": "flatten", |}'))
    assert set(flat) == {"name", "from"}


def test_types_are_completed_with_what_they_mean():
    offered = _offered(GOOD.replace('"type": "spike_time"', '"type": |'))
    assert '"spike_time"' in offered
    said = offered['"spike_time"']["documentation"]
    assert "van Rossum" in said
    assert "likelihood" not in said, "what the other types mean"


def _misspelt(text: str) -> list[tuple[str, str]]:
    """The text with each of its keys misspelt in turn, and that key."""
    found = []
    for match in re.finditer(r'"(\w+)": ', text):
        if match[1] == "cuba":  # a free name
            continue
        key = match[1] + "x"
        found.append((f'{text[: match.start()]}"{key}": {text[match.end() :]}', key))
    return found


@pytest.mark.parametrize("text", [BASE, LABELLED], ids=["targets", "labels"])
def test_any_misspelt_key_is_one_problem(text):
    changed = _misspelt(_with_schema(text))
    assert len(changed) > 25
    for (_, key), answer in zip(
        changed, _ask(*({"text": each} for each, _ in changed)), strict=True
    ):
        (problem,) = answer["problems"]
        if key == "typex":
            assert problem["message"] == 'Missing property "type".'
        else:
            assert problem == {"message": f"Property {key} is not allowed.", "text": f'"{key}"'}


def test_the_examples_of_the_codes_of_shape_are_one_problem_or_none():
    entries = [
        each for each in ENTRIES.values() if each.code.startswith("ND1") and each.at != "--set"
    ]
    assert len(entries) > 8
    wrong, right = (
        _ask(*({"text": with_text(each.at, getattr(each, name), GOOD)} for each in entries))
        for name in ("wrong", "right")
    )
    for entry, failing, passing in zip(entries, wrong, right, strict=True):
        assert len(failing["problems"]) == 1, entry.code
        assert passing["problems"] == [], entry.code
