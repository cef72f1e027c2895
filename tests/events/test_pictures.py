"""Rasters and images of events as PNG, SVG and PDF files."""

import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image as pillow
from support.event_samples import events_at

from netdesc.events import pictures
from netdesc.events import raster_grid as grid
from netdesc.events.pictures import BLUE, INK, ORANGE, Drawing, make_picture, save_picture
from netdesc.events.raster_grid import Grid, PictureError, compare

NAMESPACE = "{http://www.w3.org/2000/svg}"


def pixels_of(drawn, size=(1500, 1000)) -> np.ndarray:
    """The pixels of the plot area alone, [height, width, 3]."""
    figure = Figure((size[0] / 200, size[1] / 200), 200)
    axes = figure.add_axes((0, 0, 1, 1))
    drawn.draw(axes)
    axes.set_axis_off()
    axes.set_title("")
    axes.get_legend().remove()
    file = io.BytesIO()
    figure.savefig(file)
    with pillow.open(file) as image:
        return np.asarray(image.convert("RGB"))


def render_picture(drawn, suffix: str) -> bytes:
    return Drawing(lambda path: save_picture(path, drawn), (suffix,)).content(suffix)


def png_of(drawn) -> np.ndarray:
    with pillow.open(io.BytesIO(render_picture(drawn, ".png"))) as image:
        return np.asarray(image.convert("RGB"))


def svg_of(drawn) -> ET.Element:
    return ET.fromstring(render_picture(drawn, ".svg"))


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAMESPACE}text")]


def byte_colour(colour) -> list[int]:
    return [round(255 * part) for part in colour]


# Rasters


@pytest.mark.parametrize(("steps", "neurons"), [(15, 10), (1500, 1000)])
def test_every_spike_is_a_dot_at_its_place_and_nothing_else_is_drawn(steps, neurons):
    rng = np.random.default_rng(0)
    step, neuron = rng.integers(0, steps, 40), rng.integers(0, neurons, 40)
    drawn = make_picture([events_at(step, neuron)], ["a"], neurons=neurons, until_ms=steps)
    dark_HW = 255 - pixels_of(drawn).mean(axis=2)
    height, width = dark_HW.shape
    row, column = np.mgrid[:height, :width] + 0.5
    x, y = (step + 0.5) * width / steps, height - (neuron + 0.5) * height / neurons
    distance = np.min([np.hypot(column - a, row - b) for a, b in zip(x, y, strict=True)], axis=0)
    assert dark_HW[distance > 6].max() == 0
    for a, b in zip(x, y, strict=True):
        near = dark_HW[max(0, int(b) - 1) : int(b) + 2, max(0, int(a) - 1) : int(a) + 2]
        assert near.max() > 100


def test_very_many_spikes_are_drawn_as_fewer_dots(monkeypatch):
    steps, neurons = np.divmod(np.arange(40_000), 200)
    drawn = make_picture([events_at(steps, neurons)], ["a"])
    whole = pixels_of(drawn)
    monkeypatch.setattr(grid, "MAX_DOTS", 100)
    assert np.abs(pixels_of(drawn).astype(int) - whole).mean() < 1
    monkeypatch.setattr(grid, "_POOLED_SIZE", (50, 30))
    assert len(drawn.grid.dots(np.arange(40_000))[0]) == 1500
    assert len(drawn.grid.dots(np.array([*range(200)]))[0]) == 30


