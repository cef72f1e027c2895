"""Events from lists, and their pictures in a notebook."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from netdesc.events import Event, EventFileError
from netdesc.events.raster_grid import PictureError


def test_an_event_needs_only_place_and_time() -> None:
    event = Event(x=[3, 5, 3], t=[0, 1.5, 2])
    assert event.y is None
    assert (event.x.dtype.kind, event.p.tolist(), event.t.dtype) == ("i", [0, 0, 0], np.float64)
    assert event.to_tensor((8,), steps=3).nonzero().tolist() == [[0, 3], [2, 3], [2, 5]]
    assert len(Event(x=[], t=[])) == 0
    whole = Event(np.array([1.0]), [0], np.array([1], np.uint8), (2.5,))
    assert [whole.x.tolist(), whole.y.tolist(), whole.p.tolist()] == [[1], [0], [1]]


@pytest.mark.parametrize(
    ("columns", "error", "problem"),
    [
        ({"x": [1]}, TypeError, "needs t"),
        ({"x": [1, 2], "t": [0.0]}, ValueError, "equally long"),
        ({"x": [[1]], "t": [[0.0]]}, ValueError, "one-dimensional"),
        ({"x": [0.5], "t": [0.0]}, ValueError, "column x of events must hold whole numbers"),
        ({"x": [1], "p": [np.nan], "t": [0.0]}, ValueError, "column p"),
        ({"x": [1, 2], "t": [np.nan, 1]}, ValueError, "column t .* finite"),
        ({"x": [1j], "t": [0]}, ValueError, "column x .* of numbers is needed"),
        ({"x": np.zeros(2, [("x", "i2"), ("t", "i8")])}, TypeError, r't=a\["t"\] / 1000'),
        ({"x": [2**70], "t": [0]}, ValueError, "column x"),
        ({"x": [1e30], "t": [0]}, ValueError, "column x .* below"),
        ({"x": [[1], [1, 2]], "t": [0]}, ValueError, "column x .* unequal lengths"),
        ({"x": np.ma.masked_array([1], [1]), "t": [0]}, ValueError, "column x .* mask"),
        ({"x": torch.tensor([1]).to_sparse(), "t": [0]}, ValueError, "column x .* sparse"),
        ({"x": torch.zeros(1, device="meta"), "t": [0]}, ValueError, "column x .*meta"),
    ],
)
def test_invalid_columns(columns: dict[str, Any], error: type[Exception], problem: str) -> None:
    with pytest.raises(error, match=problem):
        Event(**columns)


def test_columns_may_be_tensors_with_gradients() -> None:
    x, t = torch.tensor([3.0, 5.0]).bfloat16(), torch.tensor([0.0, 1.5], requires_grad=True)
    event = Event(x=x, t=t)  # pyright: ignore[reportArgumentType]
    assert (event.x.tolist(), event.t.tolist()) == ([3, 5], [0.0, 1.5])


@pytest.mark.parametrize(
    ("method", "name", "values"),
    [
        ("animate", "fps", [0, -1, np.nan, np.inf, 51, "a"]),
        ("animate", "frames", [0, -1, 1.5, 501, "3"]),
        ("animate", "step_ms", [0, -1, np.nan, np.inf, 1e-4, "a"]),
        ("show", "step_ms", [0, -1, np.nan, np.inf, 1e-4, "a"]),
        ("show", "neurons", [0, -1, 1.5]),
        ("show", "until_ms", [0, -1, np.nan, np.inf, 5e9]),
    ],
)
def test_numbers_with_which_nothing_is_drawn(method: str, name: str, values: list[Any]) -> None:
    event = Event(x=[3, 5], t=[0.0, 1.5])
    for value in values:
        with pytest.raises(ValueError, match=f"^{name} must be .*, not "):
            getattr(event, method)(**{name: value})
    assert event.show(neurons=np.int64(8), until_ms=np.float32(4)).png  # pyright: ignore[reportArgumentType]


def test_a_picture_is_displayed_and_saved(tmp_path: Path) -> None:
    event = Event(x=[3, 5, 3], t=[0.0, 1.5, 2.0])
    picture = event.show(neurons=8, until_ms=4)
    assert PIL.Image.open(io.BytesIO(picture._repr_png_())).format == "PNG"
    assert picture.png == event.show(neurons=8, until_ms=4).png != event.show().png
    for name, start in (("a.png", b"\x89PNG"), ("b.SVG", b"<?xml"), ("c.pdf", b"%PDF")):
        picture.save(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(ValueError, match=r"one of \.png, "):
        picture.save(tmp_path / "d.gif")
    other = Event(x=[1], t=[1.0])
    plain, one, both = (event.show(against=other, names=names).png for names in ((), "a", "ab"))
    assert len({picture.png, plain, one, both}) == 4
    assert Event(x=[1, 2], y=[1, 3], t=[0, 1]).show().png


@pytest.mark.usefixtures("short_animations")
def test_an_animation_is_displayed_and_saved(tmp_path: Path) -> None:
    animation = Event(x=[3, 5, 3], t=[0.0, 1.5, 2.0]).animate(step_ms=1, fps=10)
    assert animation._repr_html_().startswith('<img alt="spikes over time" src="data:image/gif;')
    animation.save(tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes() == animation.gif
    assert PIL.Image.open(tmp_path / "a.gif").n_frames == 3
    animation.save(tmp_path / "a.html")
    assert "data:image/png" in (tmp_path / "a.html").read_text()
    with pytest.raises(ValueError, match=r"one of \.gif, "):
        animation.save(tmp_path / "a.png")
    with pytest.raises(EventFileError):
        animation.save(tmp_path / "nowhere" / "a.gif")


def test_nothing_to_draw_is_said_at_once() -> None:
    for draw in (Event(x=[], t=[]).animate, Event(x=[], y=[], t=[]).animate):
        with pytest.raises(PictureError, match="no events"):
            draw()
