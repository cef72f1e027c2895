"""The page of a sweep: its best trials, parameters and curves in one HTML file."""

import contextlib
import itertools
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from netdesc.report.comparison import difference_table, metric_text
from netdesc.report.format import NOTHING, number, percent
from netdesc.report.html_page import render, write_text
from netdesc.report.plots import Plot, axis, line_style, scatter, time_layout
from netdesc.report.tables import Table, link
from netdesc.runs.errors import RunError
from netdesc.runs.folder import REPORT
from netdesc.runs.listing import ListedRun, read_run, short_names, value_text
from netdesc.runs.metrics_file import PER_EPOCH, read_rows
from netdesc.runs.sweep_table import SweepTable, TrialRow

MAX_BEST = 6
MAX_CURVE_POINTS = 30_000
_LOG_FROM = 30
"""Positive numbers whose largest is this many times the smallest have a logarithmic axis."""


class Axis(NamedTuple):
    """An axis of the parallel coordinates, with heights from 0 to 1, and -0.1 for no value.

    ``heights`` [ranked trials] are where lines cross the axis; ``ticks`` are texts by height.
    """

    title: str
    path: str
    heights: list[float]
    ticks: dict[float, str]


class SweepPage:
    """The data of the template ``sweep.html.j2``, for a file ``target``.

    ``ranked`` are the trials that are done, the best of the first objective first; ``best`` are
    those or, with several objectives, those on the front.
    """

    def __init__(self, table: SweepTable, target: Path) -> None:
        self.table, self.target, self.folder = table, target, shlex.quote(str(table.folder))
        self.names = short_names(table.parameters)
        self.metrics = [metric.replace("_", " ") for metric, _ in table.objectives]
        self.ranked = [trial for trial in table.trials if trial.status == "done" and trial.results]
        signs = [-1 if is_high else 1 for _, is_high in table.objectives]
        self.ranked.sort(key=lambda t: [a * b for a, b in zip(signs, t.results or (), strict=True)])
        on_front = [trial for trial in self.ranked if trial.number in table.front]
        self.best = on_front if len(signs) > 1 else self.ranked
        self.fronts = [self._front(index) for index in range(1, len(signs)) if self.ranked]
        self.histories = [self._history(index) for index in range(len(signs)) if self.ranked]
        self.runs = dict[int, ListedRun]()
        for trial in table.trials:
            for folder in trial.folders[:1]:
                with contextlib.suppress(RunError):
                    self.runs[trial.number] = read_run(table.folder / folder)
        self.curves = self._curves()
        self.axes = self._axes() if self.ranked else []
        shown = [trial for trial in self.best if trial.number in self.runs][:MAX_BEST]
        titles = [self._link(trial, f"trial {trial.number}") for trial in shown]
        self.differences = difference_table([self.runs[t.number] for t in shown], titles)
        self.trials = self._trials()

    def result(self, trial: TrialRow, index: int) -> str:
        """Formats the result of a trial, and half the range of its seeds."""
        name = self.metrics[index]
        text = metric_text(name, trial.results[index] if trial.results else None)
        spread = trial.spreads[index] / 2 if trial.spreads else 0.0
        return f"{text} ± {metric_text(name, spread)}" if spread else text

    def summary(self, trial: TrialRow) -> str:
        """Returns the results and values of a trial in one line."""
        results = [f"{name} {self.result(trial, n)}" for n, name in enumerate(self.metrics)]
        values = [
            f"{self.names.get(name, name)} {value_text(v)}" for name, v in trial.values.items()
        ]
        return ", ".join([*results, *filter(None, [trial.variant]), *values])

    def _link(self, trial: TrialRow, text: str) -> str:
        runs = [self.table.folder / folder for folder in trial.folders]
        links = [link(text, path, self.target) for run in runs for path in (run / REPORT, run)]
        return next((entry for entry in links if isinstance(entry, Markup)), text)

    def _points(self, name: str, trials: Sequence[TrialRow], points: Any, **style: Any) -> Any:
        x, y = np.array(points, float).reshape(-1, 2).T
        several = range(len(self.metrics))
        texts = [f"{t.number}: {', '.join(self.result(t, n) for n in several)}" for t in trials]
        return scatter(name, x, y, "customdata", customdata=texts, **style)

    def _front(self, index: int) -> Plot:
        """Plots the first objective against another; the front of two objectives is a line."""
        marks = {"mode": "markers", "marker": {"color": "var(--c6)"}}
        front = {"mode": "lines+markers" if len(self.metrics) == 2 else "markers"}
        kinds = ("trial", self.ranked, marks), ("front", self.best, front | {"line": line_style(1)})
        data = [
            self._points(name, trials, [t.results[index::-index] for t in trials if t.results], **x)
            for name, trials, x in kinds
        ]
        first, other = self.metrics[0], self.metrics[index]
        layout = time_layout(_axis(other), _axis(first), hovermode="closest")
        caption = "No trial is better in all objectives than one on the front."
        alt = f"{first} against {other} of {len(self.ranked)} trials."
        return Plot("The front", caption, alt, data, layout)

    def _history(self, index: int) -> Plot:
        trials = sorted(self.ranked, key=lambda trial: trial.number)
        rows = [(trial.number, trial.results[index]) for trial in trials if trial.results]
        pick = max if self.table.objectives[index][1] else min
        best = [*itertools.accumulate(rows, lambda a, b: (b[0], pick(a[1], b[1])))]
        best.append((self.table.trials[-1].number, best[-1][1]))
        marks = {"mode": "markers", "marker": {"color": "var(--c1)"}}
        steps = {"mode": "lines", "line": line_style(1) | {"shape": "hv"}, "hoverinfo": "skip"}
        title, data = self.metrics[index], [self._points("trial", trials, rows, **marks)]
        data.append(self._points("best so far", [], best, **steps))
        layout = time_layout(axis("trial"), _axis(title), hovermode="closest")
        return Plot(title.capitalize(), "", f"{title} by the number of the trial.", data, layout)

    def _curves(self) -> Plot | None:
        """Plots the first objective that has a value for each epoch, or else the loss."""
        named = [metric for metric, _ in self.table.objectives]
        metric = next((m for m in named if m in PER_EPOCH and m != "seconds"), "loss")
        columns = dict[int, Any]()
        for key, run in self.runs.items():
            with contextlib.suppress(RunError):
                column = np.array([getattr(row, metric) for row in read_rows(run.path)], float)
                if np.isfinite(column).any():
                    columns[key] = column / run.divisors.get(metric, 1)
        if not columns:
            return None
        step = 1 + sum(map(len, columns.values())) // MAX_CURVE_POINTS
        best = [trial.number for trial in self.best[:MAX_BEST] if trial.number in columns]
        others = [columns[key] for key in columns if key not in best]
        x = [n for column in others for n in (*range(1, 1 + len(column), step), math.nan)]
        y = [value for column in others for value in (*column[::step], math.nan)]
        faint = {"mode": "lines", "line": {"color": "var(--faint)", "width": 1}}
        faint |= {"hoverinfo": "skip", "hovertemplate": None}
        data = [scatter("other trials", np.array(x), np.array(y), "", **faint)] * bool(others)
        for index, key in enumerate(best):
            epochs = np.arange(1, 1 + len(columns[key]))
            style = {"mode": "lines" if len(epochs) > 1 else "markers", "line": line_style(index)}
            data.append(scatter(f"trial {key}", epochs, columns[key], "y:.4g", **style))
        name = metric.replace("_", " ")
        layout = time_layout(axis("epoch"), _axis(name))
        caption = "A line for the first seed of each trial. The best have a colour."
        alt = f"{name} over the epochs of {len(columns)} trials."
        return Plot(f"{name.capitalize()} over epochs", caption, alt, data, layout)

    def _axes(self) -> list[Axis]:
        columns = dict[str, list[Any]]()
        if any(trial.variant for trial in self.ranked):
            columns["variant"] = [trial.variant for trial in self.ranked]
        for path in self.table.parameters:
            columns[path] = [trial.values.get(path) for trial in self.ranked]
        for index, name in enumerate(self.metrics):
            columns[name] = [trial.results[index] for trial in self.ranked if trial.results]
        return [
            Axis(self.names.get(path, path), path, *_scale(values, "accuracy" in path))
            for path, values in columns.items()
        ]

    def _trials(self) -> Table:
        ranks = {trial.number: rank for rank, trial in enumerate(self.ranked)}
        trials = sorted(self.table.trials, key=lambda trial: ranks.get(trial.number, math.inf))
        front = self.best if self.fronts else []
        values = [*self.names.values()]
        rows = [
            [
                self._link(trial, str(trial.number)),
                trial.status + (", on the front" if trial in front else ""),
                *(self.result(trial, index) for index in range(len(self.metrics))),
                trial.variant,
                *(value_text(trial.values.get(path, NOTHING)) for path in self.table.parameters),
                trial.reason,
            ]
            for trial in trials
        ]
        caption = "The best first, by the first objective. ± is half the range of the seeds."
        headings = ["Trial", "Status", *self.metrics, "Variant", *values, "Reason"]
        texts = (0, 1, 2 + len(self.metrics), len(headings) - 1)
        return Table(caption, headings, rows, texts)


