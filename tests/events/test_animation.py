"""Animations, read back with Pillow and ffmpeg: frames, times and colours."""

import base64
import io
import itertools
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence
from support.event_samples import events_at

from netdesc.events.animation import write_animation
from netdesc.events.raster_grid import PictureError

BLUE, ORANGE = (0, 114, 178), (230, 159, 0)


def frames_of(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """Frames as [height, width, 3], and how long each stays in ms."""
    frames, times = [], []
    with Image.open(path) as image:
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")).astype(int))
            times.append(image.info["duration"])
    return frames, times


def has_colour(frame: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether the plot has a large area of this colour; the legend's are small."""
    return (np.abs(frame - colour).max(axis=2) <= 2).sum() > 5000


def test_a_raster_is_revealed_from_left_to_right(tmp_path):
    written = write_animation(
        tmp_path / "a.gif", events_at(range(10), range(10)), "a", frames=5, fps=10
    )
    frames, times = frames_of(tmp_path / "a.gif")
    assert (written.frames, written.outside) == (len(frames), 0) == (5, 0)
    assert (times[:4], sum(times)) == ([100] * 4, 500 + 1500)  # the last frame stays
    assert frames[0].shape == (480, 720, 3)
    ink = [255 - frame[..., 0] for frame in frames]
    appeared = [np.nonzero(after - before > 60) for before, after in itertools.pairwise(ink)]
    for earlier, later in itertools.pairwise(appeared):
        assert earlier[1].max() <= later[1].min()  # to the right of all before
        assert earlier[0].min() > later[0].max()  # neurons run upward


@pytest.mark.usefixtures("short_animations")
def test_the_same_recording_is_the_same_bytes(tmp_path):
    for event in events_at([0.0, 3.0], [0, 5]), events_at([0.0, 3.0], [0, 5], y=[1, 2]):
        for name in "ab":
            write_animation(tmp_path / f"{name}.gif", event, frames=3)
        assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@pytest.mark.usefixtures("short_animations")
def test_events_with_x_and_y_play_in_their_colours(tmp_path):
    event = events_at([0.0, 1.0, 4.0], [0, 1, 0], y=[0, 0, 1], p=[1, 0, 1])
    written = write_animation(tmp_path / "a.gif", event, step_ms=1.0)
    frames, times = frames_of(tmp_path / "a.gif")
    assert (written.frames, written.frame_ms) == (5, 1.0)
    colours = [(has_colour(frame, BLUE), has_colour(frame, ORANGE)) for frame in frames]
    assert colours == [(True, False), (False, True), (False, False), (True, False)]
    assert times[2] == 100  # two frames without events are one that stays


@pytest.mark.usefixtures("short_animations")
def test_times_before_zero_and_negative_places_are_left_out_and_counted(tmp_path):
    path = tmp_path / "a.gif"
    assert write_animation(path, events_at([-5.0, 3.0, 1.0], [0, 1, -3]), frames=2).outside == 2
    image = events_at([-5.0, 3.0, 1.0], [0, 1, -3], y=[1, 1, 1])
    assert write_animation(path, image, frames=2).outside == 2
    for times in [-5.0], []:
        with pytest.raises(PictureError, match="no events from time 0"):
            write_animation(path, events_at(times))


def test_frames_are_bounded(tmp_path):
    long = events_at([0.0, 500.0], [0, 1])
    for settings in ({"step_ms": 0.5}, {"frames": 501}):
        with pytest.raises(PictureError, match="at most 500"):
            write_animation(tmp_path / "a.gif", long, **settings)
    with pytest.raises(PictureError, match="only one"):
        write_animation(tmp_path / "a.gif", long, step_ms=1.0, frames=3)


def test_a_page_has_all_frames_and_needs_no_other_file(tmp_path):
    event = events_at([0.0, 1.0, 7.0, 9.0], [0, 5, 3, 3])
    assert write_animation(tmp_path / "a.html", event, step_ms=1.0).frames == 10
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|<link|src=\"(?!data:)|@import", page)
    contents = re.findall(r"data:image/png;base64,([^\"]*)\"", page)
    assert len(contents) == 10
    with Image.open(io.BytesIO(base64.b64decode(contents[-1].replace("\\\n", "")))) as image:
        assert image.size == (720, 480)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_an_mp4_is_a_film(tmp_path):
    assert write_animation(tmp_path / "a.mp4", events_at(range(10)), frames=5, fps=10).frames == 5
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_an_mp4_that_cannot_be_made_is_one_clear_error(tmp_path, monkeypatch):
    program = (
        f"#!{sys.executable}\nimport sys\nsys.stdin.buffer.read()\nsys.exit('no such codec')\n"
    )
    (tmp_path / "ffmpeg").write_text(program)
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PictureError, match="no such codec"):
        write_animation(tmp_path / "a.mp4", events_at([0.0], [0]), frames=1)
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(PictureError, match="requires the program ffmpeg") as error:
        write_animation(tmp_path / "a.mp4", events_at([0.0], [0]))
    assert error.value.exit_code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]
