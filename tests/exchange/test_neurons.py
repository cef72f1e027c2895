"""The form of each neuron in files: both directions, and what has none."""

import json
import re
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings
from support.exchange_samples import COMPLEX, FILES, WEIGHT, net_neurons, write_file

from netdesc.exchange import NetFileError, import_net
from netdesc.exchange.errors import LayerError
from netdesc.exchange.export import export_neuron, require_form
from netdesc.exchange.import_layers import Values, import_neuron, neuron_differences
from netdesc.exchange.net_neurons import FORMS, NUMBERS, NetNeuron
from netdesc.hardware import LayerIntegers
from netdesc.hardware.integers import integer_parameters
from netdesc.neurons.models import NEURONS

DECAYS = {"current_decay": 0.25, "voltage_decay": 0.03}
RESONATOR = {"threshold": 1.0, "period": 10.0, "decay": 0.05}
ADAPTION = {"threshold_step": 0.2, "threshold_decay": 0.1, "refractory_decay": 0.4}
SECTIONS: dict[str, dict[str, Any]] = {
    "cuba": {"threshold": 1.0, **DECAYS},
    "lif": {"threshold": 1.0, "voltage_decay": 0.03},
    "alif": {"threshold": 1.0, **DECAYS, **ADAPTION},
    "rf": RESONATOR,
    "rf_iz": RESONATOR,
    "adrf": RESONATOR | ADAPTION,
    "adrf_iz": RESONATOR | ADAPTION,
    "delta": {"threshold": 1.0},
    "sigma_delta": {"threshold": 0.0},
    "integrator": {},
    "equations": {"step": ["v = v + x"], "output": "v"},
}


def exported(kind: str, fields: dict[str, Any], values: Values | None = None) -> NetNeuron:
    """Exports neurons of a document, of which ``values`` replace what the section has."""
    section = NEURONS[kind].model_validate_json(json.dumps({"type": kind, **fields}))
    known = section.values() | {
        name: value.astype(np.float64) for name, value in (values or {}).items()
    }
    definition = section.definition()
    integers = integer_parameters(definition, section.derive(np, known))
    layer = LayerIntegers(definition, (WEIGHT.astype(np.int32),), integers)
    require_form(section)
    return export_neuron(section, layer)


LIF = NEURONS["lif"].model_validate({"type": "lif", **SECTIONS["lif"]})


@pytest.mark.parametrize("kind", sorted({form.kind for form in FORMS.values()} | {"integrator"}))
def test_what_neurons_of_a_file_and_of_a_document_differ_in(kind: str) -> None:
    def differences(**changes: Any) -> str:
        section = NEURONS[kind].model_validate({"type": kind, **SECTIONS[kind], **changes})
        return "; ".join(neuron_differences(exported(kind, SECTIONS[kind]), section))

    assert differences() == ""
    decay = "period" if "rf" in kind else "current_decay"
    if kind != "sigma_delta":
        other = 7.0 if decay == "period" else 0.625
        assert re.search(f"{decay} .*file .*document: {other:g}", differences(**{decay: other}))
        drawn = {decay: (0.8 * other, other), "per_channel": True}
        assert differences(**drawn) == differences(**{decay: other}, learn=(decay,)) == ""
    if kind != "integrator":
        in_file = SECTIONS[kind]["threshold"]
        assert differences(threshold=3.0) == f"threshold 3 as in the document (file: {in_file:g})"
        assert "graded" in differences(graded=True) or kind == "sigma_delta"
    (text,) = neuron_differences(exported(kind, SECTIONS[kind]), LIF)
    assert text.startswith("type")


def shown(neuron: NetNeuron) -> dict[str, Any]:
    numbers = {name: values.tolist() for name, values in neuron.numbers.items()}
    roles = {"sum": neuron.is_sum, "graded": neuron.is_graded}
    return numbers | roles | {"type": neuron.type, "activation": neuron.activation}


