"""Samples with labels and without: what loss and classifier make of them, and their windows."""

import json

import pytest
from support.description_samples import LABELLED, codes, findings, labelled, slowed


def _pairs(*pairs: dict, **changes) -> str:
    return labelled(data={"type": "spike_files", "train": list(pairs), **changes})


INPUT = {"input": {"path": "input.bs1"}}
TARGET = INPUT | {"target": {"path": "target.bs1"}}

LABELLED_PAIRS = [
    (_pairs(INPUT | {"label": 0}, INPUT | {"label": 1}), [], []),
    (_pairs(INPUT | {"label": 1}, INPUT | {"label": 1}), ["ND235"], ["/data/train"]),
    (_pairs(INPUT | {"label": 2}), ["ND229"], ["/data/train/0/label"]),
    (_pairs(INPUT | {"label": 0}, INPUT | {"label": 1}, validation=[INPUT | {"label": 7}]),
     ["ND229"], ["/data/validation/0/label"]),
    (_pairs(INPUT | {"label": 0}, INPUT, INPUT | {"label": 1}), ["ND227"], ["/data/train/1"]),
    (_pairs(TARGET, TARGET), ["ND228"], ["/data/train/0/target"]),
    (_pairs(INPUT | {"label": 0}, TARGET), ["ND228"], ["/data/train/1/target"]),
    (_pairs(TARGET | {"label": 0}, INPUT | {"label": 1}), ["ND227"], ["/data/train/0/label"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "places"), LABELLED_PAIRS)
def test_pairs_with_labels(text, expected, places, tmp_path):
    found = findings(tmp_path, text)
    assert codes(found) == expected
    assert [each.pointer for each in found] == places


def test_the_loss_is_named_where_arrays_meet_spike_time(tmp_path):
    data = json.loads(LABELLED)["data"] | {"labels": "labels_of_steps"}
    text = labelled(data=data, loss={"type": "spike_time", "time_constant_ms": 2})
    (diagnostic,) = findings(tmp_path, text)
    assert (diagnostic.code, diagnostic.pointer) == ("ND228", "/loss/type")
    assert "target spikes" in diagnostic.hint


def test_samples_of_the_wrong_kind_are_named_once_and_counted(tmp_path):
    (diagnostic,) = findings(tmp_path, _pairs(TARGET, TARGET, TARGET))
    assert diagnostic.notes == ("3 of 3 samples have no label",)


WINDOWS = [
    ({"loss": {"type": "spike_rate", "window_steps": 100}}, None),
    ({"loss": {"type": "spike_rate", "window_steps": 101}}, "/loss/window_steps"),
    ({"loss": {"type": "spike_max", "window_steps": 101}}, "/loss/window_steps"),
    ({"classifier": {"type": "moving_window", "window_steps": 100}}, None),
    ({"classifier": {"type": "moving_window", "window_steps": 101}}, "/classifier/window_steps"),
]


@pytest.mark.parametrize(("changes", "at"), WINDOWS)
def test_windows_are_no_longer_than_samples(changes, at, tmp_path):
    found = findings(tmp_path, labelled(**changes))
    assert [(each.code, each.pointer) for each in found] == ([("ND231", at)] if at else [])


@pytest.mark.parametrize(("steps", "expected"), [(10, []), (11, ["ND231"])])
def test_the_window_of_a_classifier_counts_steps_of_the_output(steps, expected, tmp_path):
    window = {"type": "moving_window", "window_steps": steps}
    assert codes(findings(tmp_path, slowed(labelled(classifier=window)))) == expected


def test_a_classifier_of_whole_samples_has_no_use_for_labels_of_steps(tmp_path):
    text = labelled(
        data=json.loads(LABELLED)["data"] | {"labels": "labels_of_steps"},
        loss={"type": "spike_max", "window_steps": 10},
        classifier={"type": "rate"},
    )
    (diagnostic,) = findings(tmp_path, text)
    assert (diagnostic.code, diagnostic.hint) == ("ND315", "remove the classifier")
