"""Arrays with target values and real-valued inputs: what is said of them, and where."""

import json

import numpy as np
import pytest
from support.description_samples import (
    TARGETS,
    VALUED,
    array_findings,
    findings,
    labelled,
    text_of,
    with_text,
)


def valued(loss: dict | None = None, **data) -> str:
    """The document with target values, with other fields of its loss and data."""
    document = json.loads(VALUED)
    changes = {"loss": document["loss"] | (loss or {}), "data": document["data"] | data}
    return json.dumps(document | changes)


SERIES = valued(encoding={"type": "series"})
SCALED = valued(encoding={"type": "series"}, range=[-600, 600])
CONSTANT = valued(encoding={"type": "constant"})
LAST = valued({"over": "last"})
SPIKED = with_text("/loss", '{"type": "spike_time", "time_constant_ms": 2}', VALUED)
MIRROR = valued(targets="inputs", inputs="x")
WIDE = MIRROR.replace('"units": 2', '"units": 4')
HOT = labelled(
    loss={"type": "spike_moid", "over": "each_step"},
    data=json.loads(VALUED)["data"] | {"targets": None, "multi_hot": "hot"},
)
REAL = np.linspace(-600, 600, 2400).reshape(6, 100, 4)
BY_STEP = np.repeat(TARGETS[:, None], 100, axis=1)

SOUND = [
    (VALUED, {}),
    (VALUED, {"targets": BY_STEP}),
    (LAST, {}),
    (SERIES, {"inputs": REAL / 2}),
    (CONSTANT, {"inputs": REAL[:, 0] / 2}),
    (SCALED, {"inputs": REAL}),
    (HOT, {"hot": TARGETS > 0}),
    (SPIKED, {"targets": BY_STEP != 0}),
    (WIDE, {"x": REAL[:, 0] / 600 / 2 + 0.5, "targets": ["not read"]}),
]


@pytest.mark.parametrize(("base", "arrays"), SOUND)
def test_sound_arrays_have_no_diagnostics(base, arrays, tmp_path):
    assert array_findings(tmp_path, base, **({"targets": TARGETS} | arrays)) == []


VALUES_OF_X = np.full((6, 4), 0.5)
CASES = [
    # document, arrays, code, pointer, words
    (VALUED, {"targets": TARGETS[:5]}, "ND326", "targets", "expected: [6, 2], or [6, 100, 2]"),
    (SPIKED, {"targets": BY_STEP[:, :99]}, "ND326", "targets", "need all 100"),
    (LAST, {"targets": BY_STEP}, "ND326", "targets", 'only losses with "over": "each_step"'),
    (VALUED, {"targets": TARGETS * np.inf}, "ND326", "targets", "targets[0, 0] is -inf"),
    (HOT, {"hot": np.ones((6, 3))}, "ND326", "multi_hot", "expected: [6, 2], or [6, 100, 2]"),
    (with_text("/data/targets", '"z"', VALUED), {}, "ND310", "targets", "its arrays: inputs"),
    (SPIKED, {}, "ND326", "targets", "has the shape [6, 2]; expected: [6, 100, 2]"),
    (SPIKED, {"targets": BY_STEP}, "ND326", "targets", "not a number of spikes"),
    (MIRROR, {"x": VALUES_OF_X}, "ND326", "targets", "output has the shape [2], and the input [4]"),
    (CONSTANT, {"inputs": REAL}, "ND314", "encoding", '"series" takes values of steps'),
    (SERIES, {"inputs": REAL}, "ND331", "inputs", "beyond ±512, which are cut off"),
]


@pytest.mark.parametrize(("base", "arrays", "code", "field", "words"), CASES)
def test_one_error_is_found_at_its_place(base, arrays, code, field, words, tmp_path):
    (diagnostic,) = array_findings(tmp_path, base, **({"targets": TARGETS} | arrays))
    assert (diagnostic.code, diagnostic.pointer) == (code, f"/data/{field}")
    assert words in text_of(diagnostic)
    assert diagnostic.is_error == ("cut off" not in diagnostic.message)


VALUES = {"type": "mean_squared_error"}
SPIKES = {"type": "spike_time", "time_constant_ms": 2}
WITH_TARGETS = json.loads(VALUED)["data"]
PAIRS = {"type": "spike_files", "train": [{"input": {"path": "input.bs1"}, "label": 0}]}
FOLDERS = {"type": "event_folders", "train": {"path": "recordings"}}
MISFITS = [
    ({"loss": VALUES}, "ND228", "/loss/type", 'add "targets" to data'),
    ({"loss": SPIKES}, "ND228", "/loss/type", "with the target spikes"),
    ({"loss": SPIKES, "data": FOLDERS}, "ND228", "/loss/type", "use spike_rate"),
    ({"loss": VALUES, "data": PAIRS}, "ND228", "/loss/type", "use spike_time, or data of the type"),
    ({"loss": VALUES, "data": WITH_TARGETS, "classifier": {"type": "rate"}}, "ND240", "/classifier",
     "leave it out"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "at", "hint"), MISFITS)
def test_losses_that_do_not_fit_their_samples(changes, code, at, hint, tmp_path):
    (diagnostic,) = findings(tmp_path, labelled(**changes))
    assert (diagnostic.code, diagnostic.pointer) == (code, at)
    assert hint in diagnostic.hint
