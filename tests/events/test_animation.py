"""Animations, read back with Pillow: frames, times and colours."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import re
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence
from support.event_samples import events_at

from netdesc.events import EventFileError, animation
from netdesc.events.animation import write_animation
from netdesc.events.raster_grid import PictureError

BLUE, ORANGE, WHITE = (0, 114, 178), (230, 159, 0), (255, 255, 255)


def frames_of(path) -> tuple[list[np.ndarray], list[int]]:
    """Frames as [height, width, 3], and how long each stays in ms."""
    with Image.open(path) as image:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
        times = []
        for number in range(len(frames)):
            image.seek(number)
            times.append(image.info["duration"])
    return frames, times


def test_a_raster_is_revealed_from_left_to_right(tmp_path):
    event = events_at(range(10), range(10))
    made = write_animation(tmp_path / "a.gif", event, frames=5, fps=10)
    frames, times = frames_of(tmp_path / "a.gif")
    assert (made.frames, made.outside) == (len(frames), 0) == (5, 0)
    assert times == [100] * 4 + [1500]
    assert frames[0].shape == (480, 720, 3)
    ink = [255 - frame[..., 0].astype(int) for frame in frames]
    appeared = [np.nonzero(then - now) for now, then in itertools.pairwise(ink)]
    for earlier, later in itertools.pairwise(appeared):
        assert earlier[1].max() <= later[1].min()  # to the right of all before
        assert earlier[0].min() > later[0].max()  # neurons run upward
    assert all((then >= now).all() for now, then in itertools.pairwise(ink))


def test_the_same_recording_is_the_same_bytes(tmp_path):
    for event in events_at([0.0, 3.0], [0, 5]), events_at([0.0, 3.0], [0, 5], y=[1, 2]):
        for name in "ab":
            write_animation(tmp_path / f"{name}.gif", event, frames=3)
        assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_events_with_x_and_y_play_in_their_colours(tmp_path):
    event = events_at([0.0, 1.0, 2.0, 2.5], [0, 1, 0, 1], y=[0, 0, 1, 1], p=[1, 0, 1, 0])
    made = write_animation(tmp_path / "a.gif", event, step_ms=1.0)
    frames, _ = frames_of(tmp_path / "a.gif")
    assert made.frames == len(frames) == 3
    assert made.frame_ms == 1.0
    corners = np.array([frame[y, x] for frame in frames for y in (9, 380) for x in (9, 380)])
    expected = [BLUE, *[WHITE] * 4, ORANGE, *[WHITE] * 4, BLUE, ORANGE]
    assert np.abs(corners.astype(int) - expected).max() <= 1


def test_silence_is_a_frame_that_stays(tmp_path):
    event = events_at([0.0, 9.9], [0, 1], y=[1, 1])
    made = write_animation(tmp_path / "a.gif", event, step_ms=1.0, fps=10)
    frames, times = frames_of(tmp_path / "a.gif")
    assert made.frames == 10
    assert len(frames) == 3
    assert times == [100, 800, 1500]


def test_times_before_zero_and_negative_places_are_left_out_and_counted(tmp_path):
    path = tmp_path / "a.gif"
    assert write_animation(path, events_at([-5.0, 3.0, 1.0], [0, 1, -3]), frames=2).outside == 2
    assert write_animation(path, events_at([-5.0, 3.0, 1.0], [0, 1, -3], y=[1, 1, 1])).outside == 2
    with pytest.raises(PictureError, match="no events from time 0"):
        write_animation(path, events_at([-5.0], [0]))
    with pytest.raises(PictureError, match="no events from time 0"):
        write_animation(path, events_at([], []))


def test_one_event_is_one_frame(tmp_path):
    assert write_animation(tmp_path / "a.gif", events_at([0.0], [0])).frames == 1
    assert len(frames_of(tmp_path / "a.gif")[0]) == 1


def test_frames_and_their_memory_are_bounded(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    long = events_at([0.0, 500.0], [0, 1])
    assert write_animation(path, long, frames=500).frames == 500
    for settings in ({"step_ms": 0.5}, {"frames": 501}):
        with pytest.raises(PictureError, match="at most 500"):
            write_animation(path, long, **settings)
    with pytest.raises(PictureError, match="only one"):
        write_animation(path, long, step_ms=1.0, frames=3)
    monkeypatch.setattr(animation, "MAX_PIXELS", 720 * 480 * 3)
    assert write_animation(path, long, frames=3).frames == 3
    with pytest.raises(PictureError, match="4 frames of 720 × 480 pixels are too many"):
        write_animation(path, long, frames=4)


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path):
    with pytest.raises(EventFileError, match="no such file or directory"):
        write_animation(tmp_path / "none" / "a.gif", events_at([0.0], [0]))
    assert list(tmp_path.iterdir()) == []


def test_recordings_play_side_by_side(tmp_path):
    short, long = events_at([0.0, 1.0], [0, 3]), events_at(range(10), range(10))
    made = write_animation(tmp_path / "a.gif", short, long, names=["a", "b"], frames=5)
    frames, _ = frames_of(tmp_path / "a.gif")
    assert made.frames == 5
    width = frames[0].shape[1]
    assert width > 2 * 720
    halves = [(frame[:, : width // 2], frame[:, width // 2 :]) for frame in frames]
    changed = [
        [bool((then[side] != now[side]).any()) for side in (0, 1)]
        for now, then in itertools.pairwise(halves)
    ]
    assert [right for _, right in changed] == [True] * 4
    assert [left for left, _ in changed][1:] == [False] * 3
    assert frames[-1][:, 720:744].min() == 255  # the gap
    write_animation(tmp_path / "a.gif", short, events_at([0.0], [1], y=[2]), frames=2)
    assert len(frames_of(tmp_path / "a.gif")[0]) == 2


def page_frames(path) -> list[np.ndarray]:
    """The frames that the page's script draws, [height, width, 3]."""
    page = path.read_text(encoding="utf-8")
    size = [
        int(re.search(rf'<canvas[^>]* {name}="(\d+)"', page)[1]) for name in ("width", "height")
    ]
    changes = json.loads(re.search(r'id="frames">(.*?)</script>', page)[1])
    canvas, frames = Image.new("RGB", tuple(size), "white"), []
    for change in changes:
        if change is not None:
            left, top, content = change
            with Image.open(io.BytesIO(base64.b64decode(content))) as part:
                canvas.paste(part, (left, top), part)
        frames.append(np.asarray(canvas))
    return frames