def test_a_comparison_has_three_colours_and_a_legend():
    drawn = make_picture([events_at([0, 1], [0, 1]), events_at([0, 2], [0, 2])], ["a.bs1", "b.bs1"])
    pixels = pixels_of(drawn)
    height, width, _ = pixels.shape
    middles = [
        pixels[height - (2 * n + 1) * height // 6, (2 * n + 1) * width // 6] for n in (0, 1, 2)
    ]
    assert (
        np.abs(np.array(middles) - [byte_colour(each) for each in (INK, ORANGE, BLUE)]).max() <= 1
    )
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert texts(svg_of(drawn))[-3:] == ["only in b.bs1", "only in a.bs1", "in both"]


@pytest.mark.parametrize("y", [None, [1, 2]])
def test_a_picture_has_axes_a_title_and_a_legend(y):
    drawn = make_picture([events_at([0.0, 3.0], [0, 5], y=y, p=[0, 1])], ["spikes.bs1"])
    words = {"time (ms)", "neuron", "2 spikes"}
    if y is not None:
        words = {"x (pixels)", "y (pixels)", "polarity 0", "polarity 1"}
    assert words | {"spikes.bs1"} <= set(texts(svg_of(drawn)))
    labelled = png_of(drawn)
    height, width, _ = labelled.shape
    for edge in (labelled[: height // 10], labelled[-height // 10 :], labelled[:, : width // 10]):
        assert edge.min() < 100  # title, legend, and the numbers of the axis


def test_nothing_is_cut_off_at_the_edges():
    """Images of such shapes leave the layout of the figure too little space for its texts."""
    first = events_at([0, 0], [0, 105], y=[0, 75], p=[0, 1])
    second = events_at([0, 0], [0, 41], y=[0, 30], p=[0, 1])
    for event in (first, second):
        pixels = png_of(make_picture([event], ["a"]))
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (edge == 255).all()


def test_an_svg_has_axes_and_a_dot_for_each_spike(monkeypatch):
    event = events_at(10.0 * np.arange(150), np.arange(150) % 30)
    root = svg_of(make_picture([event], ["spikes.bs1"]))
    assert {"time (ms)", "neuron", "0", "1000", "20", "spikes.bs1"} <= set(texts(root))
    used = [
        element.get("{http://www.w3.org/1999/xlink}href")
        for element in root.iter(f"{NAMESPACE}use")
    ]
    assert max(used.count(each) for each in set(used)) == 150
    monkeypatch.setattr(pictures, "MAX_VECTOR_DOTS", 100)
    root = svg_of(make_picture([event], ["spikes.bs1"]))
    assert len(list(root.iter(f"{NAMESPACE}image"))) == 1
    assert len(list(root.iter(f"{NAMESPACE}use"))) < 50


@settings(max_examples=5, deadline=None)
@given(name=st.text(max_size=30))
@pytest.mark.filterwarnings("error")
def test_any_name_is_text(name):
    hostile = "</text><script>alert(1)</script>$x$"
    root = svg_of(make_picture([events_at([0], [0])] * 2, [name, hostile]))
    assert not list(root.iter(f"{NAMESPACE}script"))
    assert f"only in {hostile}" in texts(root)
    printable = "".join(each if each.isprintable() else "�" for each in name)
    assert f"only in {printable}".split() in [text.split() for text in texts(root)]


@pytest.mark.parametrize("name", ["\udcffa\x00\x1b[31m.bs1", "a" * 10_000])
@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_hostile_names_are_drawn(name, suffix):
    assert len(render_picture(make_picture([events_at([0], [0])], [name]), suffix)) < 50_000


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_spikes_are_the_same_bytes(suffix, monkeypatch):
    """At any date, and with any style of the user."""
    import matplotlib

    event = events_at([0.0, 3.0], [0, 5], y=[1, 2])
    for drawn in make_picture([event], ["a"]), make_picture([events_at([0, 3], [0, 5])], ["a"]):
        first = render_picture(drawn, suffix)
        with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "text.usetex": True}):
            monkeypatch.setenv("SOURCE_DATE_EPOCH", "100000")
            assert render_picture(drawn, suffix) == first
        assert not re.search(rb"Date|Matplotlib v", first)


# The bins of rasters


@settings(max_examples=60)
@given(
    first=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20),
    second=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20),
)
def test_comparison_equals_that_of_sets(first, second):
    sets = [{step * 5 + neuron for step, neuron in each} for each in (first, second)]
    found = [Grid(5, 5).bins(events_at([s for s, _ in each], [n for _, n in each]))[0]
             for each in (first, second)]  # fmt: skip
    shared = compare(*found)
    expected = [sets[0] - sets[1], sets[1] - sets[0], sets[0] & sets[1]]
    assert [set(bins.tolist()) for bins in shared] == expected
    assert [len(bins) for bins in shared] == [len(each) for each in expected]


def test_a_grid_encloses_the_events_or_has_the_given_size():
    event = events_at([5.4, 0.0, 1.0, -7.0], [3, 700, -1, 2])
    assert Grid.enclosing(event) == Grid(6, 701)
    assert Grid.enclosing(event).bins(event)[1] == 2
    small = Grid.enclosing(event, neurons=10, until_ms=4.5, step_ms=2.0)
    assert small == Grid(3, 10, 2.0)
    bins, outside = small.bins(event)
    assert (bins.tolist(), outside) == ([], 4)
    bins, outside = small.bins(events_at([4.4, 0.0, 5.1], [3, 10, 9]))
    assert (bins.tolist(), outside) == ([23], 2)
    assert Grid.enclosing(events_at([-5.0], [0])) == Grid(1, 1)
    with pytest.raises(PictureError, match="no events"):
        Grid.enclosing(events_at([], []))
    with pytest.raises(PictureError, match="take longer steps"):
        Grid.enclosing(events_at([4e9], [2**31 - 1]), step_ms=0.001)


# Images


def test_an_image_shows_counts_and_polarities_with_row_0_on_top():
    event = events_at(range(6), [0, 0, 0, 0, 2, 2], y=[0, 0, 0, 0, 1, 1], p=[1, 1, 1, 1, 0, 1])
    drawn = make_picture([event], ["camera.bs2"])
    pixels = pixels_of(drawn, (768, 512))
    cells = pixels.reshape(2, 256, 3, 256, 3).transpose(0, 2, 1, 3, 4).reshape(2, 3, -1, 3)
    assert (cells == cells[:, :, :1]).all()
    assert np.abs(cells[0, 0, 0] - byte_colour(BLUE)).max() <= 1
    assert (cells[0, 1:, 0] == 255).all()
    assert 255 > cells[1, 2, 0, 0] > byte_colour(BLUE)[0]  # half as many, of both
    assert {"x (pixels)", "y (pixels)", "camera.bs2"} <= set(texts(svg_of(drawn)))


def test_one_event_is_seen_beside_a_thousand():
    event = events_at(range(1001), [0] * 1000 + [1], y=[1] * 1001)
    pixels = pixels_of(make_picture([event], ["a"]), (800, 800))
    assert pixels[-1, -1].min() < 235


def test_an_image_leaves_out_negative_places_and_has_bounds():
    event = events_at(range(3), [1, -1, 1], y=[1, 1, -1])
    assert make_picture([event], ["a"]).outside == 2
    with pytest.raises(PictureError, match="5,001 × 2 pixels"):
        make_picture([events_at([0], [5000], y=[1])], ["a"])
    for options in {"neurons": 3}, {"until_ms": 3.0}:
        with pytest.raises(PictureError, match="events with x and y"):
            make_picture([event], ["a"], **options)
    with pytest.raises(PictureError, match="cannot be compared"):
        make_picture([event, event], ["a", "b"])
