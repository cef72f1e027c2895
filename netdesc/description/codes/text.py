"""What ``netdesc explain`` says of ND0xx: the text, before it is a document."""

from __future__ import annotations

from netdesc.description.codes.code import Entry
from netdesc.description.json.tree import MAX_DEPTH
from netdesc.description.source import MAX_BYTES, MAX_MARKS

SMALLEST = """\
{
  "format": 1,
  "name": "smallest",
  "time": {"steps": 100},
  "input": {"shape": [4]},
  "neurons": {"cuba": {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}},
  "layers": [{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}],
  "loss": {"type": "spike_time", "time_constant_ms": 2},
  "training": {"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001}}
}"""
"""The shortest document without faults."""
_WITH_ACCENT = SMALLEST.replace('"smallest",', '"smallest",\n  "description": "café",')

ENTRIES = (
    Entry(
        code="ND001",
        title="the file cannot be read",
        cause="There is no such file, it is a directory, or its permissions forbid reading it.",
        fix="Check the path; it is relative to the working directory.",
        at="command",
        wrong="netdesc validate netwrok.json",
        right="netdesc validate network.json",
    ),
    Entry(
        code="ND002",
        title="the file is empty",
        cause="The file holds no characters, or only white space.",
        fix="Start from an example, or from the shortest document, which is this one.",
        at="",
        wrong="",
        right=SMALLEST,
    ),
    Entry(
        code="ND003",
        title="the file is not UTF-8",
        cause=(
            "JSON is UTF-8. This file has bytes that are no UTF-8, is UTF-16, or is no text at all."
        ),
        fix="Save it as UTF-8 in your editor.",
        at="",
        encoding="latin-1",
        wrong=_WITH_ACCENT,
        right=_WITH_ACCENT,
    ),
    Entry(
        code="ND004",
        title="the file starts with a byte order mark",
        cause="Some editors write the character U+FEFF first. JSON does not allow it.",
        fix='Save it as "UTF-8 without BOM".',
        at="",
        encoding="utf-8-sig",
        wrong=SMALLEST,
        right=SMALLEST,
    ),
    Entry(
        code="ND005",
        title="the file is too large",
        cause=(
            f"A description is a few kilobytes. This file is larger than {MAX_BYTES >> 20} MiB, or "
            f"has more than {MAX_MARKS:,} values and lines."
        ),
        fix="Check the path: weights and events have files of their own, which the document names.",
        at="command",
        wrong="netdesc validate recording.json",
        right="netdesc validate network.json",
    ),
    Entry(
        code="ND006",
        title="objects and lists are nested too deeply",
        cause=f"A description needs eight levels; more than {MAX_DEPTH} are refused.",
        fix="Check the brackets.",
        at="/description",
        wrong="[" * (MAX_DEPTH + 1) + "\n" + "]" * (MAX_DEPTH + 1),
        right='"a sentence"',
    ),
    Entry(
        code="ND007",
        title="the text is not JSON",
        cause=(
            "A comma, colon, quote or bracket is missing or stands in the wrong place, or the text "
            "is of another language, such as Python or YAML."
        ),
        fix=(
            "Mend the text at the place that the message shows. Where a bracket is missing, the "
            "message goes by how the lines are indented."
        ),
        at="/time",
        wrong='{"steps": 100 "step_ms": 1}',
        right='{"steps": 100, "step_ms": 1}',
    ),
    Entry(
        code="ND008",
        title="a comma before a closing bracket",
        cause="In JSON a comma stands between two entries, never after the last one.",
        fix="Take the comma away.",
        at="/time",
        wrong='{"steps": 100,}',
        right='{"steps": 100}',
    ),
    Entry(
        code="ND009",
        title="a comment",
        cause="JSON has no comments.",
        fix='Put remarks into "description", or take them out.',
        at="/time",
        wrong='{"steps": 100 /* a tenth of a second */}',
        right='{"steps": 100}',
    ),
    Entry(
        code="ND010",
        title="NaN or Infinity",
        cause="JSON has finite numbers only.",
        fix="Write a finite number, or leave the field out.",
        at="/training/optimizer/learning_rate",
        wrong="NaN",
        right="0.001",
    ),
    Entry(
        code="ND011",
        title="a key that occurs twice",
        cause="An object has the same key twice, so that one of the two values would be lost.",
        fix="Keep one of them.",
        at="/time",
        wrong='{"steps": 100, "steps": 200}',
        right='{"steps": 100}',
    ),
    Entry(
        code="ND012",
        title="a string that is not written as JSON wants it",
        cause=(
            "Strings stand in double quotes on one line; tabs and other control characters are "
            'escaped, and only \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX are escapes. A character '
            "beyond U+FFFF takes both halves of its surrogate pair."
        ),
        fix='Escape the character. In paths use "/", on Windows too.',
        at="/data/train/0/input/path",
        wrong='"recordings\\input.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND013",
        title="a number that is not written as JSON wants it",
        cause=(
            "JSON numbers have a digit before and after the point, no leading zero and no plus "
            "sign: 0.5, not .5; 1.0, not 1. ; 7, not 07. A decimal comma is none, and units stand "
            "in the names of fields."
        ),
        fix="Write the number out.",
        at="/neurons/cuba/voltage_decay",
        wrong=".1",
        right="0.1",
    ),
    Entry(
        code="ND014",
        title="a number that is too large",
        cause="Integers must fit into 64 bits, other numbers into a 64-bit float.",
        fix="Write a smaller number.",
        at="/neurons/cuba/threshold",
        wrong="1e999",
        right="1",
    ),
)
