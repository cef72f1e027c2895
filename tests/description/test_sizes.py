"""Limits of sample counts per batch and split, and of the memory that arrays may take."""

import json

import numpy as np
import pytest
from support.description_samples import LABELLED, array_findings, codes, labelled_data

from netdesc import machine
from netdesc.data import array_samples

SPLIT = labelled_data(split="split")


def _training(**changes):
    return json.loads(LABELLED)["training"] | changes


COUNTED = [
    # split, training, codes
    (None, {"batch_size": 7}, ["ND222"]),
    (None, {"batch_size": None, "shards": 8}, ["ND289"]),
    (None, {"batch_size": 32}, []),  # the default
    (None, {"batch_size": 6, "validation_split": 0.1}, ["ND222"]),
    (None, {"validation_split": 0.5}, []),
    ([0, 0, 0, 0, 1, 2], {"batch_size": 5}, ["ND222"]),
    ([0, 0, 0, 0, 1, 2], {"validation_split": 0.5}, ["ND218"]),
    ([0, 0, 0, 0, 2, 2], {"validation_split": 0.5}, []),
]


@pytest.mark.parametrize(("split", "training", "expected"), COUNTED)
def test_samples_are_counted_in_the_file(split, training, expected, tmp_path):
    document = json.loads(SPLIT if split else LABELLED) | {"training": _training(**training)}
    arrays = {"split": split} if split else {}
    assert codes(array_findings(tmp_path, json.dumps(document), **arrays)) == expected


def test_large_arrays_of_labels_are_left_to_training(tmp_path, monkeypatch):
    count = 1 << 12
    monkeypatch.setattr(array_samples, "MAX_CHECKED_BYTES", 8 * count)
    text = json.dumps(json.loads(SPLIT) | {"training": _training(batch_size=count + 1)})
    arrays = {"inputs": np.ones((count, 4), dtype=np.uint8), "labels": np.full(count, 9)}
    found = array_findings(tmp_path, text, **arrays, split=np.zeros(count, dtype=int))
    assert sorted(codes(found)) == ["ND222", "ND316", "ND319"]
    arrays = {"inputs": np.ones((count + 1, 4), np.uint8), "labels": np.full(count + 1, 9)}
    assert array_findings(tmp_path, text, **arrays, split=np.ones(count + 1, int)) == []


def test_inputs_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    """200 samples of 40 values, each in a million steps."""
    monkeypatch.setattr(machine, "free_bytes", lambda: 17 * 10**9)
    document = json.loads(LABELLED) | {"time": {"steps": 1_000_000}}
    document["input"] = {"shape": [40]}
    document["training"]["batch_size"] = None
    arrays = {"inputs": np.ones((200, 40), np.uint8), "labels": np.arange(200) % 2}
    (finding,) = array_findings(tmp_path, json.dumps(document), **arrays)
    assert (finding.code, finding.pointer) == ("ND324", "/data/inputs")
    assert "needs about 32" in finding.message
    assert "a smaller training.batch_size" in finding.hint
    document["training"]["batch_size"] = 100
    assert array_findings(tmp_path, json.dumps(document), **arrays) == []
