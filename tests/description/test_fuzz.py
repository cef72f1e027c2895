"""Mutated documents: no traceback, no hang, and every error has a position.

Runs 200 documents. For more: NETDESC_FUZZ=50000 pytest -n 2 tests/description/test_fuzz.py
A document that fails is named by its seed: NETDESC_FUZZ_SEED=17 runs that one alone.
"""

import json
import os
import random
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import BASE, FIXTURES, LABELLED, UNHURRIED, write_files
from support.mutations import TEXT, holders

from netdesc.api.load import check
from netdesc.description import render_text, to_json
from netdesc.description.codes import ENTRIES
from netdesc.description.model_validation import MAX_ERRORS

COUNT = int(os.environ.get("NETDESC_FUZZ", "200"))
PARTS = 4
"""Tests, so that processes share the work."""
SECONDS = 10
"""No document takes so long; a tenth of it is normal for none."""

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTS = [
    path.read_bytes() for folder in (EXAMPLES, FIXTURES) for path in sorted(folder.glob("*.json"))
]
WITHOUT_PLACE = {"ND001", "ND003", "ND005"}
"""Errors about the file as a whole."""


def _mutant(seed: int) -> bytes:
    chance = random.Random(seed)
    return chance.choice(TEXT)(chance, chance.choice(DOCUMENTS))


def _sound(raw: bytes, path: Path) -> None:
    """The findings about a document are complete, and all can be printed."""
    path.write_bytes(raw)
    description, found = check(path, with_files=len(raw) % 4 == 0)
    assert (description is None) == any(each.is_error for each in found)
    assert len(found) < 100 * MAX_ERRORS
    text = raw.decode("utf-8", "replace")
    lines = text.split("\n")
    for each in found:
        assert each.code in ENTRIES
        if each.code in WITHOUT_PLACE and each.line is None:
            continue
        assert 1 <= each.line <= each.end_line <= len(lines)
        assert 1 <= each.column <= len(lines[each.line - 1]) + 1
        assert 1 <= each.end_column <= len(lines[each.end_line - 1]) + 1
        assert (each.line, each.column) <= (each.end_line, each.end_column)
        for edit in each.fix.edits if each.fix is not None else ():
            assert 0 <= edit.start <= edit.end <= len(text)
    json.dumps(to_json(found, 1))
    assert "Traceback" not in render_text(found, width=80)
    try:
        json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        assert any(each.is_error for each in found)


@pytest.mark.parametrize("part", range(PARTS))
def test_mutants_have_diagnostics_with_positions(part, tmp_path):
    write_files(tmp_path)
    chosen = os.environ.get("NETDESC_FUZZ_SEED")
    seeds = [int(chosen)] if chosen else range(part, COUNT, PARTS)

    def too_slow(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, too_slow) if hasattr(signal, "SIGALRM") else None
    try:
        for seed in seeds:
            if before is not None:
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                _sound(_mutant(seed), tmp_path / "network.json")
            except BaseException as problem:
                problem.add_note(f"NETDESC_FUZZ_SEED={seed}")
                raise
    finally:
        if before is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["cuba", "dense", "flatten", "hidden", "input", "linear", "cosine", "sgd"])
    | st.sampled_from(["arrays", "rate", "spikes", "latency", "spike_max", "moving_window"])
)
WORDS = ["type", "from", "units", "neuron", "name", "start", "schedule", "lock", "<dense>", "0"]
KEYS = st.sampled_from(["", *WORDS]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


@UNHURRIED
@given(st.data(), st.sampled_from([BASE, LABELLED]))
def test_damaged_structure(tmp_path_factory, data, base):
    document = json.loads(base)
    for _ in range(data.draw(st.integers(1, 3))):
        container = data.draw(st.sampled_from(holders(document)))
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
    _sound(text.encode(), tmp_path_factory.getbasetemp() / "network.json")
