"""Spike pictures with axes, as SVG. They follow the reader's choice of a light or a dark page.

Lengths are in tenths of a pixel, so that whole numbers are exact enough and take few bytes.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from netdesc.events.dots import dot_radius
from netdesc.events.grid import Bins, Grid, PictureError
from netdesc.events.palette import FAINT, INK, PAPER, Colour, Tint

MOST_DOTS = 200_000
"""Some 2 MB. Programs become slow with more."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 900, 600, 250, 750
_ACROSS, _UP = 8450, 5150
_TEXT, _TICK, _GAP = 140, 60, 90
_LINE = _TEXT + 20
_MOST_TICKS = 8
_LONGEST_NAME = 60

# What XML 1.0 cannot hold, not even escaped: controls, halves of pairs, and two code points.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Layer:
    """Spikes of one colour, with their name in the legend."""

    bins: Bins
    tint: Tint
    name: str = ""


@dataclass(frozen=True)
class Axis:
    """One side of a picture: its title, its cells, what a cell is worth, and its length."""

    title: str
    cells: int
    unit: float
    length: int

    def middle(self, cell: float) -> int:
        """How far the middle of a cell is from the start of the axis."""
        return round((cell + 0.5) * self.length / self.cells)

    def ticks(self) -> Iterator[tuple[int, str]]:
        """Round values, at most nine: where they are, and their text."""
        apart = self._between_ticks()
        digits = max(0, -math.floor(math.log10(apart) + 1e-9))
        for number in range(_MOST_TICKS + 1):
            cell = number * apart / self.unit
            if cell <= self.cells - 0.5:
                yield self.middle(cell), f"{number * apart:,.{digits}f}"

    def _between_ticks(self) -> float:
        least = max(self.cells * self.unit / _MOST_TICKS, self.unit)
        power = 10.0 ** math.floor(math.log10(least))
        return next(part * power for part in (1, 2, 5, 10) if part * power > least * (1 - 1e-9))


def raster_svg(grid: Grid, layers: Sequence[Layer], title: str = "") -> str:
    """A raster with a dot for each spike; time in ms to the right, neurons upward.

    Names may hold anything; they are shown as text. PictureError beyond ``MOST_DOTS`` spikes.
    """
    count = sum(len(layer.bins) for layer in layers)
    if count > MOST_DOTS:
        raise PictureError(
            f"{count:,} spikes are too many for an SVG, which holds {MOST_DOTS:,}; draw a .png"
        )
    width = 2 * round(10 * dot_radius(grid, _UP / 10))
    content = "\n".join(
        f'<path class="c{number}" stroke-width="{width}" d="{_path(grid, layer.bins)}"/>'
        for number, layer in enumerate(layers)
    )
    across = Axis("time (ms)", grid.steps, grid.step_ms, _ACROSS)
    upward = Axis("neuron", grid.neurons, 1, _UP)
    axes = [*_lines(across, upward), *_below(across, upward), *_beside(upward, downward=False)]
    return _document(across, upward, title, content, axes, layers)


def image_svg(png: bytes, width: int, height: int, title: str = "") -> str:
    """The picture in a PNG file of ``width`` times ``height`` cells, with axes for x and y."""
    cell = min(_ACROSS / width, _UP / height)
    across = Axis("x", width, 1, round(width * cell))
    down = Axis("y", height, 1, round(height * cell))
    data = base64.b64encode(png).decode("ascii")
    content = (
        f'<image x="{_LEFT}" y="{_TOP}" width="{across.length}" height="{down.length}" '
        f'preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{data}"/>'
    )
    axes = [*_lines(across, down), *_below(across, down), *_beside(down, downward=True)]
    return _document(across, down, title, content, axes, [])


def _path(grid: Grid, bins: Bins) -> str:
    """Lines of length 0, whose round ends are dots, each drawn from where the last one was."""
    step, neuron = grid.places(bins)
    x = _LEFT + np.rint((step + 0.5) * (_ACROSS / grid.steps)).astype(np.int64)
    y = _TOP + _UP - np.rint((neuron + 0.5) * (_UP / grid.neurons)).astype(np.int64)
    right, down = np.diff(x, prepend=0).tolist(), np.diff(y, prepend=0).tolist()
    return "".join(f"m{a} {b}h0" for a, b in zip(right, down, strict=True))


