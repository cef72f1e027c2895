"""Sets runs side by side on one page: results, documents, curves and pictures."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from netdesc.description.diagnostics.wording import amount
from netdesc.report.format import NOTHING, duration, number, percent
from netdesc.report.html_page import render, write_text
from netdesc.report.pictures import SMALL, Picture, raster_picture
from netdesc.report.plots import Curve, Plot, curves
from netdesc.report.run import RunData
from netdesc.report.tables import Table, link
from netdesc.runs.folder import REPORT
from netdesc.runs.listing import (
    ListedRun,
    differing,
    read_run,
    short_names,
    shown_metrics,
    value_text,
)

COMPARISON = "comparison.html"


class Comparison:
    """The data of the template ``comparison.html.j2``, computed from two or more runs."""

    def __init__(self, paths: Sequence[Path], page: Path) -> None:
        by_folder = {os.path.abspath(path): path for path in paths}
        common = os.path.commonpath([os.path.dirname(folder) for folder in by_folder])
        listed = [read_run(path) for path in by_folder.values()]
        runs = {os.path.relpath(at, common): RunData(path) for at, path in by_folder.items()}
        self.title = amount(len(runs), "run")
        self.damage = [f"{label}: {text}" for label, run in runs.items() for text in run.damage]
        known = {name for run in listed for name in run.metrics}
        metrics = shown_metrics(known - {"spikes_per_sample"})
        rows = [
            [
                link(label, run.path / REPORT, page),
                entry.status,
                f"{run.epochs_done:,} of {run.epochs:,}",
                NOTHING if entry.record.best is None else f"{entry.record.best.epoch + 1:,}",
                *(metric_text(name, entry.metrics.get(name)) for name in metrics),
                number(_spikes_per_sample(entry, run)),
                f"{run.graph.parameters:,}",
                duration(entry.record.seconds),
            ]
            for entry, (label, run) in zip(listed, runs.items(), strict=True)
        ]
        caption = (
            "Metrics of the best epoch, with losses per sample. Spikes, or outputs other than 0, "
            "are those of all neurons with the best weights."
        )
        names = ("Run", "Status", "Epochs", "Best epoch", *metrics, "Spikes per sample")
        headings = [name.replace("_", " ").capitalize() for name in names]
        headings += ["Parameters", "Training time"]
        self.results = Table(caption, headings, rows, (0, 1))
        self.documents = difference_table(listed, list(runs))
        self.plots, self.rasters = list(_plots(runs)), list(_rasters(runs))


def metric_text(name: str, value: float | None) -> str:
    return (percent if "accuracy" in name else number)(value)


@np.errstate(all="ignore")
def write_comparison(
    runs: Sequence[Path], path: Path, warn: Callable[[str], None] = lambda text: None
) -> Path:
    """Writes a page that compares ``runs`` to ``path``, and returns ``path``.

    ``warn`` is called with each sentence about missing or damaged data. Raises RunError if a run is
    missing or damaged, or the page cannot be written.
    """
    page = Comparison(runs, path)
    write_text(path, render("comparison.html.j2", page), follow_links=True)
    for damage in page.damage:
        warn(damage)
    return path


def difference_table(runs: Sequence[ListedRun], headings: Sequence[str]) -> Table:
    """Lists the values in which documents differ, a row for each and a column for each run."""
    names = short_names(differing(runs), {path for run in runs for path in run.values})
    rows = [
        [name, *(value_text(run.values.get(path, NOTHING)) for run in runs)]
        for path, name in names.items()
    ]
    caption = (
        "Values that are not the same in all documents; those that netdesc chose itself are left "
        "out. Names are the ends of the paths that --set takes."
    )
    return Table(caption, ["Value", *headings], rows, range(len(headings) + 1))


def _spikes_per_sample(listed: ListedRun, run: RunData) -> float | None:
    counts = [float(rates.sum()) * run.graph.lengths[layer] for layer, rates in run.rates.items()]
    return listed.metrics.get("spikes_per_sample", sum(counts) if counts else None)


def _plots(runs: Mapping[str, RunData]) -> Iterator[Plot]:
    """Plots losses and accuracies of all runs over one another, over the epochs of the longest."""
    longest = max(len(run.metrics) for run in runs.values())
    units = {run.loss_unit for run in runs.values()}
    caption = "The ring marks the best epoch of each run."
    for name in ("validation_loss", "loss", "validation_accuracy", "accuracy"):
        columns = list[Curve]()
        for label, run in runs.items():
            if run.metrics.has(name):
                padding = np.full(longest - len(run.metrics), np.nan)
                values = np.concatenate([run.metrics.columns[name], padding])
                columns.append(Curve(label, values, run.metrics.best))
        if columns:
            is_share, epochs = "accuracy" in name, np.arange(1, longest + 1)
            unit = "correct" if is_share else f"loss{next(iter(units)) if len(units) == 1 else ''}"
            title = name.replace("_", " ") if "_" in name else f"training {name}"
            scale = "percent" if is_share else "log"
            yield curves(title.capitalize(), epochs, columns, unit, caption, scale)


def _rasters(runs: Mapping[str, RunData]) -> Iterator[Picture]:
    """Draws the target, once if it is the same in several runs, and the output of each run."""
    targets = set[bytes]()
    for label, run in runs.items():
        for sample in run.samples[:1]:
            rasters = {label: sample.output}
            if sample.target is not None and (key := sample.target.events.tobytes()) not in targets:
                rasters = {f"target of {label}" if targets else "target": sample.target, **rasters}
                targets.add(key)
            for title, raster in rasters.items():
                if raster is not None:
                    yield raster_picture(title, f"First sample, {title}", raster, SMALL)
