"""``netdesc validate --fix`` and ``--diff`` on files."""

import json
import os
from pathlib import Path

import pytest
from support.cli_process import Netdesc, netdesc_process
from support.description_samples import BASE, write_files

WRONG = BASE.replace('"threshold"', '"treshold"').replace('"units": 8', '"units": "8"')


@pytest.fixture
def network(tmp_path: Path) -> Path:
    write_files(tmp_path)
    path = tmp_path / "network.json"
    path.write_text(WRONG)
    return path


def test_fix_writes_what_is_certain_and_says_so(netdesc: Netdesc, network: Path) -> None:
    outcome = netdesc("validate", "--fix", "network.json")
    assert outcome.code == 0
    assert network.read_text() == BASE
    assert outcome.out.splitlines() == [
        'network.json:12:30: fixed[ND101]: rename "treshold" to "threshold"',
        'network.json:15:50: fixed[ND103]: write 8 for "8"',
    ]
    again = netdesc("validate", "--fix", "network.json")
    assert (again.code, again.out) == (0, "")
    assert "nothing to fix" in again.err


def test_what_was_fixed_cannot_control_the_terminal(netdesc: Netdesc, network: Path) -> None:
    network.write_text(WRONG.replace("treshold", "thresh\u009bold"))
    outcome = netdesc("validate", "--fix", "network.json")
    assert outcome.code == 0
    assert 'rename "thresh\ufffdold" to "threshold"' in outcome.out
    assert "\u009b" not in outcome.out


def test_what_is_left_decides_the_exit_code(netdesc: Netdesc, network: Path) -> None:
    network.write_text(WRONG.replace('"epochs": 10', '"epochs": 0'))
    outcome = netdesc("validate", "--fix", network)
    assert outcome.code == 1
    assert network.read_text() == BASE.replace('"epochs": 10', '"epochs": 0')
    assert outcome.out.splitlines()[-1] == f"{network}: 1 error"
    (network.parent / "input.bs1").unlink()
    network.write_text(WRONG)
    assert netdesc("validate", "--fix", network).code == 3


def test_diff_writes_nothing(netdesc: Netdesc, network: Path) -> None:
    wrong, right = WRONG.splitlines(), BASE.splitlines()
    for arguments in (["--diff"], ["--diff", "--fix"]):
        outcome = netdesc("validate", *arguments, "network.json")
        assert outcome.code == 1
        assert network.read_text() == WRONG
        assert "2 would be fixed" in outcome.err
        names, lines = outcome.out.splitlines()[:2], outcome.out.splitlines()[2:]
        assert names == ["--- network.json", "+++ network.json"]
        taken = [line[1:] for line in lines if line.startswith("-")]
        given = [line[1:] for line in lines if line.startswith("+")]
        assert taken == [one for one, other in zip(wrong, right, strict=True) if one != other]
        assert given == [other for one, other in zip(wrong, right, strict=True) if one != other]
    network.write_text(BASE)
    outcome = netdesc("validate", "--diff", "network.json")
    assert (outcome.code, outcome.out) == (0, "")


def test_several_files_are_fixed_and_summed_up(netdesc: Netdesc, network: Path) -> None:
    (network.parent / "second.json").write_text(BASE.replace('"epochs": 10', '"epochs": 0'))
    outcome = netdesc("validate", "network.json", "second.json", "absent.json")
    lines = outcome.out.splitlines()
    assert lines[-4:] == [
        "network.json: 2 errors, 2 can be fixed with netdesc validate --fix",
        "second.json: 1 error",
        "absent.json: 1 error",
        "3 files: 4 errors, 2 can be fixed with netdesc validate --fix",
    ]
    starts = [line.split(":")[0] for line in lines if ": error[" in line]
    assert starts == ["network.json", "network.json", "second.json", "absent.json"]
    outcome = netdesc("validate", "--fix", "network.json", "second.json", "absent.json")
    assert outcome.code == 1
    assert outcome.out.splitlines()[-1] == "3 files: 2 errors"
    assert network.read_text() == BASE


def test_fix_and_diff_for_programs(netdesc: Netdesc, network: Path) -> None:
    record = netdesc("validate", "--json", network).record
    (first, second) = record["diagnostics"]
    assert first["fix"]["title"] == 'rename "treshold" to "threshold"'
    (edit,) = first["fix"]["edits"]
    assert WRONG[edit["start"] : edit["end"]] == '"treshold"'
    assert edit["replacement"] == '"threshold"'
    assert (edit["line"], edit["column"]) == (first["line"], first["column"])
    assert (edit["end_line"], edit["end_column"]) == (first["end_line"], first["end_column"])
    outcome = netdesc("validate", "--json", "--diff", network)
    assert outcome.record["errors"] == 2
    assert outcome.record["diff"][0] == f"--- {network}"
    outcome = netdesc("validate", "--format", "json", "--fix", network)
    assert (outcome.code, outcome.record["errors"]) == (0, 0)
    assert [each["code"] for each in outcome.record["fixed"]] == ["ND101", "ND103"]
    assert second["fix"]["title"] in {each["title"] for each in outcome.record["fixed"]}


def test_looking_stays_fast_and_leaves_numpy_alone(network: Path) -> None:
    ended = netdesc_process("validate", "--diff", network)
    assert ended.code == 1
    assert not {"torch", "numba", "h5py", "numpy"} & ended.loaded


def test_more_slips_than_are_shown_are_mended(netdesc: Netdesc, network: Path) -> None:
    """Of very many findings only the first are made, so their number stays the same at first."""
    layers = [
        {"name": f"l{number}", "type": "dense", "units": 8, "nueron": "cuba"}
        for number in range(250)
    ]
    document = json.loads(BASE)
    document["layers"] = [*layers, *document["layers"]]
    document["layers"][-1].pop("from", None)
    network.write_text(json.dumps(document, indent=1))
    outcome = netdesc("validate", "--fix", "network.json")
    assert '"nueron"' not in network.read_text()
    assert outcome.out.count('rename "nueron"') == 250
    assert json.loads(network.read_text())["layers"][249]["neuron"] == "cuba"


def test_what_cannot_be_written_keeps_no_other_file_from_it(
    netdesc: Netdesc, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (network.parent / "also.json").write_text(WRONG)
    monkeypatch.setattr(
        "netdesc.cli.fix.os.access",
        lambda path, mode: mode != os.W_OK or Path(path).name != "also.json",
    )
    outcome = netdesc("validate", "--fix", "also.json", "network.json")
    assert outcome.code == 3
    assert outcome.err == "error: also.json: the file is write-protected\n"
    assert "treshold" not in network.read_text()
    assert "fixed[ND101]" in outcome.out
    assert "also.json:12:30: error[ND101]" in outcome.out


@pytest.mark.parametrize("options", [(), ("--fix",), ("--diff",)])
def test_documents_can_be_looked_at_without_their_data(
    options: tuple[str, ...], netdesc: Netdesc, network: Path
) -> None:
    (network.parent / "input.bs1").unlink()
    network.write_text(BASE)
    assert netdesc("validate", network, *options).code == 3
    outcome = netdesc("validate", network, "--without-data", *options)
    assert (outcome.code, outcome.out) == (0, "")
    network.write_text(BASE.replace('"epochs": 10', '"epochs": 0'))
    assert netdesc("validate", network, "--without-data", *options).code == 1
