"""The number of diagnostics is limited, and every rendering states that there may be more."""

import json

import pytest
from support.description_samples import BASE, findings, with_text

from netdesc.description import render_text, to_json
from netdesc.description.diagnostics.github import workflow_command


def _very_many(tmp_path, kind: str):
    if kind == "shape":
        text = BASE.replace('"format"', "".join(f'"a{n}": 1, ' for n in range(300)) + '"format"')
    elif kind == "meaning":
        sources = ", ".join(f'"s{n}"' for n in range(300))
        text = with_text("/layers/1/from", f"[{sources}]")
    else:
        samples = json.loads(BASE)["data"]["train"] * 201
        text = with_text("/data/train", json.dumps(samples).replace(".bs1", "x.bs1"))
    return findings(tmp_path, text)


@pytest.mark.parametrize("kind", ["shape", "meaning", "files"])
def test_every_rendering_states_that_there_may_be_more(kind, tmp_path):
    found = _very_many(tmp_path, kind)
    (last,) = [each for each in found if each.ends_search]
    said = [*last.notes, last.message]
    assert [each for each in said if "more" in each]
    assert render_text(found).splitlines()[-1].split(": ")[1].startswith("at least ")
    assert to_json(found, 1)["complete"] is False


def test_a_complete_list_does_not_mention_more(tmp_path):
    found = findings(tmp_path, BASE.replace('"threshold"', '"treshold"'))
    assert "at least" not in render_text(found)
    assert to_json(found, 1)["complete"] is True


def test_json_lists_all_related_places_and_text_a_few(tmp_path):
    optimizer = '{"type": "adam", "learning_rate": 1, "momentum": 0, "nesterov": true}'
    (diagnostic,) = findings(tmp_path, with_text("/training/optimizer", optimizer))
    count = len(diagnostic.related)
    (record,) = to_json([diagnostic], 1)["diagnostics"]
    assert len({(each["line"], each["column"]) for each in record["related"]}) == count > 1
    line = workflow_command(diagnostic, tmp_path)
    assert all(each.message in line for each in diagnostic.related)
