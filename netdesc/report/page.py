"""The page: everything computed, put into the template, and one file that needs no other."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from netdesc import __version__
from netdesc.report import tables, training_plots
from netdesc.report.coincidence import coincidences
from netdesc.report.commands import Command, given_commands, next_steps
from netdesc.report.confusion_matrix import ConfusionMatrix, confusion_matrix
from netdesc.report.diagnosis import diagnose
from netdesc.report.format import duration, number, percent, plural
from netdesc.report.loss_trend import loss_notes
from netdesc.report.plots import Plot
from netdesc.report.rates import layer_rates
from netdesc.report.run import Run
from netdesc.report.status import RunStatus, run_status
from netdesc.report.tables import Table
from netdesc.report.verdict import headline, layer_notes
from netdesc.report.viewer import Film, Shown, film, shown
from netdesc.report.weight_change import WeightChange, weight_change

MAX_LOCK_CHARACTERS = 400_000
MAX_DESCRIPTION = 2000


@dataclass(frozen=True)
class Page:
    """All that the template prints. Figures and tables that a run does not have are None."""

    name: str
    description: str
    status: RunStatus
    headline: str
    notes: list[str]
    facts: dict[str, str]
    """Figures at the head of the page, by name."""
    damage: list[str]
    missing: str
    part: str
    film: Film | None
    samples: list[Shown]
    coincidences: Table | None
    training: list[Plot]
    confusion: ConfusionMatrix | None
    network: Table
    rates: Table | None
    rate_plot: Plot | None
    rate_histograms: list[Plot]
    weight_change: WeightChange
    gradients: Plot | None
    timing: Table
    timing_plot: Plot | None
    layers: Table | None
    environment: Table
    commands: list[Command]
    steps: list[Command]
    lock: str
    cut_layers: int
    version: str = __version__


def build_page(run: Run) -> Page:
    """Computes the page of a run."""
    status, rates, change = run_status(run), layer_rates(run), weight_change(run)
    diagnosis = diagnose(run, rates, change.zeroed)
    found = coincidences(run.activity.shown) if run.activity is not None else []
    return Page(
        name=run.graph.name,
        description=_shorten(run.document.description, MAX_DESCRIPTION),
        status=status,
        headline=headline(run),
        notes=[
            *diagnosis.problems,
            *loss_notes(run),
            *layer_notes(run, rates),
            *change.notes,
        ],
        facts=_facts(run),
        damage=[*change.damaged, *run.damage],
        missing=_missing(run),
        part=_part(run),
        film=film(run),
        samples=shown(run),
        coincidences=tables.coincidence_table(found) if found else None,
        training=training_plots.training_plots(run),
        confusion=confusion_matrix(run),
        network=tables.network_table(run),
        rates=tables.rates_table(rates) if rates else None,
        rate_plot=training_plots.rate_plot(run),
        rate_histograms=training_plots.rate_histograms(run, rates),
        weight_change=change,
        gradients=training_plots.gradient_plot(run),
        timing=tables.timing_table(run),
        timing_plot=training_plots.timing_plot(run),
        layers=tables.layers_table(run) if run.record.layers else None,
        environment=tables.environment_table(run),
        commands=given_commands(run),
        steps=next_steps(run, status, diagnosis),
        lock=_shorten(run.lock_text, MAX_LOCK_CHARACTERS),
        cut_layers=len(run.dense) - len(run.drawn),
    )


def _facts(run: Run) -> dict[str, str]:
    metrics, what = run.metrics, run.metrics.watched.replace("_", " ")
    accuracy = {}
    if metrics.has("accuracy") or metrics.has("validation_accuracy"):
        name = "Validation accuracy" if metrics.part == "validation" else "Accuracy"
        accuracy = {name: percent(metrics.best_accuracy)}
    return accuracy | {
        f"Best {what}": number(metrics.at(metrics.watched, metrics.best)),
        "Epochs": f"{run.epochs_done:,} of {run.epochs:,}",
        "Training time": duration(_training_s(run)),
        "Parameters": f"{run.graph.parameters:,}",
        "Synapses": f"{run.graph.synapses:,}",
    }


def _missing(run: Run) -> str:
    """Which files a run lacks, and why it may; empty where it has them all."""
    if not run.missing:
        return ""
    return (
        f"This run has no {' and no '.join(run.missing)}, so their part of the report is left out. "
        f"The first checkpoint after an epoch writes the best weights; a copy may be incomplete."
    )


def _training_s(run: Run) -> float | None:
    """Seconds spent in epochs."""
    if len(run.metrics.lacking) and run.record.seconds is not None:
        return run.record.seconds
    seconds = run.metrics.figures["seconds"]
    return float(np.nansum(seconds)) if len(seconds) else None


def _part(run: Run) -> str:
    """What the pictures and the rates were taken from."""
    activity = run.activity
    if activity is None:
        return ""
    part = "training" if activity.part == "train" else activity.part
    weights = f"the best weights, of epoch {activity.epoch:,}"
    if not activity.epoch:
        weights = "the weights before training"
    return f"Taken from {plural(activity.samples, f'{part} sample')} with {weights}."


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "\n… (the rest is left out)"


def render(page: Page) -> str:
    """The page as HTML."""
    scripts = {"plotly": _plotly(), "script": _asset("report.js")}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        page=page,
        style=Markup(_asset("report.css")),
        sources=" ".join(_sha256(text) for text in scripts.values()),
        **{name: Markup(text) for name, text in scripts.items()},
    )


def _asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


@functools.cache
def _plotly() -> str:
    """plotly.js as the installed package ships it; none of plotly's Python is loaded."""
    file = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"
    # As a browser sees it, which reads any line end as one, or the hash would not fit.
    text = file.read_text(encoding="utf-8").replace("\r\n", "\n").replace("\r", "\n")
    assert not re.search("(?i)</script|<!--", text)
    return text


def _sha256(text: str) -> str:
    """A script as the page's policy names it, so that the browser runs no other."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