def _axis(metric: str) -> dict[str, Any]:
    return axis(metric) | ({"tickformat": ".1~%"} if "accuracy" in metric else {})


def _scale(values: list[Any], is_share: bool) -> tuple[list[float], dict[float, str]]:
    """Returns the heights of values on an axis, and its ticks; None has no value."""
    present = [value for value in values if value is not None]
    ticks = {-0.1: NOTHING} if len(present) < len(values) else dict[float, str]()
    if not all(type(value) in (int, float) and math.isfinite(value) for value in present):
        texts = [*dict.fromkeys(map(value_text, present))]
        heights = {text: (n + 0.5) / len(texts) for n, text in enumerate(texts)}
        ticks |= {height: text for text, height in heights.items()}
        return [-0.1 if value is None else heights[value_text(value)] for value in values], ticks
    low, high = min(present, default=0), max(present, default=0)
    is_log = not is_share and low > 0 and high > _LOG_FROM * low
    scale = math.log if is_log else float
    start, length = scale(low), scale(high) - scale(low)
    for height in (0.0, 0.25, 0.5, 0.75, 1.0) if length else (0.5,):
        level = start + height * length
        value = float(f"{math.exp(level) if is_log else level:.3g}")
        ticks[height] = (percent if is_share else number)(value)
    return [
        -0.1 if v is None else (scale(v) - start) / length if length else 0.5 for v in values
    ], ticks


@np.errstate(all="ignore")
def write_sweep_report(table: SweepTable, path: Path) -> None:
    """Writes the page of a sweep to ``path``. RunError if it cannot be written."""
    write_text(path, render("sweep.html.j2", SweepPage(table, path)), follow_links=True)
