"""Findings as SARIF: valid by its schema, at the right places."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import BASE, FIXTURES, UNHURRIED, findings, write_files

from netdesc.description.codes.explain import ENTRIES
from netdesc.description.diagnostics.diagnostic import (
    Diagnostic,
    Edit,
    Fix,
    Related,
    first_diagnostics,
)
from netdesc.description.diagnostics.markdown import prose
from netdesc.description.diagnostics.sarif import to_sarif
from netdesc.description.json.collector import TextDiagnostic
from netdesc.description.source import Source
from netdesc.description.source_map import locate_text_diagnostic

SCHEMA = json.loads((FIXTURES.parent / "sarif/sarif-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
ROOT = Path("/checkout")


def _run(diagnostics, files=("/checkout/a.json",), root=ROOT):
    log = to_sarif(diagnostics, files, root)
    assert [error.message for error in VALIDATOR.iter_errors(log)] == []
    json.dumps(log).encode()
    (run,) = log["runs"]
    return run


def _address(run) -> dict[str, str]:
    return run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]


def test_the_schema_refuses_what_is_no_sarif():
    assert list(VALIDATOR.iter_errors({"version": "2.1.0", "runs": [{}]}))
    VALIDATOR.check_schema(SCHEMA)


def test_every_code_is_a_rule_with_help():
    found = [Diagnostic(code, "error", "/checkout/a.json", "m") for code in ENTRIES]
    run = _run(found)
    assert urlsplit(run["tool"]["driver"]["informationUri"]).scheme == "https"
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(ENTRIES)
    for rule in rules:
        entry = ENTRIES[rule["id"]]
        assert prose(entry.fix) in rule["help"]["markdown"]
        assert entry.right in rule["help"]["markdown"]
        assert rule["help"]["text"].startswith(entry.code)
        assert rule["defaultConfiguration"] == {"level": entry.severity}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_places_hints_and_pointers(tmp_path):
    text = BASE.replace('"threshold"', '"treshold"')
    run = _run(findings(tmp_path, text), root=tmp_path)
    (result,) = run["results"]
    assert result["level"] == "error"
    assert result["message"]["text"].startswith('unknown field "treshold"')
    assert 'did you mean "threshold"?' in result["message"]["text"]
    (location,) = result["locations"]
    assert location["logicalLocations"] == [{"fullyQualifiedName": "/neurons/cuba/treshold"}]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "network.json"
    region = location["physicalLocation"]["region"]
    line = text.split("\n")[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == '"treshold"'
    assert run["columnKind"] == "unicodeCodePoints"


def test_second_places():
    other = Related("the first one", "/checkout/b c.json", "/a", 1, 2, 1, 4)
    nowhere = Related("the file", "/elsewhere/c.json")
    diagnostic = Diagnostic("ND101", "error", "/checkout/a.json", "m", related=(other, nowhere))
    first, second = _run([diagnostic])["results"][0]["relatedLocations"]
    assert first["physicalLocation"]["artifactLocation"]["uri"] == "b%20c.json"
    region = first["physicalLocation"]["region"]
    assert region == {"startLine": 1, "startColumn": 2, "endLine": 1, "endColumn": 4}
    assert first["message"]["text"] == "the first one"
    assert first["id"] != second["id"]
    assert "region" not in second["physicalLocation"]


def _applied(text: str, replacements) -> str:
    """A text after the replacements of a fix, whose places are lines and columns."""
    source, edits = Source(text, "a.json"), []
    for each in replacements:
        region = each["deletedRegion"]
        start = source.offset(region["startLine"], region["startColumn"])
        end = source.offset(region["endLine"], region["endColumn"])
        edits.append((start, end, each.get("insertedContent", {}).get("text", "")))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def test_fixes_are_replacements(tmp_path):
    text = BASE.replace('"threshold"', '"treshold"').replace("without", "wïthöut 𝄞")
    source = Source(text, str(tmp_path / "a.json"))
    at, loss = text.index("treshold"), text.index(',\n  "training"')
    edits = (Edit(at, at + 8, "threshold"), Edit(loss, loss + 2, ""))
    found = TextDiagnostic("ND101", at, at + 8, "m", fix=Fix('say "threshold"', edits))
    diagnostic = locate_text_diagnostic(found, source)
    (fix,) = _run([diagnostic], root=tmp_path)["results"][0]["fixes"]
    assert fix["description"]["text"] == 'say "threshold"'
    (change,) = fix["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "a.json"
    expected = text.replace("treshold", "threshold").replace(',\n  "training"', '  "training"')
    assert _applied(text, change["replacements"]) == expected


def test_that_there_may_be_more_is_told_as_the_standard_has_it():
    (diagnostic,) = first_diagnostics([Diagnostic("ND101", "error", "/checkout/a.json", "m")], 1)
    (told,) = _run([diagnostic])["invocations"][0]["toolExecutionNotifications"]
    assert told["level"] == "warning"


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("/checkout/a b/ü:1.json", "a%20b/%C3%BC%3A1.json"),
        ("/checkout/100%.json", "100%25.json"),
        ("/checkout/a#b?c.json", "a%23b%3Fc.json"),
        ("/checkout/caf\udce9.json", "caf%E9.json"),
    ],
)
def test_addresses_are_encoded(file, uri):
    run = _run([Diagnostic("ND001", "error", file, "m")], (file,))
    assert _address(run) == {"uri": uri, "uriBaseId": "%SRCROOT%"}
    assert unquote(uri, errors="surrogateescape") == file.removeprefix("/checkout/")


@UNHURRIED
@given(
    st.text(max_size=30)
    | st.sampled_from(["{0}", "[here](http://x)", "{", "a\nb", "\x1b[31m", "\ud800"])
)
def test_hostile_text_stays_text(text):
    diagnostic = Diagnostic("ND101", "error", "/checkout/a.json", f"x{text}", pointer=f"/{text}")
    told = _run([diagnostic])["results"][0]["message"]["text"]
    assert told.replace("{{", "").replace("}}", "").count("{") == 0
    assert "](" not in told
    assert "\n" not in told


def test_the_command_prints_one_log(netdesc, tmp_path):
    write_files(tmp_path)
    (tmp_path / "good.json").write_text(BASE)
    (tmp_path / "bad one.json").write_text(BASE.replace('"threshold"', '"treshold"'))
    ended = netdesc("validate", "good.json", "bad one.json", "--format", "sarif")
    assert ended.code == 1
    assert list(VALIDATOR.iter_errors(ended.record)) == []
    run = ended.record["runs"][0]
    assert _address(run) == {"uri": "bad%20one.json", "uriBaseId": "%SRCROOT%"}
    names = [each["location"]["uri"] for each in run["artifacts"]]
    assert names == ["good.json", "bad%20one.json"]
