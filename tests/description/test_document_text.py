"""The layout of the documents that netdesc writes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.description.document_text import WIDTH, document_text

ROOT = Path(__file__).parents[2]
SHIPPED = [*sorted(ROOT.glob("examples/*.json")), *sorted(ROOT.glob("netdesc/templates/*.json"))]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_documents_have_the_layout(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    written = document_text(json.loads(text))
    assert written.replace("e-0", "e-") == text.replace("e-0", "e-")


@pytest.mark.parametrize("comma", [False, True])
def test_a_line_has_at_most_so_many_characters_with_its_comma(comma: bool) -> None:
    def second_line(length: int) -> str:
        data: dict[str, Any] = {"a": ["ü" * length]} | ({"b": 1} if comma else {})
        return document_text(data).splitlines()[1]

    longest = WIDTH - len('  "a": [""]') - comma
    assert len(second_line(longest)) == WIDTH
    assert second_line(longest + 1) == '  "a": ['


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_the_text_reads_back_in_the_same_order(data: dict[str, Any]) -> None:
    text = document_text(data)
    assert text.endswith("\n")
    assert json.dumps(json.loads(text)) == json.dumps(data)
    assert text == "{}\n" or text.startswith('{\n  "')
