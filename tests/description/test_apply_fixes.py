"""``validate --fix`` writes all certain fixes, and none that adds errors."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.description_samples import BASE, LABELLED, UNHURRIED, codes, with_text

from netdesc.cli.fix import apply_fixes
from netdesc.description.load import check_text
from netdesc.description.source import Source

PATH = Path("network.json")

FIXES = [
    # pointer, text, what stands there afterwards
    ("/neurons/cuba", '{"type": "cuba", "treshold": 1e-1, "current_decay": 1, "voltage_decay": 0}',
     '{"type": "cuba", "threshold": 1e-1, "current_decay": 1, "voltage_decay": 0}'),
    ("/time/steps", '"100"', "100"),
    ("/time", '{"steps": 100, "step_ms": "1e-1"}', '{"steps": 100, "step_ms": 1e-1}'),
    ("/layers/1/type", '"dens"', '"dense"'),
    ("/training/optimizer", '{"type": "adm", "learningRate": 1}',
     '{"type": "adam", "learning_rate": 1}'),
    ("/layers/0/weight_norm", '"True"', "true"),
    ("/neurons/cuba/learn", '["voltage-decay"]', '["voltage_decay"]'),
]  # fmt: skip


def _fixed(text: str):
    return apply_fixes(Source(text, "network.json"), PATH)


def _errors(text: str) -> list[str]:
    found = check_text(Source(text, "network.json"), PATH)[1]
    return codes([each for each in found if each.is_error])


@pytest.mark.parametrize(("pointer", "text", "after"), FIXES)
def test_certain_fixes_are_applied(pointer, text, after):
    mended = _fixed(with_text(pointer, text))[0]
    assert mended == with_text(pointer, after)
    assert _errors(mended) == []


UNCERTAIN = [
    ("/training/optimizer/type", '"adamx"'),  # adam or adamw
    ("/neurons/cuba/threshold", '"0,5"'),
    ("/layers/0/units", "8.5"),
    ("/layers/1/from", '"x"'),
    ("/training/sed", "[0, 1]"),
    # Two keys that may both be the threshold:
    (
        "/neurons/cuba",
        '{"type": "cuba", "treshold": 1, "threshhold": 2, "voltage_decay": 0, "current_decay": 1}',
    ),
]


@pytest.mark.parametrize(("pointer", "text"), UNCERTAIN)
def test_ambiguous_errors_are_not_fixed(pointer, text):
    text = with_text(pointer, text)
    assert _errors(text)
    after, fixed = _fixed(text)
    assert after == text
    assert fixed == []


LAYOUTS = [
    ('{\n  "name": "a"\n}', '{\n  "format": 1,\n  "name": "a"\n}'),
    ('{\r\n\t"name": "a"\r\n}', '{\r\n\t"format": 1,\r\n\t"name": "a"\r\n}'),
    ('{\n "$schema": "s",\n "name": "a"\n}', '{\n "$schema": "s",\n "format": 1,\n "name": "a"\n}'),
    ('{"Format": "1"}', '{"format": 1}'),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), LAYOUTS)
def test_a_missing_format_is_inserted_in_the_layout_of_the_file(before, after):
    assert _fixed(before)[0] == after


def test_errors_revealed_by_a_fix_are_fixed_too():
    text = with_text("/training/optimiser", '{"typ": "adma", "learningrate": "0.1"}')
    text = text.replace(', "optimizer": {"type": "adam", "learning_rate": 0.001}', "")
    assert _errors(text) == ["ND101"]
    after, fixed = _fixed(text)
    optimizer = json.loads(after)["training"]["optimizer"]
    assert optimizer == {"type": "adam", "learning_rate": 0.1}
    assert len(fixed) == 5


def test_a_dictionary_of_python_becomes_json():
    data = json.loads(LABELLED)
    data["data"] |= {"range": (0, 1), "split": None}
    text = json.dumps(data).replace("null", "None").replace("[4]", "(4,)")
    after, fixed = _fixed(text.replace('"name"', "'name'", 1))
    assert json.loads(after) == json.loads(json.dumps(data))
    assert {diagnostic.code for diagnostic in fixed} == {"ND007", "ND008", "ND012"}


def test_a_byte_order_mark_is_removed_and_line_breaks_stay():
    text = "\ufeff" + BASE.replace('"threshold"', '"treshold"').replace("\n", "\r\n")
    assert _fixed(text)[0] == BASE.replace("\n", "\r\n")


def test_a_lock_is_not_changed():
    text = with_text("/lock", "{}", BASE.replace('"threshold"', '"treshold"'))
    assert "ND101" in _errors(text)
    after, fixed = _fixed(text)
    assert after == text
    assert fixed == []


SOUND = [BASE, LABELLED, json.dumps(json.loads(BASE)), json.dumps(json.loads(LABELLED), indent=1)]
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|\s+|.', re.DOTALL)
LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@st.composite
def slips(draw) -> tuple[str, str]:
    """A sound document, and the same one with slips of the fingers."""
    text = draw(st.sampled_from(SOUND))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    tokens = TOKEN.findall(text)
    # Where a neuron is misspelt, at its definition or where it is used, cannot be told.
    defined = tokens.index('"cuba"')
    for _ in range(draw(st.integers(1, 4))):
        words = [at for at, each in enumerate(tokens) if re.fullmatch(r'"\w+"', each)]
        words.remove(defined)
        numbers = [at for at, each in enumerate(tokens) if re.match("[0-9]", each)]
        if draw(st.integers(0, 3)) == 0 and numbers:
            at = draw(st.sampled_from(numbers))
            tokens[at] = f'"{tokens[at]}"'
        else:
            at = draw(st.sampled_from(words))
            tokens[at] = f'"{draw(misspelt(tokens[at][1:-1]))}"'
    return text, "".join(tokens)


@st.composite
def misspelt(draw, word: str) -> str:
    at = draw(st.integers(0, len(word) - 1))
    letter = draw(st.sampled_from(LETTERS))
    start, after = word[:at], word[at + 1 :]
    known = [start + after, start + letter + word[at:], start + letter + after]
    known += [start + after[:1] + word[at] + after[1:], word.upper(), word.replace("_", "")]
    return draw(st.sampled_from(known))


@UNHURRIED
@given(slips())
@example((BASE, BASE.replace('"name": "example"', '"__name": "example"', 1)))
def test_fixes_change_nothing_else(documents):
    _, text = documents
    after, fixed = _fixed(text)
    # A fix changes a token each, the format comes in addition, and all else is the same text.
    added = [diagnostic for diagnostic in fixed if diagnostic.code == "ND102"]
    old, new = TOKEN.findall(text), TOKEN.findall(after)
    if added:
        at = new.index('"format"')
        assert new[at : at + 5] == ['"format"', ":", " ", "1", ","]
        extra = 6 if new[at + 5].isspace() else 5
        new[at : at + extra] = []
    assert len(old) == len(new)
    changed = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
    assert len(changed) <= len(fixed) - len(added)
    assert all(one.startswith('"') for one, _ in changed)
    assert _fixed(after)[1] == []


@UNHURRIED
@given(slips())
def test_a_completely_fixed_document_equals_the_original(documents):
    sound, text = documents
    after, fixed = _fixed(text)
    if not fixed or _errors(after):
        return
    was, slipped, is_now = map(TOKEN.findall, (sound, text, after))
    if len(was) != len(is_now):
        return  # a format was added in another place than it stood
    for meant, given_, now in zip(was, slipped, is_now, strict=True):
        # What was right is as it was, and what was mended is what was meant.
        assert now in (meant, given_)
