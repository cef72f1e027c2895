"""Damaged documents: whatever is done to one, the answer is findings with a place."""

from __future__ import annotations

import json
import re

from description_samples import BASE, LABELLED, UNHURRIED, findings
from hypothesis import given
from hypothesis import strategies as st

from netdesc.description import render_text, to_json
from netdesc.description.explain import ENTRIES

WHOLE_FILE = {"ND001", "ND003", "ND005"}


def _sound(found, text):
    """The findings are complete records, and errors have their place in the text."""
    lines = re.split(r"\n|\r(?!\n)", text.decode("utf-8", "replace"))
    for finding in found:
        assert finding.code in ENTRIES
        if finding.code not in WHOLE_FILE:
            assert finding.line is not None
            assert 1 <= finding.line <= len(lines)
            assert finding.column is not None
            assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1
    render_text(found, width=60)
    json.dumps(to_json(found, 1))


@UNHURRIED
@given(st.data())
def test_damaged_bytes(tmp_path_factory, data):
    raw = bytearray(BASE.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        length = data.draw(st.integers(0, 20))
        raw[at : at + length] = data.draw(st.binary(max_size=6))
        if not raw:
            return
    found = findings(tmp_path_factory.getbasetemp(), bytes(raw))
    _sound(found, bytes(raw))


@UNHURRIED
@given(st.data())
def test_damaged_punctuation(tmp_path_factory, data):
    places = [index for index, each in enumerate(BASE) if each in '{}[]:,"0123456789.']
    text = BASE
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(places))
        with_what = data.draw(st.text(alphabet="{}[]:,\"\\ 0.e-ntf/*#'", max_size=3))
        text = text[:at] + with_what + text[at + 1 :]
    try:
        json.loads(text)
        is_json = True
    except ValueError:
        is_json = False
    found = findings(tmp_path_factory.getbasetemp(), text)
    _sound(found, text.encode())
    if not is_json:
        assert any(finding.is_error for finding in found)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["cuba", "dense", "flatten", "hidden", "input", "linear", "cosine", "sgd"])
    | st.sampled_from(["arrays", "rate", "spikes", "latency", "spike_max", "moving_window"])
)
KEYS = st.sampled_from(
    [
        "type",
        "from",
        "units",
        "neuron",
        "name",
        "start",
        "schedule",
        "lock",
        "<dense>",
        "0",
        "",
        "classifier",
        "label",
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


def _containers(value):
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from _containers(member)
    elif isinstance(value, list):
        yield value
        for item in value:
            yield from _containers(item)


@UNHURRIED
@given(st.data(), st.sampled_from([BASE, LABELLED]))
def test_damaged_structure(tmp_path_factory, data, base):
    document = json.loads(base)
    for _ in range(data.draw(st.integers(1, 3))):
        container = data.draw(st.sampled_from(list(_containers(document))))
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        action = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "add" or not keys:
            value = data.draw(TREES)
            if isinstance(container, dict):
                container[data.draw(KEYS)] = value
            else:
                container.append(value)
        elif action == "remove":
            del container[data.draw(st.sampled_from(keys))]
        else:
            container[data.draw(st.sampled_from(keys))] = data.draw(TREES)
    text = json.dumps(document, indent=1)
    found = findings(tmp_path_factory.getbasetemp(), text)
    _sound(found, text.encode())
