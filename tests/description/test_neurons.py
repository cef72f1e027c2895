"""Diagnostics of neurons, in a process with one more than documents have."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from netdesc.api.load import check
from netdesc.description.json.reader import parse
from netdesc.description.source import Source
from netdesc.description.source_map import SourceMap

WITH_NEURONS = """
import json, sys
from pathlib import Path
from netdesc.neurons import models
from typing import Literal
from netdesc.neurons.models.base import NeuronSection, Equations
from netdesc.neurons.models.fields import Decay, decay_field
from netdesc.sections import field
class Added(NeuronSection):
    "Neuron that a test adds to the table."
    source = "this test"
    type: Literal["added"] = field("Neuron that a test adds.")
    leak: Decay = decay_field("Share lost per step.")
    def equations(self):
        step = (("v = decay(v, leak) + norm(x)", "It leaks."),)
        return Equations(step, ("v > 1", "It spikes."), (("v = 0", "It starts anew."),))
models.NEURONS["added"] = Added
from support.description_samples import LABELLED, findings, with_text
from netdesc.description.schema import schema_text
from netdesc.description.reference import reference_text
from description.test_diagnostics import test_all_suggestions_exist_in_the_language
test_all_suggestions_exist_in_the_language()
assert all(name in text() for name in models.NEURONS for text in (schema_text, reference_text))
def found(neuron):
    diagnostics = findings(Path(sys.argv[1]), with_text("/neurons/cuba", neuron, LABELLED))
    return [(d.code, d.pointer, d.excerpt[d.column - 1 : d.end_column - 1],
             f"{d.message}: {d.hint}")
            for d in diagnostics]
