"""What ``netdesc explain`` says of ND3xx: data and weights files."""

from __future__ import annotations

from netdesc.description.codes.code import Entry

ENTRIES = (
    Entry(
        code="ND301",
        title="a file is missing",
        cause="There is no file where a path of the document leads.",
        fix="Paths are relative to the JSON file, and in --set to the working directory.",
        at="/data/train/0/input/path",
        wrong='"missing.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND302",
        title="a file cannot be read",
        cause="The path leads to a directory, or the permissions forbid reading the file.",
        fix="Name a file, or change its permissions.",
        at="/data/train/0/input/path",
        wrong='"directory.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND303",
        title="a file is not the one that was meant",
        cause="The file's SHA-256 differs from the one in the document or the lock.",
        fix="Restore the file, or write its new SHA-256 into the document.",
        at="/data/train/0/input",
        wrong='{"path": "input.bs1",\n "sha256": "' + "0" * 64 + '"}',
        right='{"path": "input.bs1"}',
    ),
    Entry(
        code="ND304",
        title="an event file of odd length",
        cause=(
            "An event has 5 bytes in a .bs1 or .bs2 file. This file ends within an event: it is "
            "cut off, or it holds something else."
        ),
        fix="Restore the file.",
        at="/data/train/0/input/path",
        wrong='"cut.bs1"',
        right='"input.bs1"',
    ),
    Entry(
        code="ND305",
        title="a file of unknown kind",
        cause=(
            "Event files end in .bs1, .bs2 or .npy, arrays in .npz, weights in .net or "
            ".safetensors."
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
            "The target file has no event that lies within the network's output and the time of "
            "a sample: there is nothing to learn from it but silence."
        ),
        fix="Check the file, the output's size, time.steps and time.step_ms.",
        at="/data/train/0/target/path",
        wrong='"empty.bs1"',
        right='"target.bs1"',
    ),
    Entry(
        code="ND307",
        title="an input without events",
        cause=(
            "The input file has no event that lies within the network's input and the time of a "
            "sample: the network would see nothing."
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
            "Some events name a neuron that the network does not have, or a time after the last "
            "step. They are dropped."
        ),
        fix="Check input.shape or the last layer's units, time.steps and time.step_ms.",
        severity="warning",
        at="/time/steps",
        wrong="10",
        right="100",
    ),
    Entry(
        code="ND322",
        title="a .npy file that holds no events",
        cause=(
            "Events in a .npy file are rows of x, p, t or of x, y, p, t: whole numbers, and times "
            "in milliseconds. This file is damaged, or it holds something else."
        ),
        fix="Write the array again in that form with numpy.save.",
        at="/data/train/0/input/path",
        wrong='"two_columns.npy"',
        right='"events.npy"',
    ),
    Entry(
        code="ND323",
        title="events with rows and columns for a network without",
        cause=(
            "Events of a .bs2 file, and of a .npy file with rows of x, y, p, t, lie on a plane: "
            "they index a shape [channels, height, width] as [p, y, x]."
        ),
        fix="Give input.shape three axes, and flatten it in the first layer.",
        at="/data/train/0/input/path",
        wrong='"plane.bs2"',
        right='"events.npy"',
    ),
)
