"""Every command on a small network, from the document to the .net file and back."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.classify_task import classify_document, write_arrays
from support.cli_process import Netdesc, netdesc_process
from support.training_task import INPUTS, STEPS, write_task

import netdesc as package
from netdesc.events import DroppedEvents, from_dense, read_events, write_events

OXFORD = Path(__file__).parents[2] / "examples" / "oxford.json"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A network of 12-16-6 neurons with one pair of spike files, in a folder of its own."""
    return write_task(tmp_path / "task")


@pytest.fixture
def trained(netdesc: Netdesc, document: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    assert netdesc("train", document, "--run-dir", folder, "--quiet").code == 0
    return folder


# validate, schema, show, explain


def test_validate_is_content_with_a_sound_document(netdesc: Netdesc, document: Path) -> None:
    outcome = netdesc("validate", document)
    assert (outcome.code, outcome.out) == (0, "")
    assert "no diagnostics" in outcome.err


@pytest.mark.parametrize("flags", [["--format", "json"], ["--json"]])
def test_validate_reports_every_finding_as_one_object(
    netdesc: Netdesc, document: Path, flags: list[str]
) -> None:
    text = document.read_text()
    document.write_text(text.replace('"units": 16', '"unit": 16').replace('"epochs"', '"epoch"'))
    outcome = netdesc("validate", document, *flags)
    assert outcome.code == 1
    assert outcome.err == ""
    assert outcome.record["files"] == 1
    assert outcome.record["errors"] == 2
    assert {found["line"] for found in outcome.record["diagnostics"]} == {1}


def test_warnings_fail_where_they_are_to(netdesc: Netdesc, document: Path) -> None:
    assert netdesc("validate", "--strict", document).code == 0
    data = json.loads(document.read_text())
    data["layers"][0]["weight_scale"] = 0.001
    document.write_text(json.dumps(data))
    for flags, code in (((), 0), (("--strict",), 1), (("--strict", "--json"), 1)):
        outcome = netdesc("validate", *flags, document)
        assert outcome.code == code
        assert "ND236" in outcome.out
    (document.parent / "target0.bs1").unlink()
    assert netdesc("validate", "--strict", document).code == 3


def test_set_overrides_the_document(netdesc: Netdesc, document: Path) -> None:
    outcome = netdesc("show", document, "--set", "/layers/0/units=20", "--json")
    assert outcome.record["layers"][1]["output_shape"] == [20]
    outcome = netdesc("validate", document, "--set", "training.epochs=many")
    assert outcome.code == 1
    assert "--set training.epochs=many" in outcome.out


def test_schema_write_then_check(netdesc: Netdesc, tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    missing = netdesc("schema", "--check", file)
    assert missing.code == 1
    assert missing.err == f"{file} is missing; run: netdesc schema --write {file}\n"
    assert netdesc("schema", "--write", file).code == 0
    assert netdesc("schema", "--check", file).code == 0
    assert json.loads(netdesc("schema").out) == json.loads(file.read_text())
    file.write_text(file.read_text().replace("threshold", "treshold"))
    stale = netdesc("schema", "--check", file)
    assert (stale.code, "is out of date; run: " in stale.err) == (1, True)
    assert netdesc("schema", "--write", file).code == 0


@pytest.mark.parametrize("name", ["mine.json", "mine.bs1", "mine.md"])
def test_schema_write_replaces_no_other_file(netdesc: Netdesc, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(OXFORD.read_bytes())
    for options in ((), ("--format", "markdown")):
        assert netdesc("schema", *options, "--write", name).code == 2
        assert (tmp_path / name).read_bytes() == OXFORD.read_bytes()


def test_explain(netdesc: Netdesc) -> None:
    assert "ND101" in netdesc("explain", "ND101").out
    assert netdesc("explain", "101").out == netdesc("explain", "nd101").out
    assert '"alif"' in netdesc("explain", "mine.alfi").err
    assert netdesc("explain", "spike_files.train").out == netdesc("explain", "train").out
    assert netdesc("explain", "mine.train[0].label").out == netdesc("explain", "label").out
    assert "off_spikes" in netdesc("explain", "delta").out
    assert '"voltage_decay": 1 - beta' in netdesc("explain", "beta").out
    for name, ours in {
        "ATan": "width",
        "Leaky": "lif",
        "alpha": "spike_moid",
        "v_rest": "0",
    }.items():
        ended = netdesc("explain", name, "--json")
        assert "other_tools" in ended.record
        assert ours in netdesc("explain", name).out
    unknown = netdesc("explain", "ND999")
    assert unknown.code == 2
    assert "ND999" in unknown.err
    assert "decay(u, current_decay) + x" in netdesc("explain", "cuba").out
    assert json.loads(netdesc("explain", "cuba", "--json").out)["reset"] == ["v = 0"]
    for name in ("cuba", "hidden"):
        assert "threshold = 0." in netdesc("explain", OXFORD, name).out
    for names in ([], ["hiden"]):
        assert "it has cuba, hidden" in netdesc("explain", OXFORD, *names).err


@pytest.mark.parametrize("command", ["validate", "show", "explain", "schema"])
def test_light_commands_leave_torch_alone(command: str) -> None:
    arguments = {"explain": ["ND101"], "schema": [], "validate": ["--without-data", OXFORD]}
    ended = netdesc_process(command, *arguments.get(command, [OXFORD]))
    assert ended.code == 0
    assert "netdesc.description" in ended.loaded
    counts_samples = {"numpy"} if command == "show" else set()
    assert ended.loaded & {"torch", "numba", "h5py", "numpy"} <= counts_samples


# compile and train


def test_compile_names_engine_and_sizes(netdesc: Netdesc, document: Path) -> None:
    outcome = netdesc("compile", document, "--json")
    assert outcome.code == 0
    assert outcome.record["synapses"] == 288
    assert [(each["layer"], each["engine"]) for each in outcome.record["engines"]] == [
        ("hidden", "cpu"),
        ("output", "cpu"),
    ]
    reference = netdesc("compile", document, "--engine", "reference")
    assert "kernels of engine reference" in reference.out


def test_compile_and_train_give_a_network(netdesc: Netdesc, document: Path, tmp_path: Path) -> None:
    outcome = netdesc("compile-and-train", document, "--run-dir", "run", "--seed", "5")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert "tiny: 40 steps" in outcome.out
    assert Path(lines[-1]) == Path("run/network.net")
    assert (tmp_path / "run" / "network.net").is_file()
    lock = json.loads((tmp_path / "run" / "network.lock.json").read_text())
    assert '"seed": 5' in json.dumps(lock)


def test_train_with_json_prints_one_object(netdesc: Netdesc, document: Path) -> None:
    outcome = netdesc("train", document, "--json", "--set", "training.epochs=2")
    record = outcome.record
    assert (record["status"], record["exit_code"], outcome.code) == ("done", 0, 0)
    assert record["final"]["epoch"] == 2
    assert Path(record["network"]).is_file()


def test_training_warns_of_a_network_that_never_spikes(
    netdesc: Netdesc, document: Path, tmp_path: Path
) -> None:
    silent = ("--set", "neurons.cuba.threshold=100")
    outcome = netdesc("train", document, *silent, "--run-dir", tmp_path / "run")
    assert outcome.code == 0
    assert outcome.err.count('warning: no neuron of the layers "hidden", "output"') == 1


def test_that_a_net_file_cannot_hold_a_run_is_said_only_where_it_is_exported(
    netdesc: Netdesc, document: Path
) -> None:
    outcome = netdesc("train", document, "--json", "--set", "/layers/0/quantization=null")
    assert outcome.code == 0
    assert outcome.record["network"] is None
    assert "network.net" not in outcome.err
    assert "ND401" in netdesc("export", outcome.record["run"], "-o", "a.net").err


@pytest.mark.parametrize(
    "arguments", [[], ["task/tiny.json", "--resume", "run"], ["--resume", "run", "--seed", "3"]]
)
def test_train_wants_a_document_or_a_run(netdesc: Netdesc, arguments: list[str]) -> None:
    assert netdesc("train", *arguments).code == 2


# run, export, import


@pytest.mark.parametrize("kind", ["run", "document", "net"])
def test_integers_and_floats_agree_for_every_kind_of_network(
    netdesc: Netdesc, document: Path, trained: Path, kind: str
) -> None:
    network = {"run": trained, "document": document, "net": trained / "network.net"}[kind]
    spikes = {}
    for arithmetic in ("float", "integer"):
        outcome = netdesc(
            "run", network, document.parent / "input0.bs1", "-o", f"{arithmetic}.bs1",
            "--arithmetic", arithmetic, "--json",
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        spikes[arithmetic] = outcome.record["layers"]
        assert (outcome.record["comparison"] is None) == (kind == "net")
        assert len(read_events(f"{arithmetic}.bs1")) == outcome.record["layers"][-1]["spikes"]
    assert spikes["float"] == spikes["integer"]
    assert spikes["float"][-1]["spikes"] > 0
    assert Path("float.bs1").read_bytes() == Path("integer.bs1").read_bytes()


@pytest.mark.parametrize("kind", ["run", "document"])
def test_a_run_overwrites_no_file_that_it_reads_or_learnt_from(
    netdesc: Netdesc, document: Path, trained: Path, kind: str
) -> None:
    network = {"run": trained, "document": document}[kind]
    for name in ("input0.bs1", "target0.bs1"):
        file = document.parent / name
        before = file.read_bytes()
        outcome = netdesc("run", network, document.parent / "input0.bs1", "-o", file)
        assert (outcome.code, file.read_bytes()) == (2, before)


def test_resets_and_timing_need_integers(netdesc: Netdesc, document: Path, trained: Path) -> None:
    command = ["run", trained / "network.net", document.parent / "input0.bs1", "--json"]
    plain, reset = (
        netdesc(*command, "--arithmetic", "integer", *more).record["layers"][-1]["spikes"]
        for more in ([], ["--reset-interval", "3", "--reset-offset", "2", "--timing", "lava"])
    )
    assert reset != plain
    for wrong in (["--timing", "lava"], ["--reset-interval", "5"], ["--reset-offset", "1"]):
        assert netdesc(*command, *wrong).code == 2
    for offset in ("-1", "3"):
        resets = ["--reset-interval", "3", "--reset-offset", offset]
        outcome = netdesc(*command, "--arithmetic", "integer", *resets)
        assert outcome.code == 2
        assert "0 to 2" in outcome.err


def test_run_compares_with_the_target_that_the_document_has(
    netdesc: Netdesc, document: Path, trained: Path
) -> None:
    outcome = netdesc("run", trained, document.parent / "input0.bs1")
    best = json.loads((trained / "run.json").read_text())["best"]
    assert f"compared with the target: loss {best['loss']:,.6g}" in outcome.out
    assert outcome.out.startswith("40 steps of 1 ms")


@pytest.mark.filterwarnings("error::netdesc.events.DroppedEvents")
def test_run_tells_of_events_outside_the_tensor(netdesc: Netdesc, document: Path) -> None:
    write_events("far.bs1", from_dense(np.ones((STEPS + 5, INPUTS)), 1.0))
    outcome = netdesc("run", document, "far.bs1")
    assert outcome.code == 0
    assert f"{5 * INPUTS} of {(STEPS + 5) * INPUTS} events lie outside" in outcome.err
    with pytest.raises(DroppedEvents, match="lie outside"):
        package.run(document, "far.bs1")


def test_export_import_export_is_the_same_network(netdesc: Netdesc, trained: Path) -> None:
    assert netdesc("export", trained, "-o", "first.net").code == 0
    outcome = netdesc("import", "first.net", "-o", "networks")
    assert outcome.code == 0, outcome.err
    assert "dense0" in outcome.out
    assert {path.name for path in Path("networks").iterdir()} == {"first.json", "first.safetensors"}
    assert netdesc("export", "networks/first.json", "-o", "second.net").code == 0
    assert Path("second.net").read_bytes() == Path("first.net").read_bytes()
    before = Path("networks/first.json").read_bytes()
    again = netdesc("import", "first.net", "-o", "networks")
    assert again.code != 0
    assert "first.json" in again.err
    assert Path("networks/first.json").read_bytes() == before


def test_an_import_is_sound_and_runs(netdesc: Netdesc, document: Path, trained: Path) -> None:
    assert netdesc("import", trained / "network.net", "--steps", 10**9).code == 2
    for step_ms in (0, "nan", 1e7):
        assert netdesc("import", trained / "network.net", "--step-ms", step_ms).code == 2
    halved = netdesc("import", trained / "network.net", "--step-ms", 0.5, "-o", "halved")
    assert "steps" not in halved.out.partition("filled in")[2].partition("to state")[0]
    time = json.loads(Path("halved/network.json").read_text())["time"]
    assert time == {"steps": STEPS, "step_ms": 0.5}
    assert netdesc("import", trained / "network.net").code == 0
    assert netdesc("validate", "network.json").code == 0
    events = document.parent / "input0.bs1"
    ran = netdesc("run", "network.json", events, "--json", "--arithmetic", "integer").record
    same = netdesc("run", trained, events, "--json", "--arithmetic", "integer").record
    assert ran["layers"][-1]["spikes"] == same["layers"][-1]["spikes"]


def test_an_imported_document_has_nothing_to_train_on_yet(
    netdesc: Netdesc, document: Path, trained: Path
) -> None:
    netdesc("import", trained / "network.net")
    outcome = netdesc("train", "network.json")
    assert outcome.code == 3
    assert '"data"' in outcome.err
    pair = {"input": {"path": "task/input0.bs1"}, "target": {"path": "task/target0.bs1"}}
    data = json.dumps({"type": "spike_files", "train": [pair]})
    assert netdesc("train", "network.json", "--set", f"data={data}", "--quiet").code == 0


def test_a_class_without_samples_is_told_once(tmp_path: Path, netdesc: Netdesc) -> None:
    write_arrays(tmp_path / "data.npz", labels=np.arange(60) % 2)
    document = classify_document({"split": None}, {"epochs": 1})
    (tmp_path / "classes.json").write_text(json.dumps(document))
    ended = netdesc("train", tmp_path / "classes.json", "--run-dir", tmp_path / "run")
    assert ended.code == 0
    assert ended.err.count("class 2") + ended.err.count("label 2") == 1


def test_a_run_may_have_the_name_of_a_file(netdesc: Netdesc, trained: Path) -> None:
    for name in ("run.net", "run.json"):
        trained = trained.rename(name)
        assert netdesc("evaluate", name, "--json").record["network"] == name
        assert netdesc("export", name, "-o", "a.net").code == 0
        assert netdesc("show", name).code == 0