print(json.dumps([found(neuron) for neuron in json.load(sys.stdin)]))
"""

ALIF = {"type": "alif", "threshold": 1, "threshold_step": 0.1, "current_decay": 1}
ALIF |= {"voltage_decay": 0.1, "threshold_decay": 0.1, "refractory_decay": 0.1}
OWN = {"type": "equations", "step": ["v = v + x"], "output": "v"}
SPIKES = OWN | {"spike": "v > 1", "surrogate": {}}
BELOW = OWN | {"parameters": {"k": {"kind": "threshold", "value": -0.5}}, "step": ["v = x + k"]}


def holds(kind: str, value: float, step: str) -> dict[str, Any]:
    return OWN | {"parameters": {"k": {"kind": kind, "value": value}}, "step": [step]}


LEAK = {"leak": {"kind": "factor", "value": -1.5}}
NEURONS = {
    "added": ({"type": "added", "leak": 0.1, "learn": ["leak"], "norm": "mean"}, []),
    "added, graded": ({"type": "added", "leak": 0.1, "graded": True}, ["ND240 /graded"]),
    "zero": (ALIF | {"reset": "zero"}, ["ND240 /refractory_decay"]),
    "no decay": (ALIF | {"refractory_decay": None}, ["ND241 "]),
    "both": (ALIF | {"surrogate": {"width": 1}, "tau_grad": 0.5}, ["ND240 /tau_grad"]),
    "range": (ALIF | {"threshold": [2, 1], "per_channel": True}, ["ND216 /threshold/0"]),
    "shared": (ALIF | {"threshold": [1, 2]}, ["ND215 /threshold"]),
    "on zero": (ALIF | {"threshold": 0.01}, ["ND211 /threshold"]),
    "step of 0": (ALIF | {"threshold_step": 0.01}, ["ND212 /threshold_step"]),
    "level below zero": (holds("grid", -0.0001, "v = x + k"), ["ND212 /parameters/k/value"]),
    "high level": (holds("grid", -2048, "v = x + k"), ["ND224 /parameters/k/value"]),
    "own threshold": (OWN | {"step": ["v = v + x"], "spike": "v > threshold", "surrogate": {},
     "parameters": {"threshold": {"kind": "threshold", "value": 0}}}, []),
    "learn": (OWN | {"learn": ["v"]}, ["ND239 /learn/0"]),
    "no gradient": (ALIF | {"learn": ["threshold", "threshold_step"]}, ["ND239 /learn/1"]),
    "beyond kernels": (ALIF | {"threshold_step": 32769}, ["ND106 /threshold_step"]),
    "fine units": ({"type": "sigma_delta", "threshold": 513}, ["ND106 /threshold"]),
    "period": ({"type": "rf", "threshold": 1, "period": 3, "decay": 0}, ["ND106 /period"]),
    "two mistakes": (OWN | {"step": ["v = v + x + y", "v = v * v"]},
     ["ND238 /step/0", "ND238 /step/1"]),
    "read behind a norm": (OWN | {"step": ["u = u + x", "v = norm(u) + u"], "norm": "mean"},
     ["ND238 /step/1"]),
    "learnt from beyond": (ALIF | {"threshold": [1, 2047.5], "per_channel": True,
     "learn": ["threshold"]}, ["ND242 /threshold/1"]),
    "below": (BELOW, []),
    "three inputs": (OWN | {"inputs": ["x", "y", "z"]}, ["ND108 /inputs"]),
    "many equations": (OWN | {"step": ["v = x"] * 65}, ["ND108 /step"]),
    "many parameters": (OWN | {"parameters": {f"p{n}": LEAK["leak"] for n in range(33)}},
     ["ND108 /parameters"]),
}  # fmt: skip
FOREIGN = {
    "spike_grad": (ALIF | {"spike_grad": 1}, '{"width": 0.5'),
    "detach_reset": (ALIF | {"detach_reset": False}, 'else "exact"'),
    "tau": ({"type": "lif", "threshold": 1, "tau": 2}, "1 / tau in SpikingJelly"),
    "initial": (ALIF | {"initial": {"v": 1}}, "begin at 0"),
    "threshold": (OWN | {"threshold": 1}, '"parameters": {"threshold": {'),
    "kind tau": (holds("tau", 10, "v = decay(v, k) + x"), '"decay"'),
    "time constant": (holds("decay", 10, "v = decay(v, k) + x"), "0.0952 for"),
    "conditions": (OWN | {"spike": ["v > 1", "v < -1"]}, "max(v - 1, -1 - v) > 0"),
}
"""Names of other tools -> a neuron with one, and what its hint says."""


def learns(step: str) -> dict[str, Any]:
    parameters = {"k": {"kind": "grid", "value": 0.5}}
    return OWN | {"parameters": parameters, "learn": ["k"], "step": [step]}


SAID = {
    "learnt by where": (learns("v = where(x > k, v, x)"), "comparison"),
    "learnt behind stop": (learns("v = v + x + stop(k)"), "stop("),
    "spike by or": (OWN | {"spike": "v > 1 or v > 2", "surrogate": {}}, "max("),
    "no norm(…)": (OWN | {"norm": "mean"}, "norm(x) for x"),
}
"""Neurons, and a word of the first message or its hint."""


def diagnose(neurons: list[str], folder: Path) -> list[list[tuple[str, str, str, str]]]:
    """Returns (code, pointer, marked text, message and hint) of the diagnostics of each neuron."""
    tests = Path(__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", WITH_NEURONS, folder],
        input=json.dumps(neurons),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{tests.parent}{os.pathsep}{tests}"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory):
    texts = [json.dumps(neuron) for neuron, _ in (NEURONS | FOREIGN | SAID).values()]
    texts.append(
        r'{"type": "equations", "step": ["v = \u0076 + \u0078 + decay(v, leek)"], "output": "v",'
        ' "parameters": {"leak": {"kind": "decay", "value": 0.1}}}'
    )
    found = diagnose(texts, tmp_path_factory.mktemp("neurons"))
    return dict(zip([*NEURONS, *FOREIGN, *SAID, "escapes"], found, strict=True))


@pytest.mark.parametrize("name", NEURONS)
def test_wrong_neurons(name, diagnosed):
    found = [f"{code} {pointer[len('/neurons/cuba') :]}" for code, pointer, *_ in diagnosed[name]]
    assert found == NEURONS[name][1]


@pytest.mark.parametrize("name", FOREIGN)
def test_names_of_other_tools_lead_to_ours(name, diagnosed):
    assert any(FOREIGN[name][1] in hint for *_, hint in diagnosed[name]), diagnosed[name]


@pytest.mark.parametrize("name", SAID)
def test_messages_say_the_reason_or_the_way_out(name, diagnosed):
    assert SAID[name][1] in diagnosed[name][0][3], diagnosed[name]


def test_a_mistake_is_marked_inside_the_string(diagnosed):
    (_, pointer, marked, hint), *_ = diagnosed["escapes"]
    assert (pointer, marked) == ("/neurons/cuba/step/0", "leek")
    assert "leak" in hint


@given(text=st.text(max_size=20), cut=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_characters_of_a_string_are_found_behind_escapes(text, cut):
    first, last = sorted(min(each, len(text)) for each in cut)
    for ascii_only in (False, True):
        written = json.dumps({"a": ["", text]}, ensure_ascii=ascii_only)
        source = Source(written, "")
        root = parse(source)
        span = SourceMap(source, root, root.value).span(("a", 1), (first, last))
        assert json.loads(f'"{written[slice(*span)]}"') == text[first:last]


def test_what_is_too_long_of_an_equation_is_marked() -> None:
    equation = "v = v" + " + x" * 300
    document = {"neurons": {"own": OWN | {"step": [equation]}}}
    _, found = check(document)
    (long,) = (each for each in found if each.code == "ND108")
    assert long.excerpt[long.column - 1 : long.end_column - 1] == equation[1000:]
