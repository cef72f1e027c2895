"""What a report computes: thinned curves, histograms, matches, rates, pictures and words."""

import base64
import io
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from netdesc.report.coincidence import coincidences
from netdesc.report.format import duration, number, percent, time_constant
from netdesc.report.pictures import (
    ENLARGED,
    INK,
    OUTPUT,
    TARGET,
    MaxSize,
    overlay_picture,
    raster_picture,
    still_picture,
)
from netdesc.report.plots import MAX_POINTS, Curve, curves, downsample, histogram
from netdesc.runs.activity_file import Sample, SpikeRaster

floats = st.floats(allow_nan=True, allow_infinity=True)


@given(arrays(np.float64, st.integers(0, 400), elements=floats), st.integers(4, 60))
def test_thinning_keeps_ends_and_extremes(values: np.ndarray, most: int) -> None:
    rows = downsample(values, most)
    assert len(rows) <= most
    assert np.array_equal(rows, np.unique(rows))
    if len(values):
        assert (rows[0], rows[-1]) == (0, len(values) - 1)
    if not np.isnan(values).all():
        assert np.nanmin(values[rows]) == np.nanmin(values)
        assert np.nanmax(values[rows]) == np.nanmax(values)


def test_a_million_epochs_make_a_short_curve() -> None:
    epochs = np.arange(1_000_000)
    losses = 1e6 / (epochs + 1.0)
    losses[654_321] = 1e-9
    plot = curves("Loss", epochs, [Curve("loss", losses, 654_321)], unit="loss", scale="log")
    line, ring = plot.data
    assert len(line["x"]) <= MAX_POINTS
    assert 654_321 in line["x"]
    assert (ring["x"], ring["y"]) == ([654_321], [1e-9])
    assert plot.layout["yaxis"]["type"] == "log"


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_what_a_logarithm_lacks_is_drawn_on_a_plain_axis(low: float) -> None:
    given_ = [Curve("loss", np.array([3.0, low, math.nan]))]
    plot = curves("Loss", np.arange(3), given_, unit="loss", scale="log")
    assert plot.layout["yaxis"]["type"] == "linear"
    assert not plot.has_scale_button
    assert plot.data[0]["y"] == [3.0, low, None]


@given(st.lists(arrays(np.float64, st.integers(0, 50), elements=floats), min_size=1, max_size=3))
def test_histograms_count_every_finite_value(values: list[np.ndarray]) -> None:
    plot = histogram("weights", {str(n): each for n, each in enumerate(values)}, "weights", unit="")
    json.dumps(plot.spec, allow_nan=False)
    for trace, each in zip(plot.data, values, strict=True):
        assert sum(trace["y"]) == np.isfinite(each).sum()


def test_names_with_markup_reach_plotly_as_text() -> None:
    plot = curves("Loss", np.arange(2), [Curve("<b>&", np.ones(2))], unit="loss")
    assert plot.data[0]["name"] == "&lt;b&gt;&amp;"


def test_a_long_name_fits_the_legend_of_a_phone_and_is_whole_under_the_pointer() -> None:
    name = f"{'b' * 40}{'e' * 40}"
    (trace,) = curves("Loss", np.arange(2), [Curve(name, np.ones(2))], unit="loss").data
    assert trace["name"].startswith("bb")
    assert trace["name"].endswith("ee")
    assert len(trace["name"]) < 40
    assert name in trace["hovertemplate"]


def raster(*events: tuple[int, int], steps: int = 20, cells: int = 3, cut: int | None = None):
    return SpikeRaster(np.array(events, dtype=np.int32).reshape(-1, 2), steps, cells, cut)


def sample(output: SpikeRaster, target: SpikeRaster) -> Sample:
    return Sample(raster(), output, target, None, None, None)


def test_what_was_cut_is_not_compared() -> None:
    target, output = raster((3, 0), (15, 0)), raster((3, 0), cut=10)
    found = coincidences([sample(output, target)])[0]
    assert (found.matched_targets, found.targets, found.recall) == (1, 1, 1.0)


spikes = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 2)), unique=True, max_size=30)


