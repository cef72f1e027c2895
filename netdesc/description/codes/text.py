"""Entries of ND0xx: problems of the file's text, found before its structure is checked."""

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
"""The shortest valid document."""
_WITH_ACCENT = SMALLEST.replace('"smallest",', '"smallest",\n  "description": "café",')

ENTRIES = (
    Entry(
        code="ND001",
        title="the file cannot be read",
        cause="The file does not exist, it is a directory, or you have no permission to read it.",
        fix="Check the path. A relative path starts in the working directory.",
        at="command",
        wrong="netdesc validate netwrok.json",
        right="netdesc validate network.json",
    ),
    Entry(
        code="ND002",
        title="the file is empty",
        cause="The file contains no characters, or only white space.",
        fix="Start from an example, or from the shortest valid document, which is shown above.",
        at="",
        wrong="",
        right=SMALLEST,
    ),
    Entry(
        code="ND003",
        title="the file is not UTF-8",
        cause=(
            "JSON must be UTF-8. This file contains bytes that are not valid UTF-8, it is UTF-16, "
            "or it is a binary file."
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
        cause="Some editors write the character U+FEFF at the start. JSON does not allow it.",
        fix='Save it as "UTF-8 without BOM" in your editor.',
        at="",
        encoding="utf-8-sig",
        wrong=SMALLEST,
        right=SMALLEST,
    ),
    Entry(
        code="ND005",
        title="the file is too large",
        cause=(
            f"A document has a few kilobytes. This file has more than {MAX_BYTES >> 20} MiB, or "
            f"more than {MAX_MARKS:,} values and lines."
        ),
        fix="Check the path. The document should only name the files of weights and events.",
        at="command",
        wrong="netdesc validate recording.json",
        right="netdesc validate network.json",
    ),
    Entry(
        code="ND006",
        title="objects and lists are nested too deeply",
        cause=f"A document needs eight levels of nesting. netdesc reads at most {MAX_DEPTH}.",
        fix="Check the brackets.",
        at="/description",
        wrong="[" * (MAX_DEPTH + 1) + "\n" + "]" * (MAX_DEPTH + 1),
        right='"a sentence"',
    ),
    Entry(
        code="ND007",
        title="the text is not JSON",
        cause=(
            "A comma, colon, quote or bracket is missing or in the wrong place, or the text is "
            "written in another language, such as Python or YAML."
        ),
        fix=(
            "Correct the text at the place that the message shows. If a bracket is missing, the "
            "message guesses its place from the indentation."
        ),
        at="/time",
        wrong='{"steps": 100 "step_ms": 1}',
        right='{"steps": 100, "step_ms": 1}',
    ),
    Entry(
        code="ND008",
        title="a comma before a closing bracket",
        cause="JSON allows a comma only between two entries, not after the last one.",
        fix="Remove the comma.",
        at="/time",
        wrong='{"steps": 100,}',
        right='{"steps": 100}',
    ),
    Entry(
        code="ND009",
        title="a comment",
        cause="JSON has no comments.",
        fix='Move the comment into "description", or remove it.',
        at="/time",
        wrong='{"steps": 100 /* a tenth of a second */}',
        right='{"steps": 100}',
    ),
    Entry(
        code="ND010",
        title="NaN or Infinity",
        cause="JSON has no NaN and no Infinity, only finite numbers.",
        fix="Write a finite number, or remove the field.",
        at="/training/optimizer/learning_rate",
        wrong="NaN",
        right="0.001",
    ),
    Entry(
        code="ND011",
        title="a key that occurs twice",
        cause="An object has the same key twice, so one of the two values would be lost.",
        fix="Keep one of them.",
        at="/time",
        wrong='{"steps": 100, "steps": 200}',
        right='{"steps": 100}',
    ),
    Entry(
        code="ND012",
        title="a string that is not valid JSON",
        cause=(
            "A JSON string is in double quotes, on one line. Tabs and other control characters "
            'must be escaped. The only escapes are \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX. A '
            "character beyond U+FFFF needs two \\u escapes, a surrogate pair."
        ),
        fix='Escape the character. In paths use "/", on Windows too.',
        at="/data/train/0/input/path",
        wrong='"recordings\\input.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND013",
        title="a number that is not valid JSON",
        cause=(
            "A JSON number has a digit before and after the point, no leading zero and no plus "
            "sign: 0.5, not .5; 1.0, not 1. ; 7, not 07. It has no decimal comma and no unit."
        ),
        fix="Write the number in this form. The name of the field gives its unit.",
        at="/neurons/cuba/voltage_decay",
        wrong=".1",
        right="0.1",
    ),
    Entry(
        code="ND014",
        title="a number that is too large",
        cause="An integer must fit into 64 bits, and any other number into a 64-bit float.",
        fix="Write a smaller number.",
        at="/neurons/cuba/threshold",
        wrong="1e999",
        right="1",
    ),
)
