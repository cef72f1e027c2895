"""The journal of a sweep under damage and between machines."""

import contextlib
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sweep_samples import sweep_of

from netdesc.runs.errors import RunError
from netdesc.runs.process_lock import Worker
from netdesc.sweeps import journal
from netdesc.sweeps.journal import Journal
from netdesc.sweeps.study import open_sweep

FIRST = [{"op_code": 0, "worker_id": "é"}, {"op_code": 1}]
SECOND = [{"op_code": 2, "text": "more"}, {"op_code": 3}, {"op_code": 4}]


def write(path: Path) -> int:
    """Writes two transactions; returns the number of bytes of the first."""
    for logs in (FIRST, SECOND):
        size = path.stat().st_size if path.exists() else 0
        own = Journal(path)
        with own.transaction():
            own.append_logs(logs[:1])
            own.append_logs(logs[1:])
    return size


def plain(logs: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: value for name, value in log.items() if name != "more"} for log in logs]


@given(st.data())
def test_a_torn_transaction_is_ignored_and_cut_at_every_byte(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("torn") / "journal.log"
    first = write(path)
    whole = path.read_bytes()
    end = data.draw(st.integers(first, len(whole)))
    os.truncate(path, end)
    stored = FIRST + (SECOND if end == len(whole) else [])
    reader = Journal(path)
    assert plain(reader.read_logs(0)) == stored
    assert path.stat().st_size == end
    writer = Journal(path)
    with writer.transaction():
        assert plain(writer.read_logs(0)) == stored
        writer.append_logs([{"op_code": 5}])
    assert plain(Journal(path).read_logs(1)) == [*stored[1:], {"op_code": 5}]
    assert plain(reader.read_logs(len(stored))) == [{"op_code": 5}]


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path / "journal.log")
    own, content = Journal(tmp_path / "journal.log"), (tmp_path / "journal.log").read_bytes()
    with contextlib.suppress(KeyboardInterrupt), own.transaction():
        own.append_logs(SECOND)
        raise KeyboardInterrupt
    assert (tmp_path / "journal.log").read_bytes() == content
    assert plain(own.read_logs(0)) == FIRST + SECOND
    assert not (tmp_path / "journal.owner").exists()


FOREIGN = '{"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": null}'


@pytest.mark.parametrize("line", ["{", "[1]", "7", '{"op_code": 99}', "[" * 99_999, FOREIGN])
def test_a_damaged_line_is_named(line: str, tmp_path: Path) -> None:
    description, folder = sweep_of(tmp_path), tmp_path / "S"
    open_sweep(description, folder)
    lines = (folder / "journal.log").read_text().splitlines()
    (folder / "journal.log").write_text("\n".join([*lines, line]) + "\n")
    with pytest.raises(RunError, match=r"journal\.log"):
        open_sweep(description, folder)


def test_the_lock_of_a_killed_process_costs_no_time(tmp_path: Path) -> None:
    dead = Worker.here().model_copy(update={"job": {"lock": "x"}})
    (tmp_path / "journal.owner").write_text(dead.model_dump_json())
    start = time.monotonic()
    write(tmp_path / "journal.log")
    assert time.monotonic() - start < journal.ABANDONED_AFTER_S / 2


def test_locks_of_other_machines_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ABANDONED_AFTER_S", 0.3)
    far = Worker(pid=1, host="far", boot="another")
    (tmp_path / "journal.owner").write_text(far.model_dump_json())
    start = time.monotonic()
    write(tmp_path / "journal.log")
    assert time.monotonic() - start >= 0.3


def test_a_process_that_lost_its_lock_writes_nothing(tmp_path: Path) -> None:
    own = Journal(tmp_path / "journal.log")
    transaction = own.transaction()
    transaction.__enter__()
    own.append_logs(FIRST)
    (tmp_path / "journal.owner").write_text(Worker(pid=1, boot="b").model_dump_json())
    with pytest.raises(journal.LockLostError):
        transaction.__exit__(None, None, None)
    assert not (tmp_path / "journal.log").exists()
    assert json.loads((tmp_path / "journal.owner").read_text())["boot"] == "b"
