"""``netdesc events``: what each command prints, writes and refuses."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.cli_process import exit_code, netdesc_process

from netdesc.events import Event, read_events, write_events

TARGET = Path(__file__).parents[2] / "data" / "oxford" / "target.bs1"


run = partial(exit_code, "events")


def recording(path: Path, x, times_ms, y=None, p=None) -> Path:
    x = np.asarray(x)
    p = np.zeros(len(x), int) if p is None else np.asarray(p)
    y = None if y is None else np.asarray(y)
    write_events(path, Event(x, y, p, np.asarray(times_ms, float)))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("convert", TARGET, "a.npy"),
        ("show", TARGET),
        ("show", TARGET, "--against", TARGET, "-o", "a.svg"),
        ("animate", TARGET, "-o", "a.gif", "--frames", "1"),
    ],
)
def test_none_loads_torch_and_only_pictures_load_matplotlib(arguments, tmp_path):
    arguments = [tmp_path / a if str(a).startswith("a.") else a for a in arguments]
    ended = netdesc_process("events", *arguments)
    assert ended.code == 0
    assert not {"torch", "numba", "matplotlib.pyplot"} & ended.loaded
    assert ("matplotlib" in ended.loaded) == ("-o" in arguments)


# convert


def test_converting_there_and_back_gives_the_same_bytes(tmp_path, capsys):
    assert run("convert", TARGET, tmp_path / "a.npy") == 0
    assert "wrote 10,458 events to" in capsys.readouterr().err
    assert run("convert", tmp_path / "a.npy", tmp_path / "b.bs1") == 0
    assert (tmp_path / "b.bs1").read_bytes() == TARGET.read_bytes()


def test_converting_overwrites_only_by_force(tmp_path, capsys):
    path = tmp_path / "a.bs1"
    path.write_bytes(b"older")
    assert run("convert", TARGET, path) == 2
    assert "exists; --force overwrites it" in capsys.readouterr().err
    assert path.read_bytes() == b"older"
    assert run("convert", TARGET, path, "--force") == 0
    assert path.read_bytes() == TARGET.read_bytes()
    assert run("convert", path, path, "--force") == 0
    assert path.read_bytes() == TARGET.read_bytes()


def test_converting_as_json(tmp_path, capsys):
    np.save(tmp_path / "a.npy", [[1, 0, 0.0005], [2, 0, 3.0]])
    assert run("convert", tmp_path / "a.npy", tmp_path / "b.bs1", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "output": str(tmp_path / "b.bs1"),
        "events": 2,
        "rounded": 1,
    }
    assert "1 time rounded" in captured.err


@pytest.mark.parametrize(
    ("row", "suffix", "words"),
    [
        ([70000, 0, 0], ".bs1", "event 0 has neuron 70000; this format holds 0 to 65535"),
        ([0, 0, 8388.608], ".bs1", "time in microseconds 8388608; this format holds 0 to 8388607"),
        ([256, 0, 0, 0], ".bs2", "x 256"),
        ([0, 1, 0, 0], ".bs1", "use .bs2 or .npy"),
        ([0, 0, 0], ".csv", "known are .bs1, .bs2, .bin, .npy"),
    ],
)
def test_what_cannot_be_held_is_said_and_nothing_written(row, suffix, words, tmp_path, capsys):
    np.save(tmp_path / "a.npy", [row])
    assert run("convert", tmp_path / "a.npy", tmp_path / f"b{suffix}") == 1
    message = capsys.readouterr().err
    assert words in message
    assert f"b{suffix}" in message
    assert os.listdir(tmp_path) == ["a.npy"]


BAD_INPUT = {
    "odd.bs1": (b"1234567", 1, "no multiple of 5"),
    "none.bs1": (None, 3, "there is no such event file"),
    "text.npy": (b"x, p, t", 1, "is not an .npy file"),
    "kind.txt": (b"", 1, "known are"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
@pytest.mark.parametrize("command", ["convert", "show", "animate"])
def test_bad_files_are_one_message(command, name, tmp_path, capsys):
    content, code, words = BAD_INPUT[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    target = {"convert": ["b.npy"], "show": [], "animate": ["-o", "b.gif"]}[command]
    assert run(command, tmp_path / name, *target) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert name in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


# show


def test_showing_says_what_is_in_a_file(tmp_path, capsys):
    path = recording(tmp_path / "a.npy", [3, 3, 3, 0, 1], [1, 1, 1.2, 10, -2], p=[1, 1, 0, 1, 1])
    assert run("show", path) == 0
    lines = dict(line.strip().split("  ", 1) for line in capsys.readouterr().out.splitlines()[2:])
    assert {name: value.strip() for name, value in lines.items()} == {
        "events": "5",
        "time": "-2 to 10 ms",
        "before time 0": "1",
        "neurons": "0 to 3",
        "with events": "3 of 4",
        "rate": "125 Hz a neuron",
        "busiest": "3 with 300 Hz",
        "polarity": "0: 1; 1: 4",
    }


def test_showing_an_empty_file_says_so(tmp_path, capsys):
    (tmp_path / "a.bs1").write_bytes(b"")
    assert run("show", tmp_path / "a.bs1") == 0
    assert capsys.readouterr().out.split()[-2:] == ["events", "0"]
    assert run("show", tmp_path / "a.bs1", "-o", tmp_path / "a.png") == 1
    assert "there are no events" in capsys.readouterr().err
    assert run("animate", tmp_path / "a.bs1", "-o", tmp_path / "a.gif") == 1
    assert os.listdir(tmp_path) == ["a.bs1"]


def test_showing_as_json_with_a_comparison(tmp_path, capsys):
    first = recording(tmp_path / "a.bs1", [0, 1, 2], [0, 1, 2])
    second = recording(tmp_path / "b.bs1", [0, 1, 3, 3], [0, 1.4, 2, 3])
    arguments = ("show", first, "--against", second, "-o", tmp_path / "c.png", "--json")
    assert run(*arguments) == 0
    given = json.loads(capsys.readouterr().out)
    assert given["comparison"] == {"only_first": 1, "only_second": 2, "both": 2}
    assert [each["events"] for each in given["recordings"]] == [3, 4]
    assert given["recordings"][1]["file"] == str(second)
    with Image.open(given["picture"]) as picture:
        assert picture.format == "PNG"
    assert run(*arguments, "--step-ms", "0.5") == 0
    assert json.loads(capsys.readouterr().out)["comparison"]["both"] == 1
    assert run(*arguments[:4]) == 0
    assert "2 spikes are in both files in the same bin" in capsys.readouterr().out


def test_pictures_say_what_they_leave_out(tmp_path, capsys):
    path = recording(tmp_path / "a.npy", [0, 9, 1], [0, 1, -1])
    assert run("show", path, "-o", tmp_path / "a.svg") == 0
    assert "1 event not shown" in capsys.readouterr().err
    assert run("show", path, "-o", tmp_path / "a.svg", "--neurons", "5", "--until-ms", "1") == 0
    assert "2 events not shown" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "a.bs1", "-o", "a.jpg"], 2, "pictures are .png, .svg, .pdf files"),
        (["animate", "a.bs1", "-o", "a.avi"], 2, "animations are .gif, .mp4, .html"),
        (["animate", "a.bs1", "-o", "a.mp4"], 3, "requires the program ffmpeg"),
        (["animate", "a.bs1", "-o", "a.gif", "--frames", "9", "--step-ms", "1"], 2, "exclude"),
        (["animate", "a.bs1", "-o", "a.gif", "--step-ms", "0.001"], 1, "2,001 frames"),
        (["show", "a.bs1", "--step-ms", "nan"], 2, "--step-ms"),
        (["show", "b.bs2", "--against", "b.bs2"], 1, "cannot be compared"),
        (["show", "b.bs2", "--neurons", "3", "-o", "b.png"], 1, "no axis of neurons"),
    ],
)
def test_wrong_arguments_are_one_message(arguments, code, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    recording(tmp_path / "a.bs1", [0, 1], [0, 2])
    recording(tmp_path / "b.bs2", [0, 1], [0, 2], y=[0, 2])
    assert run(*arguments) == code
    assert words in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["a.bs1", "b.bs2"]


def test_what_is_too_large_to_draw_is_still_summed_up(tmp_path, capsys):
    path = recording(tmp_path / "a.npy", [5000, 0], [0, 2], y=[0, 9000])
    assert run("show", path) == 0
    assert "0 to 9,000" in capsys.readouterr().out
    assert run("show", path, "-o", tmp_path / "a.png") == 1
    assert "5,001 × 9,001 pixels is too large" in capsys.readouterr().err


# animate


@pytest.mark.usefixtures("short_animations")
def test_animating_says_what_was_made(tmp_path, capsys):
    path = recording(tmp_path / "a.bs1", range(10), range(10))
    assert run("animate", path, "-o", tmp_path / "a.gif", "--frames", "5", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "output": str(tmp_path / "a.gif"),
        "frames": 5,
        "frame_ms": 1.801,
        "outside": 0,
    }
    with Image.open(tmp_path / "a.gif") as picture:
        assert getattr(picture, "n_frames", 0) == 5


def test_names_with_markup_stay_text(tmp_path, capsys):
    path = recording(tmp_path / "[bold]<b>&.bs1", [0, 1], [0, 2])
    assert run("show", path) == 0
    assert "[bold]<b>&.bs1" in capsys.readouterr().out
    assert run("show", path, "-o", tmp_path / "a.svg") == 0
    assert "[bold]&lt;b&gt;&amp;.bs1" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert len(read_events(path)) == 2