@pytest.mark.parametrize("y", [None, [1, 2, 0, 1]])
def test_a_page_plays_the_same_frames_and_needs_no_other_file(y, tmp_path):
    event = events_at([0.0, 1.0, 7.0, 9.0], [0, 5, 3, 3], y=y)
    for suffix in (".gif", ".html"):
        assert write_animation(tmp_path / f"a{suffix}", event, step_ms=1.0).frames == 10
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=\"(?!data:)|@import", page)
    drawn = page_frames(tmp_path / "a.html")
    distinct = [drawn[0], *(b for a, b in itertools.pairwise(drawn) if (a != b).any())]
    gif, _ = frames_of(tmp_path / "a.gif")
    assert len(drawn) == 10
    assert np.abs(np.array(distinct, int) - np.array(gif, int)).max() <= 1


FFMPEG = """#!{python}
import sys
pixels = sys.stdin.buffer.read()
if {fails}:
    sys.exit("it has no such codec")
open(sys.argv[-1], "w").write(" ".join([str(len(pixels)), *sys.argv[1:]]))
"""


def fake_ffmpeg(folder, monkeypatch, fails: bool = False) -> None:
    """Puts a program on the PATH that writes down what it was given."""
    (folder / "ffmpeg").write_text(FFMPEG.format(python=sys.executable, fails=fails))
    (folder / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_ffmpeg_gets_all_pixels_of_an_mp4(tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, monkeypatch)
    event = events_at(range(10), range(10))
    assert write_animation(tmp_path / "a.mp4", event, frames=5, fps=10).frames == 5
    count, *arguments = (tmp_path / "a.mp4").read_text().split()
    assert int(count) == 720 * 480 * 3 * (5 + 15)  # the last frame stays for 1.5 s
    assert "720x480" in arguments
    assert arguments[arguments.index("-framerate") + 1] == "10"


def test_an_mp4_that_cannot_be_made_is_one_clear_error(tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, monkeypatch, fails=True)
    with pytest.raises(PictureError, match="no such codec"):
        write_animation(tmp_path / "a.mp4", events_at([0.0], [0]))
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(PictureError, match="requires the program ffmpeg") as error:
        write_animation(tmp_path / "a.mp4", events_at([0.0], [0]))
    assert error.value.exit_code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]