@given(spikes, spikes)
def test_matches_are_those_of_the_definition(output: list[Any], target: list[Any]) -> None:
    def near(some: list[Any], others: list[Any], tolerance: int) -> int:
        return sum(
            any(cell == cell2 and abs(step - step2) <= tolerance for step2, cell2 in others)
            for step, cell in some
        )

    counts = coincidences([sample(raster(*output), raster(*target))])
    matched = {count.tolerance: (count.matched_targets, count.matched_outputs) for count in counts}
    assert matched == {
        tolerance: (near(target, output, tolerance), near(output, target, tolerance))
        for tolerance in (0, 1, 2, 5)
    }


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((64,), (8, 8)), ((2, 4, 8), (8, 4)), ((4, 8), (8, 4)), ((9,), None), ((63,), None),
        ((2, 2, 2, 8), None), ((1024, 1, 64), None),
    ],
)  # fmt: skip
def test_inputs_of_images_are_images(shape: tuple[int, ...], size: tuple[int, int] | None) -> None:
    cells = math.prod(shape)
    still = still_picture("", raster((0, 0), (3, 0), (1, cells - 1), cells=cells), shape)
    assert (still and (still.width, still.height)) == size


def test_the_channels_of_an_image_are_added_up() -> None:
    """A cell with a spike in either channel is as dark as one with two in the same channel."""
    twice, both = (0, 0), (0, 1)
    image = raster(twice, (1, 0), both, (0, 33), (0, 34), cells=64)
    still = still_picture("", image, (2, 4, 8))
    content = base64.b64decode(still.address.partition(",")[2])
    pixels_HW = np.asarray(Image.open(io.BytesIO(content)).convert("L")).astype(int)
    assert pixels_HW[0, 0] == pixels_HW[0, 1] < pixels_HW[0, 2] < pixels_HW[0, 3]


def shades(address: str) -> np.ndarray:
    """The grey values of a picture, [height, width], 0 where it is black or without a point."""
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("LA")
    grey, opacity = np.moveaxis(np.asarray(image), -1, 0)
    return np.where(opacity == 0, 255, grey)


def colours(address: str) -> list[Any]:
    """The colours of the points of a picture, by row."""
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA")
    return [tuple(each[:3]) for each in np.asarray(image).reshape(-1, 4).tolist() if each[3]]


@given(spikes, st.integers(1, 20), st.integers(1, 3))
def test_no_spike_fades_away_in_a_small_place(some: list[Any], width: int, height: int) -> None:
    picture = raster_picture("", "", raster(*some), MaxSize(width, height))
    seen = {(step * width // 20, cell * height // 3) for step, cell in some}
    assert (picture.width, picture.height) == (width, height)
    assert int((shades(picture.address) < 255).sum()) == len(seen)


def test_overlays_show_what_most_bins_of_a_point_are() -> None:
    target = raster((0, 0), (1, 0), (2, 0), (5, 0), (15, 0), cells=1)
    output = raster((0, 0), (1, 0), (6, 0), (7, 0), (12, 0), cells=1)
    picture = overlay_picture("", "", target, output, MaxSize(4, 1))
    ink, blue, orange = INK, TARGET, OUTPUT
    # Two are met and one is missed; one is missed and two are wrong; one is wrong; one is missed.
    assert colours(picture.address) == [ink, orange, orange, blue]
    assert colours(picture.large) == [ink, ink, blue, blue, orange, orange, orange, blue]


def test_rasters_of_any_size_become_small_pictures() -> None:
    huge = raster((0, 0), (999_999, 999_999), steps=1_000_000, cells=1_000_000, cut=7)
    picture = raster_picture("Output", "The output", huge, ENLARGED)
    assert (picture.width, picture.height) == (ENLARGED.width, ENLARGED.height)
    assert len(picture.address) < 100_000
    assert "2 spikes of 1,000,000 neurons in 1,000,000 steps" in picture.alt
    assert "from step 7 on" in picture.note


@pytest.mark.parametrize(
    ("write", "texts"),
    [
        (number, {
            12944.01: "12,944", 600: "600", 1234567: "1,234,567", 0.034155: "0.03415",
            -2.5: "−2.5", 6.85e-8: "6.85e-08", math.inf: "∞", math.nan: "–", None: "–",
        }),
        # Only the whole is 100 %, and only nothing is 0 %.
        (percent, {
            1.0: "100 %", 0.99999: "over 99.9 %", 0.9995: "over 99.9 %", 0.99949: "99.9 %",
            0.98: "98.0 %", 3.37: "337 %", 0.0001: "under 0.1 %", 0.0: "0 %", math.nan: "–",
        }),
        (duration, {
            0.0000061: "6.1 µs", 0.00614: "6.14 ms", 4.682: "4.68 s", 59.9: "59.9 s",
            125: "2 min 5 s", 7260: "2 h 1 min", math.inf: "–",
        }),
        (lambda decay: time_constant(decay, 2.0), {
            1.0: "0 ms", 0.0: "∞ ms", 0.5: "2.885 ms", math.nan: "–",
        }),
    ],
)  # fmt: skip
def test_numbers_for_people(write: Callable[[Any], str], texts: dict[float | None, str]) -> None:
    assert {value: write(value) for value in texts} == texts
