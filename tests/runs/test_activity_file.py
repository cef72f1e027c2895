"""The activity file of a run, as a report reads it: sound, of another network, damaged."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.report_samples import OUTPUTS, STEPS, activity, write_run

from netdesc.report.run import read_run


def changed(path: Path, **arrays: Any) -> None:
    """Writes ``activity.npz`` with some arrays changed; None leaves one out."""
    whole = activity() | arrays
    np.savez(path / "activity.npz", **{k: v for k, v in whole.items() if v is not None})


def damage_of(folder: Path) -> str:
    """The sentence that a report says of its activity file."""
    run = read_run(folder)
    assert run.activity is None
    (told,) = run.damage
    return told


def test_activity_is_read(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run"))
    assert run.activity is not None
    assert [frame.epochs for frame in run.activity.snapshots] == [0, 3, 30]
    assert len(run.activity.samples) == 2
    sample = run.activity.samples[0]
    assert np.array_equal(sample.output.events, activity()["output_0"])
    assert (sample.output.cells, sample.output.cut, sample.label) == (OUTPUTS, None, None)
    assert run.missing_files == []


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"format": np.int32(2)}, "format 2"),
        ({"epoch": None}, "epoch is missing"),
        ({"output_0": np.array([[STEPS, 0]], dtype=np.int32)}, "output_0 has events outside"),
        ({"output_0": np.array([[0, OUTPUTS]], dtype=np.int32)}, "output_0 has events outside"),
        ({"output_0": np.array([[-1, 0]], dtype=np.int32)}, "output_0 has events outside"),
        ({"output_0": np.zeros((3, 2))}, "output_0 has"),
        ({"target_1": np.zeros(4, dtype=np.int32)}, "target_1 has 1 dimensions"),
        (
            {"rate_hidden": np.zeros(3, dtype=np.float32)},
            "rate_hidden holds 3 numbers instead of 16",
        ),
        ({"frame_2": None}, "frame_2 is missing"),
        ({"traced_hidden": None}, "traced_hidden is missing"),
        ({"traced_output": np.array([0, 1])}, "trace_output does not hold the states"),
        ({"trace_output": np.zeros((3, 3, STEPS))}, "trace_output does not hold the states"),
    ],
)
def test_activity_of_another_network_is_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    folder = write_run(tmp_path / "run")
    changed(folder, **arrays)
    run = read_run(folder)
    assert run.activity is None
    (told,) = run.damage
    assert told.startswith(f"{folder / 'activity.npz'}: does not belong to this run: ")
    assert message in told


def test_pickles_and_bombs_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    changed(folder, epoch=np.array([{}], dtype=object))
    assert "is not a complete .npz file" in damage_of(folder)
    path = folder / "activity.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.npy", bytes(100 << 20))
    assert path.stat().st_size < 1 << 20
    assert "more than a run ever writes" in damage_of(folder)


def test_a_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    header = {"descr": "<i4", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(content, header)
    folder = write_run(tmp_path / "run")
    with zipfile.ZipFile(folder / "activity.npz", "w") as archive:
        archive.writestr("epoch.npy", content.getvalue())
    assert "is not a complete .npz file" in damage_of(folder)
