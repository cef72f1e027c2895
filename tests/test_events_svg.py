"""SVG pictures: well-formed whatever a file is called, every spike in place, a sane size."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netdesc.events import Event, svg
from netdesc.events.drawing import picture
from netdesc.events.grid import Grid, PictureError
from netdesc.events.palette import INK
from netdesc.events.svg import Axis, Layer, raster_svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAMESPACE}text")]


def dots(root: ET.Element) -> list[tuple[int, int]]:
    """Where the lines of length 0 are, in tenths of a pixel."""
    found, x, y = [], 0, 0
    for path in root.iter(f"{NAMESPACE}path"):
        if path.get("class", "").startswith("c") and path.get("d", "").startswith("m"):
            x = y = 0
            for right, down in re.findall(r"m(-?\d+) (-?\d+)h0", path.get("d", "")):
                x, y = x + int(right), y + int(down)
                found.append((x, y))
    return found


@settings(max_examples=80)
@given(title=st.text(max_size=30), first=st.text(min_size=1, max_size=30))
def test_any_name_is_text(title, first):
    bins = np.array([0])
    layers = [Layer(bins, INK, first), Layer(bins[:0], INK, "</text><script>alert(1)</script>")]
    root = ET.fromstring(raster_svg(Grid(2, 2), layers, title))
    assert not list(root.iter(f"{NAMESPACE}script"))
    shown = texts(root)
    assert "</text><script>alert(1)</script>" in shown
    # XML itself reads a carriage return as a line feed, and cannot hold most controls.
    printable = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", first)
    assert re.sub("\r\n?", "\n", printable) in shown


def test_hostile_names_of_every_kind():
    for name in ['"><svg onload="x', "]]>", "&lt;", "\x00\x1b[31m", "\udcff.bs1", "a" * 10_000]:
        root = ET.fromstring(raster_svg(Grid(2, 2), [Layer(np.array([1]), INK, name)], name))
        assert all(len(text) <= 60 for text in texts(root))
        assert {child.tag.removeprefix(NAMESPACE) for child in root.iter()} == {
            "svg", "title", "style", "rect", "path", "text",
        }  # fmt: skip


@settings(max_examples=50)
@given(
    places=st.sets(st.tuples(st.integers(0, 39), st.integers(0, 29)), max_size=30),
)
def test_every_spike_has_a_dot_at_its_place(places):
    bins = np.array(sorted(step * 30 + neuron for step, neuron in places), dtype=np.int64)
    root = ET.fromstring(raster_svg(Grid(40, 30), [Layer(bins, INK)]))
    corner, line = next(
        (element, element.get("d", "")) for element in root.iter(f"{NAMESPACE}path")
        if element.get("class") == "axis"
    )  # fmt: skip
    assert corner is not None
    left, top, high, wide = map(int, re.findall(r"\d+", line))
    expected = sorted(
        (left + (step + 0.5) * wide / 40, top + high - (neuron + 0.5) * high / 30)
        for step, neuron in places
    )
    assert np.abs(np.array(sorted(dots(root))) - np.array(expected)).max(initial=0) <= 1


def test_ten_thousand_spikes_are_a_small_file_with_axes_and_both_colour_schemes():
    rng = np.random.default_rng(0)
    event = Event(rng.integers(0, 200, 10_000), None, np.zeros(10_000, np.int32),
                  rng.integers(0, 1900, 10_000).astype(float))  # fmt: skip
    content = picture([event], ["spikes.bs1"]).draw(".svg").content
    assert len(content) < 120_000
    root = ET.fromstring(content)
    shown = texts(root)
    assert {"time (ms)", "neuron", "0", "500", "1,000", "1,500", "50", "150"} <= set(shown)
    assert root.findtext(f"{NAMESPACE}title") == "spikes.bs1"
    style = root.findtext(f"{NAMESPACE}style") or ""
    assert "prefers-color-scheme:dark" in style
    assert "currentColor" in style


def test_two_recordings_have_a_legend():
    first, second = (
        Event(np.array([0, n]), None, np.zeros(2, np.int32), np.array([0.0, 1.0])) for n in (1, 2)
    )
    root = ET.fromstring(picture([first, second], ["a.bs1", "b.bs1"]).draw(".svg").content)
    assert texts(root)[-3:] == ["only in b.bs1", "only in a.bs1", "in both"]
    assert len(dots(root)) == 3


def test_too_many_spikes_are_refused(monkeypatch):
    monkeypatch.setattr(svg, "MOST_DOTS", 3)
    with pytest.raises(PictureError, match=r"4 spikes are too many .* draw a \.png"):
        raster_svg(Grid(9, 9), [Layer(np.arange(4), INK)])


def test_pictures_of_x_and_y_hold_their_png():
    event = Event(np.array([0, 3]), np.array([0, 1]), np.array([1, 0]), np.array([0.0, 1.0]))
    root = ET.fromstring(picture([event], ["camera.bs2"]).draw(".svg").content)
    (image,) = root.iter(f"{NAMESPACE}image")
    data = base64.b64decode(image.get("href", "").removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as inner:
        assert inner.size == (4, 2)
    assert int(image.get("width", 0)) == 2 * int(image.get("height", 0))
    assert {"x", "y", "camera.bs2", "3"} <= set(texts(root))


@settings(max_examples=200)
@given(
    cells=st.integers(1, 10**7),
    unit=st.sampled_from([1, 1.0, 0.001, 0.1, 1 / 3, 2.5, 1000.0]),
)
def test_ticks_are_few_round_and_inside(cells, unit):
    axis = Axis("time", cells, unit, 8000)
    ticks = list(axis.ticks())
    places = [place for place, _ in ticks]
    values = [float(label.replace(",", "")) for _, label in ticks]
    assert 1 <= len(ticks) <= 9
    assert values[0] == 0
    assert 0 <= places[0] < places[-1] <= 8000 or len(places) == 1
    assert np.allclose(np.diff(values), values[1] if len(values) > 1 else 0)
    for place, value in zip(places, values, strict=True):
        assert abs(place - (value / unit + 0.5) * 8000 / cells) <= 1 + 1e-6
    if cells >= 10:
        assert len(ticks) >= 3
