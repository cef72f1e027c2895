"""Entries of ND301 to ND308, ND322 and ND323: files of events and of weights."""

from __future__ import annotations

from netdesc.description.codes.code import Entry

ENTRIES = (
    Entry(
        code="ND301",
        title="a file is missing",
        cause="A path in the document leads to no file.",
        fix=(
            "Correct the path. A relative path in the document starts in the folder of the JSON "
            "file, and a relative path in --set starts in the working directory. A run is resumed "
            "and evaluated with the files of its training, so put them back in their place; to run "
            "or export it, its folder is enough."
        ),
        at="/data/train/0/input/path",
        wrong='"missing.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND302",
        title="a file cannot be read",
        cause="The path leads to a directory, or you have no permission to read the file.",
        fix="Name a file, or change its permissions.",
        at="/data/train/0/input/path",
        wrong='"directory.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND303",
        title="a file has another SHA-256 than expected",
        cause="The SHA-256 of the file differs from the one in the document or in the lock file.",
        fix=(
            "Restore the file, or write its new SHA-256 into the document. The lock file of a run "
            "stays as it is: restore the file, or evaluate the run on other data in Python, with "
            "netdesc.evaluate(run, data=…)."
        ),
        at="/data/train/0/input",
        wrong='{"path": "input.bs1",\n "sha256": "' + "0" * 64 + '"}',
        right='{"path": "input.bs1"}',
    ),
    Entry(
        code="ND304",
        title="an event file of invalid length",
        cause=(
            "In a .bs1 or .bs2 file an event has 5 bytes. This file ends within an event, so it is "
            "cut off, or it is not an event file."
        ),
        fix="Restore the file.",
        at="/data/train/0/input/path",
        wrong='"cut.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND305",
        title="a file with an unknown suffix",
        cause=(
            "The suffix of the file name says what the file contains: .bs1, .bs2 and .npy contain "
            "events, .npz contains arrays, .net and .safetensors contain weights."
        ),
        fix="Convert the file, or correct its name.",
        at="/data/train/0/input/path",
        wrong='"input.csv"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND306",
        title="a target without events",
        cause=(
            "No event of the target file lies within the network's output and the time of a "
            "sample, so the network could only learn to be silent."
        ),
        fix="Check the file, the units of the last layer, time.steps and time.step_ms.",
        at="/data/train/0/target/path",
        wrong='"empty.bs1"',
        right='"target.bs1"',
    ),
    Entry(
        code="ND307",
        title="an input without events",
        cause=(
            "No event of the input file lies within the network's input and the time of a sample, "
            "so the network would receive no input."
        ),
        fix="Check the file, input.shape, time.steps and time.step_ms.",
        severity="warning",
        at="/data/train/0/input/path",
        wrong='"empty.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND308",
        title="events outside the network",
        cause=(
            "Some events belong to a neuron that the network does not have, or they come after the "
            "last step. netdesc drops them."
        ),
        fix="Check input.shape or the last layer's units, time.steps and time.step_ms.",
        severity="warning",
        at="/time/steps",
        wrong="10",
        right="100",
    ),
    Entry(
        code="ND322",
        title="a .npy file without events",
        cause=(
            "A .npy file of events has rows x, p, t, or x, y, p, t, or x, y, p, t, payload. x, y "
            "and p are whole numbers, t is a time in milliseconds, and a payload is a number. This "
            "file is damaged, or it contains something else."
        ),
        fix="Save the array in this form with numpy.save.",
        at="/data/train/0/input/path",
        wrong='"two_columns.npy"',
        right='"events.npy"',
    ),
    Entry(
        code="ND323",
        title="events on a plane for a network without rows and columns",
        cause=(
            "The events of a .bs2 file, and those of a .npy file with rows x, y, p, t, lie on a "
            "plane. They are entries [p, y, x] of a shape [channels, height, width]."
        ),
        fix="Write three numbers into input.shape, and make the first layer a flatten layer.",
        at="/data/train/0/input/path",
        wrong='"plane.bs2"',
        right='"events.npy"',
    ),
)
