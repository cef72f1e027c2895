"""A document to damage, for the tests of diagnostics."""

import json
from pathlib import Path

from netdesc.api.load import check

DIGITS = Path(__file__).with_name("damaged_sample.json").read_text(encoding="utf-8")
DATA = json.loads(DIGITS)


def slips(text: str, tmp_path: Path):
    """The diagnostics of a text, without checking its data files."""
    path = tmp_path / "network.json"
    path.write_text(text, encoding="utf-8", newline="")
    return check(path, with_files=False)[1]


def swapped(*pairs: tuple[str, str]) -> str:
    """The example with parts of its text replaced, each at its first occurrence."""
    text = DIGITS
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text
