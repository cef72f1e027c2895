"""Merge conflicts that were left in a document."""

from __future__ import annotations

import pytest
from support.damaged_samples import DIGITS, slips, swapped

WHOLE = "a merge conflict that is not resolved"
KEEP = "keep one side, and remove the markers"
SEED = '    "seed": 0,\n'


def _seed(text: str) -> str:
    return swapped((SEED, text))


CASES = {
    # what is done: lines of the markers, the message and its hint
    "whole": (
        _seed(f'<<<<<<< HEAD\n{SEED}=======\n    "sed": "x",\n>>>>>>> other\n'),
        ([31, 33, 35], WHOLE, KEEP),
    ),
    "with the base": (
        _seed(f"<<<<<<< HEAD\n{SEED}||||||| 1234\n{SEED}=======\n{SEED}>>>>>>> other\n"),
        ([31, 33, 35, 37], WHOLE, KEEP),
    ),
    "indented": (
        _seed(f"    <<<<<<< HEAD\n{SEED}    =======\n{SEED}    >>>>>>> other\n"),
        ([31, 33, 35], WHOLE, KEEP),
    ),
    "a side that lacks its comma": (
        _seed(f'<<<<<<< HEAD\n    "seed": 0\n=======\n{SEED}>>>>>>> other\n'),
        ([31, 33, 35], WHOLE, KEEP),
    ),
    "without the middle": (
        _seed(f"<<<<<<< HEAD\n{SEED}>>>>>>> other\n"),
        ([31, 33], WHOLE, KEEP),
    ),
    "without the first": (
        _seed(f"{SEED}=======\n{SEED}>>>>>>> other\n"),
        ([32, 34], WHOLE, KEEP),
    ),
    "without the last": (_seed(f"<<<<<<< HEAD\n{SEED}=======\n"), ([31, 33], WHOLE, KEEP)),
    "only the first": (_seed(f"<<<<<<< HEAD\n{SEED}"), ([31], WHOLE, KEEP)),
    "only the middle": (_seed(f"{SEED}=======\n"), ([32], WHOLE, KEEP)),
    "only the last": (_seed(f"{SEED}>>>>>>> other\n"), ([32], WHOLE, KEEP)),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", CASES)
def test_a_conflict_gives_one_diagnostic(name, newline, tmp_path):
    text, (lines, message, hint) = CASES[name]
    (diagnostic,) = slips(text.replace("\n", newline), tmp_path)
    assert [diagnostic.line, *(each.line for each in diagnostic.related)] == lines
    assert (diagnostic.message, diagnostic.hint, diagnostic.fix) == (message, hint, None)


def test_errors_outside_of_a_conflict_are_reported_and_fixed(tmp_path):
    conflict = f"<<<<<<< HEAD\n{SEED}=======\n{SEED}>>>>>>> other\n"
    text = _seed(conflict).replace('"digits",', '"digits"')
    found = slips(text + conflict, tmp_path)
    assert [(each.line, each.fix is not None) for each in found] == [
        (4, True),
        (31, False),
        (DIGITS.count("\n") + 5, False),
    ]


def test_only_the_first_of_many_conflicts_are_reported(tmp_path):
    conflict = f"<<<<<<< HEAD\n{SEED}=======\n{SEED}>>>>>>> other\n"
    found = slips(_seed(SEED + conflict * 1100), tmp_path)
    assert len([each for each in found if each.message == WHOLE]) == 20
