"""Losses, regularizers and groups of parameters that a document cannot have."""

import json
from typing import Any

import pytest
from support.description_samples import LABELLED, findings, labelled

MAX = {"type": "spike_max"}
TRAINING = json.loads(LABELLED)["training"]


def training(**more: Any) -> dict[str, Any]:
    return {"training": TRAINING | more}


def group(**more: Any) -> dict[str, Any]:
    return training(groups=[{"learning_rate": 0.1} | more])


RATE = {"type": "event_rate"}
MILESTONES = {"type": "milestones", "factor": 0.5}
WRONG = [
    # changes of the document, code and pointer, or None
    ({"loss": [MAX, {"type": "spike_rate", "weight": 0.5}]}, None),
    ({"loss": MAX | {"from": "outputs"}}, "ND280 /loss/from"),
    ({"loss": [MAX, MAX | {"from": "input"}]}, "ND280 /loss/1/from"),
    ({"loss": [MAX, MAX | {"from": "hidden"}]}, "ND282 /loss/1/from"),
    ({"loss": MAX | {"from": "hidden"}}, "ND283 /loss/from"),
    ({"loss": [MAX, {"type": "cross_entropy"}]}, "ND282 /loss/1/reduction"),
    ({"loss": MAX | {"window_steps": 5, "over": "last"}}, "ND240 /loss/over"),
    ({"loss": MAX | {"signal": "v"}}, "ND243 /loss/type"),
    ({"loss": [MAX, MAX | {"class_weights": [1, 2]}]}, None),
    ({"loss": [MAX, MAX | {"class_weights": [1, 2, 3]}]}, "ND285 /loss/1/class_weights"),
    ({"loss": MAX | {"class_weights": [0, 0]}}, "ND285 /loss/class_weights"),
    ({"loss": MAX | {"class_weights": [1, -1]}}, "ND106 /loss/class_weights/1"),
    ({"loss": MAX | {"class_weights": "x"}}, "ND107 /loss/class_weights"),
    ({"loss": MAX | {"class_weight": "balanced"}}, "ND101 /loss/class_weight"),
    ({"loss": MAX | {"skip_steps": 100}}, "ND231 /loss/skip_steps"),
    ({"loss": {"type": "spike_moid"}}, "ND228 /loss/type"),
    ({"regularizers": [RATE | {"layers": ["x"]}]}, "ND280 /regularizers/0/layers/0"),
    (group(parameters=["thresholds"]), "ND288 /training/groups/0"),
    (group(layers=["hiden"]), "ND280 /training/groups/0/layers/0"),
    (training(groups=[{"learning_rate": 0.1}] * 2), "ND288 /training/groups/1"),
    (training(shards=4, batch_size=4), None),
    (training(shards=6), "ND289 /training/shards"),
    (training(shards=4, batch_size=3), "ND289 /training/shards"),
    (training(shards=0), "ND106 /training/shards"),
    (training(schedule=MILESTONES | {"epochs": [99]}), "ND223 /training/schedule/epochs/0"),
]


@pytest.mark.parametrize(("changes", "expected"), WRONG)
def test_one_error_is_found_at_its_place(changes: dict[str, Any], expected: str | None, tmp_path):
    found = [f"{each.code} {each.pointer}" for each in findings(tmp_path, labelled(**changes))]
    assert found == ([] if expected is None else [expected])