def _document(
    across: Axis, upright: Axis, title: str, content: str, axes: list[str], layers: Sequence[Layer]
) -> str:
    # Room for a title and a legend above pictures of any width.
    width = _LEFT + max(across.length, _ACROSS) + _RIGHT
    height = _TOP + upright.length + _BOTTOM
    text = _text(title)
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" class="netdesc-spikes" role="img" '
            f'viewBox="0 0 {width} {height}" width="{width // 10}" height="{height // 10}">',
            f"<title>{text}</title>",
            f"<style>{_style([layer.tint for layer in layers])}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            content,
            *axes,
            f'<text x="{_LEFT}" y="{_TOP - 2 * _GAP}">{text}</text>',
            *_legend(layers),
            "</svg>\n",
        ]
    )


def _style(tints: Sequence[Tint]) -> str:
    def rules(side: int) -> str:
        strokes = [f".c{number}{{stroke:{_hex(tint[side])}}}" for number, tint in enumerate(tints)]
        rest = [
            f".paper{{fill:{_hex(PAPER[side])}}}",
            f".axis{{stroke:{_hex(FAINT[side])}}}",
        ]
        # Each with the picture's class, as the style holds for a whole page that it is put into.
        inner = "".join(f".netdesc-spikes {rule}" for rule in (*rest, *strokes))
        return f".netdesc-spikes{{color:{_hex(INK[side])}}}{inner}"

    return (
        f".netdesc-spikes text{{fill:currentColor;font:{_TEXT}px system-ui,sans-serif}}"
        ".netdesc-spikes path{fill:none;stroke-linecap:round}"
        f".netdesc-spikes .axis{{stroke-width:10;stroke-linecap:butt}}{rules(0)}"
        f"@media (prefers-color-scheme:dark){{{rules(1)}}}"
    )


def _lines(across: Axis, upright: Axis) -> Iterator[str]:
    yield f'<path class="axis" d="M{_LEFT} {_TOP}v{upright.length}h{across.length}"/>'


def _below(axis: Axis, upright: Axis) -> Iterator[str]:
    foot = _TOP + upright.length
    for place, label in axis.ticks():
        x, y = _LEFT + place, foot + _TICK + _LINE
        yield f'<path class="axis" d="M{x} {foot}v{_TICK}"/>'
        yield f'<text x="{x}" y="{y}" text-anchor="middle">{label}</text>'
    x, y = _LEFT + axis.length // 2, foot + _BOTTOM - 2 * _GAP
    yield f'<text x="{x}" y="{y}" text-anchor="middle">{axis.title}</text>'


def _beside(axis: Axis, downward: bool) -> Iterator[str]:
    for place, label in axis.ticks():
        y = _TOP + (place if downward else axis.length - place)
        yield f'<path class="axis" d="M{_LEFT} {y}h-{_TICK}"/>'
        yield f'<text x="{_LEFT - _GAP}" y="{y}" dy=".35em" text-anchor="end">{label}</text>'
    turned = f"translate({2 * _GAP} {_TOP + axis.length // 2}) rotate(-90)"
    yield f'<text transform="{turned}" text-anchor="middle">{axis.title}</text>'


def _legend(layers: Sequence[Layer]) -> Iterator[str]:
    """One line a layer, above the picture at the right, the first on top."""
    right = _LEFT + _ACROSS
    for number, layer in enumerate(layers):
        if layer.name:
            y = _TOP - _GAP - (len(layers) - 1 - number) * _LINE
            yield f'<path class="c{number}" stroke-width="100" d="M{right} {y - 50}h0"/>'
            yield f'<text x="{right - _GAP}" y="{y}" text-anchor="end">{_text(layer.name)}</text>'


def _text(text: str) -> str:
    short = text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
    return escape(_UNPRINTABLE.sub("�", short))


def _hex(colour: Colour) -> str:
    return "#" + bytes(colour).hex()
