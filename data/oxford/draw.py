"""Draw the spike pair of the Oxford task: Poisson spikes in, the Radcliffe Camera out.

The target is an elevation of the building, built up from circles, lines and tones. A dot is a
spike: time runs to the right, neurons run upward (neuron 199 holds the finial). The drawing uses
one unit for both directions, a 200th of the height; the 1,900 ms are 300 units wide, so the
picture looks right at 3:2 and bears anything from 4:3 to 2:1.

    python data/oxford/draw.py [FOLDER]

writes input.bs1, target.bs1 and target.png into FOLDER (this one, unless given), the same bytes
every time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

NEURONS, STEPS = 200, 1900
WIDTH = 300.0  # of the canvas in units; its height is NEURONS units
STEPS_PER_UNIT = STEPS / WIDTH
CLOSEST_STEPS = 3  # two spikes of a neuron are at least this far apart
INPUT_SPIKES = 1900

Mask = np.ndarray
Tone = np.ndarray | float  # dots per square unit

# Every bay of the building spans a sixteenth of the circle; eight of them face us.
BAYS = np.radians(np.arange(-67.5, 90.0, 22.5))
PIERS = np.radians(np.arange(-78.75, 90.0, 22.5))
GROUND = 11.0
BASE_TOP, BASE_RADIUS = 50.0, 76.0
DRUM_TOP, DRUM_RADIUS = 104.0, 68.0
ATTIC_TOP, ATTIC_RADIUS = 122.0, 53.0
DOME_RADIUS, DOME_HEIGHT = 50.0, 46.0
LANTERN_FOOT = ATTIC_TOP + DOME_HEIGHT - 1.5


class Canvas:
    """Dots on a grid of neurons and steps. Later shapes cover earlier ones, as paint does."""

    def __init__(self) -> None:
        self.dots = np.zeros((NEURONS, STEPS), bool)
        self.y = np.arange(NEURONS)[:, None] + 0.5
        self.x = ((np.arange(STEPS) + 0.5) / STEPS_PER_UNIT - WIDTH / 2)[None, :]

    def box(self, left: float, bottom: float, right: float, top: float) -> Mask:
        return (self.x >= left) & (self.x <= right) & (self.y >= bottom) & (self.y <= top)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float) -> Mask:
        return ((self.x - x) / radius_x) ** 2 + ((self.y - y) / radius_y) ** 2 <= 1

    def clear(self, mask: Mask) -> None:
        self.dots[mask] = False

    def tone(self, mask: Mask, darkness: Tone) -> None:
        """Stipple ``mask``: ``darkness`` 1 is a dot in every square unit, 0 is none."""
        darkness = np.broadcast_to(darkness, self.dots.shape)
        brick = (np.arange(NEURONS) % 2 * 0.5)[:, None]
        filled = np.floor(np.cumsum(darkness / STEPS_PER_UNIT, axis=1) + brick)
        self.dots |= (np.diff(filled, axis=1, prepend=0) > 0) & mask

    def curve(self, x: np.ndarray, y: np.ndarray, spacing: float = 1.0) -> None:
        """Dots every ``spacing`` units along a polyline; a steep one gets a dot in every row."""
        length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        places = np.linspace(0, length[-1], max(2, round(length[-1] / spacing) + 1))
        step = np.rint((np.interp(places, length, x) + WIDTH / 2) * STEPS_PER_UNIT).astype(int)
        row = np.floor(np.interp(places, length, y) + 1e-6).astype(int)
        inside = (step >= 0) & (step < STEPS) & (row >= 0) & (row < NEURONS)
        self.dots[row[inside], step[inside]] = True

    def line(self, x0: float, y0: float, x1: float, y1: float, spacing: float = 1.0) -> None:
        self.curve(np.array([x0, x1]), np.array([y0, y1]), spacing)

    def level(self, y: float, half_width: float, spacing: float = 1.0, centre: float = 0) -> None:
        self.line(centre - half_width, y, centre + half_width, y, spacing)

    def arc(self, x: float, y: float, rx: float, ry: float, spacing: float = 1.0) -> None:
        """The upper half of an ellipse."""
        angle = np.linspace(0, np.pi, 200)
        self.curve(x + rx * np.cos(angle), y + ry * np.sin(angle), spacing)

    def opening(self, x: float, foot: float, spring: float, half: float, darkness: Tone) -> None:
        """An arched opening, dark inside."""
        mask = self.box(x - half, foot, x + half, spring) | (
            self.ellipse(x, spring, half, half) & (self.y >= spring)
        )
        self.clear(mask)
        self.tone(mask, darkness)
        self.line(x - half, foot, x - half, spring)
        self.line(x + half, foot, x + half, spring)
        self.arc(x, spring, half, half)

    def thinned(self) -> np.ndarray:
        """The dots, without those that follow another of their row too closely."""
        kept = self.dots.copy()
        for row in kept:
            last = -CLOSEST_STEPS
            for step in np.flatnonzero(row):
                if step - last < CLOSEST_STEPS:
                    row[step] = False
                else:
                    last = step
        return kept


def draw_sky(canvas: Canvas) -> None:
    clouds = ((-116, 150, 20, 7), (-100, 155, 14, 9), (104, 168, 22, 7), (119, 173, 13, 8),
              (-70, 187, 13, 4), (96, 122, 12, 4))  # fmt: skip
    for x, y, rx, ry in clouds:
        canvas.clear(canvas.ellipse(x, y, rx, ry) & (canvas.y >= y - 6))
        canvas.arc(x, y, rx, ry, 1.6)
        canvas.level(y, rx - 2, 2.6, x)


def draw_square(canvas: Canvas) -> None:
    """Battlemented colleges on both sides, in thin lines as they are farther off; paving."""
    for side in (-1, 1):
        for x in range(86, 150, 6):
            canvas.line(side * x, 35, side * (x + 3), 35, 1.0)
            canvas.line(side * (x + 3), 33, side * (x + 6), 33, 1.0)
        for x in range(94, 150, 13):
            canvas.line(side * (x - 2.5), 16, side * (x - 2.5), 23)
            canvas.line(side * (x + 2.5), 16, side * (x + 2.5), 23)
            canvas.line(side * (x - 2.5), 23, side * x, 27)
            canvas.line(side * (x + 2.5), 23, side * x, 27)
            canvas.line(side * (x - 2), 16, side * (x + 2), 16)
        for x in (100.5, 126.5):
            canvas.line(side * (x - 1), GROUND, side * (x - 1), 40)
            canvas.line(side * (x + 1), GROUND, side * (x + 1), 40)
            canvas.line(side * x, 40, side * x, 46)
    canvas.clear(canvas.box(-150, 0, 150, GROUND))
    for y, spacing in ((10, 1.6), (7, 4), (4, 5), (1, 7), (0, 9)):
        canvas.level(y, 150, spacing)


def draw_base(canvas: Canvas) -> None:
    """The rusticated storey: a polygon of sixteen sides, an arch in each."""
    canvas.clear(canvas.box(-BASE_RADIUS, GROUND, BASE_RADIUS, BASE_TOP))
    corners = BASE_RADIUS * np.sin(PIERS) / np.sin(PIERS[-1])
    courses = np.arange(GROUND + 6, BASE_TOP - 5, 4)
    for course, y in enumerate(courses):
        canvas.level(y, BASE_RADIUS, 1.5)
        for left, right in pairwise(corners):
            count = max(2, round((right - left) / 7))
            shift = 0.5 * (course % 2)
            for joint in np.linspace(left, right, count, endpoint=False):
                x = joint + shift * (right - left) / count
                canvas.line(x, y, x, min(y + 3, BASE_TOP - 6))
    for x in corners:
        canvas.line(x, GROUND, x, BASE_TOP - 5)
    for angle in BAYS:
        x, breadth = BASE_RADIUS * np.sin(angle), np.cos(angle)
        surround = canvas.box(x - 9.5 * breadth, GROUND, x + 9.5 * breadth, BASE_TOP - 7)
        canvas.clear(surround)
        foot, spring = GROUND + 3, BASE_TOP - 19
        canvas.opening(x, foot, spring, 6.5 * breadth, 0.33)
        for spoke in np.linspace(0, np.pi, 8):
            across, up = breadth * np.cos(spoke), np.sin(spoke)
            canvas.line(x + 7.5 * across, spring + 7.5 * up, x + 9.5 * across, spring + 10.5 * up)
    for y, overhang in ((BASE_TOP - 5, 1), (BASE_TOP - 3, 3), (BASE_TOP - 1, 2)):
        canvas.level(y, BASE_RADIUS + overhang, 1.0)
    for y, overhang in ((GROUND, 5), (GROUND + 2, 3)):
        canvas.level(y, BASE_RADIUS + overhang, 1.0)


def draw_column(canvas: Canvas, x: float, foot: float, top: float, shade: float) -> None:
    """A Corinthian column: plinth, shaft that tapers a little, leafy capital, abacus."""
    half = 2.1
    canvas.clear(canvas.box(x - half - 1, foot, x + half + 1, top))
    canvas.level(foot, half + 0.9, 0.8, x)
    canvas.level(foot + 2, half + 0.6, 0.8, x)
    for side in (-1, 1):
        canvas.line(x + side * half, foot + 2, x + side * (half - 0.3), top - 7)
        canvas.line(x + side * (half - 0.3), top - 7, x + side * (half + 1), top - 2)
    canvas.line(x + 0.9, foot + 3, x + 0.9, top - 8, shade)
    canvas.tone(canvas.box(x - half, top - 6, x + half, top - 2), 0.5)
    canvas.level(top - 7, half, 0.9, x)
    canvas.level(top - 1, half + 1.3, 0.7, x)


def draw_drum(canvas: Canvas) -> None:
    """Coupled columns around the reading room, windows and niches by turns between them."""
    foot, architrave = BASE_TOP + 5, DRUM_TOP - 12
    canvas.clear(canvas.box(-DRUM_RADIUS - 3, BASE_TOP, DRUM_RADIUS + 3, DRUM_TOP))
    canvas.level(BASE_TOP + 1, DRUM_RADIUS + 6, 1.2)
    canvas.level(foot - 1, DRUM_RADIUS + 4, 1.0)
    for number, angle in enumerate(BAYS):
        x, breadth = (DRUM_RADIUS - 4) * np.sin(angle), np.cos(angle)
        half = 4.4 * breadth
        if number % 2:
            canvas.opening(x, foot + 4, foot + 24, half, 0)
            for pane in (-half / 3, half / 3):
                canvas.line(x + pane, foot + 4, x + pane, foot + 26)
            for y in range(4, 25, 5):
                canvas.level(foot + y, half, 1.0, x)
        else:
            canvas.opening(x, foot + 5, foot + 16, half * 0.8, 0.7)
            canvas.level(foot + 3, half, 1.0, x)
            canvas.level(foot + 24, half, 1.0, x)
            canvas.level(foot + 30, half, 1.0, x)
            for edge in (-half, half):
                canvas.line(x + edge, foot + 24, x + edge, foot + 30)
    pairs = [(pier + offset) for pier in PIERS for offset in np.radians((-3.9, 3.9))]
    for angle in sorted(pairs, key=abs, reverse=True):
        shade = 1.0 if angle > 0.3 else 2.0
        draw_column(canvas, DRUM_RADIUS * np.sin(angle), foot, architrave, shade)
    draw_entablature(canvas, architrave)


def draw_entablature(canvas: Canvas, y: float) -> None:
    edge = DRUM_RADIUS + 3
    canvas.clear(canvas.box(-edge - 4, y, edge + 4, DRUM_TOP))
    for rise, overhang, spacing in ((0, 0, 1), (2, 0.5, 1.3), (7, 1, 1), (9, 3, 1), (11, 4, 0.9)):
        canvas.level(y + rise, edge + overhang, spacing)
    for side in (-1, 1):
        canvas.line(side * edge, y, side * edge, y + 8)
    for angle in np.radians(np.arange(-87, 88, 3)):
        canvas.line(edge * np.sin(angle), y + 8, edge * np.sin(angle), y + 8.9)


def draw_balustrade(canvas: Canvas) -> None:
    edge, foot, rail = DRUM_RADIUS + 2, DRUM_TOP, DRUM_TOP + 7
    canvas.clear(canvas.box(-edge, foot, edge, rail))
    canvas.level(foot + 1, edge)
    canvas.level(rail - 1, edge, 0.9)
    for angle in np.radians(np.arange(-84, 85, 2.25)):
        canvas.line(edge * np.sin(angle), foot + 2, edge * np.sin(angle), rail - 2)
    for angle in sorted(PIERS, key=abs, reverse=True):
        x, half = edge * np.sin(angle), max(1.4, 3 * np.cos(angle))
        canvas.clear(canvas.box(x - half, foot, x + half, rail))
        for side in (-1, 1):
            canvas.line(x + side * half, foot, x + side * half, rail)
        canvas.level(rail, half + 0.6, 0.8, x)
        draw_urn(canvas, x, rail + 1)


def draw_urn(canvas: Canvas, x: float, y: float) -> None:
    canvas.clear(canvas.box(x - 2, y, x + 2, y + 7))
    for rise, half in enumerate((1.0, 0.5, 1.3, 2.0, 2.1, 1.5, 0.6, 0.0)):
        canvas.level(y + rise, half, 0.7, x)


def draw_attic(canvas: Canvas) -> None:
    """The storey under the dome, with windows between scrolled buttresses."""
    canvas.clear(canvas.box(-ATTIC_RADIUS, DRUM_TOP + 7, ATTIC_RADIUS, ATTIC_TOP))
    for side in (-1, 1):
        canvas.line(side * ATTIC_RADIUS, DRUM_TOP + 7, side * ATTIC_RADIUS, ATTIC_TOP - 3)
    for angle in BAYS:
        x, breadth = ATTIC_RADIUS * np.sin(angle), np.cos(angle)
        canvas.opening(x, DRUM_TOP + 8, ATTIC_TOP - 8, 3.2 * breadth, 0.6)
    for angle in sorted(PIERS, key=abs, reverse=True):
        x, half = (ATTIC_RADIUS + 2) * np.sin(angle), 2.6 * np.cos(angle) + 0.8
        canvas.clear(canvas.box(x - half, DRUM_TOP + 7, x + half, ATTIC_TOP - 3))
        canvas.tone(canvas.box(x, DRUM_TOP + 7, x + half, ATTIC_TOP - 3), 0.4)
        for side in (-1, 1):
            canvas.line(x + side * half, DRUM_TOP + 7, x + side * half, ATTIC_TOP - 3)
    for y, half in ((ATTIC_TOP - 3, ATTIC_RADIUS + 1), (ATTIC_TOP - 1, ATTIC_RADIUS + 2.5)):
        canvas.level(y, half, 0.9)


def draw_dome(canvas: Canvas) -> None:
    shell = canvas.ellipse(0, ATTIC_TOP, DOME_RADIUS, DOME_HEIGHT) & (canvas.y >= ATTIC_TOP)
    canvas.clear(shell)
    height = np.clip((canvas.y - ATTIC_TOP) / DOME_HEIGHT, 0, 1)
    around = canvas.x / (DOME_RADIUS * np.sqrt(np.maximum(1 - height**2, 1e-3)))
    shade = 0.02 + 0.6 * np.clip(around + 0.15, 0, 1) ** 2.0 * (1 - 0.4 * height)
    canvas.tone(shell, shade)
    rise = np.linspace(0, np.pi / 2 - 0.2, 100)
    for angle in np.radians(np.arange(-90, 91, 11.25)):
        for edge in (-1.3, 1.3) if abs(angle) < 1.1 else (0.0,):
            x = DOME_RADIUS * np.cos(rise) * np.sin(angle + np.radians(edge))
            canvas.curve(x, ATTIC_TOP + DOME_HEIGHT * np.sin(rise))
    canvas.level(ATTIC_TOP + 1, DOME_RADIUS, 1.0)


def draw_lantern(canvas: Canvas) -> None:
    """The look-out on top: gallery, arched openings, cupola, ball and finial."""
    y = LANTERN_FOOT
    canvas.clear(canvas.box(-11, y, 11, y + 5))
    canvas.level(y, 11, 0.8)
    canvas.level(y + 4, 11.5, 0.8)
    for x in np.linspace(-10.5, 10.5, 15):
        canvas.line(x, y + 1, x, y + 3)
    canvas.clear(canvas.box(-8.5, y + 5, 8.5, y + 17))
    canvas.opening(0, y + 5, y + 11, 2.4, 0.6)
    for x in (-6.2, 6.2):
        canvas.opening(x, y + 5, y + 12, 0.8, 0)
    for x in (-8.5, -4, 4, 8.5):
        canvas.line(x, y + 5, x, y + 15)
    for rise, half in ((15, 9.5), (17, 10.5)):
        canvas.level(y + rise, half, 0.7)
    cap = y + 18
    canvas.clear(canvas.ellipse(0, cap, 8, 8) & (canvas.y >= cap))
    canvas.tone(canvas.ellipse(0, cap, 8, 8) & (canvas.y >= cap),
                0.7 * np.clip(canvas.x / 8 + 0.1, 0, 1))  # fmt: skip
    canvas.arc(0, cap, 8, 8, 0.8)
    canvas.arc(0, cap, 3.4, 8, 0.9)
    canvas.level(cap + 8, 1.5, 0.6)
    canvas.line(0, cap + 8, 0, 199)
    canvas.level(cap + 11, 1.2, 0.6)


def draw_target() -> np.ndarray:
    """The target spikes, bool [neurons, steps]."""
    canvas = Canvas()
    stages: tuple[Callable[[Canvas], None], ...] = (
        draw_sky, draw_square, draw_base, draw_drum, draw_attic, draw_dome, draw_lantern,
        draw_balustrade,
    )  # fmt: skip
    for stage in stages:
        stage(canvas)
    return canvas.thinned()


def draw_input(seed: int = 0) -> np.ndarray:
    """Poisson spikes, bool [neurons, steps]: every bin alike and independent."""
    random = np.random.Generator(np.random.PCG64(seed))
    return random.random((NEURONS, STEPS)) < INPUT_SPIKES / (NEURONS * STEPS)


def event_bytes(spikes: np.ndarray) -> bytes:
    """.bs1: big-endian, 16 bits neuron, 1 bit polarity, 23 bits microseconds; sorted by time.

    Times are whole milliseconds, so rounding and flooring put a spike into the same bin.
    """
    step, neuron = np.nonzero(spikes.T)
    word = neuron.astype(np.uint64) << 24 | 1 << 23 | (step * 1000).astype(np.uint64)
    return word.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 3:].tobytes()


def preview(spikes: np.ndarray, width: int = 1500, height: int = 1000) -> Image.Image:
    image = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(image)
    for neuron, step in np.argwhere(spikes):
        x, y = (step + 0.5) * width / STEPS, height - (neuron + 0.5) * height / NEURONS
        pen.ellipse((x - 1.6, y - 1.9, x + 1.6, y + 1.9), fill=20)
    return image.quantize(16)


def main(folder: Path) -> None:
    target = draw_target()
    (folder / "input.bs1").write_bytes(event_bytes(draw_input()))
    (folder / "target.bs1").write_bytes(event_bytes(target))
    preview(target).save(folder / "target.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