@settings(max_examples=150, deadline=None)
@given(net_neurons(3, list(FORMS)))
def test_neurons_come_back_with_the_same_integers(neuron: NetNeuron) -> None:
    imported = import_neuron(neuron)
    fields = {name: value for name, value in imported.section.items() if name != "type"}
    kind = imported.section["type"]
    assert shown(exported(kind, fields, imported.values)) == shown(neuron)
    if not any(values.ndim for values in neuron.numbers.values()):
        assert shown(exported(kind, fields)) == shown(neuron)


@example(period=26.283720146633527, decay=0.0)  # rounded to more than the largest length
@example(period=4.718071229486929, decay=0.0)
@given(st.floats(4.0, 25_700.0), st.sampled_from([0.0, 1 / 4096]) | st.floats(0.0, 0.98))
def test_period_and_decay_come_back_as_one_sine_and_cosine(period: float, decay: float) -> None:
    neuron = exported("rf", RESONATOR | {"period": period, "decay": decay})
    if neuron.numbers["sinDecay"] > 0:
        fields = import_neuron(neuron).section
        assert shown(exported("rf", fields)) == shown(neuron)


def test_sums_of_differences_are_output_layers_of_sigma_delta_networks() -> None:
    assert exported("integrator", {}).is_readout
    neuron = exported("integrator", {"fine_units": True})
    assert (neuron.type, neuron.is_sum) == ("SDNN", True)
    assert import_neuron(neuron).section == {"type": "integrator", "fine_units": True}
    with pytest.raises(LayerError, match="decays beside fine_units"):
        exported("integrator", {"fine_units": True, "voltage_decay": 0.1})
    assert shown(exported("lif", SECTIONS["lif"])) == shown(
        exported("cuba", SECTIONS["lif"] | {"current_decay": 1.0})
    )


@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("delta", {"cumulative_error": True}, '"cumulative_error": true'),
        ("equations", {}, 'neurons of type "equations"'),
        ("lif", {"reset": "subtract"}, '"reset": "subtract"'),
        ("alif", {"reset": "zero", "refractory_decay": None}, '"reset": "zero"'),
        ("sigma_delta", {"cumulative_error": True}, '"cumulative_error": true'),
    ],
)
def test_neurons_without_a_form(kind: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(LayerError, match=words) as raised:
        exported(kind, SECTIONS[kind] | more)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("kind", "name", "dataset"),
    [
        *((kind, "threshold", "vThMant") for kind in ("lif", "alif", "rf", "rf_iz", "adrf_iz")),
        *((kind, "threshold_step", "vThStep") for kind in ("alif", "adrf")),
    ],
)
def test_learnt_thresholds_of_neurons_must_be_equal(kind: str, name: str, dataset: str) -> None:
    fields = SECTIONS[kind] | {"per_channel": True, "learn": [name]}
    with pytest.raises(LayerError, match=f"a {name} for each neuron") as raised:
        exported(kind, fields, {name: np.float32([0.5, 1.0])})
    assert f"one {name} for the layer" in raised.value.hint
    equal = exported(kind, fields, {name: np.float32([0.5, 0.5])})
    assert equal.numbers[dataset] == 32


# Files


@pytest.mark.parametrize("kind", FILES)
def test_files_as_slayer_writes_them(tmp_path: Path, kind: str) -> None:
    path = write_file(tmp_path / "a.net", **{"neuron/type": kind} | FILES[kind])
    imported = import_net(path)
    assert imported.warnings == []
    (row,) = imported.table
    assert (row.neuron, row.threshold) == (FORMS[kind].kind, 1.25)
    assert row.weights == (12 if FORMS[kind].is_complex else 6)


