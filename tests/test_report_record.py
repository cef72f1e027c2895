"""What training notes in ``run.json`` for the report alone."""

from __future__ import annotations

from pathlib import Path

from training_task import read_record, write_task

from netdesc.description import load
from netdesc.report.run import read_run
from netdesc.report.samples import part_sizes
from netdesc.training import train
from netdesc.training.record import Record


def test_a_run_notes_its_samples(tmp_path: Path) -> None:
    task = write_task(tmp_path, pairs=5, validation_split=0.4, epochs=1)
    folder = train(load(task), run_dir=tmp_path / "run", progress="quiet").path
    noted = read_record(folder)["samples"]
    assert noted == {"train": 3, "validation": 2} == part_sizes(read_run(folder))
    record = folder / "run.json"
    record.write_text(record.read_text().replace('"samples"', '"of an older netdesc"'))
    assert part_sizes(read_run(folder)) == noted


def test_the_first_command_is_kept_through_all_that_follow(tmp_path: Path) -> None:
    record = Record(tmp_path / "run.json", {"command": "one", "epochs_done": 3, "resumed": []})
    record.begin_again("auto", {"command": "two"})
    record.begin_again("auto", {"command": "three"})
    assert (record.fields["first_command"], record.fields["command"]) == ("one", "three")
