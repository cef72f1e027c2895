"""Files that are missing, damaged or of another kind: one clear message of every command."""

import errno
import os
from pathlib import Path
from typing import Any

import h5py
import pytest
from support.classify_task import write_classify_task
from support.cli_process import Netdesc
from support.training_task import write_task

from netdesc.data import array_samples


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task")


MISSING = [
    ["validate", "nope.json"],
    ["show", "nope.json"],
    ["show", "nope.net"],
    ["show", "nope"],
    ["compile", "nope.json"],
    ["train", "nope.json"],
    ["compile-and-train", "nope.json"],
    ["bench", "nope.json"],
    ["train", "--resume", "nope"],
    ["evaluate", "nope"],
    ["evaluate", "nope.net"],
    ["run", "nope.net", "task/input0.bs1"],
    ["run", "nope.json", "task/input0.bs1"],
    ["run", "task/tiny.json", "nope.bs1"],
    ["export", "nope", "-o", "a.net"],
    ["export", "task/tiny.json", "-o", "nope/a.net"],
    ["import", "nope.net"],
    ["report", "nope"],
    ["events", "show", "nope.bs1"],
]


@pytest.mark.parametrize("arguments", MISSING, ids=" ".join)
def test_what_is_not_there_is_told_alike_by_all(
    netdesc: Netdesc, document: Path, arguments: list[str]
) -> None:
    outcome = netdesc(*arguments)
    assert outcome.code == 3
    assert "bug" not in outcome.err
    missing = next((each for each in arguments if "nope" in each), ".")
    assert missing in outcome.err + outcome.out


def test_what_a_run_lacks_is_missing(netdesc: Netdesc, document: Path, tmp_path: Path) -> None:
    trained = tmp_path / "run"
    assert netdesc("train", document, "--run-dir", trained, "--quiet").code == 0
    assert netdesc("report", trained, "-o", "nope/report.html").code == 3
    best = trained / "checkpoints" / "best.safetensors"
    best.write_bytes(b"no weights")
    assert netdesc("evaluate", trained).code == 1
    (trained / "network.lock.json").unlink()
    for command in (["evaluate"], ["show"], ["train", "--resume"], ["report"]):
        outcome = netdesc(*command, trained)
        assert outcome.code == 3
        assert "network.lock.json" in outcome.err


def test_weights_that_may_not_be_read_are_not_missing(
    netdesc: Netdesc, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert netdesc("train", document, "--run-dir", "run", "--quiet").code == 0
    open_file = Path.open

    def refuse(path: Path, *arguments: Any) -> Any:
        if path.name == "best.safetensors":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_file(path, *arguments)

    monkeypatch.setattr(Path, "open", refuse)  # root may read files of any mode
    outcome = netdesc("evaluate", "run")
    assert (outcome.code, "permission denied" in outcome.err) == (3, True)


def test_an_address_in_a_net_file_that_no_file_has(netdesc: Netdesc, document: Path) -> None:
    """The system refuses it with an error number, but the file is damaged and not missing."""
    assert netdesc("export", document, "-o", "a.net").code == 0
    sound = Path("a.net").read_bytes()
    with h5py.File("a.net") as file:
        reference = file["layer/0/neuron/type"].id.get_offset()
    for address in (1 << 61, (1 << 62) - 1, (1 << 64) - 1, len(sound)):
        damaged = bytearray(sound)
        damaged[reference + 4 : reference + 12] = address.to_bytes(8, "little")
        Path("a.net").write_bytes(damaged)
        outcome = netdesc("import", "a.net")
        assert (outcome.code, "neuron/type" in outcome.err) == (1, True)


def test_validate_names_an_array_whose_values_it_did_not_check(
    netdesc: Netdesc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = write_classify_task(tmp_path)
    for limit, is_named in ((1 << 30, False), (10, True)):
        monkeypatch.setattr(array_samples, "MAX_CHECKED_BYTES", limit)
        ended = netdesc("validate", document)
        assert ended.code == 0
        assert ('values of the array "inputs"' in ended.err) == is_named