@pytest.mark.parametrize(
    ("kind", "dataset", "changes"),
    [
        ("ALIF", "weight", COMPLEX),
        ("RF_PHASE", "neuron/sinDecay", {"neuron/sinDecay": 4000, "neuron/cosDecay": 4000}),
        ("RF_PHASE", "weight/imag", {"weight/imag": None}),
        ("RF_PHASE", "weight/imag", {"weight/imag": WEIGHT[:, :2]}),
        ("RF_PHASE", "weight", {"weight/real": None, "weight/imag": None, "weight": WEIGHT}),
        ("RF_PHASE", "bias", {"bias": np.zeros(2)}),
        ("SDNN", "neuron/vThMant", {"neuron/vThMant": 512 * 64 + 1}),
        ("SDNN", "neuron/activation", {"neuron/activation": None}),
        ("SDNN", "neuron/activation", {"neuron/activation": "<lambda>"}),
        ("SDNN", "neuron/sigma_output", {"neuron/sigma_output": np.zeros(2)}),
    ],
)
def test_the_error_names_the_dataset(
    tmp_path: Path, kind: str, dataset: str, changes: dict[str, Any]
) -> None:
    path = write_file(tmp_path / "a.net", **{"neuron/type": kind} | FILES[kind] | changes)
    with pytest.raises(NetFileError) as raised:
        import_net(path)
    assert str(raised.value).startswith(f"{path}: layer 0: {dataset}: ")


def damaged(dataset: str) -> dict[str, Any]:
    """Values that a dataset of numbers must not have; the layer has two neurons."""
    known = NUMBERS[dataset]
    wrong: dict[str, Any] = {
        "missing": None,
        "too small": known.lowest - 1,
        "too large": known.highest + 1,
        "one too large": np.array([known.lowest + 1, known.highest + 1]),
        "not whole": known.lowest + 0.5,
        "not a number": np.nan,
        "text": "one",
        "empty": np.zeros(0),
        "of three neurons": np.full(3, known.lowest + 1),
    }
    return wrong | ({} if known.can_differ else {"one a neuron": np.full(2, known.lowest + 1)})


@pytest.mark.parametrize(
    ("kind", "dataset"), [(kind, name) for kind, form in FORMS.items() for name in form.numbers]
)
def test_damaged_numbers_of_neurons_are_one_error(tmp_path: Path, kind: str, dataset: str) -> None:
    like = {"RF_IZHIKEVICH": "RF_PHASE", "ADRF_PHASE": "ADRF_IZHIKEVICH"}.get(kind, kind)
    sound = {"neuron/type": kind} | FILES.get(like, {})
    assert import_net(write_file(tmp_path / "sound.net", **sound)).table
    for name, value in damaged(dataset).items():
        path = write_file(tmp_path / "a.net", **sound | {f"neuron/{dataset}": value})
        with pytest.raises(NetFileError) as raised:
            import_net(path)
        text = str(raised.value)
        assert text.startswith(f"{path}: layer 0: neuron/{dataset}: "), (name, text)
        assert raised.value.exit_code == 1
        assert text.isprintable()


@pytest.mark.parametrize(
    ("kind", "changes", "neuron", "words"),
    [
        ("CUBA", {"neuron/vThMant": 262143}, "integrator", ""),
        ("SDNN", {"neuron/vThMant": 0}, "sigma_delta", ""),
        ("SDNN", {"neuron/sigma_output": True}, "integrator", ""),
        ("ALIF", {"bias": np.zeros(2)}, "alif", "bias is added to the voltage"),
    ],
)
def test_neurons_with_another_meaning(
    tmp_path: Path, kind: str, changes: dict[str, Any], neuron: str, words: str
) -> None:
    path = write_file(tmp_path / "a.net", **{"neuron/type": kind} | FILES.get(kind, {}) | changes)
    imported = import_net(path)
    assert [row.neuron for row in imported.table] == [neuron]
    (layer,) = imported.description["layers"]
    assert "axonal_delay_step" not in layer
    assert imported.description["loss"]["type"] == (
        "spike_time" if neuron == "alif" else "spike_max"
    )
    assert len(imported.warnings) == bool(words)
    assert all(words in text for text in imported.warnings)
