"""Samples of the tasks, drawn with a seed or taken from the data that netdesc ships.

Inputs are spikes [samples, steps, channels], or values [samples, channels] for an encoding.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.tasks.task import Sizes

DATA = Path(__file__).parents[3] / "data"


def _spikes_at(times: NDArray, steps: int) -> NDArray:
    """Returns one spike a channel at ``times`` [samples, channels]; none outside the steps."""
    rounded = np.rint(times).astype(int)
    return (rounded[:, None, :] == np.arange(steps)[:, None]).astype(np.uint8)


def timing_patterns() -> dict[str, Any]:
    """30 channels spike three times each; only the times tell the three classes apart."""
    rng = np.random.default_rng(1)
    sizes, steps, channels, spikes = Sizes(), 100, 30, 3
    total = sizes.train + sizes.validation + sizes.test
    labels = rng.integers(0, 3, total)
    patterns = rng.uniform(5, steps - 5, (3, spikes, channels))
    inputs = np.zeros((total, steps, channels), np.uint8)
    for spike in range(spikes):
        times = patterns[labels, spike] + rng.normal(0, 2.0, (total, channels))
        inputs |= _spikes_at(times, steps)
    noise = rng.random(inputs.shape) < 0.01
    return sizes.divide(inputs | noise, labels)


def spike_rates() -> dict[str, Any]:
    """40 channels spike with the rates of their class, which differ by little."""
    rng = np.random.default_rng(2)
    sizes, steps, channels, classes = Sizes(), 50, 40, 8
    total = sizes.train + sizes.validation + sizes.test
    labels = rng.integers(0, classes, total)
    rates = rng.uniform(0.08, 0.18, (classes, channels))
    inputs = rng.random((total, steps, channels)) < rates[labels][:, None]
    return sizes.divide(inputs.astype(np.uint8), labels)


def _digits(**settings: Any) -> dict[str, Any]:
    with np.load(DATA / "digits/digits.npz") as file:
        inputs, labels, split = (file[name] for name in ("inputs", "labels", "split"))
    parts = {
        name: (inputs[split == part][:count], labels[split == part][:count])
        for part, (name, count) in enumerate({"train": 500, "validation": 179, "test": 359}.items())
    }
    return {**parts, "range": [0, 16], **settings}


def digits_by_rate() -> dict[str, Any]:
    return _digits(encoding={"type": "rate"})


def digits_by_latency() -> dict[str, Any]:
    return _digits(encoding={"type": "latency", "within_steps": 25})


def digits_by_current() -> dict[str, Any]:
    return _digits(encoding={"type": "constant"})


def vowels() -> dict[str, Any]:
    with np.load(DATA / "japanese_vowels/japanese_vowels.npz") as file:
        inputs, labels, split = (file[name] for name in ("inputs", "labels", "split"))
    train, test = np.flatnonzero(split == 0), np.flatnonzero(split == 2)
    held_out = np.arange(len(train)) % 5 == 4
    rows = {"train": train[~held_out], "validation": train[held_out], "test": test}
    parts = {name: (inputs[row], labels[row]) for name, row in rows.items()}
    return {**parts, "encoding": {"type": "series"}}


def delayed_recall() -> dict[str, Any]:
    with np.load(DATA / "delayed_recall/delayed_recall.npz") as file:
        inputs, labels, split = (file[name] for name in ("inputs", "labels", "split"))
    rows = {name: split == part for part, name in enumerate(("train", "validation", "test"))}
    return {name: (inputs[row], labels[row]) for name, row in rows.items()}


def mackey_glass() -> dict[str, Any]:
    with np.load(DATA / "mackey_glass/mackey_glass.npz") as file:
        inputs, targets, split = (file[name] for name in ("inputs", "targets", "split"))
    rows = {name: split == part for part, name in enumerate(("train", "validation", "test"))}
    parts = {name: (inputs[row], targets[row]) for name, row in rows.items()}
    return {**parts, "encoding": {"type": "series"}}


def yin_yang() -> dict[str, Any]:
    """Points of the Yin-Yang figure: yin, yang or dot (Kriener et al. 2022). Values 0 to 1:
    x, y, 1 - x, 1 - y and a constant, which become latencies."""
    rng = np.random.default_rng(3)
    sizes = Sizes(train=600)
    points = rng.uniform(-1, 1, (8 * 1050, 2))
    x, y = points.T
    right, left = np.hypot(x - 0.5, y), np.hypot(x + 0.5, y)
    in_dot = np.minimum(right, left) < 0.2
    in_yin = (right < 0.5) | ((left >= 0.5) & (y > 0))
    labels = np.where(in_dot, 2, in_yin)
    rows = np.flatnonzero(np.hypot(x, y) < 1)
    # As many points of each class, in random order.
    groups = [rows[labels[rows] == label][:350] for label in range(3)]
    chosen = rng.permutation(np.concatenate(groups))
    values = (points[chosen] + 1) / 2
    inputs = np.hstack([values, 1 - values, np.ones((len(values), 1))])
    return {**sizes.divide(inputs, labels[chosen]), "encoding": {"type": "latency"}}


def random_manifolds() -> dict[str, Any]:
    """Each class is a smooth random curve in the space of 20 spike times (Zenke & Vogels 2021). The
    curve is a sum of sines with random phases whose amplitudes fall with the frequency."""
    rng = np.random.default_rng(4)
    sizes, steps, channels, classes = Sizes(train=400), 100, 20, 10
    total = sizes.train + sizes.validation + sizes.test
    labels, place = rng.integers(0, classes, total), rng.random(total)
    frequencies = np.arange(1, 9)
    phases = rng.random((classes, channels, len(frequencies)))
    factors = rng.random((classes, channels, len(frequencies))) / frequencies**1.2
    angles = place[:, None, None] * frequencies + phases[labels]
    values = (factors[labels] * np.sin(2 * np.pi * angles)).sum(-1)
    low, high = values.min(0), values.max(0)
    times = 5 + (steps // 2) * (values - low) / (high - low) + rng.normal(0, 3.0, values.shape)
    return sizes.divide(_spikes_at(times, steps), labels)


def evidence() -> dict[str, Any]:
    """Seven cues, each on the left or on the right; the side of most cues is the label. As in
    Bellec et al. 2020, a cue is 40 steps of spikes, and the network decides at the end."""
    rng = np.random.default_rng(5)
    sizes, steps, cues = Sizes(200, 100, 200), 500, 7
    total = sizes.train + sizes.validation + sizes.test
    sides = rng.integers(0, 2, (total, cues))
    labels = (sides.sum(1) > cues // 2).astype(int)
    rates = np.full((total, steps, 2), 0.005)
    for cue in range(cues):
        start = 10 + 60 * cue
        rates[np.arange(total), start : start + 40, sides[:, cue]] = 0.1
    recall = np.zeros((total, steps, 1))
    recall[:, 450:] = 0.1
    groups = np.concatenate([rates, recall], 2).repeat(10, 2)
    return sizes.divide((rng.random(groups.shape) < groups).astype(np.uint8), labels)


def spike_targets() -> dict[str, Any]:
    """Four spike patterns with jitter; each has the spike trains that 10 neurons should send."""
    rng = np.random.default_rng(6)
    sizes, steps, channels, outputs, classes = Sizes(80, 40, 80), 200, 40, 10, 4
    total = sizes.train + sizes.validation + sizes.test
    labels = rng.integers(0, classes, total)
    inputs = np.zeros((total, steps, channels), np.uint8)
    times = rng.uniform(0, steps, (classes, 6, channels))
    for spike in range(6):
        jitter = rng.normal(0, 1.0, (total, channels))
        inputs |= _spikes_at(times[labels, spike] + jitter, steps)
    targets = (rng.random((classes, steps, outputs)) < 0.03).astype(np.uint8)
    targets[:, :10] = 0
    return sizes.divide(inputs, targets[labels])


def tones() -> dict[str, Any]:
    """8 channels spike with one period, each with a random phase; the period is the class."""
    rng = np.random.default_rng(7)
    sizes, steps, channels = Sizes(), 150, 8
    periods = np.array([8.0, 10.0, 13.0, 17.0, 22.0])
    total = sizes.train + sizes.validation + sizes.test
    labels = rng.integers(0, len(periods), total)
    phase = np.arange(steps)[:, None] / periods[labels][:, None, None]
    phase = phase + rng.random((total, 1, channels))
    chance = np.exp(4 * (np.cos(2 * np.pi * phase) - 1))
    return sizes.divide((rng.random(phase.shape) < 0.6 * chance).astype(np.uint8), labels)
