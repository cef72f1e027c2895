"""Rasters as PNG files, decoded by Pillow and compared pixel by pixel, and sketches in Braille."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from netdesc.events import Event, pictures, read_events, to_dense
from netdesc.events.braille import image_text, raster_text
from netdesc.events.dots import Dots, dot_radius
from netdesc.events.drawing import DOTS_SIZE, picture
from netdesc.events.grid import Grid, PictureError, compare
from netdesc.events.images import POLARITIES, shaded
from netdesc.events.palette import BLUE, FULL, INK, MOST_SHADED, ORANGE, WHITE
from netdesc.events.pictures import overlay_png, raster_png
from netdesc.events.png import png

OXFORD = Path(__file__).parents[1] / "data" / "oxford"
COLOURS = st.tuples(*[st.integers(0, 255)] * 3)
RASTERS = hnp.arrays(st.sampled_from([np.bool_, np.uint8, np.float32]),
                     st.tuples(st.integers(1, 20), st.integers(1, 20)),
                     elements=st.integers(0, 1))  # fmt: skip


def decoded(content: bytes) -> np.ndarray:
    """Pixels [height, width, 4], after Pillow has checked every chunk."""
    with Image.open(io.BytesIO(content)) as image:
        image.verify()
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA"))


def events(neurons, times_ms, y=None, p=None) -> Event:
    x = np.asarray(neurons, dtype=np.int32)
    p = np.zeros_like(x) if p is None else np.asarray(p, dtype=np.int32)
    y = None if y is None else np.asarray(y, dtype=np.int32)
    return Event(x, y, p, np.asarray(times_ms, dtype=np.float64))


@settings(max_examples=80)
@given(
    spikes=RASTERS,
    foreground=COLOURS,
    background=st.none() | COLOURS,
    scale=st.integers(1, 4),
)
def test_a_raster_has_a_square_a_bin_and_neuron_0_at_the_bottom(
    spikes, foreground, background, scale
):
    content = raster_png(spikes, foreground=foreground, background=background, scale=scale)
    pixels = decoded(content)
    steps, neurons = spikes.shape
    assert pixels.shape == (neurons * scale, steps * scale, 4)
    clear = (0, 0, 0, 0) if background is None else (*background, 255)
    for step in range(steps):
        for neuron in range(neurons):
            top, left = (neurons - 1 - neuron) * scale, step * scale
            square = pixels[top : top + scale, left : left + scale]
            expected = (*foreground, 255) if spikes[step, neuron] else clear
            if expected[3]:
                assert (square == expected).all()
            else:
                assert (square[..., 3] == 0).all()


@settings(max_examples=60)
@given(
    pair=st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
        lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.bool_, shape))
    ),
    scale=st.integers(1, 3),
)
def test_an_overlay_tells_the_one_the_other_and_both_apart(pair, scale):
    first, second = pair
    red, green, blue, paper = (200, 0, 0), (0, 200, 0), (0, 0, 200), (250, 250, 250)
    content = overlay_png(
        first, second, first=red, second=green, both=blue, background=paper, scale=scale
    )
    table = np.array([paper, red, green, blue])
    expected = table[(first + 2 * second).T[::-1]].repeat(scale, 0).repeat(scale, 1)
    assert (decoded(content)[..., :3] == expected).all()
    clear = decoded(overlay_png(first, second, scale=scale))
    assert ((clear[..., 3] > 0) == (first | second).T[::-1].repeat(scale, 0).repeat(scale, 1)).all()


def test_the_shipped_picture_stands_upright():
    target = read_events(OXFORD / "target.bs1")
    dense, _ = to_dense(target, (200,), 1900, 1.0)
    seen = decoded(raster_png(dense))[..., 3] > 0
    with Image.open(OXFORD / "target.png") as shipped:
        dark = np.asarray(shipped.convert("L")) < 128
    # Pixel of the shipped picture at the middle of each bin.
    row = ((np.arange(200) + 0.5) * 1000 / 200).astype(int)
    column = ((np.arange(1900) + 0.5) * 1500 / 1900).astype(int)
    assert dark[np.ix_(row, column)][seen].all()


def test_long_rasters_are_pooled_and_lose_no_spike(monkeypatch):
    monkeypatch.setattr(pictures, "LONGEST_SIDE", 10)
    for step, neuron in [(0, 0), (34, 24), (33, 1), (4, 24)]:
        spikes = np.zeros((35, 25), bool)
        spikes[step, neuron] = True
        seen = decoded(raster_png(spikes, scale=3))[..., 3] > 0
        assert seen.shape == (9, 9)
        assert np.argwhere(seen).tolist() == [[8 - neuron // 3, step // 4]]
    assert decoded(raster_png(np.ones((4, 40)), scale=7)).shape[:2] == (10, 8)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5,), (2, 3, 4)])
def test_what_is_no_raster_is_refused(shape):
    with pytest.raises(ValueError, match="steps, neurons"):
        raster_png(np.zeros(shape))


def test_a_scale_below_one_and_two_shapes_are_refused():
    with pytest.raises(ValueError, match="scale is 1 or more"):
        raster_png(np.zeros((2, 2)), scale=0)
    with pytest.raises(ValueError, match=r"\[2, 2\] and \[2, 3\]"):
        overlay_png(np.zeros((2, 2)), np.zeros((2, 3)))


@settings(max_examples=60)
@given(
    data=st.data(),
    colours=st.lists(st.none() | COLOURS, min_size=1, max_size=256, unique=True),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 19)),
)
def test_png_files_hold_any_palette_at_any_depth(data, colours, shape):
    index = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, len(colours) - 1)))
    table = np.array([(0, 0, 0, 0) if colour is None else (*colour, 255) for colour in colours])
    pixels, expected = decoded(png(index, colours)), table[index]
    assert (pixels[..., 3] == expected[..., 3]).all()
    assert (pixels == expected)[expected[..., 3] > 0].all()


# Dots


@settings(max_examples=40)
@given(
    places=st.lists(st.tuples(st.integers(0, 14), st.integers(0, 9)), min_size=1, max_size=8),
    size=st.sampled_from([(15, 10), (47, 31), (120, 80), (5, 3)]),
)
def test_every_spike_is_a_round_dot_and_nothing_else_is_drawn(places, size):
    grid = Grid(15, 10)
    event = events([neuron for _, neuron in places], [step for step, _ in places])
    bins, outside = grid.bins(event)
    assert outside == 0
    dots = Dots(grid, *size)
    dots.put(bins, 0)
    width, height = size
    y, x = np.mgrid[:height, :width] + 0.5
    centres = {((step + 0.5) * width / 15, height - (neuron + 0.5) * height / 10)
               for step, neuron in places}  # fmt: skip
    nearest = np.min([np.hypot(x - a, y - b) for a, b in centres], axis=0)
    level = dots.shade_HW // MOST_SHADED
    radius = dot_radius(grid, height)
    assert (level[nearest > radius + 0.7] == 0).all()
    assert (level[nearest < radius - 0.7] == FULL).all()
    for a, b in centres:  # no spike is lost
        assert level[min(int(b), height - 1), min(int(a), width - 1)] >= FULL / 3


def test_many_dots_cover_the_picture():
    grid = Grid(2000, 1000)
    dots = Dots(grid, 60, 40)
    dots.put(np.arange(2_000_000), 0)
    assert (dots.shade_HW // MOST_SHADED >= FULL / 3).all()


def test_a_drawn_comparison_has_three_colours():
    first, second = events([0, 1], [0, 1]), events([0, 2], [0, 2])
    raster = picture([first, second], ["a", "b"])
    drawing = raster.draw(".png")
    pixels = decoded(drawing.content)
    assert pixels.shape == (DOTS_SIZE[1], DOTS_SIZE[0], 4)
    cell_x, cell_y = DOTS_SIZE[0] // 3, DOTS_SIZE[1] // 3
    middle = [
        tuple(pixels[DOTS_SIZE[1] - (2 * n + 1) * cell_y // 2, (2 * n + 1) * cell_x // 2])
        for n in range(3)
    ]
    assert middle == [(*INK.light, 255), (*ORANGE, 255), (*BLUE, 255)]
    assert tuple(pixels[0, 0]) == (*WHITE, 255)


@settings(max_examples=60)
@given(
    first=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20),
    second=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20),
)
def test_comparing_is_that_of_sets(first, second):
    grid = Grid(5, 5)
    sets = [{step * 5 + neuron for step, neuron in each} for each in (first, second)]
    found = [grid.bins(events([n for _, n in each], [s for s, _ in each]))[0]
             for each in (first, second)]  # fmt: skip
    shared = compare(*found)
    expected = [sets[0] - sets[1], sets[1] - sets[0], sets[0] & sets[1]]
    assert [set(bins.tolist()) for bins in shared] == expected
    assert [len(bins) for bins in shared] == [len(each) for each in expected]


def test_a_grid_is_as_large_as_needed_or_as_said():
    event = events([3, 700, -1, 2], [5.4, 0.0, 1.0, -7.0])
    assert Grid.around(event) == Grid(6, 701)
    assert Grid.around(event).bins(event)[1] == 2
    small = Grid.around(event, neurons=10, until_ms=4.5, step_ms=2.0)
    assert small == Grid(3, 10, 2.0)
    bins, outside = small.bins(event)
    assert (bins.tolist(), outside) == ([], 4)
    bins, outside = small.bins(events([3, 10, 9], [4.4, 0.0, 5.1]))
    assert (bins.tolist(), outside) == ([23], 2)
    assert Grid.around(events([0], [-5.0])) == Grid(1, 1)
    with pytest.raises(PictureError, match="no events"):
        Grid.around(events([], []))
    with pytest.raises(PictureError, match="take longer steps"):
        Grid.around(events([2**31 - 1], [4e9]), step_ms=0.001)


# Pictures of x and y


def test_a_picture_shows_counts_and_polarities_with_row_0_on_top():
    event = events([0, 0, 0, 0, 2, 2], range(6), y=[0, 0, 0, 0, 1, 1], p=[1, 1, 1, 1, 0, 1])
    pixels = decoded(picture([event], ["a"]).draw(".png").content)
    assert pixels.shape == (512, 768, 4)
    assert tuple(pixels[5, 5]) == (*BLUE, 255)
    assert tuple(pixels[5, 700]) == (*WHITE, 255)
    weak = tuple(int(part) for part in pixels[500, 700][:3])
    mixture = np.array(POLARITIES[3])
    level = np.ceil(FULL * np.sqrt(2 / 4)) / FULL
    assert np.abs(np.array(weak) - np.rint(255 + (mixture - 255) * level)).max() <= 1


def test_a_picture_leaves_out_negative_places_and_has_bounds():
    event = events([1, -1, 1], range(3), y=[1, 1, -1])
    assert picture([event], ["a"]).draw(".png").outside == 2
    large = events([5000], [0], y=[1])
    with pytest.raises(PictureError, match="5,001 × 2 pixels"):
        picture([large], ["a"])
    with pytest.raises(PictureError, match="events with x and y"):
        picture([event], ["a"], neurons=3)
    with pytest.raises(PictureError, match="events with x and y"):
        picture([event], ["a"], until_ms=3.0)
    with pytest.raises(PictureError, match="compared with nothing"):
        picture([event, event], ["a", "b"])


# Braille


def dots_of(text: str) -> np.ndarray:
    """The dots of Braille patterns, by the names of the patterns: dots 1237 left, 4568 right."""
    order = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
    lines = text.split("\n")
    dots = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            for bit, (down, right) in enumerate(order):
                on = bool((ord(character) - 0x2800) >> bit & 1)
                dots[4 * row + down, 2 * column + right] = on
    return dots


@settings(max_examples=60)
@given(spikes=hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_a_sketch_shows_every_spike_where_it_is(spikes):
    steps, neurons = spikes.shape
    bins = np.flatnonzero(spikes)
    exact = dots_of(raster_text(Grid(steps, neurons), bins, 15, 8))
    assert (exact[:neurons, :steps] == spikes.T[::-1]).all()
    assert exact.sum() == spikes.sum()
    small = dots_of(raster_text(Grid(steps, neurons), bins, 2, 2))
    assert small.shape <= (8, 4)
    assert small.any() == spikes.any()
    assert (dots_of(image_text(spikes, 15, 8))[:steps, :neurons] == spikes).all()
    assert dots_of(image_text(spikes, 2, 2)).any() == spikes.any()


@pytest.mark.parametrize(("count", "most", "level"), [
    (0, 1000, 0), (1, 1000, 1), (5, 1000, 2), (250, 1000, 8), (1000, 1000, FULL), (9, 4, FULL),
])  # fmt: skip
def test_one_event_is_seen_beside_a_thousand(count: int, most: int, level: int) -> None:
    """The level is 15 times the root of the share, and never rounded down."""
    drawn = shaded(np.array([[count]]), np.array([[0]]), most)
    assert drawn // MOST_SHADED == level
