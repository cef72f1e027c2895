"""Animations, read back with Pillow: frames, times and colours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageSequence
from support.event_samples import events_at

from netdesc.events import EventFileError, animation
from netdesc.events.animation import write_gif
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
    made = write_gif(tmp_path / "a.gif", event, frames=5, fps=10)
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
            write_gif(tmp_path / f"{name}.gif", event, frames=3)
        assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_events_with_x_and_y_play_in_their_colours(tmp_path):
    event = events_at([0.0, 1.0, 2.0, 2.5], [0, 1, 0, 1], y=[0, 0, 1, 1], p=[1, 0, 1, 0])
    made = write_gif(tmp_path / "a.gif", event, step_ms=1.0)
    frames, _ = frames_of(tmp_path / "a.gif")
    assert made.frames == len(frames) == 3
    assert made.frame_ms == 1.0
    corners = np.array([frame[y, x] for frame in frames for y in (9, 380) for x in (9, 380)])
    expected = [BLUE, *[WHITE] * 4, ORANGE, *[WHITE] * 4, BLUE, ORANGE]
    assert np.abs(corners.astype(int) - expected).max() <= 1


def test_silence_is_a_frame_that_stays(tmp_path):
    event = events_at([0.0, 9.9], [0, 1], y=[1, 1])
    made = write_gif(tmp_path / "a.gif", event, step_ms=1.0, fps=10)
    frames, times = frames_of(tmp_path / "a.gif")
    assert made.frames == 10
    assert len(frames) == 3
    assert times == [100, 800, 1500]


def test_times_before_zero_and_negative_places_are_left_out_and_counted(tmp_path):
    path = tmp_path / "a.gif"
    assert write_gif(path, events_at([-5.0, 3.0, 1.0], [0, 1, -3]), frames=2).outside == 2
    assert write_gif(path, events_at([-5.0, 3.0, 1.0], [0, 1, -3], y=[1, 1, 1])).outside == 2
    with pytest.raises(PictureError, match="no events from time 0"):
        write_gif(path, events_at([-5.0], [0]))
    with pytest.raises(PictureError, match="no events from time 0"):
        write_gif(path, events_at([], []))


def test_one_event_is_one_frame(tmp_path):
    assert write_gif(tmp_path / "a.gif", events_at([0.0], [0])).frames == 1
    assert len(frames_of(tmp_path / "a.gif")[0]) == 1


def test_frames_and_their_memory_are_bounded(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    long = events_at([0.0, 500.0], [0, 1])
    assert write_gif(path, long, frames=500).frames == 500
    for settings in ({"step_ms": 0.5}, {"frames": 501}):
        with pytest.raises(PictureError, match="at most 500"):
            write_gif(path, long, **settings)
    with pytest.raises(PictureError, match="only one"):
        write_gif(path, long, step_ms=1.0, frames=3)
    monkeypatch.setattr(animation, "MAX_PIXELS", 720 * 480 * 3)
    assert write_gif(path, long, frames=3).frames == 3
    with pytest.raises(PictureError, match="4 frames of 720 × 480 pixels are too many"):
        write_gif(path, long, frames=4)


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path):
    with pytest.raises(EventFileError, match="no such file or directory"):
        write_gif(tmp_path / "none" / "a.gif", events_at([0.0], [0]))
    assert list(tmp_path.iterdir()) == []
